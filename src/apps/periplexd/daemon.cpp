// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/daemon.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fmt/format.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <variant>

#include "apps/files.hpp"
#include "apps/tcp.hpp"
#include "base/log.hpp"
#include "link/ids.hpp"

namespace periplex::apps {
namespace {

// Numbers that the gate's descriptors have there: above those that we have here.
constexpr int kGateListens = 100;
constexpr int kGateParent = 101;
constexpr mode_t kPrivateFile = 0600;
/// Monitors that run as other users pass through to the sockets of their machines.
constexpr mode_t kPassable = 0711;

Bytes bytes_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

}  // namespace

std::expected<std::unique_ptr<Daemon>, std::string> Daemon::start(std::string path, const std::string& programs) {
  auto settings = read_manager_settings(path);
  if (!settings) return std::unexpected(settings.error());
  auto store = Store::open(settings->state_directory);
  if (!store) return std::unexpected(store.error());
  auto credentials = store->gate(settings->name);
  if (!credentials) return std::unexpected(credentials.error());
  if (auto made = make_own_directory(settings->runtime_directory, kPassable); !made)
    return std::unexpected(made.error());
  std::unique_ptr<Daemon> daemon(
      new Daemon(std::move(path), std::move(*settings), std::move(*store), std::move(*credentials), programs));
  if (auto listens = daemon->listen(); !listens) return std::unexpected(listens.error());
  daemon->watch_signals();
  daemon->start_gate();
  daemon->start_workers();
  return daemon;
}

Daemon::Daemon(std::string path, ManagerSettings settings, Store store, link::Credentials gate, std::string programs)
    : path_(std::move(path)),
      settings_(std::move(settings)),
      store_(std::move(store)),
      gate_credentials_(std::move(gate)),
      programs_(std::move(programs)),
      patience_(loop_.make_timer([this] { loop_.stop(); })) {}

Daemon::~Daemon() {
  ::unlink((settings_.runtime_directory + "/gate.json").c_str());
}

void Daemon::run() {
  loop_.run();
  log::info("apps", "periplexd ends");
}

std::expected<void, std::string> Daemon::listen() {
  const auto endpoint = parse_endpoint(settings_.listen, link::kDefaultPort);
  if (!endpoint) return std::unexpected(fmt::format("\"{}\" is no ADDRESS:PORT", settings_.listen));
  auto socket = listen_tcp(*endpoint);
  if (!socket) return std::unexpected(fmt::format("{} ({})", socket.error().text, socket.error().advice));
  listening_ = std::move(*socket);
  return {};
}

void Daemon::watch_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  signal_watch_ = loop_.watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { on_signal(); });
}

void Daemon::on_signal() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGHUP) {
      reload();
    } else {
      stop();
    }
  }
}

void Daemon::start_gate() {
  Child::Plan plan{.name = "the gate",
                   .arguments = {programs_ + "/periplex-gate", "--listen", std::to_string(kGateListens), "--parent",
                                 std::to_string(kGateParent)}};
  plan.descriptors = [this]() -> std::vector<std::pair<int, int>> {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) return {};
    gates_end_ = UniqueFd(ends[1]);
    lines_ = {};
    gate_ = std::make_unique<ByteStream>(
        loop_, UniqueFd(ends[0]),
        ByteStream::Events{.received = [this](ByteView bytes) { gate_said(bytes); },
                           .closed = [this](const std::string&) { loop_.defer([old = std::move(gate_)] {}); },
                           .drained = {}});
    return {{listening_.get(), kGateListens}, {gates_end_.get(), kGateParent}};
  };
  plan.started = [this] {
    gates_end_.reset();
    configure_gate();
  };
  children_.push_back(std::make_unique<Child>(loop_, std::move(plan)));
  children_.back()->start();
}

void Daemon::start_workers() {
  for (const ManagedMachine& machine : settings_.machines) {
    if (!machine.start || std::ranges::count(started_, machine.name) > 0) continue;
    Child::Plan plan{
        .name = fmt::format("the worker of {}", machine.name),
        .arguments = {programs_ + "/periplex-machine", "--name", machine.name, "--runtime-dir",
                      fmt::format("{}/{}", settings_.runtime_directory, machine.name), "--streams", machine.streams}};
    if (!machine.configuration.empty()) {
      plan.arguments.insert(plan.arguments.end(), {"--config", machine.configuration});
    }
    if (const std::string disks = periplex::machine::format_disk_settings(machine.remote_disks); !disks.empty()) {
      plan.arguments.insert(plan.arguments.end(), {"--remote-disks", disks});
    }
    started_.push_back(machine.name);
    children_.push_back(std::make_unique<Child>(loop_, std::move(plan)));
    children_.back()->start();
  }
}

/// Machines that are new are started; those that are not there any more keep their workers until we end.
void Daemon::reload() {
  if (stopping_) return;
  auto settings = read_manager_settings(path_);
  if (!settings) {
    log::error("apps", fmt::format("nothing has changed: {}", settings.error()));
    return;
  }
  settings_.machines = std::move(settings->machines);
  settings_.bindings = std::move(settings->bindings);
  start_workers();
  configure_gate();
  log::info("apps", "the configuration has been read again");
}

void Daemon::configure_gate() {
  gate::Configuration configuration{.name = settings_.name,
                                    .own = gate_credentials_,
                                    .authority = store_.authority(),
                                    .seats = store_.seats(),
                                    .bindings = settings_.bindings};
  for (const ManagedMachine& machine : settings_.machines) {
    configuration.machines.push_back({.name = machine.name, .streams = machine.streams});
  }
  say(gate::to_line(configuration));
}

void Daemon::say(std::string_view line) {
  if (gate_) gate_->send(bytes_of(line));
}

/// The gate meets the network: what it says is read as that of a stranger.
void Daemon::gate_said(ByteView bytes) {
  if (lines_.feed(bytes, [this](std::string_view line) { gate_reported(line); })) return;
  log::error("apps", "the gate has said what has no end");
  loop_.defer([old = std::move(gate_)] {});  // it ends, and is started again
}

void Daemon::gate_reported(std::string_view line) {
  const auto report = gate::parse_report(line);
  if (!report) return log::error("apps", "the gate has said what it should not: " + report.error());
  if (const auto* question = std::get_if<gate::EnrolmentQuestion>(&*report)) {
    const gate::EnrolmentVerdict verdict = store_.enrol(*question, std::chrono::system_clock::now());
    if (!verdict.certificate.empty()) {
      log::info("apps", fmt::format("{} has been let in", verdict.name));
      configure_gate();
    }
    return say(gate::to_line(verdict));
  }
  const std::string file = settings_.runtime_directory + "/gate.json";
  const auto written = replace_file(file, gate::to_line(std::get<gate::State>(*report)), kPrivateFile);
  if (!written) log::error("apps", written.error());
}

void Daemon::stop() {
  if (std::exchange(stopping_, true)) return;
  patience_->arm(kEndTime);
  ending_ = children_.size();
  for (const auto& child : children_) child->stop([this] { one_has_ended(); });
}

void Daemon::one_has_ended() {
  if (--ending_ == 0) loop_.stop();
}

}  // namespace periplex::apps
