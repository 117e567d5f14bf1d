// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <optional>

#include "host/usb/connection.hpp"
#include "host/usb/memory.hpp"
#include "usb/device/completion_queue.hpp"

namespace periplex::host {

/// Hears that the device does not answer any more because it is not there.
class GoneListener {
 public:
  virtual void on_device_gone() = 0;

 protected:
  ~GoneListener() = default;
};

/// The transfers of one endpoint, or of one of its streams, on their way to usbfs.
///
/// A transfer is one request to the kernel, whatever its length, as long as usbfs has the memory. A longer one than
/// `kLargestPiece` is several that look like one: device-bound pieces are queued together, and a guest-bound one
/// follows when the one before it came back full, so that a short answer ends the transfer and takes nothing of the
/// next.
class EndpointQueue final : private UrbOwner, private UsbfsMemory::Waiter {
 public:
  /// As large as the largest data sets of operating systems' storage drivers; a multiple of every packet size.
  static constexpr std::size_t kLargestPiece = std::size_t{1} << 20;
  /// Where the kernel has no memory for a piece it is halved, down to this.
  static constexpr std::size_t kSmallestPiece = std::size_t{16} << 10;
  /// The most packets in an isochronous transfer; usbfs itself takes 128 in one request of its own.
  static constexpr std::size_t kMostPackets = 1024;

  EndpointQueue(usb::EndpointAddress address, std::uint16_t stream, UsbConnection& connection, UsbfsMemory& memory,
                usb::device::CompletionQueue& completions, GoneListener& gone)
      : address_(address),
        stream_(stream),
        connection_(connection),
        memory_(memory),
        completions_(completions),
        gone_(gone) {}
  EndpointQueue(const EndpointQueue&) = delete;
  EndpointQueue& operator=(const EndpointQueue&) = delete;
  /// Completes everything with `disconnected`. The connection must have been abandoned.
  ~EndpointQueue();

  void add(usb::TransferPtr transfer, usb::TransferType type);
  /// False if it is not here.
  bool cancel(usb::TransferId id);
  /// The newest first.
  void cancel_all();
  /// Submits what can be submitted now.
  void pump();
  /// Completes with `status` what the kernel has nothing of.
  void fail_waiting(usb::Status status);

 private:
  struct Job {
    usb::TransferPtr transfer;
    usb::TransferType type;
    bool started = false;
    bool cancelled = false;
    std::size_t size = 0;
    std::size_t submitted = 0;
    std::size_t bytes_in_flight = 0;
    std::size_t moved = 0;
    unsigned in_flight = 0;
    std::optional<usb::Status> result;  // nothing more is to be submitted

    [[nodiscard]] bool wants_more() const { return !result && !cancelled && (!started || submitted < size); }
    [[nodiscard]] bool done() const { return in_flight == 0 && !wants_more(); }
    [[nodiscard]] usb::Status status() const {
      return result.value_or(cancelled && moved < size ? usb::Status::cancelled : usb::Status::ok);
    }
  };

  void on_urb(Urb& urb) override;
  void memory_available() override { pump(); }

  void submit_waiting();
  bool submit_piece(Job& job);
  bool on_refused(Job& job, std::size_t size, int error);
  [[nodiscard]] std::unique_ptr<Urb> make_urb(Job& job, std::size_t size);
  void take_result(Job& job, Urb& urb);
  void take_packets(Job& job, Urb& urb);
  void settle();

  const usb::EndpointAddress address_;
  const std::uint16_t stream_;
  UsbConnection& connection_;
  UsbfsMemory& memory_;
  usb::device::CompletionQueue& completions_;
  GoneListener& gone_;
  std::list<Job> jobs_;
  std::size_t piece_ = kLargestPiece;
  bool pumping_ = false;
  bool pump_again_ = false;
};

}  // namespace periplex::host
