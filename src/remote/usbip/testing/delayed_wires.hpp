// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "base/testing/virtual_time.hpp"
#include "remote/usbip/exporter.hpp"
#include "remote/usbip/importer.hpp"

namespace periplex::remote::usbip::testing {

/// An importer and an exporter with a network between them that takes its time.
class DelayedWires final {
 public:
  DelayedWires(usb::Device& device, Nanoseconds one_way, periplex::testing::VirtualTime& time,
               ImportOptions options = {.bus_id = "1-1"})
      : one_way_(one_way),
        time_(time),
        exports_{
            {.record = {.bus_id = "1-1", .bus_number = 1, .device_number = 2, .speed = linux_speed(device.speed())},
             .interfaces = {},
             .device = &device}},
        server_side_(*this),
        client_side_(*this),
        exporter_(exports_, server_side_, time),
        importer_(client_side_, std::move(options), time),
        timer_(time.make_timer([this] { deliver(); })) {}

  void connect() { importer_.connected(); }

  [[nodiscard]] usb::Device* device() const { return device_; }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  struct Piece {
    Nanoseconds at;
    bool to_server;
    Bytes bytes;
  };

  struct ServerSide final : ExporterHost {
    explicit ServerSide(DelayedWires& owner) : wires(owner) {}
    void send(Bytes bytes) override { wires.send(false, std::move(bytes)); }
    void exporter_failed(std::string why) override { wires.why_ = std::move(why); }
    DelayedWires& wires;
  };
  struct ClientSide final : SessionHost {
    explicit ClientSide(DelayedWires& owner) : wires(owner) {}
    void send(Bytes bytes) override { wires.send(true, std::move(bytes)); }
    void device_arrived(usb::Device& device) override { wires.device_ = &device; }
    void device_left(usb::Device&) override { wires.device_ = nullptr; }
    void session_failed(std::string why) override { wires.why_ = std::move(why); }
    DelayedWires& wires;
  };

  void send(bool to_server, Bytes bytes) {
    pieces_.push_back({time_.now() + one_way_, to_server, std::move(bytes)});
    if (!timer_->armed()) timer_->arm(one_way_);
  }
  void deliver() {
    while (!pieces_.empty() && pieces_.front().at <= time_.now()) {
      const Piece piece = std::move(pieces_.front());
      pieces_.pop_front();
      piece.to_server ? exporter_.receive(piece.bytes) : importer_.receive(piece.bytes);
    }
    if (!pieces_.empty()) timer_->arm(pieces_.front().at - time_.now());
  }

  Nanoseconds one_way_;
  periplex::testing::VirtualTime& time_;
  std::vector<Export> exports_;
  std::deque<Piece> pieces_;
  usb::Device* device_ = nullptr;
  std::string why_;
  ServerSide server_side_;
  ClientSide client_side_;
  Exporter exporter_;
  Importer importer_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace periplex::remote::usbip::testing
