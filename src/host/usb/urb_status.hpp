// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libusb-1.0/libusb.h>

#include "usb/transfer.hpp"

namespace periplex::host {

/// How a transfer, or one isochronous packet, has ended.
[[nodiscard]] constexpr usb::Status status_of(libusb_transfer_status status) {
  switch (status) {
    case LIBUSB_TRANSFER_COMPLETED:
      return usb::Status::ok;
    case LIBUSB_TRANSFER_CANCELLED:
      return usb::Status::cancelled;
    case LIBUSB_TRANSFER_STALL:
      return usb::Status::stall;
    case LIBUSB_TRANSFER_NO_DEVICE:
      return usb::Status::disconnected;
    case LIBUSB_TRANSFER_OVERFLOW:
      return usb::Status::babble;
    case LIBUSB_TRANSFER_ERROR:
    case LIBUSB_TRANSFER_TIMED_OUT:
      return usb::Status::error;
  }
  return usb::Status::error;
}

/// What a refused submission or a failed call (a libusb error, not 0) is to the guest. A request that the kernel
/// cannot carry out because there is no such thing is one that a device would not have understood.
[[nodiscard]] constexpr usb::Status status_of_failure(int error) {
  switch (error) {
    case LIBUSB_ERROR_NO_DEVICE:
      return usb::Status::disconnected;
    case LIBUSB_ERROR_NOT_FOUND:
    case LIBUSB_ERROR_PIPE:
      return usb::Status::stall;
    default:
      return usb::Status::error;
  }
}

}  // namespace periplex::host
