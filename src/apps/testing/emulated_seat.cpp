// SPDX-License-Identifier: Apache-2.0
// emulated_seat STATE-DIR: a seat that has been paired (periplex-seat join), with a keyboard that is made of software,
// so that tests need no peripherals. It runs until a signal, and types one letter each second.
#include <cstdio>
#include <memory>
#include <sys/random.h>
#include <utility>

#include "agent/agent.hpp"
#include "apps/periplex-seat/pairing.hpp"
#include "apps/periplex-seat/tcp_dialler.hpp"
#include "base/check.hpp"
#include "link/ids.hpp"
#include "usb/device/hid_keyboard.hpp"

namespace periplex::apps {
namespace {

constexpr Nanoseconds kPause = std::chrono::seconds(1);
constexpr usb::device::KeyUsage kLetter{4};

/// The keyboard as it is lent: the agent owns what it has opened.
class Lent final : public usb::Device {
 public:
  explicit Lent(usb::Device& device) : device_(device) {}
  [[nodiscard]] usb::Speed speed() const override { return device_.speed(); }
  [[nodiscard]] std::optional<usb::TransferType> endpoint_type(usb::EndpointAddress endpoint) const override {
    return device_.endpoint_type(endpoint);
  }
  void submit(usb::TransferPtr transfer) override { device_.submit(std::move(transfer)); }
  void cancel(usb::TransferId id) override { device_.cancel(id); }
  void reset() override { device_.reset(); }
  void endpoint_opened(usb::EndpointAddress endpoint) override { device_.endpoint_opened(endpoint); }
  void set_wake_up(std::function<void()> wake_up) override { device_.set_wake_up(std::move(wake_up)); }

 private:
  usb::Device& device_;
};

class Source final : public seat::Source {
 public:
  explicit Source(usb::Device& device) : device_(device) {}
  void open(std::function<void()>, seat::OnOpened on_opened) override { on_opened(std::make_unique<Lent>(device_)); }

 private:
  usb::Device& device_;
};

attachment::InstanceId random_instance() {
  attachment::InstanceId id{};
  PERIPLEX_CHECK(::getrandom(id.data(), id.size(), 0) == static_cast<ssize_t>(id.size()));
  return id;
}

int run(const std::string& directory) {
  const auto pairing = read_pairing(directory);
  if (!pairing || !*pairing) return 1;
  auto context = link::TlsContext::make({.role = link::TlsContext::Role::agent,
                                         .own = (*pairing)->own,
                                         .authority = (*pairing)->authority,
                                         .protocols = {link::kLinkProtocol}});
  const auto endpoint = parse_endpoint((*pairing)->gate, link::kDefaultPort);
  if (!context || !endpoint) return 1;
  EventLoop loop;
  usb::device::HidKeyboard keyboard("1", usb::Speed::full, loop);
  TcpDialler dialler(loop, *endpoint);
  agent::Agent agent(loop, std::move(*context), dialler,
                     {.name = "emulated", .served = {.instances = random_instance}});
  seat::Offers offers(seat::Rules({{.action = seat::Action::allow}}), nullptr, agent);
  const std::string id = offers.arrived({.vendor = 1, .product = 2, .interface_classes = {3}, .serial_number = "1"},
                                        std::make_unique<Source>(keyboard));
  std::puts(id.c_str());
  std::fflush(stdout);
  std::unique_ptr<Timer> types;
  types = loop.make_timer([&] {
    (void)keyboard.press(kLetter);
    keyboard.release(kLetter);
    types->arm(kPause);
  });
  types->arm(kPause);
  agent.start();
  loop.run();
  return 0;
}

}  // namespace
}  // namespace periplex::apps

int main(int argc, char** argv) {
  return argc == 2 ? periplex::apps::run(argv[1]) : 2;
}
