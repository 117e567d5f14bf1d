// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-machine/worker.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "apps/open_file.hpp"
#include "apps/periplex-machine/confinement.hpp"
#include "apps/places.hpp"
#include "base/log.hpp"
#include "control/arguments.hpp"
#include "control/json.hpp"
#include "loop/unix_listener.hpp"

namespace periplex::apps {
namespace {

constexpr std::string_view kExampleMemory = "2G";
/// Others may pass through to a socket that is theirs, but see nothing.
constexpr mode_t kPassableDirectory = 0711;
constexpr mode_t kPrivateDirectory = 0700;
constexpr mode_t kModeBits = 07777;
constexpr const char* kProcessorLatency = "/dev/cpu_dma_latency";

std::unexpected<SettingsError> wrong(std::string text, std::string advice) {
  return std::unexpected(SettingsError{std::move(text), std::move(advice)});
}

/// Whether the directory is more than a machine's: /run or somebody's home must not change its mode for our sake.
bool holds_other_files(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; entry != end;) {
    if (!entry->path().filename().string().ends_with(kSocketSuffix)) return true;
    entry.increment(error);
    if (error) break;
  }
  return static_cast<bool>(error);
}

}  // namespace

std::expected<std::unique_ptr<Worker>, SettingsError> Worker::start(const Plan& plan) {
  std::unique_ptr<Worker> worker(new Worker(plan));
  worker->watch_signals();
  auto done = worker->make_directory();
  if (done) done = worker->make_machine();
  if (done && plan.low_latency) done = worker->keep_processors_awake();
  if (done && plan.capture) done = worker->start_capture(*plan.capture);
  for (const machine::Description& description : plan.peripherals) {
    if (done) done = worker->attach(description);
  }
  if (!done) return std::unexpected(std::move(done.error()));
  worker->machine_->serve();
  return worker;
}

Worker::~Worker() {
  control_.reset();
  machine_.reset();
  for (const std::string& path : sockets_) ::unlink(path.c_str());
  if (made_directory_) ::rmdir(plan_.runtime_directory.c_str());
}

void Worker::confine() {
  log::prepare();
  machine_->set_confinement(confine_worker());
}

void Worker::run() {
  loop_.set_max_spin(plan_.spin);
  loop_.run();
  log::info("apps", fmt::format("{} ends", plan_.name));
}

std::string Worker::ready_line(bool json) const {
  const auto qemu = control::monitor_arguments(control::Monitor::qemu, machine_->view().controllers, kExampleMemory);
  if (json) {
    return fmt::format(R"({{"ready":true,"machine":{},"qemu":{}}})", control::to_json(machine_->view()),
                       control::arguments_json("qemu", qemu.words, qemu.text));
  }
  return fmt::format("{} is ready; start QEMU (10.1 or newer) with: {}", plan_.name, qemu.text);
}

std::expected<void, SettingsError> Worker::keep_processors_awake() {
  UniqueFd device(::open(kProcessorLatency, O_WRONLY | O_CLOEXEC));
  if (!device) {
    return wrong(fmt::format("cannot keep processors awake: {}: {}", kProcessorLatency, std::strerror(errno)),
                 "let the worker's user write to it (an udev rule, or root), or leave --low-latency out");
  }
  loop_.keep_processors_awake(std::move(device));
  return {};
}

std::expected<void, SettingsError> Worker::make_directory() {
  const std::filesystem::path directory(plan_.runtime_directory);
  std::error_code error;
  std::filesystem::create_directories(directory.parent_path(), error);
  const mode_t mode = plan_.socket_owner || plan_.socket_group ? kPassableDirectory : kPrivateDirectory;
  if (!error && ::mkdir(directory.c_str(), mode) == 0) {
    made_directory_ = true;
  } else if (!error && errno != EEXIST) {
    error = std::error_code(errno, std::generic_category());
  }
  if (error) {
    return wrong(fmt::format("cannot make the directory {}: {}", plan_.runtime_directory, error.message()),
                 "name one that you may make with --runtime-dir DIR");
  }
  return take_directory(mode);
}

std::expected<void, SettingsError> Worker::take_directory(mode_t mode) {
  const char* const path = plan_.runtime_directory.c_str();
  const UniqueFd directory(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status{};
  if (!directory || ::fstat(directory.get(), &status) != 0) {
    return wrong(fmt::format("cannot use the directory {}: {}", path, std::strerror(errno)),
                 "name one of your own with --runtime-dir DIR");
  }
  if (status.st_uid != ::geteuid()) {
    return wrong(fmt::format("the directory {} belongs to another user, who could replace the sockets", path),
                 "name one of your own with --runtime-dir DIR");
  }
  // Made here, it may have lost bits to the umask; found, it may have others.
  if ((status.st_mode & kModeBits) == mode) return {};
  if (!made_directory_ && holds_other_files(plan_.runtime_directory)) {
    log::warning("apps",
                 fmt::format("{} holds other files too, so its mode stays {:04o}", path, status.st_mode & kModeBits));
    return {};
  }
  if (::fchmod(directory.get(), mode) != 0) {
    return wrong(fmt::format("cannot set the mode of {}: {}", path, std::strerror(errno)),
                 "name another directory with --runtime-dir DIR");
  }
  return {};
}

std::expected<UniqueFd, SettingsError> Worker::listen(const UnixListenerOptions& options) {
  auto socket = listen_unix(options);
  if (!socket) {
    return wrong(std::move(socket.error()),
                 "end the other periplex-machine, or choose another --name or --runtime-dir");
  }
  sockets_.push_back(options.path);
  return std::move(*socket);
}

std::expected<void, SettingsError> Worker::make_machine() {
  std::vector<machine::ControllerPlan> controllers;
  for (const machine::ControllerDescription& description : plan_.controllers) {
    machine::ControllerPlan& controller = controllers.emplace_back(description);
    for (const std::string& name : machine::function_names(description)) {
      std::string path = function_socket(plan_, name);
      auto socket =
          listen({.path = path, .mode = plan_.socket_mode, .owner = plan_.socket_owner, .group = plan_.socket_group});
      if (!socket) return std::unexpected(std::move(socket.error()));
      controller.sockets.push_back({std::move(path), std::move(*socket)});
    }
  }
  auto control = listen({.path = plan_.control_socket, .mode = 0600, .owner = {}, .group = {}});
  if (!control) return std::unexpected(std::move(control.error()));
  machine_ = std::make_unique<machine::Machine>(loop_,
                                                machine::Machine::Options{.name = plan_.name,
                                                                          .control_socket = plan_.control_socket,
                                                                          .remote_disks = plan_.remote_disks,
                                                                          .presets = machine::Presets(plan_.presets)},
                                                std::move(controllers));
  if (!plan_.streams.empty()) {
    auto streams = listen({.path = plan_.streams, .messages = true});
    if (!streams) return std::unexpected(std::move(streams.error()));
    machine_->take_streams(std::move(*streams));
  }
  control_ = std::make_unique<control::Server>(loop_, std::move(*control), *machine_);
  return {};
}

std::expected<void, SettingsError> Worker::attach(const machine::Description& description) {
  machine::Description named = description;
  if (const auto warning = open_warning(named)) log::warning("apps", *warning);
  auto files = open_files(named);
  if (!files) return wrong(std::move(files.error().text), std::move(files.error().advice));
  const auto attached = machine_->attach(std::move(named), std::move(*files));
  if (!attached) return wrong(attached.error().text, attached.error().advice);
  return {};
}

std::expected<void, SettingsError> Worker::start_capture(const std::string& path) {
  auto file = open_capture(path);
  if (!file) return wrong(std::move(file.error().text), std::move(file.error().advice));
  const auto started = machine_->start_capture(std::move(*file), path);
  if (!started) return wrong(started.error().text, started.error().advice);
  return {};
}

void Worker::watch_signals() {
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);  // before there are threads: they inherit it
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
  signal_watch_ = loop_.watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { loop_.stop(); });
}

}  // namespace periplex::apps
