// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/usbip_server.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "apps/tcp.hpp"
#include "base/log.hpp"
#include "loop/byte_stream.hpp"
#include "remote/usbip/exporter.hpp"

namespace periplex::apps {
namespace {

namespace usbip = remote::usbip;

/// With so much unsent, a client is not read from until it has taken it.
constexpr std::size_t kMuchQueued = std::size_t{8} << 20;
constexpr int kMostTurns = 100;  // of the loop, for a device to say what it is

}  // namespace

/// One client.
class UsbipServer::Connection final : private usbip::ExporterHost {
 public:
  Connection(UsbipServer& server, UniqueFd socket)
      : server_(server),
        stream_(server.loop_, std::move(socket),
                {[this](ByteView bytes) { exporter_.receive(bytes); }, [this](const std::string&) { leave(); },
                 [this] { stream_.pause_reading(false); }}),
        exporter_(server.exports_, static_cast<usbip::ExporterHost&>(*this), server.loop_) {}

 private:
  void send(Bytes bytes) override {
    stream_.send(std::move(bytes));
    if (stream_.queued() > kMuchQueued) stream_.pause_reading(true);
  }
  void exporter_failed(std::string why) override {
    log::warning("apps", fmt::format("a USB/IP client is sent away: {}", why));
    stream_.finish();
  }
  void leave() {
    server_.loop_.defer([this] { server_.drop(*this); });
  }

  UsbipServer& server_;
  ByteStream stream_;
  usbip::Exporter exporter_;
};

UsbipServer::UsbipServer(EventLoop& loop) : loop_(loop) {}

UsbipServer::~UsbipServer() = default;

machine::Outcome<> UsbipServer::add(std::unique_ptr<machine::Plugged> peripheral) {
  std::optional<std::expected<usbip::Export, std::string>> found;
  usbip::Enumeration enumeration(peripheral->device(), static_cast<std::uint32_t>(exports_.size() + 1),
                                 [&](auto result) { found = std::move(result); });
  enumeration.start();
  for (int turn = 0; turn < kMostTurns && !found; ++turn) loop_.run_once(Nanoseconds(0));
  if (!found || !*found) {
    return std::unexpected(machine::Refusal{machine::Reason::failed, "the peripheral does not say what it is",
                                            found ? found->error() : "it does not answer"});
  }
  peripherals_.push_back(std::move(peripheral));
  exports_.push_back(std::move(**found));
  return {};
}

void UsbipServer::serve(UniqueFd listening) {
  acceptor_ =
      std::make_unique<Acceptor>(loop_, std::move(listening), [this](UniqueFd socket) { accept(std::move(socket)); });
  acceptor_->start();
}

void UsbipServer::accept(UniqueFd socket) {
  if (connections_.size() >= kMostClients) return;  // closed again
  tune_tcp(socket);
  connections_.push_back(std::make_unique<Connection>(*this, std::move(socket)));
}

void UsbipServer::drop(const Connection& connection) {
  std::erase_if(connections_, [&](const auto& one) { return one.get() == &connection; });
}

machine::Plugged* UsbipServer::keyboard() const {
  const auto found = std::ranges::find_if(peripherals_, [](const auto& one) { return one->is_keyboard(); });
  return found == peripherals_.end() ? nullptr : found->get();
}

}  // namespace periplex::apps
