// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string_view>

#include "link/frame.hpp"
#include "link/greeting.hpp"

namespace periplex::link {

/// For how long the gate waits for the HELLO of a new connection.
inline constexpr Nanoseconds kGreetingTime = std::chrono::seconds(10);

/// The gate's first look at a connection, before it is known whose it is.
class Reception {
 public:
  /// HELLO, once it is all there. On an error the connection is to be refused.
  [[nodiscard]] std::expected<std::optional<Hello>, Reason> receive(ByteView bytes);
  /// What came behind HELLO: the session gets it after `GateSession::attach`.
  [[nodiscard]] ByteView rest() const { return reader_.rest(); }

 private:
  FrameReader reader_;
};

/// The last bytes on a connection that is not taken.
[[nodiscard]] Bytes refusal(Reason reason, std::string_view text = {});

}  // namespace periplex::link
