// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "base/testing/virtual_time.hpp"
#include "remote/usbredir/exporter.hpp"
#include "remote/usbredir/importer.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::remote::usbredir::testing {

/// One direction of a connection: what is sent arrives later, in pieces of at most `piece` bytes.
class Pipe {
 public:
  explicit Pipe(Scheduler& scheduler) : scheduler_(scheduler) {}

  std::size_t piece = ~std::size_t{0};
  /// While held, nothing arrives.
  bool held = false;
  std::size_t carried = 0;
  std::function<void(ByteView)> arrive;

  void send(Bytes bytes) {
    carried += bytes.size();
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
    schedule();
  }
  void release() {
    held = false;
    schedule();
  }
  void cut() { waiting_.clear(); }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  void schedule() {
    if (std::exchange(scheduled_, true)) return;
    scheduler_.defer([this] {
      scheduled_ = false;
      deliver();
    });
  }
  void deliver() {
    if (held || waiting_.empty()) return;
    const std::size_t size = std::min(piece, waiting_.size());
    const Bytes bytes(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(size));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(size));
    if (!waiting_.empty()) schedule();
    arrive(bytes);
  }

  Scheduler& scheduler_;
  std::deque<std::byte> waiting_;
  bool scheduled_ = false;
};

/// Keeps what an importer tells its host.
class GuestSide final : public SessionHost {
 public:
  explicit GuestSide(Pipe& out) : out_(out) {}

  void send(Bytes bytes) override { out_.send(std::move(bytes)); }
  void device_arrived(usb::Device& arrived) override {
    device = &arrived;
    log = std::make_unique<usb::testing::TransferLog>(arrived);
    ++arrivals;
  }
  void device_left(usb::Device&) override { device = nullptr; }
  void session_failed(std::string why) override { failure = std::move(why); }

  usb::Device* device = nullptr;
  std::unique_ptr<usb::testing::TransferLog> log;  // of the last device
  unsigned arrivals = 0;
  std::string failure;

 private:
  Pipe& out_;
};

class HostSide final : public ExporterHost {
 public:
  explicit HostSide(Pipe& out) : out_(out) {}

  void send(Bytes bytes) override { out_.send(std::move(bytes)); }
  [[nodiscard]] std::size_t backlog() const override { return out_.waiting(); }
  void session_failed(std::string why) override { failure = std::move(why); }

  std::string failure;

 private:
  Pipe& out_;
};

/// An importer and an exporter, back to back.
class SessionPair {
 public:
  SessionPair() {
    to_guest.arrive = [this](ByteView bytes) { importer.receive(bytes); };
    to_host.arrive = [this](ByteView bytes) { exporter.receive(bytes); };
  }

  void connect() {
    importer.connected();
    exporter.connected();
    time.run_until_idle();
  }
  void cut() {
    to_guest.cut();
    to_host.cut();
    importer.disconnected();
    exporter.disconnected();
    time.run_until_idle();
  }

  [[nodiscard]] usb::testing::TransferLog& log() { return *guest.log; }
  /// What a control transfer is answered with, as hexadecimal text, or its status.
  std::string ask(const usb::SetupPacket& setup, Bytes data = {}) {
    const usb::TransferId id = log().control(setup, std::move(data));
    time.run_until_idle();
    return told(id);
  }
  /// How `id` ended: its data as hexadecimal text, or its status; "-" while it is pending.
  std::string told(usb::TransferId id) {
    time.run_until_idle();
    const auto* entry = log().find(id);
    if (entry == nullptr) return "-";
    return entry->status == usb::Status::ok ? hex(entry->data) : std::string(usb::name(entry->status));
  }
  std::string configure(std::uint16_t value = 1) {
    return ask({.request_type = 0, .request = 9, .value = value, .index = 0, .length = 0});
  }
  std::string set_interface(std::uint16_t interface, std::uint16_t setting) {
    return ask({.request_type = 1, .request = 11, .value = setting, .index = interface, .length = 0});
  }

  periplex::testing::VirtualTime time;
  Pipe to_guest{time};
  Pipe to_host{time};
  GuestSide guest{to_host};
  HostSide host{to_guest};
  Importer importer{guest, time};
  Exporter exporter{host, time};
};

}  // namespace periplex::remote::usbredir::testing
