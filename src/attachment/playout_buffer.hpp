// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>

#include "attachment/completions.hpp"
#include "attachment/configuration.hpp"
#include "attachment/jitter.hpp"
#include "attachment/remote_transfers.hpp"

namespace periplex::attachment {

/// An isochronous IN endpoint at the worker: packets that the agent has pushed, for a guest whose controller is the
/// clock.
///
/// The guest's first transfer makes the agent stream (POLL). Each transfer is answered at once: with packets in the
/// order in which the device has sent them, or, while too few are kept ready, with empty ones. How many are kept ready
/// follows the measured jitter; when many more wait, the oldest are dropped, so that the delay stays bounded. Losses
/// are counted, and are those of a real-time stream: nothing is ever repeated.
///
/// A microphone never falls silent by sending nothing, and a guest's driver takes that for a fault (Linux's ALSA ends a
/// recording after about a buffer without data). So once a sound endpoint has sent something, zeros of that size stand
/// for what is missing.
class PlayoutBuffer {
 public:
  static constexpr Nanoseconds kIdle = std::chrono::milliseconds(500);
  /// How much more than the target may wait.
  static constexpr Nanoseconds kSlack = std::chrono::milliseconds(20);

  PlayoutBuffer(usb::EndpointAddress endpoint, const Configuration::Endpoint& properties, RemoteTransfers& agent,
                Completions& completions, Scheduler& scheduler, PeripheralCounters& counters);
  PlayoutBuffer(const PlayoutBuffer&) = delete;
  PlayoutBuffer& operator=(const PlayoutBuffer&) = delete;
  ~PlayoutBuffer() = default;

  void submit(usb::TransferPtr transfer);
  /// The stream is over: the agent stops, what waits is dropped.
  void flush();
  void configure(const Configuration::Endpoint& properties);

  [[nodiscard]] Verdict on_packets(const IsochronousIn& message);

  /// How many packets are to be kept ready just now.
  [[nodiscard]] std::size_t target() const;
  [[nodiscard]] std::size_t size() const { return packets_.size(); }

 private:
  struct Packet {
    usb::Status status;
    Bytes data;
  };

  void poll();
  void fill(usb::Transfer& transfer, usb::IsochronousPacket& packet);
  void fill_silence(usb::Transfer& transfer, usb::IsochronousPacket& packet);
  void drop_oldest();
  void bound();

  const usb::EndpointAddress endpoint_;
  Configuration::Endpoint properties_;
  RemoteTransfers& agent_;
  Completions& completions_;
  Scheduler& scheduler_;
  PeripheralCounters& counters_;
  std::unique_ptr<Timer> idle_;
  Jitter jitter_;
  std::deque<Packet> packets_;
  std::size_t bytes_ = 0;
  std::size_t packet_bytes_ = 0;  // of the last packet that was not empty
  bool streaming_ = false;        // the agent was told to
  bool playing_ = false;          // enough was ready to begin
  std::size_t largest_request_ = 0;
  std::size_t largest_arrival_ = 0;
  std::uint32_t generation_ = 1;
};

}  // namespace periplex::attachment
