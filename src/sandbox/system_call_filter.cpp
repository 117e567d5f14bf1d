// SPDX-License-Identifier: Apache-2.0
#include "sandbox/system_call_filter.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <seccomp.h>

namespace periplex::sandbox {
namespace {

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

std::unexpected<std::string> failure(const char* what, int error) {
  return std::unexpected(fmt::format("{}: {}", what, std::strerror(-error)));
}

}  // namespace

void SystemCallFilter::add(Verdict verdict, std::initializer_list<const char*> names) {
  for (const char* const name : names) rules_.push_back({verdict, name, {}});
}

void SystemCallFilter::allow(std::initializer_list<const char*> names) {
  add(Verdict::allow, names);
}

void SystemCallFilter::allow_if(const char* name, std::initializer_list<Argument> arguments) {
  rules_.push_back({Verdict::allow, name, arguments});
}

void SystemCallFilter::refuse(std::initializer_list<const char*> names) {
  add(Verdict::refuse, names);
}

void SystemCallFilter::refuse_if(const char* name, std::initializer_list<Argument> arguments) {
  rules_.push_back({Verdict::refuse, name, arguments});
}

void SystemCallFilter::kill(std::initializer_list<const char*> names) {
  add(Verdict::kill, names);
}

std::expected<void, std::string> SystemCallFilter::load() const {
  const std::uint32_t refusal = SCMP_ACT_ERRNO(EPERM);
  const std::unique_ptr<void, Release> filter(
      seccomp_init(otherwise_ == Otherwise::allowed ? SCMP_ACT_ALLOW : refusal));
  if (!filter) return std::unexpected("this kernel has no system call filters, or there is no memory");
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  for (const Rule& rule : rules_) {
    if (error != 0) break;
    const int number = seccomp_syscall_resolve_name(rule.name);
    // A call that is younger than the library does not exist for it; what the filter says of others goes for that too.
    if (number == __NR_SCMP_ERROR) continue;
    std::vector<scmp_arg_cmp> conditions;
    for (const Argument& one : rule.arguments) {
      conditions.push_back({.arg = one.index, .op = SCMP_CMP_MASKED_EQ, .datum_a = one.mask, .datum_b = one.value});
    }
    const std::uint32_t action = rule.verdict == Verdict::allow    ? SCMP_ACT_ALLOW
                                 : rule.verdict == Verdict::refuse ? refusal
                                                                   : SCMP_ACT_KILL_PROCESS;
    error = seccomp_rule_add_array(filter.get(), action, number, static_cast<unsigned>(conditions.size()),
                                   conditions.data());
  }
  if (error != 0) return failure("the filter cannot be made", error);
  error = seccomp_load(filter.get());
  if (error != 0) return failure("this kernel does not take a system call filter", error);
  return {};
}

}  // namespace periplex::sandbox
