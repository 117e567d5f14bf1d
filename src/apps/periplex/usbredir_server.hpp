// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/log.hpp"
#include "loop/acceptor.hpp"
#include "loop/byte_stream.hpp"
#include "machine/plugged.hpp"
#include "remote/usbredir/exporter.hpp"

namespace periplex::apps {

/// One peripheral of this computer, served over usbredir without any machine: the usb-host's side.
///
/// One client has it at a time. Others wait in the listening socket's queue until that one is gone.
class UsbredirServer final : private remote::usbredir::ExporterHost {
 public:
  UsbredirServer(EventLoop& loop, std::unique_ptr<machine::Plugged> peripheral);
  UsbredirServer(const UsbredirServer&) = delete;
  UsbredirServer& operator=(const UsbredirServer&) = delete;
  ~UsbredirServer();

  /// Accepts clients on `listening` from now on.
  void serve(UniqueFd listening);

  [[nodiscard]] machine::Plugged& peripheral() { return peripheral_; }

 private:
  // remote::usbredir::ExporterHost
  void send(Bytes bytes) override;
  [[nodiscard]] std::size_t backlog() const override { return stream_ ? stream_->queued() : 0; }
  void session_failed(std::string why) override;

  void accept(UniqueFd socket);
  void leave(std::string_view why);
  /// Reads from the client only while it takes what it is sent.
  void pace() { stream_->pause_reading(!exporter_.wants_input()); }

  EventLoop& loop_;
  machine::Plugged& peripheral_;  // the exporter's
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<Timer> greeting_;  // for a client that does not say what it is
  std::unique_ptr<ByteStream> stream_;
  log::RateLimit limit_;
  remote::usbredir::Exporter exporter_;
};

}  // namespace periplex::apps
