// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/daemon.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <variant>

#include "apps/files.hpp"
#include "apps/tcp.hpp"
#include "base/log.hpp"
#include "link/ids.hpp"

namespace periplex::apps {
namespace {

constexpr mode_t kPrivateFile = 0600;
/// Monitors that run as other users pass through to the sockets of their machines.
constexpr mode_t kPassable = 0711;
constexpr mode_t kEmptyDirectory = 0555;
/// The gate of a periplexd that was killed notices at once, but may have something in hand.
constexpr Nanoseconds kPortIsFreed = std::chrono::seconds(5);
constexpr Nanoseconds kPortIsTried = std::chrono::milliseconds(50);
constexpr const char* kUsualUser = "periplex-gate";
constexpr const char* kNobody = "nobody";

/// Opens a socket of one kind where seats connect; the gate of a periplexd that was killed may still hold the port.
template <typename Open>
std::expected<UniqueFd, std::string> open_at(const std::string& where, Open open, std::string_view more_advice = {}) {
  const auto endpoint = parse_endpoint(where, link::kDefaultPort);
  if (!endpoint) return std::unexpected(fmt::format("\"{}\" is no ADDRESS:PORT", where));
  auto socket = open(*endpoint);
  for (Nanoseconds waited{}; !socket && socket.error().error == EADDRINUSE && waited < kPortIsFreed;
       waited += kPortIsTried) {
    std::this_thread::sleep_for(kPortIsTried);
    socket = open(*endpoint);
  }
  if (socket) return std::move(*socket);
  return std::unexpected(fmt::format("{} ({}{})", socket.error().text, socket.error().advice, more_advice));
}

std::expected<UniqueFd, std::string> listen_at(const std::string& where) {
  return open_at(where, [](const Endpoint& endpoint) { return listen_tcp(endpoint); });
}

/// A UDP socket at the port whose number is that of the TCP port.
std::expected<UniqueFd, std::string> take_datagrams_at(const std::string& where) {
  return open_at(
      where, [](const Endpoint& endpoint) { return bind_udp(endpoint); }, " Without datagrams: datagrams = false");
}

/// Two of the same runtime directory would each keep all running.
std::expected<UniqueFd, std::string> lock(const std::string& directory) {
  const std::string path = directory + "/periplexd.lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivateFile));
  if (file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  return std::unexpected(fmt::format("{}: another periplexd runs here, or it cannot be locked", path));
}

std::expected<UniqueFd, std::string> open_empty_directory(const std::string& path) {
  if (auto made = make_own_directory(path, kEmptyDirectory); !made) return std::unexpected(made.error());
  UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return std::unexpected(fmt::format("{}: cannot open it", path));
  return directory;
}

/// Whom the gate becomes; none where we are not root, and so cannot choose.
std::expected<std::optional<sandbox::User>, std::string> gate_user(const std::string& wanted) {
  if (::geteuid() != 0) return std::nullopt;
  auto user = sandbox::find_user(wanted.empty() ? kUsualUser : wanted);
  if (!user && wanted.empty()) user = sandbox::find_user(kNobody);
  if (!user) return std::unexpected("the gate cannot become another: " + user.error());
  return *user;
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
  auto locked = lock(settings->runtime_directory);
  if (!locked) return std::unexpected(locked.error());
  std::unique_ptr<Daemon> daemon(
      new Daemon(std::move(path), std::move(*settings), std::move(*store), std::move(*credentials), programs));
  daemon->lock_ = std::move(*locked);
  ::unlink(daemon->state_file().c_str());  // of one that was killed
  daemon->watch_signals();
  if (auto started = daemon->start_gate(programs); !started) return std::unexpected(started.error());
  daemon->workers_.apply(daemon->settings_.machines, daemon->settings_.presets);
  return daemon;
}

Daemon::Daemon(std::string path, ManagerSettings settings, Store store, link::Credentials gate,
               const std::string& programs)
    : path_(std::move(path)),
      settings_(std::move(settings)),
      store_(std::move(store)),
      gate_credentials_(std::move(gate)),
      workers_(loop_, programs, settings_.runtime_directory),
      patience_(loop_.make_timer([this] { loop_.stop(); })) {}

Daemon::~Daemon() {
  if (lock_) ::unlink(state_file().c_str());
}

std::string Daemon::state_file() const {
  return settings_.runtime_directory + "/gate.json";
}

void Daemon::run() {
  loop_.run();
  log::info("apps", "periplexd ends");
}

std::expected<void, std::string> Daemon::start_gate(const std::string& programs) {
  auto listening = listen_at(settings_.listen);
  if (!listening) return std::unexpected(listening.error());
  auto datagrams = settings_.datagrams ? take_datagrams_at(settings_.listen) : UniqueFd();
  if (!datagrams) return std::unexpected(datagrams.error());
  auto root = open_empty_directory(settings_.runtime_directory + "/empty");
  if (!root) return std::unexpected(root.error());
  const auto user = gate_user(settings_.gate_user);
  if (!user) return std::unexpected(user.error());
  gate_.emplace(
      loop_,
      GateProcess::Plan{.program = programs + "/periplex-gate",
                        .listening = std::move(*listening),
                        .datagrams = std::move(*datagrams),
                        .root = std::move(*root),
                        .user = *user},
      GateProcess::Events{.started = [this] { configure_gate(); },
                          .reported = [this](const gate::Report& report) { gate_reported(report); },
                          .connect_worker = [this](std::string_view machine) { return workers_.connect(machine); }});
  gate_->start();
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

void Daemon::reload() {
  if (stopping_) return;
  auto settings = read_manager_settings(path_);
  if (!settings) {
    log::error("apps", fmt::format("nothing has changed: {}", settings.error()));
    return;
  }
  if (!settings->same_places(settings_)) {
    log::warning("apps", "state-dir, runtime-dir and [gate] count from the next start of periplexd on");
  }
  settings_.machines = std::move(settings->machines);
  settings_.bindings = std::move(settings->bindings);
  settings_.limits = std::move(settings->limits);
  settings_.presets = std::move(settings->presets);
  workers_.apply(settings_.machines, settings_.presets);
  configure_gate();
  log::info("apps", "the configuration has been read again");
}

void Daemon::configure_gate() {
  gate::Configuration configuration{.name = settings_.name,
                                    .own = gate_credentials_,
                                    .authority = store_.authority(),
                                    .seats = store_.seats(),
                                    .bindings = settings_.bindings,
                                    .limits = settings_.limits};
  for (const ManagedMachine& machine : settings_.machines) configuration.machines.push_back(machine.name);
  gate_->say(gate::to_line(configuration));
}

void Daemon::gate_reported(const gate::Report& report) {
  if (const auto* question = std::get_if<gate::EnrolmentQuestion>(&report)) {
    const gate::EnrolmentVerdict verdict = store_.enrol(*question, std::chrono::system_clock::now());
    if (!verdict.certificate.empty()) {
      log::info("apps", fmt::format("{} has been let in", verdict.name));
      configure_gate();
    }
    return gate_->say(gate::to_line(verdict));
  }
  const auto written = replace_file(state_file(), gate::to_line(std::get<gate::State>(report)), kPrivateFile);
  if (!written) log::error("apps", written.error());
}

void Daemon::stop() {
  if (std::exchange(stopping_, true)) return;
  patience_->arm(kEndTime);
  const auto one_has_ended = [this] {
    if (--ending_ == 0) loop_.stop();
  };
  ending_ = 2;
  gate_->stop(one_has_ended);
  workers_.stop(one_has_ended);
}

}  // namespace periplex::apps
