// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/show.hpp"

#include <cstdio>
#include <map>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "apps/periplex-seat/inventory.hpp"
#include "apps/periplex-seat/listing.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::apps {
namespace {

/// Nothing is opened, and nobody is asked, by looking.
class Show final : public InventoryListener, public seat::OffersListener {
 public:
  explicit Show(const SeatCommandLine& line) : line_(line) {}

  void on_plugged(const seat::Offers::Entry& entry, const Details& details) override {
    Listed one{entry.offer.id, entry.offer.peripheral, entry.decision, details};
    if (line_.command == SeatCommand::watch) print("arrived", '+', one);
    present_.insert_or_assign(one.id, std::move(one));
  }
  void on_unplugged(const seat::Offers::Entry& entry) override {
    const auto known = present_.find(entry.offer.id);
    if (known == present_.end()) return;
    if (line_.command == SeatCommand::watch) print("left", '-', known->second);
    present_.erase(known);
  }
  void on_offered(const seat::Offer&) override {}
  void on_withdrawn(const seat::Offer&, seat::Withdrawal) override {}

  void print_all() const {
    std::vector<Listed> all;
    for (const auto& [id, one] : present_) all.push_back(one);
    write(line_.json ? to_json(all) + "\n" : table(all));
  }

 private:
  void print(std::string_view event, char sign, const Listed& one) const {
    write(line_.json ? event_json(event, one) + "\n" : sign + (" " + line(one)) + "\n");
  }
  static void write(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }

  const SeatCommandLine& line_;
  std::map<std::string, Listed> present_;
};

}  // namespace

void show(const seat::Configuration& configuration, const SeatCommandLine& line) {
  sigset_t ends{};
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const UniqueFd signals(::signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));

  EventLoop loop;
  Show shown(line);
  Inventory inventory(loop, configuration, nullptr, shown, shown);
  inventory.start();
  if (line.command == SeatCommand::list) return shown.print_all();
  const auto watch = loop.watch(signals.get(), EPOLLIN, [&](std::uint32_t) { loop.stop(); });
  loop.run();
}

}  // namespace periplex::apps
