// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-gate/confinement.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "base/log.hpp"
#include "link/tls_context.hpp"
#include "sandbox/capabilities.hpp"
#include "sandbox/landlock.hpp"

namespace periplex::apps {
namespace {

using sandbox::Confinement;
using sandbox::Done;
using sandbox::SystemCallFilter;

/// A connection of a seat costs two descriptors, an attached peripheral one more.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

/// What libraries read of files the first time that they are used, they read now.
void use_libraries() {
  link::prepare_tls();
  log::prepare();
}

/// What only root can do, and what root must give up. Without root there is less to give up.
Done leave_root(const GateConfinement& wanted, Confinement& confinement) {
  if (::geteuid() != 0) {
    confinement.missing.emplace_back("own-user, empty-root: only periplexd that runs as root can give it these");
    return sandbox::drop_capabilities();
  }
  if (wanted.root >= 0) {
    const Done done = sandbox::confine_to(wanted.root);
    confinement.note("empty-root", done);
    ::close(wanted.root);
  }
  if (!wanted.user || wanted.user->user == 0) {
    confinement.missing.emplace_back("own-user: it was told to stay root");
  } else {
    if (auto done = sandbox::become(*wanted.user); !done) return done;
    confinement.note("own-user", {});
  }
  return sandbox::drop_capabilities();
}

void allow_sockets(SystemCallFilter& filter) {
  filter.allow({"accept4", "recvmsg", "sendmsg", "recvfrom", "sendto", "shutdown", "getpeername", "getsockname"});
  // The two ends of a stream between itself and a worker; no other socket is ever made.
  filter.allow_if("socketpair", {{.index = 0, .value = AF_UNIX}});
  filter.allow_if("getsockopt", {{.index = 1, .value = SOL_SOCKET}});
  constexpr std::pair<int, int> kOptions[] = {
      {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_NOTSENT_LOWAT}, {IPPROTO_IP, IP_TOS}, {IPPROTO_IPV6, IPV6_TCLASS}};
  for (const auto& [level, option] : kOptions) {
    filter.allow_if("setsockopt", {{.index = 1, .value = static_cast<std::uint64_t>(level)},
                                   {.index = 2, .value = static_cast<std::uint64_t>(option)}});
  }
}

void allow_memory(SystemCallFilter& filter) {
  filter.allow({"munmap", "mremap", "brk", "madvise"});
  // No memory is ever code that was not there before.
  for (const char* const name : {"mmap", "mprotect"}) {
    filter.allow_if(name, {{.index = 2, .mask = PROT_EXEC, .value = 0}});
  }
}

void allow_own_end(SystemCallFilter& filter) {
  filter.allow({"exit", "exit_group", "rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "sigaltstack", "getpid",
                "gettid", "restart_syscall"});
  // abort() of a check that failed.
  filter.allow_if("tgkill", {{.index = 0, .value = static_cast<std::uint64_t>(::getpid())}});
}

}  // namespace

SystemCallFilter gate_filter() {
  SystemCallFilter filter(SystemCallFilter::Otherwise::refused);
  filter.allow({"read", "readv", "write", "writev", "close", "fstat"});
  filter.allow({"epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "futex", "sched_yield"});
  filter.allow({"clock_gettime", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom"});
  filter.allow_if("prctl", {{.index = 0, .value = PR_SET_TIMERSLACK}});
  for (const int command : {F_GETFL, F_SETFL, F_GETFD, F_SETFD}) {
    filter.allow_if("fcntl", {{.index = 1, .value = static_cast<std::uint64_t>(command)}});
  }
  allow_sockets(filter);
  allow_memory(filter);
  allow_own_end(filter);
  filter.kill_what_no_service_does();
  return filter;
}

std::expected<Confinement, std::string> confine(const GateConfinement& wanted) {
  Confinement confinement;
  raise_descriptor_limit();
  use_libraries();
  if (sandbox::has_sanitizer()) {
    confinement.missing.emplace_back("own-user, empty-root, landlock, system-calls: it was built with a sanitizer");
  } else {
    if (auto done = leave_root(wanted, confinement); !done) return std::unexpected(done.error());
    confinement.note("no-capabilities", {});
    confinement.note("no-resources", sandbox::forbid_resources());
  }
  if (auto done = sandbox::forbid_new_privileges(); !done) return std::unexpected(done.error());
  confinement.note("no-new-privileges", {});
  if (auto done = sandbox::forbid_inspection(); !done) return std::unexpected(done.error());
  confinement.note("no-inspection", {});
  if (sandbox::has_sanitizer()) return confinement;
  confinement.note("landlock", sandbox::forbid_files());
  confinement.note("system-calls", gate_filter().load());
  return confinement;
}

}  // namespace periplex::apps
