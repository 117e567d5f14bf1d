// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>

#include "attachment/extension.hpp"
#include "attachment/verdict.hpp"
#include "storage/message_carrier.hpp"

namespace periplex::storage {

/// Carries storage messages over an attachment, in parts. What the attachment has no room for waits here; how much that
/// may become is up to who sends (`kMaxCommandBytes`).
class PartCarrier final : public MessageCarrier {
 public:
  /// A session begins; `link` is valid until `end`.
  void begin(attachment::ExtensionLink& link);
  /// Everything is forgotten, and what is sent from now on is dropped.
  void end();

  void send(Bytes message) override;
  void set_receiver(Receiver* receiver) override { receiver_ = receiver; }
  [[nodiscard]] std::size_t waiting() const override { return waiting_bytes_; }
  [[nodiscard]] std::size_t waiting_messages() const { return waiting_.size(); }

  /// A message of type `kPart` or `kLastPart` has come.
  [[nodiscard]] attachment::Verdict on_part(ByteView part);
  /// There may be room again.
  void flush();

 private:
  attachment::ExtensionLink* link_ = nullptr;
  Receiver* receiver_ = nullptr;
  std::deque<Bytes> waiting_;
  std::size_t sent_ = 0;  // bytes of the first of them
  std::size_t waiting_bytes_ = 0;
  Bytes arriving_;
};

}  // namespace periplex::storage
