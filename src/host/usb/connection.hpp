// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "host/usb/handle.hpp"

namespace periplex::host {

class Urb;
class UsbConnection;

/// Who submitted an `Urb`.
class UrbOwner {
 public:
  /// It has come back, on the loop, never inside `submit`; what the transfer says is final. It is destroyed afterwards.
  virtual void on_urb(Urb& urb) = 0;

 protected:
  ~UrbOwner() = default;
};

/// One request to the kernel: a transfer of libusb with memory of its own, which libusb writes to when it likes.
class Urb {
 public:
  /// `size` bytes of data, and `packets` isochronous packets, zero for other endpoints.
  Urb(UrbOwner& owner, void* job, std::size_t size, int packets = 0);
  Urb(const Urb&) = delete;
  Urb& operator=(const Urb&) = delete;
  ~Urb();

  [[nodiscard]] libusb_transfer& transfer() { return *transfer_; }
  [[nodiscard]] MutableByteView data() { return buffer_; }
  /// What the owner knows it by.
  [[nodiscard]] void* job() const { return job_; }

  std::size_t offset = 0;  ///< of its data in the owner's

 private:
  friend class UsbConnection;

  UrbOwner* owner_;  // null: nobody wants to know any more
  void* job_;
  Bytes buffer_;
  libusb_transfer* transfer_;
  UsbConnection* connection_ = nullptr;
  bool cancel_wanted_ = false;
  bool cancel_made_ = false;
};

/// An opened device with all that is under way on it. It outlives the `UsbDevice` until the last request has come back.
///
/// Calls that may wait are made on the call thread in the order of `call`. While there are some, nothing can be
/// submitted: ask `calling`.
class UsbConnection : public std::enable_shared_from_this<UsbConnection> {
 public:
  using Call = std::move_only_function<int(UsbHandle&)>;
  using Done = std::move_only_function<void(int)>;

  UsbConnection(std::unique_ptr<UsbHandle> handle, CallThread& thread, Scheduler& scheduler)
      : handle_(std::move(handle)), thread_(thread), scheduler_(scheduler) {}
  UsbConnection(const UsbConnection&) = delete;
  UsbConnection& operator=(const UsbConnection&) = delete;

  /// Makes `call` on the call thread, then `done` on the loop.
  void call(Call call, Done done);
  [[nodiscard]] bool calling() const { return busy_ || !calls_.empty(); }
  /// Called whenever there are no calls any more.
  void set_on_idle(std::function<void()> on_idle) { on_idle_ = std::move(on_idle); }

  /// Starts `urb`. Unless this is 0 nothing has been started, and `urb` is gone.
  [[nodiscard]] int submit(std::unique_ptr<Urb> urb);
  /// Asks for the end of every urb of `job`; they still come back.
  void cancel(const void* job);

  /// The owners of all urbs are gone: cancels what is under way, makes `last_call`, and then lets go of the device.
  void abandon(Call last_call);

 private:
  struct PendingCall {
    std::move_only_function<Call()> prepare;  // on the loop, just before the call is made
    Done done;
  };

  static void LIBUSB_CALL on_callback(libusb_transfer* transfer);
  void start_next_call();
  void deliver();
  void queue_cancellation();
  [[nodiscard]] std::vector<libusb_transfer*> take_wanted_cancellations();
  void let_go_when_quiet();

  std::unique_ptr<UsbHandle> handle_;
  CallThread& thread_;
  Scheduler& scheduler_;
  std::function<void()> on_idle_;
  std::deque<PendingCall> calls_;
  bool busy_ = false;  // a call is under way
  bool cancellation_queued_ = false;
  std::list<std::unique_ptr<Urb>> in_flight_;  // in the order of submission
  std::deque<std::unique_ptr<Urb>> ended_;     // to be delivered
  std::shared_ptr<UsbConnection> abandoned_;   // this, while it is nobody's
};

}  // namespace periplex::host
