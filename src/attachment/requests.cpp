// SPDX-License-Identifier: Apache-2.0
#include "attachment/requests.hpp"

#include <map>
#include <ranges>
#include <utility>

namespace periplex::attachment {

/// Takes transfers back. It lives until the last of them has come, even if nobody is there any more.
class Requests::Relay final : public usb::TransferOwner {
 public:
  void enter(usb::TransferId id, Handler handler, const std::shared_ptr<Relay>& self) {
    handlers_.emplace(id, std::move(handler));
    self_ = self;
    ++outstanding_;
  }
  [[nodiscard]] std::vector<usb::TransferId> ids() const {
    const auto keys = std::views::keys(handlers_);
    return {keys.begin(), keys.end()};
  }
  void forget() { handlers_.clear(); }
  void forget(usb::TransferId id) { handlers_.erase(id); }

  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    const std::shared_ptr<Relay> keep = --outstanding_ == 0 ? std::move(self_) : self_;
    auto handler = handlers_.extract(transfer->id());
    if (handler) handler.mapped()(*transfer, completion);
  }

 private:
  std::map<usb::TransferId, Handler> handlers_;
  std::size_t outstanding_ = 0;
  std::shared_ptr<Relay> self_;  // while something is outstanding
};

Requests::Requests(usb::Device& device) : device_(&device), relay_(std::make_shared<Relay>()) {}

Requests::~Requests() {
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
  relay_->enter(id, std::move(handler), relay_);
  device_->submit(std::move(transfer));
  return id;
}

void Requests::cancel(usb::TransferId id) {
  if (device_ != nullptr) device_->cancel(id);
}

void Requests::drop(usb::TransferId id) {
  relay_->forget(id);
  cancel(id);
}

void Requests::forget_all(bool cancel_all) {
  const std::vector<usb::TransferId> ids = relay_->ids();
  relay_->forget();
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
  relay_->forget();
}

}  // namespace periplex::attachment
