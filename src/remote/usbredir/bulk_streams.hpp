// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <map>

#include "remote/usbredir/wire.hpp"
#include "usb/device/completion_queue.hpp"

namespace periplex::remote::usbredir {

/// The bulk streams that the far end has allocated for the guest's transfers.
///
/// A guest's controller does not say when it gets streams: its first transfer with a stream does. Then streams are
/// allocated on all endpoints of the interface that have some, as many as the least of them has. A far end that refuses
/// may have some of an earlier time, so it is asked again after it has freed them, and then for half as many. Transfers
/// wait meanwhile. The first transfer without a stream frees them again.
class BulkStreams {
 public:
  /// Takes a transfer that may go now.
  using Go = std::function<void(usb::TransferPtr)>;
  static constexpr std::uint32_t kMaxStreams = 256;

  BulkStreams(Wire& wire, usb::device::CompletionQueue& completions, Go go)
      : wire_(wire), completions_(completions), go_(std::move(go)) {}

  /// `endpoints` tell what the endpoint of `transfer` is; that it is a bulk endpoint has been checked.
  void submit(usb::TransferPtr transfer, const EndpointInfo& endpoints);
  /// False: it does not wait here.
  bool cancel(usb::TransferId id);
  void on_status(MessageId id, Result result);
  /// The guest uses `interface` anew.
  void free(std::uint8_t interface);
  /// The far end has none any more.
  void forget(usb::Status status);

 private:
  enum class State : std::uint8_t { none, allocating, allocated, refused };
  struct Group {
    State state = State::none;
    std::uint32_t endpoints = 0;
    std::uint32_t count = 0;
    bool asked_again = false;
    MessageId asked_by = 0;
    std::deque<usb::TransferPtr> waiting;
  };

  void allocate(Group& group);
  void release(Group& group, usb::Status status);
  void submit_with_stream(Group& group, usb::TransferPtr transfer);

  Wire& wire_;
  usb::device::CompletionQueue& completions_;
  Go go_;
  std::map<std::uint8_t, Group> groups_;  // by interface
};

}  // namespace periplex::remote::usbredir
