// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/doctor.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>
#include <vector>

#include "apps/periplex/run_program.hpp"
#include "apps/periplex/tables.hpp"
#include "apps/places.hpp"
#include "control/json.hpp"
#include "loop/unique_fd.hpp"
#include "sandbox/landlock.hpp"

namespace periplex::apps {
namespace {

constexpr std::pair kFirstQemu{10u, 1u};

/// `note`: works, but not as well as it could, or not yet.
enum class State : std::uint8_t { ok, note, problem };

std::string_view name(State state) {
  switch (state) {
    case State::ok:
      return "ok";
    case State::note:
      return "note";
    case State::problem:
      return "problem";
  }
  return "?";
}

struct Finding {
  std::string_view check;
  State state = State::ok;
  std::string text;
  std::string advice{};
};

Finding check_qemu(const std::string& qemu) {
  const auto ran = run_program({qemu, "--version"});
  if (!ran || ran->status != 0) {
    return {"qemu", State::problem, fmt::format("{} is not installed", qemu),
            "install QEMU 10.1 or newer (on Debian 12 or 13 from backports), or name it with --qemu PROGRAM; Cloud "
            "Hypervisor works without it"};
  }
  const auto version = parse_qemu_version(ran->output);
  if (!version) {
    return {"qemu", State::problem, fmt::format("{} does not tell its version", qemu),
            "name a QEMU with --qemu PROGRAM"};
  }
  const std::string text = fmt::format("{} has version {}.{}", qemu, version->first, version->second);
  if (*version < kFirstQemu) {
    return {"qemu", State::problem, text + ", which knows no vfio-user-pci",
            "install 10.1 or newer (on Debian 12 or 13 from backports)"};
  }
  const auto device = run_program({qemu, "-device", "vfio-user-pci,help"});
  if (!device || device->status != 0) {
    return {"qemu", State::problem, text + ", but was built without vfio-user-pci",
            "install a build that has it (Debian's has), or build QEMU with CONFIG_VFIO_USER=y"};
  }
  return {"qemu", State::ok, text + " and knows vfio-user-pci"};
}

Finding check_kvm() {
  const UniqueFd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (kvm) return {"kvm", State::ok, "/dev/kvm can be used"};
  if (errno == EACCES || errno == EPERM) {
    return {"kvm", State::note, "you may not use /dev/kvm, so machines run slowly",
            "add yourself to its group: sudo usermod -aG kvm $USER, then log in again"};
  }
  return {
      "kvm", State::note, fmt::format("/dev/kvm cannot be opened ({}), so machines run slowly", std::strerror(errno)),
      "switch virtualization on in the firmware and load kvm_intel or kvm_amd; in a virtual machine, allow nesting"};
}

Finding check_runtime_directory() {
  const std::string root = runtime_root();
  std::filesystem::path nearest(root);
  std::error_code error;
  while (!std::filesystem::exists(nearest, error) && nearest.has_relative_path()) nearest = nearest.parent_path();
  if (::access(nearest.c_str(), W_OK | X_OK) == 0) {
    return {"runtime-directory", State::ok, fmt::format("sockets can be made in {}", root)};
  }
  return {"runtime-directory", State::problem, fmt::format("sockets cannot be made in {}", root),
          "set XDG_RUNTIME_DIR to a directory of your own, or start periplex-machine with --runtime-dir DIR"};
}

Finding check_landlock() {
  const int version = sandbox::landlock_version();
  if (version > 0) return {"landlock", State::ok, fmt::format("this kernel has Landlock (ABI {})", version)};
  return {"landlock", State::note,
          "this kernel has no Landlock, so a filter of system calls alone keeps the gate from files",
          "use Linux 5.13 or newer with landlock in its lsm= list"};
}

/// `who` says how it is confined in `json`, or nothing.
void check_confinement(std::string_view who, std::string_view json, std::vector<Finding>& findings) {
  const auto confinement = confinement_of(json);
  if (!confinement) return;
  const std::string text = fmt::format("{} is confined: {}", who, to_text(*confinement));
  if (confinement->missing.empty()) {
    findings.push_back({"confinement", State::ok, text});
  } else {
    findings.push_back({"confinement", State::note, text, "docs/gate.md says what each measure needs"});
  }
}

void check_client(const ControllerClient& controller, std::vector<Finding>& findings) {
  if (!controller.connected) {
    findings.push_back({"client", State::note,
                        fmt::format("no QEMU or Cloud Hypervisor is connected to {}", controller.name),
                        "start one with what `periplex args qemu` prints"});
    return;
  }
  findings.push_back({"client", State::ok, fmt::format("a machine's monitor is connected to {}", controller.name)});
  if (controller.shared_bytes == 0) {
    findings.push_back(
        {"memory", State::problem,
         fmt::format("the machine's RAM is not shared with {}, so no device in it can work", controller.name),
         "give QEMU -object memory-backend-memfd,id=ram,size=SIZE,share=on -machine memory-backend=ram, "
         "Cloud Hypervisor --memory size=SIZE,shared=on"});
    return;
  }
  findings.push_back(
      {"memory", State::ok,
       fmt::format("{} MiB of the machine's RAM are shared with {}", controller.shared_bytes >> 20, controller.name)});
}

void check_machine(const Patient& patient, std::vector<Finding>& findings) {
  if (!patient.machine) {
    findings.push_back({"machine", State::problem, patient.no_machine.text, patient.no_machine.advice});
    return;
  }
  const std::string& machine = *patient.machine;
  findings.push_back(
      {"machine", State::ok, fmt::format("{} answers at {}", text_member(machine, "name"), patient.control)});
  check_confinement(text_member(machine, "name"), machine, findings);
  for (const ControllerClient& controller : controller_clients(machine)) check_client(controller, findings);
}

std::string to_json(const std::vector<Finding>& findings, bool healthy) {
  std::string list;
  for (const Finding& finding : findings) {
    const std::string texts = control::error_json(finding.text, finding.advice);
    // {"error":TEXT,"advice":ADVICE} has the members that are wanted here, but for one name.
    constexpr std::string_view kError = R"({"error":)";
    list += fmt::format(R"({}{{"check":"{}","state":"{}","text":{})", list.empty() ? "" : ",", finding.check,
                        name(finding.state), texts.substr(kError.size()));
  }
  return fmt::format(R"({{"healthy":{},"findings":[{}]}})", healthy, list);
}

std::string to_text(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{}{:<8} {}", text.empty() ? "" : "\n", name(finding.state), finding.text);
    if (!finding.advice.empty()) text += fmt::format("\n         {}", finding.advice);
  }
  return text;
}

}  // namespace

Result examine(const Patient& patient) {
  std::vector<Finding> findings{check_qemu(patient.qemu), check_kvm(), check_runtime_directory(), check_landlock()};
  check_machine(patient, findings);
  check_confinement("the gate", patient.gate, findings);
  bool healthy = true;
  for (const Finding& finding : findings) healthy = healthy && finding.state != State::problem;
  return Shown{to_json(findings, healthy), to_text(findings), healthy ? 0 : 1};
}

std::optional<std::pair<unsigned, unsigned>> parse_qemu_version(std::string_view text) {
  constexpr std::string_view kWords = "emulator version ";
  const std::size_t at = text.find(kWords);
  if (at == std::string_view::npos) return std::nullopt;
  const char* const end = text.data() + text.size();
  unsigned major = 0;
  unsigned minor = 0;
  const auto [dot, bad_major] = std::from_chars(text.data() + at + kWords.size(), end, major);
  if (bad_major != std::errc{} || dot == end || *dot != '.') return std::nullopt;
  if (std::from_chars(dot + 1, end, minor).ec != std::errc{}) return std::nullopt;
  return std::pair(major, minor);
}

}  // namespace periplex::apps
