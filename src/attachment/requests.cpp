// SPDX-License-Identifier: Apache-2.0
#include "attachment/requests.hpp"

#include <ranges>
#include <utility>

namespace periplex::attachment {

Requests::Requests(usb::Device& device)
    : device_(&device),
      relay_(std::make_shared<usb::TransferRelay>([this](usb::Transfer& transfer, usb::Completion completion) {
        if (auto handler = handlers_.extract(transfer.id())) handler.mapped()(transfer, completion);
      })) {}

Requests::~Requests() {
  relay_->orphan();
  forget_all(true);
}

usb::TransferId Requests::submit(Request request, Handler handler) {
  const usb::TransferId id(++last_id_);
  if (device_ == nullptr) return id;
  auto transfer =
      std::make_unique<usb::Transfer>(*relay_, id, request.endpoint, request.direction, std::move(request.data));
  transfer->setup = request.setup;
  transfer->stream = request.stream;
  transfer->packets = std::move(request.packets);
  handlers_.emplace(id, std::move(handler));
  relay_->sent();
  device_->submit(std::move(transfer));
  return id;
}

void Requests::cancel(usb::TransferId id) {
  if (device_ != nullptr) device_->cancel(id);
}

void Requests::drop(usb::TransferId id) {
  handlers_.erase(id);
  cancel(id);
}

void Requests::forget_all(bool cancel_all) {
  const auto keys = std::views::keys(handlers_);
  const std::vector<usb::TransferId> ids(keys.begin(), keys.end());
  handlers_.clear();
  if (!cancel_all) return;
  for (const usb::TransferId id : std::views::reverse(ids)) cancel(id);
}

void Requests::reset() {
  if (device_ != nullptr) device_->reset();
}

usb::Speed Requests::speed() const {
  return device_ == nullptr ? usb::Speed::full : device_->speed();
}

void Requests::device_gone() {
  device_ = nullptr;
  handlers_.clear();
}

}  // namespace periplex::attachment
