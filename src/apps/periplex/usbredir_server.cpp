// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/usbredir_server.hpp"

#include <fmt/format.h>
#include <utility>

#include "apps/tcp.hpp"
#include "usb/device_reference.hpp"

namespace periplex::apps {
namespace {

constexpr Nanoseconds kGreetingPatience = std::chrono::seconds(10);

}  // namespace

UsbredirServer::UsbredirServer(EventLoop& loop, std::unique_ptr<machine::Plugged> peripheral)
    : loop_(loop),
      peripheral_(*peripheral),
      greeting_(loop.make_timer([this] {
        if (!exporter_.greeted()) session_failed("it does not say that it speaks usbredir");
      })),
      exporter_(static_cast<remote::usbredir::ExporterHost&>(*this), loop) {
  // The exporter owns what it offers: what the device still does when it goes ends at the exporter.
  usb::Device& device = peripheral->device();
  exporter_.offer(
      std::make_unique<usb::DeviceReference>(device, std::shared_ptr<machine::Plugged>(std::move(peripheral))));
}

UsbredirServer::~UsbredirServer() = default;

void UsbredirServer::serve(UniqueFd listening) {
  acceptor_ =
      std::make_unique<Acceptor>(loop_, std::move(listening), [this](UniqueFd socket) { accept(std::move(socket)); });
  acceptor_->start();
}

void UsbredirServer::accept(UniqueFd socket) {
  acceptor_->stop();
  tune_tcp(socket);
  stream_ = std::make_unique<ByteStream>(loop_, std::move(socket),
                                         ByteStream::Events{[this](ByteView bytes) {
                                                              exporter_.receive(bytes);
                                                              pace();
                                                            },
                                                            [this](const std::string& why) { leave(why); },
                                                            [this] {
                                                              exporter_.drained();
                                                              pace();
                                                            }});
  greeting_->arm(kGreetingPatience);
  exporter_.connected();
}

void UsbredirServer::send(Bytes bytes) {
  if (stream_) stream_->send(std::move(bytes));
}

void UsbredirServer::session_failed(std::string why) {
  if (limit_.allow(loop_.now())) log::warning("apps", fmt::format("a usbredir client is sent away: {}", why));
  if (stream_) stream_->finish();
}

void UsbredirServer::leave(std::string_view why) {
  if (limit_.allow(loop_.now())) log::info("apps", fmt::format("the usbredir client has left: {}", why));
  greeting_->cancel();
  exporter_.disconnected();
  loop_.defer([this] {
    stream_.reset();
    acceptor_->start();
  });
}

}  // namespace periplex::apps
