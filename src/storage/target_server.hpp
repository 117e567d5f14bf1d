// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "storage/initiator.hpp"
#include "storage/message_carrier.hpp"
#include "storage/messages.hpp"

namespace periplex::storage {

/// The agent's end: carries out on a real disk what a worker's messages ask for.
///
/// The worker is not believed: what is no message ends the service, and what is more than `kMaxCommands` or
/// `kMaxCommandBytes`, results that it has not taken included, is answered with TASK SET FULL.
class TargetServer final : private MessageCarrier::Receiver {
 public:
  /// The initiator has been opened, and says `identity` of the disk; the worker is told here and now.
  TargetServer(MessageCarrier& carrier, Initiator& initiator, const DiskIdentity& identity);
  TargetServer(const TargetServer&) = delete;
  TargetServer& operator=(const TargetServer&) = delete;
  /// Asks for all that is under way to be aborted.
  ~TargetServer();

  /// Called once, when the worker has sent what is no message. Nothing is answered from then on. It must not destroy
  /// this.
  void set_on_failed(std::function<void(std::string why)> on_failed) { on_failed_ = std::move(on_failed); }

 private:
  struct Pending {
    CommandId id;
    std::uint64_t bytes = 0;
  };

  void on_message(ByteView message) override;
  void handle(CommandMessage message);
  void handle(const AbortMessage& message);
  void handle(const ResetMessage& message);
  [[nodiscard]] bool accept(std::uint64_t tag, std::uint64_t bytes);
  [[nodiscard]] Done answer(std::uint64_t tag);
  void fail(std::string why);

  MessageCarrier& carrier_;
  Initiator& initiator_;
  std::function<void(std::string)> on_failed_;
  std::map<std::uint64_t, Pending> pending_;  // by tag
  std::uint64_t bytes_ = 0;
  bool failed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace periplex::storage
