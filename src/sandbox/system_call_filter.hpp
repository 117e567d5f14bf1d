// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <string>
#include <vector>

namespace periplex::sandbox {

/// Which system calls a process may still make: a seccomp filter (seccomp(2)), written by libseccomp. It is a list of
/// names; to load it is the last that is done.
///
/// A call of another architecture's table than our own, by which filters are gone around, ends the process.
class SystemCallFilter {
 public:
  enum class Otherwise : std::uint8_t {
    allowed,  ///< what is not named may be done
    refused,  ///< what is not named fails with EPERM
  };
  /// A condition on one argument: (argument & mask) == value.
  struct Argument {
    unsigned index = 0;
    std::uint64_t mask = ~std::uint64_t{0};
    std::uint64_t value = 0;
  };

  explicit SystemCallFilter(Otherwise otherwise) : otherwise_(otherwise) {}

  void allow(std::initializer_list<const char*> names);
  void allow_if(const char* name, std::initializer_list<Argument> arguments);
  /// They fail with EPERM.
  void refuse(std::initializer_list<const char*> names);
  void refuse_if(const char* name, std::initializer_list<Argument> arguments);
  /// They fail with ENOSYS, as on a kernel that does not have them.
  void hide(std::initializer_list<const char*> names);
  /// Whoever calls one of these is not what it was started as: the process ends by SIGSYS.
  void kill(std::initializer_list<const char*> names);

  /// `kill` for what none of our processes does once it serves: start programs, trace others, change mounts and
  /// namespaces, load code into the kernel, go around filters, use keys and file handles.
  void kill_what_no_service_does();

  /// Puts it in force for all threads of this process and all it starts. Needs `forbid_new_privileges` before. The
  /// error is a text for a person.
  [[nodiscard]] std::expected<void, std::string> load() const;

 private:
  enum class Verdict : std::uint8_t { allow, refuse, hide, kill };
  struct Rule {
    Verdict verdict = Verdict::allow;
    const char* name = "";
    std::vector<Argument> arguments;
  };
  [[nodiscard]] static std::uint32_t action_of(Verdict verdict);
  void add(Verdict verdict, std::initializer_list<const char*> names);

  Otherwise otherwise_;
  std::vector<Rule> rules_;
};

}  // namespace periplex::sandbox
