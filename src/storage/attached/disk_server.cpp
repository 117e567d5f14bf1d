// SPDX-License-Identifier: Apache-2.0
#include "storage/attached/disk_server.hpp"

#include "storage/attached/parts.hpp"

namespace periplex::storage {

using attachment::Verdict;
using attachment::violation;

void DiskServer::begin(attachment::ExtensionLink& link, attachment::Requests& device) {
  end();
  link_ = &link;
  requests_ = &device;
  carrier_.begin(link);
}

void DiskServer::end() {
  link_ = nullptr;
  carrier_.end();
  server_.reset();
  initiator_.reset();
  device_.reset();
  requests_ = nullptr;
  broken_ = false;
}

Verdict DiskServer::on_message(ByteView message) {
  const std::byte type = message.front();
  if (type == kOpenDisk) return open();
  if (type == kPart || type == kLastPart) return on_part(message);
  return violation("a storage message of a kind that a worker does not send");
}

Verdict DiskServer::open() {
  if (device_) return violation("a request for a disk that it has opened already");
  device_ = std::make_unique<RequestedDevice>(*requests_);
  device_->reset();
  initiator_ = std::make_unique<Initiator>(*device_, scheduler_, options_);
  initiator_->set_on_lost([this] { tell_no_disk("the disk does not answer any more"); });
  initiator_->open([this](const std::expected<DiskIdentity, InitiatorError>& identity) { on_opened(identity); });
  return {};
}

void DiskServer::on_opened(const std::expected<DiskIdentity, InitiatorError>& identity) {
  if (!identity) {
    // Of a device that is gone the worker hears anyway.
    if (identity.error() != InitiatorError::gone) tell_no_disk("it cannot be driven as a disk");
    return;
  }
  server_ = std::make_unique<TargetServer>(carrier_, *initiator_, *identity);
  server_->set_on_failed([this](const std::string&) { broken_ = true; });
}

Verdict DiskServer::on_part(ByteView part) {
  if (!server_) return violation("a storage command for a disk that is not open");
  if (carrier_.waiting_messages() > kMaxWaiting) return violation("more storage commands than it takes results of");
  if (const Verdict verdict = carrier_.on_part(part); !verdict) return verdict;
  return broken_ ? violation("a broken storage message") : Verdict{};
}

void DiskServer::tell_no_disk(std::string_view reason) {
  Bytes message{kNoDisk};
  const ByteView text = as_bytes(reason);
  message.insert(message.end(), text.begin(), text.end());
  if (link_ != nullptr) link_->send(std::move(message));
}

std::optional<InitiatorCounters> DiskServer::counters() const {
  if (!initiator_) return std::nullopt;
  return initiator_->counters();
}

}  // namespace periplex::storage
