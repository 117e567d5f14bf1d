// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <utility>

#include "base/testing/virtual_time.hpp"
#include "remote/usbip/importer.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::remote::usbip::testing {

/// Everything around an `Importer`: its host, a guest that submits transfers, and a server that a test plays by hand.
class FakeServer final : public SessionHost {
 public:
  /// What the importer has sent, with its data.
  struct Sent {
    Message message;
    Bytes payload;

    [[nodiscard]] const Submit& submit() const { return std::get<Submit>(message); }
    [[nodiscard]] const Unlink& unlink() const { return std::get<Unlink>(message); }
  };

  explicit FakeServer(ImportOptions options = {.bus_id = "1-1"}) : importer(*this, std::move(options), time) {}

  // SessionHost
  void send(Bytes bytes) override { inbox_.append(bytes); }
  void device_arrived(usb::Device& arrived) override {
    device = &arrived;
    guest.emplace(arrived);
  }
  void device_left(usb::Device&) override { device = nullptr; }
  void session_failed(std::string text) override { why = std::move(text); }

  /// Answers the import of a device with `speed`.
  void import(usb::Speed speed = usb::Speed::high) {
    importer.connected();
    EXPECT_EQ(inbox_.size(), OperationHeader::kSize + DeviceRecord::kBusIdSize);
    inbox_.consume(inbox_.size());
    ByteWriter out;
    encode(out, OperationHeader{.code = static_cast<std::uint16_t>(Operation::reply_import)});
    encode(out, DeviceRecord{.bus_id = "1-1", .bus_number = 1, .device_number = 2, .speed = linux_speed(speed)});
    importer.receive(out.view());
    EXPECT_NE(device, nullptr) << why;
  }

  /// The next message of the importer.
  [[nodiscard]] std::optional<Sent> next() {
    if (inbox_.size() < kHeaderSize) return std::nullopt;
    Sent sent{*parse_header(inbox_.view().first(kHeaderSize)), {}};
    inbox_.consume(kHeaderSize);
    std::size_t payload = 0;
    if (const auto* submit = std::get_if<Submit>(&sent.message)) {
      payload =
          (submit->direction == usb::Direction::out ? submit->length : 0) + submit->packets * PacketDescriptor::kSize;
    }
    const ByteView bytes = inbox_.view().first(payload);
    sent.payload.assign(bytes.begin(), bytes.end());
    inbox_.consume(payload);
    return sent;
  }
  [[nodiscard]] std::size_t unread() const { return inbox_.size(); }

  void answer(const SubmitReturn& returned, ByteView data = {}, ByteView packets = {}) {
    ByteWriter out;
    encode(out, returned);
    out.bytes(data).bytes(packets);
    importer.receive(out.view());
  }
  void answer(const Submit& submit, ByteView data, std::int32_t status = kOk) {
    answer({.sequence = submit.sequence, .status = status, .actual = static_cast<std::uint32_t>(data.size())}, data);
  }
  void answer_unlink(const Unlink& unlink, std::int32_t status = kConnectionReset) {
    ByteWriter out;
    encode(out, UnlinkReturn{.sequence = unlink.sequence, .status = status});
    importer.receive(out.view());
  }

  /// Lets the guest read a configuration with one interface that has `endpoints`.
  void show_configuration(std::initializer_list<usb::EndpointDescriptor> endpoints) {
    ByteWriter rest;
    encode(rest, usb::InterfaceDescriptor{.num_endpoints = static_cast<std::uint8_t>(endpoints.size())});
    for (const usb::EndpointDescriptor& endpoint : endpoints) encode(rest, endpoint);
    ByteWriter out;
    encode(out, usb::ConfigurationDescriptor{.total_length = static_cast<std::uint16_t>(9 + rest.size()),
                                             .num_interfaces = 1});
    out.bytes(rest.view());
    show_configuration(out.view());
  }
  void show_configuration(ByteView configuration) {
    guest->control({.request_type = 0x80, .request = 6, .value = 0x0200, .index = 0, .length = 255});
    answer(next()->submit(), configuration);
    guest->control({.request_type = 0, .request = 9, .value = 1, .index = 0, .length = 0});
    answer(next()->submit(), {});
    time.run_until_idle();
    EXPECT_EQ(guest->entries.size(), 2u);
    guest->entries.clear();
  }

  periplex::testing::VirtualTime time;
  std::optional<usb::testing::TransferLog> guest;
  Importer importer;
  usb::Device* device = nullptr;
  std::string why;

 private:
  Inbox inbox_;
};

}  // namespace periplex::remote::usbip::testing
