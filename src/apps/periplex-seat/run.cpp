// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/run.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

#include "agent/agent.hpp"
#include "apps/periplex-seat/consent_command.hpp"
#include "apps/periplex-seat/desk.hpp"
#include "apps/periplex-seat/inventory.hpp"
#include "apps/periplex-seat/tcp_dialler.hpp"
#include "attachment/random_instance.hpp"
#include "base/log.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::apps {
namespace {

std::unexpected<OpenError> wrong(std::string text, std::string advice) {
  return std::unexpected(OpenError{std::move(text), std::move(advice)});
}

/// What a peripheral sends by itself, and data that has its time; nothing if there was none.
std::string streams_text(const attachment::ServerCounters& counters) {
  std::string text;
  if (counters.reports > 0) {
    text += fmt::format("  reports: {} pushed, held up {} times\n", counters.reports, counters.reports_held_up);
  }
  if (counters.packets_out + counters.packets_out_dropped > 0) {
    text += fmt::format("  isochronous out: {} packets, {} dropped, dry {} times\n", counters.packets_out,
                        counters.packets_out_dropped, counters.under_runs);
  }
  if (counters.packets_in + counters.packets_in_dropped > 0) {
    text += fmt::format("  isochronous in: {} packets, {} dropped\n", counters.packets_in, counters.packets_in_dropped);
  }
  return text;
}

/// Everything of an agent, on one loop.
class Running final : private InventoryListener {
 public:
  explicit Running(const RunRequest& request) : request_(request), signals_(make_signals()) {}
  ~Running() {
    // Answers and devices find their way while all is there still; the inventory, which waits for devices, goes last.
    desk_.reset();
    consent_.reset();
    agent_.reset();
  }

  std::expected<void, OpenError> run() {
    const auto endpoint = parse_endpoint(request_.pairing.gate, link::kDefaultPort);
    if (!endpoint) return wrong(request_.pairing.gate + " is no host", "write --gate HOST, or HOST:PORT");
    auto context = link::TlsContext::make({.role = link::TlsContext::Role::agent,
                                           .own = request_.pairing.own,
                                           .authority = request_.pairing.authority,
                                           .protocols = {link::kLinkProtocol}});
    if (!context) return wrong("the pairing is of no use: " + context.error(), "pair anew: periplex-seat join");
    auto datagrams = link::TlsContext::make({.role = link::TlsContext::Role::agent,
                                             .own = request_.pairing.own,
                                             .authority = request_.pairing.authority,
                                             .transport = link::TlsContext::Transport::datagrams,
                                             .protocols = {link::kDatagramProtocol}});
    if (!datagrams) return wrong("the pairing is of no use: " + datagrams.error(), "pair anew: periplex-seat join");
    auto desk = Desk::open(loop_, [this](std::string_view line) { return answer(line); });
    if (!desk) return wrong(desk.error(), "one agent runs for each user");
    desk_ = std::move(*desk);

    dialler_.emplace(loop_, *endpoint);
    agent_ = std::make_unique<agent::Agent>(loop_, std::move(*context), *dialler_,
                                            agent::Agent::Settings{.name = request_.name,
                                                                   .served = {.instances = attachment::random_instance},
                                                                   .datagrams = std::move(*datagrams)});
    if (!request_.configuration.consent_command.empty()) {
      consent_ = std::make_unique<ConsentCommand>(loop_, request_.configuration.consent_command);
    }
    InventoryListener& listener = *this;
    inventory_ = std::make_unique<Inventory>(loop_, request_.configuration, consent_.get(), *agent_, listener);
    inventory_->start();
    agent_->start();
    const auto watch = loop_.watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { on_signal(); });
    loop_.run();
    return {};
  }

 private:
  static UniqueFd make_signals() {
    sigset_t ends{};
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    return UniqueFd(::signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));
  }

  void on_signal() {
    signalfd_siginfo signal{};
    while (::read(signals_.get(), &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
      if (std::exchange(ending_, true)) return loop_.stop();  // a second one does not wait for anybody
      agent_->end([this] { loop_.stop(); });
    }
  }

  void on_plugged(const seat::Offers::Entry& entry, const Details&) override {
    log::info("apps", fmt::format("{} is plugged in: {}, {}", entry.offer.id, seat::name(entry.decision.action),
                                  entry.decision.by));
  }
  void on_unplugged(const seat::Offers::Entry& entry) override {
    log::info("apps", fmt::format("{} is unplugged", entry.offer.id));
  }

  std::string answer(std::string_view line) {
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string_view verb = line.substr(0, space);
    const std::string id(line.substr(std::min(space + 1, line.size())));
    if (verb == "status") return status();
    if (!inventory_ || ending_) return "error: the agent is not at work\n";
    if (verb == "take-back") return inventory_->offers().take_back(id) ? "ok\n" : "error: it is not offered\n";
    if (verb == "offer") return inventory_->offers().offer_again(id) ? "ok\n" : "error: it was not taken back\n";
    return "error: the agent does not know this request\n";
  }

  std::string status() const {
    const link::AgentSession& session = agent_->session();
    const bool up = session.up(link::Lane::realtime);
    std::string text = fmt::format("{} {}\n", up ? "connected to" : "not connected to", request_.pairing.gate);
    if (!up && !agent_->trouble().empty()) text += fmt::format("  {}\n", agent_->trouble());
    if (up) text += datagrams();
    for (const auto& [id, entry] : inventory_->offers().entries()) {
      text += fmt::format("{}  {}\n", id, agent_->has_lent(id) ? "lent" : seat::name(entry.state));
      if (const auto* counters = agent_->counters(id)) text += streams_text(*counters);
    }
    return text;
  }

  std::string datagrams() const {
    const link::AgentSession& session = agent_->session();
    if (!session.takes_datagrams()) return "  datagrams: the host takes none\n";
    const link::DatagramWay& way = session.datagrams();
    const auto& [sent, received, first, repeated] = way.counters();
    const std::string counted = fmt::format("{} sent, {} received, {} of them before the stream's copy, {} repeated",
                                            sent, received, first, repeated);
    if (!way.works()) {
      const std::string& why = agent_->datagram_trouble();
      return fmt::format("  datagrams: blocked{}{}; the stream carries everything ({})\n", why.empty() ? "" : ": ", why,
                         counted);
    }
    const auto round_trip = std::chrono::duration<double, std::milli>(way.round_trip().value_or(Nanoseconds(0)));
    return fmt::format("  datagrams: used, {:.1f} ms there and back, {}\n", round_trip.count(), counted);
  }

  const RunRequest& request_;
  const UniqueFd signals_;
  EventLoop loop_;
  bool ending_ = false;
  std::optional<TcpDialler> dialler_;
  std::unique_ptr<Inventory> inventory_;
  std::unique_ptr<ConsentCommand> consent_;
  std::unique_ptr<agent::Agent> agent_;
  std::unique_ptr<Desk> desk_;
};

}  // namespace

std::expected<void, OpenError> run_seat(const RunRequest& request) {
  Running running(request);
  return running.run();
}

}  // namespace periplex::apps
