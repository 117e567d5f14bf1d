// SPDX-License-Identifier: Apache-2.0
#include "machine/stream_listener.hpp"

#include <fmt/format.h>
#include <utility>

#include "loop/byte_stream.hpp"

namespace periplex::machine {
namespace {

constexpr char kWaits = '+';
constexpr char kWaitsNoMore = '-';

}  // namespace

StreamListener::StreamListener(EventLoop& loop, UniqueFd listening, OnStream on_stream)
    : loop_(loop),
      on_stream_(std::move(on_stream)),
      acceptor_(loop, std::move(listening), [this](UniqueFd socket) { accepted(std::move(socket)); }) {
  acceptor_.start();
}

void StreamListener::want(const std::string& name) {
  if (wanted_.insert(name).second) tell(kWaits, name);
}

void StreamListener::leave(const std::string& name) {
  if (wanted_.erase(name) > 0) tell(kWaitsNoMore, name);
}

void StreamListener::accepted(UniqueFd socket) {
  drop_gate();
  gate_ = std::make_unique<MessageSocket>(
      loop_, std::move(socket),
      MessageSocket::Events{.received =
                                [this](std::string_view name, UniqueFd stream) {
                                  // Between the word that it is not waited for any more and the gate there is a moment.
                                  if (!wanted_.contains(name)) return;
                                  if (ByteStream::suits(stream)) return on_stream_(name, std::move(stream));
                                  if (limit_.allow(loop_.now()))
                                    log::warning("machine", "what the gate has brought is no stream");
                                },
                            .closed = [this] { drop_gate(); }});
  for (const std::string& name : wanted_) tell(kWaits, name);
}

void StreamListener::tell(char what, const std::string& name) {
  if (gate_ == nullptr || gate_->send(what + name)) return;
  // It will come again, and is told everything then.
  drop_gate();
}

void StreamListener::drop_gate() {
  if (gate_) loop_.defer([old = std::move(gate_)] {});
}

}  // namespace periplex::machine
