// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/io_pool.hpp"
#include "loop/event_loop.hpp"
#include "machine/capture_file.hpp"
#include "machine/controllers.hpp"
#include "machine/operations.hpp"
#include "machine/plugged.hpp"
#include "machine/remote_peripherals.hpp"
#include "machine/stream_listener.hpp"

namespace periplex::machine {

/// One machine's hardware, assembled: USB controllers, each served to the machine's monitor on a vfio-user socket of
/// its own, and the peripherals in their ports.
///
/// It opens nothing: sockets, images and capture files come as open descriptors; the names of them that it is told are
/// for people. Everything happens on `loop`.
class Machine final : public Operations {
 public:
  struct Options {
    std::string name;
    std::string control_socket;
    DiskSettings remote_disks{};  ///< of disks at seats whose own settings do not say
    Presets presets{};
  };

  Machine(EventLoop& loop, Options options, std::vector<ControllerPlan> controllers);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  /// Pulls everything, finishes what is being written to disks, and makes it durable. The loop must have stopped.
  ~Machine() override;

  /// Starts to accept the machine's monitor.
  void serve() { controllers_.serve(); }
  /// What its process has given up, for whoever asks.
  void set_confinement(sandbox::Confinement confinement) { confinement_ = std::move(confinement); }
  /// Takes streams of peripherals at seats on this listening socket.
  void take_streams(UniqueFd listening);

  [[nodiscard]] MachineView view() const override;
  [[nodiscard]] std::vector<PeripheralView> peripherals() const override;
  [[nodiscard]] Statistics statistics() const override;
  [[nodiscard]] Outcome<PeripheralView> attach(Description description, Files files) override;
  [[nodiscard]] Outcome<> detach(std::string_view id) override;
  [[nodiscard]] Outcome<> eject(std::string_view id, bool force) override;
  [[nodiscard]] Outcome<> insert(std::string_view id, UniqueFd image, std::string name) override;
  [[nodiscard]] Outcome<> type(std::optional<std::string_view> id, std::string_view text) override;
  [[nodiscard]] Outcome<> press(std::optional<std::string_view> id, const std::vector<std::string>& chords) override;
  [[nodiscard]] Outcome<> point(std::optional<std::string_view> id,
                                const std::vector<pointer::Action>& actions) override;
  [[nodiscard]] Outcome<> start_capture(UniqueFd file, std::string name) override;
  [[nodiscard]] Outcome<CaptureView> stop_capture() override;

 private:
  using Suits = std::function<bool(const Plugged&)>;

  [[nodiscard]] Outcome<Plugged*> find(std::string_view id) const;
  /// The peripheral with `id`, or the first that suits; `what` says what it has to be.
  [[nodiscard]] Outcome<Plugged*> choose(std::optional<std::string_view> id, const Suits& suits,
                                         std::string_view what) const;
  [[nodiscard]] std::string unused_id(std::string_view kind) const;
  [[nodiscard]] usb::DeviceLabel next_label(usb::Speed speed);

  EventLoop& loop_;
  const Options options_;
  std::optional<sandbox::Confinement> confinement_;
  const Nanoseconds started_;
  std::unique_ptr<host::IoPool> pool_;
  Controllers controllers_;
  std::unique_ptr<CaptureFile> capture_;
  std::vector<std::unique_ptr<Plugged>> plugged_;  // in the order of attaching
  RemotePeripherals remote_;                       // listed after those
  std::unique_ptr<StreamListener> streams_;
  std::uint8_t last_device_number_ = 0;
};

}  // namespace periplex::machine
