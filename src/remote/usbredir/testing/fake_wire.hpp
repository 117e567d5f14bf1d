// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "remote/usbredir/wire.hpp"

namespace periplex::remote::usbredir::testing {

/// Keeps what is sent.
class FakeWire final : public Wire {
 public:
  void send(MessageId id, const Message& message) override { sent.emplace_back(id, message); }
  MessageId request(const Message& message) override {
    send(++last, message);
    return last;
  }

  /// How many messages of this kind there are.
  template <typename Kind>
  [[nodiscard]] std::size_t count() const {
    std::size_t found = 0;
    for (const auto& [id, message] : sent) found += std::holds_alternative<Kind>(message) ? 1 : 0;
    return found;
  }
  /// The last message, which must be of this kind.
  template <typename Kind>
  [[nodiscard]] const Kind& back() const {
    return std::get<Kind>(sent.back().second);
  }

  MessageId last = 100;
  std::vector<std::pair<MessageId, Message>> sent;
};

/// Takes transfers back.
class Owner final : public usb::TransferOwner {
 public:
  struct Ended {
    usb::TransferId id;
    usb::Status status;
    std::uint32_t actual;
    Bytes data;
    std::vector<usb::IsochronousPacket> packets;
  };

  usb::TransferPtr make(usb::EndpointAddress endpoint, std::size_t size, std::uint16_t stream = 0) {
    const bool in = endpoint.direction() == usb::Direction::in;
    auto transfer = std::make_unique<usb::Transfer>(
        *this, usb::TransferId(++last_), endpoint, endpoint.direction(),
        in ? usb::TransferData::room(size) : usb::TransferData::owned(Bytes(size, std::byte{7})));
    transfer->stream = stream;
    return transfer;
  }
  usb::TransferPtr make_packets(usb::EndpointAddress endpoint, std::size_t count, std::uint32_t size) {
    usb::TransferPtr transfer = make(endpoint, count * size);
    for (std::size_t i = 0; i < count; ++i) {
      transfer->packets.push_back({.offset = static_cast<std::uint32_t>(i * size), .length = size});
    }
    return transfer;
  }
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    ended.push_back({transfer->id(), completion.status, completion.actual,
                     transfer->direction() == usb::Direction::in ? transfer->data.copy(transfer->data.size()) : Bytes(),
                     transfer->packets});
  }

  std::vector<Ended> ended;

 private:
  std::uint64_t last_ = 0;
};

}  // namespace periplex::remote::usbredir::testing
