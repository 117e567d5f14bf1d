// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "guest/interrupts.hpp"
#include "loop/event_loop.hpp"
#include "machine/operations.hpp"
#include "pci/function.hpp"
#include "usb/bus.hpp"
#include "vfio_user/server.hpp"

namespace periplex::machine {

/// Where a function's monitor connects.
struct FunctionSocket {
  std::string path;  ///< for people
  UniqueFd listening;
};

/// One PCI function with USB ports, whatever its kind, on a vfio-user server and socket of its own.
///
/// Made in two steps, because a function needs its server's memory and interrupts: first this, then with `emplace` the
/// function.
class Controller {
 public:
  Controller(EventLoop& loop, std::string name, std::string kind, FunctionSocket socket);
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  /// Makes the function from `arguments`, guest memory, interrupts and the loop; once.
  template <typename Function, typename... Arguments>
  Function& emplace(const Ports& ports, Arguments&&... arguments) {
    auto function =
        std::make_unique<Function>(std::forward<Arguments>(arguments)..., server_.memory(), interrupts_, loop_);
    Function& made = *function;
    function_ = std::move(function);
    ports_ = ports;
    return made;
  }
  /// Peripherals can be plugged in here: `bus` is the function's.
  void open(usb::Bus& bus) { bus_ = &bus; }
  /// They go to the ports of `controller` instead, which hands them over.
  void be_companion_of(std::string controller) { companion_of_ = std::move(controller); }

  /// Starts to accept the machine's monitor.
  void serve() { server_.serve(*function_); }
  void stop() { server_.stop(); }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& kind() const { return kind_; }
  [[nodiscard]] const std::string& companion_of() const { return companion_of_; }
  [[nodiscard]] const Ports& ports() const { return ports_; }
  /// Null for a companion.
  [[nodiscard]] usb::Bus* bus() const { return bus_; }
  /// Whether one of its ports runs `speed` natively.
  [[nodiscard]] bool runs(usb::Speed speed) const;

  [[nodiscard]] ControllerView view() const;
  [[nodiscard]] ControllerStatistics statistics() const;

 private:
  /// Counts interrupts on their way to the server.
  class CountedInterrupts final : public guest::Interrupts {
   public:
    explicit CountedInterrupts(guest::Interrupts& to) : to_(to) {}
    void send_message(unsigned vector) override;
    [[nodiscard]] bool message_pending(unsigned vector) const override { return to_.message_pending(vector); }
    void set_pin(bool asserted) override;
    [[nodiscard]] std::uint64_t count() const { return count_; }

   private:
    guest::Interrupts& to_;
    bool pin_ = false;
    std::uint64_t count_ = 0;
  };

  EventLoop& loop_;
  const std::string name_;
  const std::string kind_;
  const std::string socket_;
  std::string companion_of_;
  Ports ports_;
  usb::Bus* bus_ = nullptr;
  vfio_user::Server server_;
  CountedInterrupts interrupts_;
  std::unique_ptr<pci::Function> function_;
};

}  // namespace periplex::machine
