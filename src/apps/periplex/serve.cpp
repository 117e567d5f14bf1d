// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/serve.hpp"

#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/open_file.hpp"
#include "apps/periplex/usbip_server.hpp"
#include "apps/tcp.hpp"
#include "control/json.hpp"
#include "remote/usbip/operation.hpp"

namespace periplex::apps {
namespace {

constexpr Nanoseconds kTypePause = std::chrono::milliseconds(20);
constexpr std::size_t kMostPending = 64 * 1024;
constexpr std::size_t kTextPiece = 500;

std::unexpected<Failure> failure(std::string text, std::string advice) {
  return std::unexpected(Failure{std::move(text), std::move(advice)});
}

/// Types what comes on standard input, as fast as the client's guest fetches it.
class Typist {
 public:
  Typist(EventLoop& loop, machine::Plugged& keyboard)
      : keyboard_(keyboard), pause_(loop.make_timer([this] { type(); })) {
    // A regular file cannot be waited for, and /dev/null has nothing to say.
    struct stat status{};
    const bool speaks = ::isatty(STDIN_FILENO) == 1 ||
                        (::fstat(STDIN_FILENO, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)));
    if (speaks) watch_ = loop.watch(STDIN_FILENO, EPOLLIN, [this](std::uint32_t) { read(); });
  }

 private:
  void read() {
    std::array<char, 4096> bytes;
    const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count <= 0) return watch_.reset();
    pending_.append(bytes.data(), static_cast<std::size_t>(count));
    if (pending_.size() > kMostPending) watch_->set_events(0);
    type();
  }
  void type() {
    while (!pending_.empty()) {
      const std::string piece = pending_.substr(0, kTextPiece);
      if (const auto typed = keyboard_.type(piece); !typed) {
        if (typed.error().reason == machine::Reason::busy) return pause_->arm(kTypePause);
        std::fprintf(stderr, "periplex: not typed: %s\n", typed.error().text.c_str());
      }
      pending_.erase(0, piece.size());
    }
    if (watch_) watch_->set_events(EPOLLIN);
  }

  machine::Plugged& keyboard_;
  std::unique_ptr<Timer> pause_;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::string pending_;
};

std::expected<void, Failure> add(UsbipServer& server, const std::string& specification) {
  auto description = machine::parse_specification(specification);
  if (!description) return failure(std::move(description.error().text), std::move(description.error().advice));
  if (description->is_remote()) {
    return failure(fmt::format("a {} peripheral is somewhere else already", description->kind()),
                   "serve peripherals of this computer");
  }
  auto files = open_files(*description);
  if (!files) return failure(std::move(files.error().text), std::move(files.error().advice));
  auto added = server.add(std::move(*description), std::move(*files));
  if (!added) return failure(std::move(added.error().text), std::move(added.error().advice));
  return {};
}

void say_ready(const UsbipServer& server, const std::string& listen, bool json) {
  std::string list;
  for (std::size_t i = 0; i < server.exports().size(); ++i) {
    const remote::usbip::DeviceRecord& record = server.exports()[i].record;
    const machine::PeripheralView view = server.peripheral(i).view();
    list += json ? fmt::format(R"({}{{"busid":"{}","id":"{}","kind":"{}"}})", i == 0 ? "" : ",", record.bus_id,
                               view.description.id, view.description.kind())
                 : fmt::format("{}: {} ({})\n", record.bus_id, view.description.kind(), view.description.id);
  }
  if (json) {
    std::printf(R"({"ready":true,"listen":"%s","exports":[%s]})"
                "\n",
                listen.c_str(), list.c_str());
  } else {
    std::printf("%sready on %s; on Linux: modprobe vhci-hcd; usbip attach -r HOST -b BUSID\n", list.c_str(),
                listen.c_str());
  }
  std::fflush(stdout);
}

}  // namespace

Result serve_usbip(const command::ServeUsbip& serve, bool json) {
  const auto endpoint = parse_endpoint(serve.listen, remote::usbip::kDefaultPort);
  if (!endpoint) return failure(fmt::format("{} is no ADDRESS:PORT", serve.listen), "write it like 127.0.0.1:3240");
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);  // before there are threads: they inherit it
  ::signal(SIGPIPE, SIG_IGN);
  EventLoop loop;
  const UniqueFd signals(::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
  const auto watch = loop.watch(signals.get(), EPOLLIN, [&loop](std::uint32_t) { loop.stop(); });
  auto pool = std::make_unique<host::IoPool>(loop);
  auto server = std::make_unique<UsbipServer>(loop, *pool);
  for (const std::string& specification : serve.specifications) {
    if (auto added = add(*server, specification); !added) return std::unexpected(std::move(added.error()));
  }
  auto listening = listen_tcp(*endpoint);
  if (!listening) return failure(std::move(listening.error().text), std::move(listening.error().advice));
  server->serve(std::move(*listening));
  std::optional<Typist> typist;
  if (machine::Plugged* keyboard = server->keyboard()) typist.emplace(loop, *keyboard);
  std::fputs(
      "periplex: USB/IP is neither encrypted nor authenticated: whoever reaches this port has these peripherals\n",
      stderr);
  say_ready(*server, serve.listen, json);
  loop.run();
  const auto locks = server->locks();
  typist.reset();
  server.reset();
  pool.reset();  // performs the writes it has accepted
  for (const auto& lock : locks) lock->sync();
  return Shown{"", "", 0};
}

}  // namespace periplex::apps
