// SPDX-License-Identifier: Apache-2.0
#include "machine/dial_in.hpp"

#include <utility>

namespace periplex::machine {

DialIn::DialIn(EventLoop& loop, UniqueFd listening, Events events)
    : events_(std::move(events)),
      acceptor_(loop, std::move(listening), [this](UniqueFd socket) { on_connection(std::move(socket)); }),
      patience_(loop.make_timer([this] { events_.no_answer(); })),
      pause_(loop.make_timer([this] { acceptor_.start(); })) {
  acceptor_.start();
}

void DialIn::lost() {
  patience_->cancel();
  pause_->arm(kPause);
}

void DialIn::stop() {
  patience_->cancel();
  pause_->cancel();
  acceptor_.stop();
}

void DialIn::on_connection(UniqueFd socket) {
  acceptor_.stop();
  patience_->arm(kPatience);
  events_.connected(std::move(socket));
}

}  // namespace periplex::machine
