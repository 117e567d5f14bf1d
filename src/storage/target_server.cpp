// SPDX-License-Identifier: Apache-2.0
#include "storage/target_server.hpp"

#include <utility>

namespace periplex::storage {

TargetServer::TargetServer(MessageCarrier& carrier, Initiator& initiator, const DiskIdentity& identity)
    : carrier_(carrier), initiator_(initiator) {
  carrier_.set_receiver(this);
  carrier_.send(encode(identity));
}

TargetServer::~TargetServer() {
  *alive_ = false;
  carrier_.set_receiver(nullptr);
  const auto pending = std::exchange(pending_, {});
  for (const auto& [tag, each] : pending) initiator_.abort(each.id);
}

void TargetServer::on_message(ByteView message) {
  if (failed_) return;
  auto decoded = decode_worker_message(message);
  if (!decoded) return fail("a message that is none");
  std::visit([this](auto&& each) { handle(std::forward<decltype(each)>(each)); }, std::move(*decoded));
}

bool TargetServer::accept(std::uint64_t tag, std::uint64_t bytes) {
  if (pending_.contains(tag)) {
    fail("a tag that is in use");
    return false;
  }
  if (pending_.size() < kMaxCommands && bytes_ + carrier_.waiting() + bytes <= kMaxCommandBytes) return true;
  carrier_.send(encode(tag, Result{.status = ScsiStatus::task_set_full}));
  return false;
}

Done TargetServer::answer(std::uint64_t tag) {
  return [this, alive = alive_, tag](Result result) {
    if (!*alive) return;
    const auto found = pending_.find(tag);
    if (found == pending_.end()) return;
    bytes_ -= found->second.bytes;
    pending_.erase(found);
    if (!failed_) carrier_.send(encode(tag, result));
  };
}

void TargetServer::handle(CommandMessage message) {
  const std::uint64_t bytes = message.command.data.length;
  if (!accept(message.tag, bytes)) return;
  Pending& pending = pending_[message.tag];
  pending.bytes = bytes;
  bytes_ += bytes;
  pending.id = initiator_.start(std::move(message.command), answer(message.tag));
}

void TargetServer::handle(const AbortMessage& message) {
  const auto found = pending_.find(message.tag);
  if (found != pending_.end()) initiator_.abort(found->second.id, message.only_if_waiting);
}

void TargetServer::handle(const ResetMessage& message) {
  if (!accept(message.tag, 0)) return;
  Pending& pending = pending_[message.tag];
  pending.id = initiator_.reset_unit(message.lun, answer(message.tag));
}

void TargetServer::fail(std::string why) {
  if (std::exchange(failed_, true)) return;
  const auto pending = std::exchange(pending_, {});
  bytes_ = 0;
  for (const auto& [tag, each] : pending) initiator_.abort(each.id);
  if (on_failed_) on_failed_(std::move(why));
}

}  // namespace periplex::storage
