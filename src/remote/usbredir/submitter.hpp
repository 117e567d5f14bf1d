// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "usb/device.hpp"

namespace periplex::remote::usbredir {

/// Who submits transfers to the device that is exported, in a controller's place.
class Submitter final : private usb::TransferOwner {
 public:
  using Done = std::move_only_function<void(usb::Transfer& transfer, usb::Completion completion)>;

  explicit Submitter(std::unique_ptr<usb::Device> device) : device_(std::move(device)) {}
  ~Submitter();
  Submitter(const Submitter&) = delete;
  Submitter& operator=(const Submitter&) = delete;

  [[nodiscard]] usb::Device& device() { return *device_; }
  /// Transfers and bytes that the device holds, those that nobody waits for any more among them.
  [[nodiscard]] std::size_t held() const { return held_; }
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }

  usb::TransferId control(const usb::SetupPacket& setup, Bytes data, Done done);
  usb::TransferId data(usb::EndpointAddress endpoint, usb::TransferData data, std::uint16_t stream, Done done);
  usb::TransferId isochronous(usb::EndpointAddress endpoint, usb::TransferData data,
                              std::vector<usb::IsochronousPacket> packets, Done done);

  /// Nobody waits for `id` any more; the device is asked to end it.
  void abandon(usb::TransferId id);
  void abandon_all();

 private:
  usb::TransferId submit(std::unique_ptr<usb::Transfer> transfer, Done done);
  [[nodiscard]] std::unique_ptr<usb::Transfer> make(usb::EndpointAddress endpoint, usb::Direction direction,
                                                    usb::TransferData data);
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override;

  std::uint64_t last_id_ = 0;
  std::size_t held_ = 0;
  std::size_t held_bytes_ = 0;
  std::map<usb::TransferId, Done> waiting_;
  std::unique_ptr<usb::Device> device_;  // destroyed first: it still completes what it holds
};

}  // namespace periplex::remote::usbredir
