// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "machine/controller.hpp"
#include "machine/controller_description.hpp"
#include "usb/other_speed_device.hpp"

namespace periplex::machine {

/// A controller that is wanted, with the sockets of its `function_names`, in that order.
struct ControllerPlan {
  ControllerDescription description;
  std::vector<FunctionSocket> sockets;
};

/// All controllers of a machine, and which of them a peripheral goes to.
class Controllers {
 public:
  /// Descriptions are those of `with_names`.
  Controllers(EventLoop& loop, std::vector<ControllerPlan> plans);
  Controllers(const Controllers&) = delete;
  Controllers& operator=(const Controllers&) = delete;
  /// Nothing is plugged in any more.
  ~Controllers();

  void serve();
  void stop();

  [[nodiscard]] std::vector<ControllerView> views() const;
  [[nodiscard]] std::vector<ControllerStatistics> statistics() const;

  /// Where a device was plugged in.
  struct Place {
    std::string controller;
    usb::PortNumber port;
    usb::Speed speed;  ///< that it runs at there
  };

  /// Whether a controller runs `speed`: `wanted`, or any if that is empty.
  [[nodiscard]] bool runs(usb::Speed speed, std::string_view wanted) const;
  /// The fastest speed up to `limit` that a controller runs: `wanted`, or any if that is empty.
  [[nodiscard]] usb::Speed best_speed(usb::Speed limit, std::string_view wanted) const;
  /// Plugs `device` into the controller `wanted`, or else into the first that runs its speed and has a free port. Where
  /// none runs its speed it goes, behind an adapter, to one that runs the fastest of the slower ones.
  [[nodiscard]] Outcome<Place> plug(usb::Device& device, std::string_view wanted);
  void pull(usb::Device& device, std::string_view controller);
  void for_each_endpoint(const usb::Device& device, std::string_view controller, const usb::VisitEndpoint& visit) const;

 private:
  Controller& add(std::string_view kind, std::string name, FunctionSocket socket);
  void add(const Xhci& xhci, ControllerPlan plan);
  void add(const Uhci& uhci, ControllerPlan plan);
  void add(const Ehci& ehci, ControllerPlan plan);

  /// Those that take peripherals: `wanted`, or all of them if that is empty.
  [[nodiscard]] Outcome<std::vector<Controller*>> candidates(std::string_view wanted) const;
  [[nodiscard]] usb::Bus* bus_of(std::string_view controller) const;
  /// What stands in the port for `device`: itself, or its adapter.
  [[nodiscard]] const usb::Device& in_port(const usb::Device& device) const;

  EventLoop& loop_;
  std::map<const usb::Device*, std::unique_ptr<usb::OtherSpeedDevice>> adapters_;  // of what is plugged in
  std::vector<std::unique_ptr<Controller>> controllers_;  // companions before the one that leads to their ports
};

}  // namespace periplex::machine
