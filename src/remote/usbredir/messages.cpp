// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/messages.hpp"

namespace periplex::remote::usbredir {

usb::Status status_of(Result result) {
  switch (result) {
    case Result::success:
      return usb::Status::ok;
    case Result::stall:
      return usb::Status::stall;
    case Result::babble:
      return usb::Status::babble;
    case Result::cancelled:  // not by us: who cancels here forgets the answer
    case Result::invalid:
    case Result::io_error:
    case Result::timeout:
      break;
  }
  return usb::Status::error;
}

Result result_of(usb::Status status) {
  switch (status) {
    case usb::Status::ok:
      return Result::success;
    case usb::Status::stall:
      return Result::stall;
    case usb::Status::babble:
      return Result::babble;
    case usb::Status::cancelled:
      return Result::cancelled;
    case usb::Status::error:
    case usb::Status::disconnected:
      break;
  }
  return Result::io_error;
}

}  // namespace periplex::remote::usbredir
