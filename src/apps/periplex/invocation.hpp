// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <variant>
#include <vector>

/// What a command line of periplex says, as a value.
namespace periplex::apps {

namespace command {
struct List {};
struct Attach {
  std::string specification;
};
struct Detach {
  std::string id;
};
struct Eject {
  std::string id;
  bool force = false;
};
struct Insert {
  std::string id;
  std::string image;
};
struct Type {
  std::string text;
  std::string to;
};
struct Key {
  std::vector<std::string> chords;
  std::string to;
};
/// `body` is what the control API wants.
struct Pointer {
  std::string body;
  std::string to;
};
struct Stats {
  bool prometheus = false;
};
struct CaptureStart {
  std::string file;
};
struct CaptureStop {};
struct Args {
  std::string vmm;
  std::string memory;
};
struct Doctor {
  std::string qemu;
};
struct Completion {
  std::string shell;
};
/// Needs no machine.
struct ServeUsbip {
  std::string listen;
  std::vector<std::string> specifications;
};
/// Needs no machine.
struct ServeUsbredir {
  std::string listen;
  std::string specification;
};
/// Needs no machine.
struct ShowUsbip {
  std::string host;
};
struct Version {};
using Any = std::variant<List, Attach, Detach, Eject, Insert, Type, Key, Pointer, Stats, CaptureStart, CaptureStop,
                         Args, Doctor, Completion, ServeUsbip, ServeUsbredir, ShowUsbip, Version>;
}  // namespace command

struct Invocation {
  std::string control;  ///< path of the control socket
  std::string machine;  ///< its machine's name, as far as it was given
  bool json = false;
  command::Any command;
};

/// The command line is wrong, or asked only for help: what to print, and how to exit.
struct UsageExit {
  int status = 0;
  std::string text;
};

inline constexpr int kUsageError = 2;

[[nodiscard]] std::expected<Invocation, UsageExit> parse_invocation(int argc, const char* const* argv);

}  // namespace periplex::apps
