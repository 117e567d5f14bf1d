// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "attachment/device_server.hpp"
#include "link/byte_queue.hpp"
#include "link/messages.hpp"
#include "seat/offers.hpp"
#include "storage/attached/disk_server.hpp"

namespace periplex::agent {

class Served;

/// Whoever has the channels. Called on the loop, also from inside calls to `Served`.
class ServedHost {
 public:
  /// Queues as much as there is room for; returns how much that was. Less than all: `Served::writable` is called later.
  virtual std::size_t send(link::ChannelId channel, ByteView bytes) = 0;
  virtual void consumed(link::ChannelId channel, std::size_t bytes) = 0;
  /// Nobody needs it any more, for this reason. It must not be destroyed from inside.
  virtual void served_ended(Served& served, const link::Ending& why) = 0;

 protected:
  ~ServedHost() = default;
};

/// One peripheral that a machine has: takes it from this computer, and runs its end of the attachment protocol over
/// whatever channel there is. It outlives its channels' streams, and whole sessions with the gate, as long as the
/// worker may come back. The device is given back to this computer when this is destroyed, or says farewell.
class Served final : private attachment::ServerHost {
 public:
  struct Settings {
    attachment::InstanceSource instances;
    attachment::ServerOptions server{};
  };

  Served(std::string id, ServedHost& host, Scheduler& scheduler, const Settings& settings);
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served();

  /// Takes the peripheral. `served_ended` follows if that does not work.
  void open(seat::Source& source);

  /// It has this channel from now on, which does not run yet.
  void attach(link::ChannelId channel) { channel_ = channel; }
  void started();
  void stopped();
  void receive(ByteView bytes);
  void writable();
  /// The session with the gate is over, and the channel with it.
  void detach();
  /// Nothing is told any more; it will be destroyed.
  void retire();

  /// The device is unplugged, or wanted back: it is given back now. `served_ended` follows, with `why`, when the worker
  /// knows, or after `patience`; perhaps at once.
  void farewell(const link::Ending& why, Nanoseconds patience);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::optional<link::ChannelId>& channel() const { return channel_; }
  /// Whether a worker has a session, which it may resume.
  [[nodiscard]] bool in_session() const { return server_ && server_->in_session(); }
  /// Null until it is open.
  [[nodiscard]] const attachment::ServerCounters* counters() const { return server_ ? &server_->counters() : nullptr; }
  [[nodiscard]] bool leaving() const { return farewell_.has_value(); }

 private:
  // attachment::ServerHost
  void send(Bytes bytes) override;
  void worker_left() override;
  void server_failed(std::string why) override;

  void on_opened(std::expected<std::unique_ptr<usb::Device>, std::string> device);
  void on_gone();
  void feed(ByteView bytes);
  void flush();
  void check_farewell();
  void end(const link::Ending& why);

  const std::string id_;
  ServedHost& host_;
  Scheduler& scheduler_;
  const Settings settings_;
  std::optional<link::ChannelId> channel_;
  bool running_ = false;
  bool flushing_ = false;
  bool ended_ = false;
  Bytes early_;             // came before the device was open; no more than the channel's window
  link::ByteQueue unsent_;  // for which the channel has no room; no more than the server's log
  std::optional<link::Ending> farewell_;
  std::unique_ptr<Timer> farewell_time_;
  std::unique_ptr<usb::Device> device_;
  storage::DiskServer disk_server_;  // for a worker that has a disk terminated
  std::unique_ptr<attachment::DeviceServer> server_;
  std::shared_ptr<Served*> self_;  // expires with this: what is opened then is closed again
};

}  // namespace periplex::agent
