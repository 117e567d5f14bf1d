// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

/// Messages for the person who runs Periplex, on standard error. `layer` is the folder the decision was made in.
///
/// Anything that a guest or a peer can cause again and again goes through a `RateLimit`.
namespace periplex::log {

enum class Level : std::uint8_t { debug, info, warning, error };

/// Makes itself ready: afterwards it opens no file.
void prepare();
void set_level(Level level);
void write(Level level, std::string_view layer, std::string_view text);

inline void debug(std::string_view layer, std::string_view text) {
  write(Level::debug, layer, text);
}
inline void info(std::string_view layer, std::string_view text) {
  write(Level::info, layer, text);
}
inline void warning(std::string_view layer, std::string_view text) {
  write(Level::warning, layer, text);
}
inline void error(std::string_view layer, std::string_view text) {
  write(Level::error, layer, text);
}

/// Lets `burst` messages pass per window, then counts what it swallows.
///
/// Time is given by the caller, so that the limit can be tested and no clock is read here.
class RateLimit {
 public:
  constexpr explicit RateLimit(unsigned burst = 5, std::chrono::nanoseconds window = std::chrono::seconds(10))
      : burst_(burst), window_(window) {}

  [[nodiscard]] bool allow(std::chrono::nanoseconds now);
  /// Messages swallowed since the last one that passed.
  [[nodiscard]] std::uint64_t suppressed() const { return suppressed_; }

 private:
  unsigned burst_;
  std::chrono::nanoseconds window_;
  std::chrono::nanoseconds window_start_{};
  unsigned used_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace periplex::log
