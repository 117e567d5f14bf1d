// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-machine/confinement.hpp"

#include <sched.h>
#include <sys/mman.h>

#include "base/log.hpp"
#include "sandbox/process.hpp"

namespace periplex::apps {

using sandbox::SystemCallFilter;

SystemCallFilter worker_filter() {
  SystemCallFilter filter(SystemCallFilter::Otherwise::allowed);
  // Files are opened by others. Its sockets and the link to a terminal it takes away itself.
  filter.refuse({"open",      "openat",      "openat2",
                 "creat",     "truncate",    "rename",
                 "renameat",  "renameat2",   "link",
                 "linkat",    "mkdir",       "mkdirat",
                 "mknod",     "mknodat",     "chmod",
                 "fchmodat",  "chown",       "lchown",
                 "fchownat",  "setxattr",    "lsetxattr",
                 "fsetxattr", "removexattr", "utimensat",
                 "chdir",     "fchdir",      "name_to_handle_at"});
  filter.refuse({"socket", "connect", "bind", "listen"});
  filter.refuse(
      {"kill",          "tkill",        "rt_sigqueueinfo", "pidfd_open",    "pidfd_getfd", "pidfd_send_signal",
       "setuid",        "setgid",       "setreuid",        "setregid",      "setresuid",   "setresgid",
       "setgroups",     "setfsuid",     "setfsgid",        "capset",        "iopl",        "ioperm",
       "clock_settime", "settimeofday", "sethostname",     "setdomainname", "syslog",      "reboot",
       "swapon",        "swapoff",      "quotactl",        "acct",          "personality"});
  // Threads may be started, processes not. What is in memory behind a pointer a filter cannot read: without clone3 the
  // C library uses clone.
  filter.refuse({"fork", "vfork"});
  filter.refuse_if("clone", {{.index = 0, .mask = CLONE_THREAD, .value = 0}});
  filter.hide({"clone3"});
  for (const char* const name : {"mmap", "mprotect"}) {
    filter.refuse_if(name, {{.index = 2, .mask = PROT_EXEC, .value = PROT_EXEC}});
  }
  filter.kill_what_no_service_does();
  return filter;
}

sandbox::Confinement confine_worker() {
  sandbox::Confinement confinement;
  confinement.note("no-new-privileges", sandbox::forbid_new_privileges());
  confinement.note("no-inspection", sandbox::forbid_inspection());
  if (sandbox::has_sanitizer()) {
    confinement.missing.emplace_back("system-calls: it was built with a sanitizer");
  } else {
    confinement.note("system-calls", worker_filter().load());
  }
  for (const std::string& missing : confinement.missing) log::warning("apps", "not in force: " + missing);
  return confinement;
}

}  // namespace periplex::apps
