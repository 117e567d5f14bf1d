// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

/// What both sides may rely on. A side that is shown more ends the session.
namespace periplex::attachment {

/// Data of one transfer. A guest's longer one fails, and never travels.
inline constexpr std::size_t kMaxTransferBytes = std::size_t{16} << 20;
/// Payload of one message: a transfer with its header, with room for what an extension needs besides.
inline constexpr std::size_t kMaxMessageBytes = kMaxTransferBytes + (std::size_t{64} << 10);
/// Transfers that the agent has got and whose results the worker has not.
inline constexpr std::size_t kMaxTransfers = 1024;
/// The data of those, in both directions. One transfer may go beyond.
inline constexpr std::size_t kMaxTransferBytesInFlight = std::size_t{64} << 20;
/// Packets of one isochronous message, and bytes of one packet (USB 3.2 §8.12.5: 48 bursts of 1024, times 2).
inline constexpr std::size_t kMaxIsochronousPackets = 1024;
inline constexpr std::uint32_t kMaxIsochronousPacketBytes = 96 * 1024;
/// Bytes that wait in one buffer of a stream.
inline constexpr std::size_t kMaxIsochronousBytes = std::size_t{8} << 20;
/// Bytes of one packet of an interrupt endpoint, and packets that wait for the guest.
inline constexpr std::uint32_t kMaxReportBytes = 1024;
inline constexpr std::uint32_t kReportWindow = 128;
/// Endpoints that are polled: all that an address can name.
inline constexpr std::size_t kMaxEndpoints = 31;

/// The description of a peripheral.
inline constexpr std::size_t kMaxUniqueIdBytes = 255;
inline constexpr std::size_t kMaxDescriptors = 256;
inline constexpr std::size_t kMaxDescriptorBytes = std::size_t{256} << 10;
inline constexpr std::size_t kMaxReasonBytes = 255;

/// An isochronous service interval: a microframe to what bInterval 16 says at high speed.
inline constexpr Microseconds kShortestInterval{125};
inline constexpr Microseconds kLongestInterval{4'096'000};

}  // namespace periplex::attachment
