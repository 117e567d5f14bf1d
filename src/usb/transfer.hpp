// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strong_id.hpp"
#include "usb/endpoint.hpp"
#include "usb/setup_packet.hpp"
#include "usb/transfer_data.hpp"

namespace periplex::usb {

/// How a transfer ended. A guest-bound transfer that ended early is `ok` with less than it had room for.
enum class Status : std::uint8_t {
  ok,
  stall,         ///< the endpoint answered STALL
  babble,        ///< the device sent more than there was room for
  error,         ///< no or bad answer after all retries
  cancelled,     ///< somebody asked for it
  disconnected,  ///< the device is gone
};

[[nodiscard]] std::string_view name(Status status);

struct Completion {
  Status status = Status::ok;
  std::uint32_t actual = 0;  ///< bytes moved in the data stage
};

class Transfer;
using TransferPtr = std::unique_ptr<Transfer>;

/// Who submitted a transfer and gets it back.
class TransferOwner {
 public:
  /// Called once per submitted transfer, on the loop, never from inside `Device::submit`. The transfer comes back with
  /// its data; guest-bound data lies in the first `completion.actual` bytes.
  virtual void on_complete(TransferPtr transfer, Completion completion) = 0;

 protected:
  ~TransferOwner() = default;
};

/// Tells transfers apart for life; ids are never used again.
using TransferId = StrongId<struct TransferIdTag, std::uint64_t>;

/// One packet group of an isochronous transfer: what one service interval of the endpoint carries (USB 2.0 §5.6). Its
/// bytes lie at `offset` of the transfer's data. The device fills in `actual` and `status`.
struct IsochronousPacket {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t actual = 0;
  Status status = Status::ok;
};

/// One data set on its way to or from an endpoint: what the guest sees as many packets is one of these.
///
/// Exactly one completion: whoever holds the TransferPtr owes `complete`, which consumes it. Its owner must outlive it.
class Transfer {
 public:
  Transfer(TransferOwner& owner, TransferId id, EndpointAddress endpoint, Direction direction, TransferData data)
      : data(std::move(data)), owner_(&owner), id_(id), endpoint_(endpoint), direction_(direction) {}

  [[nodiscard]] TransferId id() const { return id_; }
  [[nodiscard]] EndpointAddress endpoint() const { return endpoint_; }
  /// Of the data; for control transfers as the Setup stage says.
  [[nodiscard]] Direction direction() const { return direction_; }

  /// Puts `owner` in front of the present owner, which is returned: a decorator that does so owes it the completion.
  [[nodiscard]] TransferOwner& interpose(TransferOwner& owner) { return *std::exchange(owner_, &owner); }

  /// The Setup stage; control transfers only.
  std::optional<SetupPacket> setup;
  TransferData data;
  /// The stream it belongs to (USB 3.2 §8.12.1.4); 0 on an endpoint without streams. Transfers of one stream complete
  /// in order; those of an endpoint with streams may overtake each other.
  std::uint16_t stream = 0;
  /// Isochronous transfers only, in the order of their intervals, without gaps between their bytes. The controller is
  /// the clock: it hands packets over ahead of their intervals, but no faster than those pass, and never shows the
  /// guest a result before its interval. The device answers as soon as it can; a guest-bound packet for which it has
  /// nothing ends with `actual` 0. Packets that fail do not fail the transfer, whose own `actual` is the sum of theirs.
  std::vector<IsochronousPacket> packets;

  /// Hands `transfer` back to its owner. Call it from the loop, never from inside `submit`.
  static void complete(TransferPtr transfer, Completion completion);

 private:
  TransferOwner* owner_;
  TransferId id_;
  EndpointAddress endpoint_;
  Direction direction_;
};

}  // namespace periplex::usb
