// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <optional>
#include <variant>

#include "host/usb/connection.hpp"
#include "host/usb/endpoint_queue.hpp"
#include "usb/device/completion_queue.hpp"

namespace periplex::host {

/// The transfers of endpoint 0, one after the other. Most go to the device as they are.
class ControlPipe final : private UrbOwner {
 public:
  /// usbfs moves no more than this in one control transfer (libusb: MAX_CTRL_BUFFER_LENGTH).
  static constexpr std::size_t kMostData = 4096;

  /// It goes to the device.
  struct Forward {};
  /// The kernel has to know: a call of its own, and what to make of the result.
  struct Call {
    UsbConnection::Call call;
    std::move_only_function<usb::Status(int)> conclude;
  };
  /// How a request is answered.
  using Answer = std::variant<Forward, usb::Completion, Call>;

  class Function {
   public:
    /// May fill guest-bound data of `transfer` where it completes it.
    [[nodiscard]] virtual Answer answer(usb::Transfer& transfer) = 0;

   protected:
    ~Function() = default;
  };

  ControlPipe(Function& function, UsbConnection& connection, usb::device::CompletionQueue& completions,
              GoneListener& gone)
      : function_(function), connection_(connection), completions_(completions), gone_(gone) {}
  ControlPipe(const ControlPipe&) = delete;
  ControlPipe& operator=(const ControlPipe&) = delete;
  /// Completes everything with `disconnected`. The connection must have been abandoned.
  ~ControlPipe();

  void add(usb::TransferPtr transfer);
  bool cancel(usb::TransferId id);
  void cancel_all();
  void pump();
  /// Completes with `disconnected` what the device has not been asked.
  void fail_waiting();

 private:
  void on_urb(Urb& urb) override;
  void start();
  void forward();
  void finish(usb::Completion completion);
  void cancel_active();

  Function& function_;
  UsbConnection& connection_;
  usb::device::CompletionQueue& completions_;
  GoneListener& gone_;
  std::deque<usb::TransferPtr> waiting_;
  usb::TransferPtr active_;
  bool with_device_ = false;  // the active one is in an urb
};

}  // namespace periplex::host
