// SPDX-License-Identifier: Apache-2.0
#include "machine/controllers.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/check.hpp"
#include "usb/ehci/pci_function.hpp"
#include "usb/uhci/pci_function.hpp"
#include "usb/xhci/pci_function.hpp"

namespace periplex::machine {
namespace {

static_assert(Xhci::kMostPorts == usb::xhci::Options::kMaxPorts);
static_assert(Uhci::kMostPorts == usb::uhci::Options::kMaxPorts);
static_assert(Ehci::kMostPorts <= usb::ehci::Options::kMaxPorts);

Refusal no_free_port(usb::Speed at, std::string_view wanted) {
  const std::string_view speed = usb::name(at);
  std::string advice = "detach something, or start periplex-machine with more ports (--controller)";
  if (usb::is_usb3(at)) advice += "; with speed=high it would go to another port";
  if (wanted.empty()) return {Reason::conflict, fmt::format("all ports for {} speed are taken", speed), advice};
  return {Reason::conflict, fmt::format("all ports of {} for {} speed are taken", wanted, speed), advice};
}

Refusal no_such_speed(usb::Speed at, std::string_view wanted) {
  return {Reason::conflict,
          fmt::format("no port of {} runs at {} speed", wanted.empty() ? "any controller" : wanted, usb::name(at)),
          "leave the speed out, choose another one, or start periplex-machine with a controller for it (--controller)"};
}

}  // namespace

Controllers::Controllers(EventLoop& loop, std::vector<ControllerPlan> plans) : loop_(loop) {
  for (ControllerPlan& plan : plans) {
    PERIPLEX_CHECK(plan.sockets.size() == function_names(plan.description).size());
    const auto options = plan.description.options;
    std::visit([&](const auto& of_kind) { add(of_kind, std::move(plan)); }, options);
  }
}

Controllers::~Controllers() {
  while (!controllers_.empty()) controllers_.pop_back();  // who leads to companions goes before them
}

Controller& Controllers::add(std::string_view kind, std::string name, FunctionSocket socket) {
  controllers_.push_back(std::make_unique<Controller>(loop_, std::move(name), std::string(kind), std::move(socket)));
  return *controllers_.back();
}

void Controllers::add(const Xhci& xhci, ControllerPlan plan) {
  Controller& controller = add("xhci", std::move(plan.description.name), std::move(plan.sockets.front()));
  usb::xhci::Options options;
  options.usb2_ports = xhci.usb2_ports;
  options.usb3_ports = xhci.usb3_ports;
  controller.open(
      controller.emplace<usb::xhci::PciFunction>({.usb2 = xhci.usb2_ports, .usb3 = xhci.usb3_ports}, options).bus());
}

void Controllers::add(const Uhci& uhci, ControllerPlan plan) {
  Controller& controller = add("uhci", std::move(plan.description.name), std::move(plan.sockets.front()));
  const usb::uhci::Options options{.ports = uhci.ports, .verification = uhci.verification};
  controller.open(controller.emplace<usb::uhci::PciFunction>({.usb1 = uhci.ports}, options).bus());
}

void Controllers::add(const Ehci& ehci, ControllerPlan plan) {
  const std::vector<std::string> names = function_names(plan.description);
  const usb::uhci::Options companion{
      .ports = Ehci::kPortsPerCompanion, .verification = ehci.verification, .companion = true};
  std::vector<usb::CompanionPort> ports;
  for (std::size_t i = 0; i + 1 < names.size(); ++i) {
    Controller& controller = add("uhci", names[i], std::move(plan.sockets[i]));
    controller.be_companion_of(plan.description.name);
    auto& function = controller.emplace<usb::uhci::PciFunction>({.usb1 = companion.ports}, companion);
    for (unsigned port = 1; port <= companion.ports; ++port) {
      ports.push_back({&function.companion_ports(), usb::PortNumber(port)});
    }
  }
  Controller& controller = add("ehci", names.back(), std::move(plan.sockets.back()));
  const usb::ehci::Options options{.ports = ehci.ports, .verification = ehci.verification};
  controller.open(controller.emplace<usb::ehci::PciFunction>({.usb2 = ehci.ports}, options, ports).bus());
}

void Controllers::serve() {
  for (const auto& controller : controllers_) controller->serve();
}

void Controllers::stop() {
  for (const auto& controller : controllers_) controller->stop();
}

std::vector<ControllerView> Controllers::views() const {
  std::vector<ControllerView> views;
  for (const auto& controller : controllers_) views.push_back(controller->view());
  return views;
}

std::vector<ControllerStatistics> Controllers::statistics() const {
  std::vector<ControllerStatistics> statistics;
  for (const auto& controller : controllers_) statistics.push_back(controller->statistics());
  return statistics;
}

bool Controllers::runs(usb::Speed speed, std::string_view wanted) const {
  const auto among = candidates(wanted);
  return among && std::ranges::any_of(*among, [&](const Controller* controller) { return controller->runs(speed); });
}

usb::Speed Controllers::best_speed(usb::Speed limit, std::string_view wanted) const {
  const auto among = candidates(wanted);
  if (!among) return limit;
  constexpr std::array kFastestFirst{usb::Speed::super_plus, usb::Speed::super, usb::Speed::high, usb::Speed::full};
  for (const usb::Speed speed : kFastestFirst) {
    if (speed > limit) continue;
    if (std::ranges::any_of(*among, [&](const Controller* controller) { return controller->runs(speed); })) {
      return speed;
    }
  }
  return limit;
}

Outcome<Controllers::Place> Controllers::plug(usb::Device& device, std::string_view wanted) {
  const auto among = candidates(wanted);
  if (!among) return std::unexpected(among.error());
  const usb::Speed speed = best_speed(device.speed(), wanted);
  std::unique_ptr<usb::OtherSpeedDevice> adapter;
  if (speed != device.speed()) adapter = std::make_unique<usb::OtherSpeedDevice>(device, speed, loop_);
  usb::Device& front = adapter ? static_cast<usb::Device&>(*adapter) : device;
  bool full = false;
  for (Controller* controller : *among) {
    if (!controller->runs(speed)) continue;
    if (const auto port = controller->bus()->attach(front)) {
      if (adapter) adapters_.insert_or_assign(&device, std::move(adapter));
      return Place{controller->name(), *port, speed};
    }
    full = true;
  }
  return std::unexpected(full ? no_free_port(speed, wanted) : no_such_speed(speed, wanted));
}

void Controllers::pull(usb::Device& device, std::string_view controller) {
  const auto adapter = adapters_.find(&device);
  if (adapter == adapters_.end()) return bus_of(controller)->detach(device);
  bus_of(controller)->detach(*adapter->second);
  adapters_.erase(adapter);
}

void Controllers::for_each_endpoint(const usb::Device& device, std::string_view controller,
                                    const usb::VisitEndpoint& visit) const {
  bus_of(controller)->for_each_endpoint(in_port(device), visit);
}

const usb::Device& Controllers::in_port(const usb::Device& device) const {
  const auto adapter = adapters_.find(&device);
  return adapter == adapters_.end() ? device : *adapter->second;
}

Outcome<std::vector<Controller*>> Controllers::candidates(std::string_view wanted) const {
  std::vector<Controller*> found;
  std::string names;
  for (const auto& controller : controllers_) {
    if (controller->name() == wanted && controller->bus() == nullptr) {
      return std::unexpected(Refusal{
          Reason::invalid, fmt::format("the ports of {} are those of {}", wanted, controller->companion_of()),
          fmt::format("name {} instead: it hands full- and low-speed peripherals over", controller->companion_of())});
    }
    if (controller->bus() == nullptr) continue;
    if (wanted.empty() || controller->name() == wanted) found.push_back(controller.get());
    names += fmt::format("{}{}", names.empty() ? "" : ", ", controller->name());
  }
  if (found.empty()) {
    return std::unexpected(Refusal{Reason::invalid, fmt::format("there is no controller \"{}\"", wanted),
                                   fmt::format("the machine has {}", names)});
  }
  return found;
}

usb::Bus* Controllers::bus_of(std::string_view name) const {
  const auto found =
      std::ranges::find_if(controllers_, [&](const auto& controller) { return controller->name() == name; });
  PERIPLEX_CHECK(found != controllers_.end() && (*found)->bus() != nullptr);
  return (*found)->bus();
}

}  // namespace periplex::machine
