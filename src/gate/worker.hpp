// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "gate/configuration.hpp"
#include "loop/message_socket.hpp"

namespace periplex::gate {

/// One machine's worker, at its stream socket (docs/gate.md, "The stream socket").
///
/// The gate connects, and again when the connection is lost. The worker says which peripherals it waits for; to each of
/// these it is given streams, one at a time.
class Worker {
 public:
  /// Peripherals that a worker may wait for.
  static constexpr std::size_t kMaxWishes = 256;
  static constexpr Nanoseconds kFirstRetry = std::chrono::milliseconds(200);
  static constexpr Nanoseconds kLastRetry = std::chrono::seconds(2);

  /// `changed`: what it waits for has changed. Called from the loop; the worker may not be destroyed in it.
  Worker(EventLoop& loop, KnownMachine machine, std::function<void()> changed);

  [[nodiscard]] const KnownMachine& machine() const { return machine_; }
  [[nodiscard]] bool present() const { return socket_ != nullptr; }
  /// 0: it does not wait for this peripheral. Each time it begins to wait the number is another one.
  [[nodiscard]] std::uint64_t wish(std::string_view unique_name) const;
  /// Gives it a stream. False: it does not take it now.
  [[nodiscard]] bool hand_over(std::string_view unique_name, const UniqueFd& stream);

 private:
  void connect();
  void received(std::string_view text);
  void lost();

  EventLoop& loop_;
  const KnownMachine machine_;
  std::function<void()> changed_;
  std::map<std::string, std::uint64_t, std::less<>> wishes_;
  std::uint64_t last_wish_ = 0;
  Nanoseconds retry_ = kFirstRetry;
  std::unique_ptr<Timer> reconnect_;
  std::unique_ptr<MessageSocket> socket_;
  log::RateLimit limit_;
};

}  // namespace periplex::gate
