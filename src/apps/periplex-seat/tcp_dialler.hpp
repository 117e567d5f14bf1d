// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/dialler.hpp"
#include "apps/tcp.hpp"
#include "host/io_pool.hpp"
#include "host/usb/pool_calls.hpp"

namespace periplex::apps {

/// Dials a gate by name or address. Names are looked up on a thread, and anew for each connection; until there is an
/// answer the last one counts, as where a network comes back its name server may be the last to answer.
class TcpDialler final : public agent::Dialler {
 public:
  TcpDialler(EventLoop& loop, Endpoint gate);
  TcpDialler(const TcpDialler&) = delete;
  TcpDialler& operator=(const TcpDialler&) = delete;

  void dial(unsigned failures, OnSocket on_socket) override;

 private:
  struct Caller {
    unsigned failures;
    OnSocket on_socket;
  };

  void look_up();
  void on_found(std::expected<std::vector<Address>, OpenError> found);
  void connect(Caller caller) const;

  const Endpoint gate_;
  std::vector<Address> addresses_;
  std::vector<Caller> waiting_;  // for the first answer
  bool looking_ = false;
  std::shared_ptr<TcpDialler*> self_;  // expires with this: answers find nobody then
  host::IoPool pool_;
  host::PoolCalls calls_;
};

}  // namespace periplex::apps
