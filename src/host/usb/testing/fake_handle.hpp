// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "host/usb/handle.hpp"

namespace periplex::host::testing {

/// A device whose transfers end when a test says so. It writes down every call.
class FakeHandle final : public UsbHandle {
 public:
  struct State {
    std::vector<std::string> calls;
    std::vector<libusb_transfer*> submitted;  // under way, in order
    std::map<std::string, int> results;       // of calls, by what is written down; 0 for others
    std::deque<int> submit_errors;            // for the next submissions
    std::set<std::uint8_t> drivers;           // interfaces that a driver of the kernel has
    bool paused = false;
    bool closed = false;

    /// Ends the oldest transfer under way with `actual` bytes, filled with `value` if they are guest-bound.
    void complete(std::size_t actual, std::byte value = std::byte{0}) {
      libusb_transfer& transfer = *submitted.front();
      const std::size_t start = transfer.type == LIBUSB_TRANSFER_TYPE_CONTROL ? LIBUSB_CONTROL_SETUP_SIZE : 0;
      const bool in = start != 0 ? (transfer.buffer[0] & 0x80) != 0 : (transfer.endpoint & 0x80) != 0;
      if (in) std::fill_n(transfer.buffer + start, actual, std::to_integer<unsigned char>(value));
      end(LIBUSB_TRANSFER_COMPLETED, actual);
    }
    void end(libusb_transfer_status status, std::size_t actual = 0) { end(0, status, actual); }
    void end(std::size_t which, libusb_transfer_status status, std::size_t actual = 0) {
      libusb_transfer* transfer = submitted.at(which);
      submitted.erase(submitted.begin() + static_cast<std::ptrdiff_t>(which));
      transfer->status = status;
      transfer->actual_length = static_cast<int>(actual);
      transfer->callback(transfer);
    }
    /// Ends all that was cancelled, as the kernel does.
    void end_cancelled() {
      while (!cancelled.empty()) {
        libusb_transfer* transfer = cancelled.front();
        cancelled.erase(cancelled.begin());
        const auto place = std::ranges::find(submitted, transfer);
        if (place != submitted.end()) {
          end(static_cast<std::size_t>(place - submitted.begin()), LIBUSB_TRANSFER_CANCELLED);
        }
      }
    }
    [[nodiscard]] std::vector<std::string> take_calls() { return std::exchange(calls, {}); }

    std::vector<libusb_transfer*> cancelled;
  };

  explicit FakeHandle(State& state) : state_(state) {}
  FakeHandle(const FakeHandle&) = delete;
  FakeHandle& operator=(const FakeHandle&) = delete;
  ~FakeHandle() override { state_.closed = true; }

  int submit(libusb_transfer& transfer) override {
    if (!state_.submit_errors.empty()) {
      const int error = state_.submit_errors.front();
      state_.submit_errors.pop_front();
      if (error != 0) return error;
    }
    state_.submitted.push_back(&transfer);
    return 0;
  }
  void pause() override { state_.paused = true; }
  void resume() override { state_.paused = false; }

  int cancel(libusb_transfer& transfer) override {
    state_.cancelled.push_back(&transfer);
    return note(fmt::format("cancel {:02x}", transfer.endpoint));
  }
  int reset() override { return note("reset"); }
  int set_configuration(int value) override { return note(fmt::format("configuration {}", value)); }
  int set_alternate_setting(std::uint8_t interface, std::uint8_t setting) override {
    return note(fmt::format("interface {} setting {}", interface, setting));
  }
  int clear_halt(std::uint8_t endpoint) override { return note(fmt::format("clear halt {:02x}", endpoint)); }
  int allocate_streams(std::uint32_t count, std::span<std::uint8_t> endpoints) override {
    return note(fmt::format("streams {} {:02x}", count, fmt::join(endpoints, ",")));
  }
  int claim(std::uint8_t interface) override {
    const int result = note(fmt::format("claim {}", interface));
    return result == 0 && state_.drivers.contains(interface) ? LIBUSB_ERROR_BUSY : result;
  }
  int release(std::uint8_t interface) override { return note(fmt::format("release {}", interface)); }
  int kernel_driver_active(std::uint8_t interface) override { return state_.drivers.contains(interface) ? 1 : 0; }
  int detach_kernel_driver(std::uint8_t interface) override {
    state_.drivers.erase(interface);
    return note(fmt::format("detach {}", interface));
  }
  int attach_kernel_driver(std::uint8_t interface) override {
    state_.drivers.insert(interface);
    return note(fmt::format("attach {}", interface));
  }

 private:
  int note(std::string what) {
    const auto result = state_.results.find(what);
    state_.calls.push_back(std::move(what));
    return result == state_.results.end() ? 0 : result->second;
  }

  State& state_;
};

/// Makes calls when a test says so.
class FakeCalls final : public CallThread {
 public:
  void run(std::move_only_function<int()> call, std::move_only_function<void(int)> done) override {
    calls_.push_back({std::move(call), std::move(done)});
  }
  [[nodiscard]] bool idle() const { return calls_.empty(); }
  /// Makes the oldest call, and tells its result.
  void make_one() {
    Call call = std::move(calls_.front());
    calls_.pop_front();
    const int result = call.call();
    call.call = nullptr;
    if (call.done) call.done(result);
  }
  void make_all() {
    while (!idle()) make_one();
  }

 private:
  struct Call {
    std::move_only_function<int()> call;
    std::move_only_function<void(int)> done;
  };
  std::deque<Call> calls_;
};

}  // namespace periplex::host::testing
