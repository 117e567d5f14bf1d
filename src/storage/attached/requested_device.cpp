// SPDX-License-Identifier: Apache-2.0
#include "storage/attached/requested_device.hpp"

#include <ranges>
#include <utility>

namespace periplex::storage {

RequestedDevice::~RequestedDevice() {
  for (const auto& [id, asked] : asked_ | std::views::reverse) requests_.drop(asked.request);
  auto asked = std::exchange(asked_, {});
  for (auto& [id, each] : asked) usb::Transfer::complete(std::move(each.transfer), {usb::Status::disconnected, 0});
}

void RequestedDevice::submit(usb::TransferPtr transfer) {
  const usb::TransferId id = transfer->id();
  attachment::Requests::Request request = {.endpoint = transfer->endpoint(),
                                           .direction = transfer->direction(),
                                           .data = std::move(transfer->data),
                                           .setup = transfer->setup,
                                           .stream = transfer->stream};
  Asked& asked = asked_[id];
  asked.transfer = std::move(transfer);
  asked.request = requests_.submit(std::move(request), [this, id](usb::Transfer& answered, usb::Completion completion) {
    on_answer(id, answered, completion);
  });
}

void RequestedDevice::cancel(usb::TransferId id) {
  if (const auto asked = asked_.find(id); asked != asked_.end()) requests_.cancel(asked->second.request);
}

void RequestedDevice::on_answer(usb::TransferId id, usb::Transfer& request, usb::Completion completion) {
  auto asked = asked_.extract(id);
  if (!asked) return;
  usb::TransferPtr transfer = std::move(asked.mapped().transfer);
  transfer->data = std::move(request.data);
  usb::Transfer::complete(std::move(transfer), completion);
}

}  // namespace periplex::storage
