// SPDX-License-Identifier: Apache-2.0
#include "storage/device_pipes.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace periplex::storage {

class DevicePipes::Core final : public usb::TransferOwner {
 public:
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    const auto found = waiting.find(transfer->id());
    if (found == waiting.end()) return;
    Ended ended = std::move(found->second);
    waiting.erase(found);
    const std::shared_ptr<Core> here = waiting.empty() ? std::exchange(self, nullptr) : self;
    if (!ended) return;
    const bool guest_bound = transfer->direction() == usb::Direction::in;
    const auto size = static_cast<std::uint32_t>(transfer->data.size());
    const std::uint32_t actual = std::min(completion.actual, size);
    ended(completion.status, actual, guest_bound ? transfer->data.copy(actual) : Bytes{});
  }

  std::map<usb::TransferId, Ended> waiting;
  std::shared_ptr<Core> self;  // while a transfer is under way
  std::uint64_t last_id = 0;
};

DevicePipes::DevicePipes(usb::Device& device) : device_(device), core_(std::make_shared<Core>()) {}

DevicePipes::~DevicePipes() {
  abandon();
}

void DevicePipes::abandon() {
  std::vector<usb::TransferId> ids;
  for (auto& [id, ended] : core_->waiting) {
    ended = nullptr;
    ids.push_back(id);
  }
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) device_.cancel(*id);
}

usb::TransferId DevicePipes::control(const usb::SetupPacket& setup, Ended ended) {
  const bool guest_bound = setup.direction() == usb::Direction::in;
  auto data = guest_bound ? usb::TransferData::room(setup.length) : usb::TransferData{};
  return submit(usb::EndpointAddress(0), setup.direction(), std::move(data), 0, &setup, std::move(ended));
}

usb::TransferId DevicePipes::in(usb::EndpointAddress endpoint, std::size_t room, Ended ended, std::uint16_t stream) {
  return submit(endpoint, usb::Direction::in, usb::TransferData::room(room), stream, nullptr, std::move(ended));
}

usb::TransferId DevicePipes::out(usb::EndpointAddress endpoint, Bytes data, Ended ended, std::uint16_t stream) {
  auto owned = usb::TransferData::owned(std::move(data));
  return submit(endpoint, usb::Direction::out, std::move(owned), stream, nullptr, std::move(ended));
}

usb::TransferId DevicePipes::submit(usb::EndpointAddress endpoint, usb::Direction direction, usb::TransferData data,
                                    std::uint16_t stream, const usb::SetupPacket* setup, Ended ended) {
  const usb::TransferId id(++core_->last_id);
  core_->waiting.emplace(id, std::move(ended));
  core_->self = core_;
  auto transfer = std::make_unique<usb::Transfer>(*core_, id, endpoint, direction, std::move(data));
  transfer->stream = stream;
  if (setup != nullptr) transfer->setup = *setup;
  device_.submit(std::move(transfer));
  return id;
}

}  // namespace periplex::storage
