// SPDX-License-Identifier: Apache-2.0
#include "usb/transfer.hpp"

namespace periplex::usb {

std::string_view name(Status status) {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::stall:
      return "stall";
    case Status::babble:
      return "babble";
    case Status::error:
      return "error";
    case Status::cancelled:
      return "cancelled";
    case Status::disconnected:
      return "disconnected";
  }
  return "?";
}

void Transfer::complete(TransferPtr transfer, Completion completion) {
  TransferOwner& owner = *transfer->owner_;
  owner.on_complete(std::move(transfer), completion);
}

}  // namespace periplex::usb
