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

void SystemCallFilter::hide(std::initializer_list<const char*> names) {
  add(Verdict::hide, names);
}

void SystemCallFilter::kill(std::initializer_list<const char*> names) {
  add(Verdict::kill, names);
}

void SystemCallFilter::kill_what_no_service_does() {
  kill({"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev"});
  kill({"mount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "move_mount", "open_tree",
        "mount_setattr", "setns", "unshare"});
  kill({"bpf", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "perf_event_open"});
  kill({"userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"});
  kill({"keyctl", "add_key", "request_key", "open_by_handle_at"});
}

std::uint32_t SystemCallFilter::action_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::allow:
      return SCMP_ACT_ALLOW;
    case Verdict::refuse:
      return SCMP_ACT_ERRNO(EPERM);
    case Verdict::hide:
      return SCMP_ACT_ERRNO(ENOSYS);
    case Verdict::kill:
      return SCMP_ACT_KILL_PROCESS;
  }
  return SCMP_ACT_KILL_PROCESS;
}

std::expected<void, std::string> SystemCallFilter::load() const {
  const std::unique_ptr<void, Release> filter(
      seccomp_init(otherwise_ == Otherwise::allowed ? SCMP_ACT_ALLOW : action_of(Verdict::refuse)));
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
    error = seccomp_rule_add_array(filter.get(), action_of(rule.verdict), number,
                                   static_cast<unsigned>(conditions.size()), conditions.data());
  }
  if (error != 0) return failure("the filter cannot be made", error);
  error = seccomp_load(filter.get());
  if (error != 0) return failure("this kernel does not take a system call filter", error);
  return {};
}

}  // namespace periplex::sandbox
