// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/datagram_line.hpp"
#include "agent/lanes.hpp"
#include "agent/served.hpp"
#include "base/log.hpp"
#include "link/agent_session.hpp"
#include "seat/offers.hpp"

/// A seat's side of the way to a machine: what is on offer here goes to a gate, and from there to workers.
namespace periplex::agent {

/// Offers to one gate what a seat offers, and lends what that opens.
///
/// It keeps a session with the gate for as long as it runs: a connection that is lost is dialled again, the session
/// resumed; where the gate does not know it any more, another one begins, and a worker that still waits goes on where
/// it was. Each opened channel is one peripheral, taken from this computer and driven until the channel is closed.
class Agent final : public seat::OffersListener, private link::AgentHost, private ServedHost {
 public:
  struct Settings {
    std::string name;  ///< of this computer, for people
    Served::Settings served;
    Patience patience{};
    /// For what datagrams repeat; without it nothing is repeated.
    std::optional<link::TlsContext> datagrams{};
    /// How long a worker has to hear that a peripheral is gone, before the gate hears it.
    Nanoseconds farewell = std::chrono::seconds(20);
    Nanoseconds last_farewell = std::chrono::seconds(2);  ///< the same, when the agent ends
  };

  Agent(EventLoop& loop, link::TlsContext context, Dialler& dialler, Settings settings);
  ~Agent();

  /// Begins to connect.
  void start();
  /// Gives everything back, takes leave of workers and gate, and calls `done`, within seconds.
  void end(std::function<void()> done);

  // seat::OffersListener
  void on_offered(const seat::Offer& offer) override;
  void on_withdrawn(const seat::Offer& offer, seat::Withdrawal why) override;

  [[nodiscard]] const link::AgentSession& session() const { return *session_; }
  /// Why there was no connection the last time, for people.
  [[nodiscard]] const std::string& trouble() const { return lanes_.trouble(); }
  /// Why no datagrams got through the last time, for people.
  [[nodiscard]] const std::string& datagram_trouble() const { return datagrams_.trouble(); }
  [[nodiscard]] bool has_lent(const std::string& id) const { return served_.contains(id); }
  /// What has happened to a peripheral that a machine has; null if none has it, or it is not open yet.
  [[nodiscard]] const attachment::ServerCounters* counters(const std::string& id) const;
  /// Peripherals that machines have.
  [[nodiscard]] std::size_t lent() const { return served_.size(); }

 private:
  struct Offered {
    link::Peripheral peripheral;
    seat::Source* source = nullptr;
  };

  // link::AgentHost
  void output_ready(link::Lane lane) override { lanes_.output_ready(lane); }
  void drop(link::Lane lane, Bytes last_words, link::Reason) override { lanes_.drop(lane, std::move(last_words)); }
  void lane_up(link::Lane lane) override;
  void channel_opened(link::ChannelId channel, const link::Opening& opening) override;
  void channel_started(link::ChannelId channel) override;
  void channel_stopped(link::ChannelId channel) override;
  void channel_data(link::ChannelId channel, ByteView bytes) override;
  void channel_writable(link::ChannelId channel) override;
  void channel_closed(link::ChannelId channel, const link::Ending& why) override;
  void session_ended(const link::Ending& why, bool by_far_end) override;
  void send_datagram(Bytes bytes) override { datagrams_.send(bytes); }
  void datagrams_welcome() override;
  void datagrams_changed() override { datagrams_.changed(); }
  void datagrams_over() override { datagrams_.end(); }
  // ServedHost
  std::size_t send(link::ChannelId channel, ByteView bytes) override { return session_->send(channel, bytes); }
  void consumed(link::ChannelId channel, std::size_t bytes) override { session_->consumed(channel, bytes); }
  void served_ended(Served& served, const link::Ending& why) override;

  void make_session();
  void begin_session();
  void offer(const Offered& offered);
  [[nodiscard]] Served* find(link::ChannelId channel);
  void release(Served& served);
  void end_if_all_is_back();
  void tell(std::string_view what, const std::string& id, const link::Ending& why);

  EventLoop& loop_;
  const Settings settings_;
  std::map<std::string, Offered> offers_;
  std::map<std::string, std::unique_ptr<Served>> served_;  // by id
  std::vector<std::unique_ptr<Served>> returned_;          // to be destroyed
  std::unique_ptr<link::AgentSession> session_;
  std::shared_ptr<Agent*> self_;  // expires with this
  bool ending_ = false;
  bool connected_ = false;  // people have been told
  std::string last_ending_;
  std::function<void()> on_ended_;
  log::RateLimit limit_{20, std::chrono::seconds(10)};
  std::unique_ptr<Timer> begin_;
  DatagramLine datagrams_;
  Lanes lanes_;
};

/// What the gate is told of a peripheral.
[[nodiscard]] link::Peripheral describe(const seat::Offer& offer);

}  // namespace periplex::agent
