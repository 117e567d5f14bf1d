// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "loop/message_socket.hpp"

namespace periplex::gate {

/// One machine's worker, at its stream socket (docs/gate.md, "The stream socket").
///
/// The gate opens no connection: it asks its parent for one, and again when that is lost or does not come. The worker
/// says which peripherals it waits for; to each of these it is given streams, one at a time.
class Worker {
 public:
  /// Peripherals that a worker may wait for.
  static constexpr std::size_t kMaxWishes = 256;
  static constexpr Nanoseconds kFirstRetry = std::chrono::milliseconds(200);
  static constexpr Nanoseconds kLastRetry = std::chrono::seconds(2);

  /// All are called from the loop; the worker may not be destroyed in them.
  struct Events {
    /// Asks for a connection to the worker; `connected` follows, or nothing.
    std::function<void(const std::string& machine)> ask;
    /// What it waits for has changed.
    std::function<void()> changed;
  };

  Worker(EventLoop& loop, std::string machine, Events events);

  [[nodiscard]] const std::string& machine() const { return machine_; }
  /// A connection to its stream socket; it takes the place of one that is there.
  void connected(UniqueFd socket);
  [[nodiscard]] bool present() const { return socket_ != nullptr; }
  /// 0: it does not wait for this peripheral. Each time it begins to wait the number is another one.
  [[nodiscard]] std::uint64_t wish(std::string_view unique_name) const;
  /// Gives it a stream. False: it does not take it now.
  [[nodiscard]] bool hand_over(std::string_view unique_name, const UniqueFd& stream);

 private:
  void ask();
  void ask_later();
  void received(std::string_view text);
  void lost();

  EventLoop& loop_;
  const std::string machine_;
  const Events events_;
  std::map<std::string, std::uint64_t, std::less<>> wishes_;
  std::uint64_t last_wish_ = 0;
  Nanoseconds retry_ = kFirstRetry;
  std::unique_ptr<Timer> reconnect_;
  std::unique_ptr<MessageSocket> socket_;
  log::RateLimit limit_;
};

}  // namespace periplex::gate
