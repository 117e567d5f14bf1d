// SPDX-License-Identifier: Apache-2.0
// emulated_seat STATE-DIR: a seat that has been paired (periplex-seat join), with a keyboard that is made of software,
// so that tests need no peripherals. It runs until a signal, and types one letter each second.
#include <cstdio>
#include <memory>
#include <utility>

#include "agent/agent.hpp"
#include "apps/periplex-seat/pairing.hpp"
#include "apps/periplex-seat/tcp_dialler.hpp"
#include "attachment/random_instance.hpp"
#include "link/ids.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device_reference.hpp"

namespace periplex::apps {
namespace {

constexpr Nanoseconds kPause = std::chrono::seconds(1);
constexpr usb::device::KeyUsage kLetter{4};

/// Lends the keyboard: the agent owns what it has opened.
class Source final : public seat::Source {
 public:
  explicit Source(usb::Device& device) : device_(device) {}
  void open(std::function<void()>, seat::OnOpened on_opened) override {
    on_opened(std::make_unique<usb::DeviceReference>(device_));
  }

 private:
  usb::Device& device_;
};

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
                     {.name = "emulated", .served = {.instances = attachment::random_instance}});
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
