// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attachment/frame_reader.hpp"
#include "attachment/hello.hpp"
#include "attachment/limits.hpp"
#include "attachment/messages.hpp"

namespace periplex::attachment::testing {

/// A far side that greets and numbers its messages as it must, and then says whatever the test likes.
class ScriptedPeer {
 public:
  explicit ScriptedPeer(std::function<void(ByteView)> to_other) : to_other_(std::move(to_other)) {
    instance_[0] = std::byte{0xee};
  }

  void greet(std::uint32_t capabilities = kCapabilityTransfers | kCapabilityStorageCommands) {
    frame(FrameKind::hello, Hello{.capabilities = capabilities, .own = instance_}.encode());
  }
  void say(ByteView message) {
    frame(FrameKind::message, ByteWriter().le64(++number_).le64(acknowledges ? heard_ : 0).bytes(message).take());
  }
  void frame(FrameKind kind, ByteView body) {
    raw(ByteWriter()
            .le32(static_cast<std::uint32_t>(body.size() + 1))
            .u8(static_cast<std::uint8_t>(kind))
            .bytes(body)
            .take());
  }
  void raw(ByteView bytes) { to_other_(bytes); }

  /// What the other side sends.
  void hear(ByteView bytes) {
    while (true) {
      const auto next = reader_.take(bytes);
      if (!next || !*next) return;
      if ((*next)->front() != std::byte{2}) continue;
      ByteReader in((*next)->subspan(1));
      heard_ = in.le64();
      in.skip(8);
      messages.emplace_back(in.rest().begin(), in.rest().end());
    }
  }
  /// The last message of type `type` that was heard.
  [[nodiscard]] std::optional<Bytes> last(MessageType type) const {
    for (auto each = messages.rbegin(); each != messages.rend(); ++each) {
      if (each->front() == static_cast<std::byte>(type)) return Bytes(each->begin() + 1, each->end());
    }
    return std::nullopt;
  }

  bool acknowledges = true;
  std::vector<Bytes> messages;

 private:
  std::function<void(ByteView)> to_other_;
  InstanceId instance_{};
  FrameReader reader_{kMaxMessageBytes + 64};
  std::uint64_t number_ = 0;
  std::uint64_t heard_ = 0;
};

}  // namespace periplex::attachment::testing
