// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "attachment/requests.hpp"
#include "usb/device.hpp"

namespace periplex::storage {

/// The device behind a `DeviceServer` as its extension may use it: what is submitted here gets an id of the server's,
/// so that it is not taken for another transfer of the same device.
///
/// A reset is one of the real port. What is under way when this is destroyed is cancelled at the device and completes
/// here and now, with `disconnected`.
class RequestedDevice final : public usb::Device {
 public:
  explicit RequestedDevice(attachment::Requests& requests) : requests_(requests) {}
  RequestedDevice(const RequestedDevice&) = delete;
  RequestedDevice& operator=(const RequestedDevice&) = delete;
  ~RequestedDevice() override;

  [[nodiscard]] usb::Speed speed() const override { return requests_.speed(); }
  void submit(usb::TransferPtr transfer) override;
  void cancel(usb::TransferId id) override;
  void reset() override { requests_.reset(); }

 private:
  struct Asked {
    usb::TransferId request;
    usb::TransferPtr transfer;  // without its data, which the request has
  };
  void on_answer(usb::TransferId id, usb::Transfer& request, usb::Completion completion);

  attachment::Requests& requests_;
  std::map<usb::TransferId, Asked> asked_;  // by the ids of who submits here
};

}  // namespace periplex::storage
