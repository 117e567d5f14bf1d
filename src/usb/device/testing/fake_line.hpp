// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "usb/device/serial_line.hpp"

namespace periplex::usb::device::testing {

/// A serial line whose far end is a test: what arrives, how much room there is, and who listens.
class FakeLine final : public SerialLine {
 public:
  void connect(Port& port) override { port_ = &port; }
  [[nodiscard]] bool connected() const override { return connected_; }
  [[nodiscard]] bool readable() override {
    reader_waits_ = inbox_.empty();
    return !inbox_.empty();
  }
  [[nodiscard]] std::size_t read(MutableByteView room) override {
    if (!readable()) return 0;
    const std::size_t size = std::min(room.size(), inbox_.size());
    std::ranges::copy(as_bytes(std::string_view(inbox_).substr(0, size)), room.begin());
    inbox_.erase(0, size);
    return size;
  }
  [[nodiscard]] std::size_t write(ByteView data) override {
    const std::size_t size = std::min(data.size(), room_);
    writer_waits_ = size < data.size();
    sent += as_text(data.first(size));
    room_ -= size;
    return size;
  }
  void apply(const LineSettings& settings) override { applied = settings; }

  /// Somebody writes at the far end.
  void arrive(std::string_view text) {
    inbox_ += text;
    if (!inbox_.empty() && std::exchange(reader_waits_, false)) port_->on_readable();
  }
  /// Somebody reads at the far end.
  void make_room(std::size_t size) {
    room_ += size;
    if (room_ > 0 && std::exchange(writer_waits_, false)) port_->on_writable();
  }
  void set_connected(bool connected) {
    if (std::exchange(connected_, connected) != connected) port_->on_connection();
  }

  std::string sent;  ///< by the port
  LineSettings applied;

 private:
  Port* port_ = nullptr;
  std::string inbox_;
  std::size_t room_ = 0;
  bool connected_ = false;
  bool reader_waits_ = false;
  bool writer_waits_ = false;
};

}  // namespace periplex::usb::device::testing
