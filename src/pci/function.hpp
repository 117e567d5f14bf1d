// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "guest/interrupts.hpp"
#include "pci/config_space.hpp"
#include "pci/msi.hpp"
#include "pci/msix.hpp"

namespace periplex::pci {

/// What a device model may do with its function's interrupts.
class InterruptSink {
 public:
  virtual ~InterruptSink() = default;
  /// Whether the guest has enabled MSI or MSI-X; then messages are sent and the pin stays quiet.
  [[nodiscard]] virtual bool message_signalled() const = 0;
  virtual void send_message(unsigned vector) = 0;
  /// The level of INTx#. A function with MSI sends its message as the level rises: a model whose guest has acknowledged
  /// some of its causes therefore lowers it for a moment, so that the guest is told of those that are left.
  virtual void set_pin(bool asserted) = 0;
};

/// The registers behind one Base Address register.
class BarModel {
 public:
  virtual ~BarModel() = default;
  virtual void read(std::uint64_t offset, MutableByteView out) = 0;
  virtual void write(std::uint64_t offset, ByteView in) = 0;
};

/// One PCI function as a machine's monitor sees it: configuration space, BARs, interrupts, reset.
///
/// Accesses of any width and offset are answered at once; nothing here waits for a peripheral. Offsets outside a BAR
/// read as all ones.
class Function : public InterruptSink {
 public:
  Function(const Identity& identity, guest::Interrupts& interrupts);
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;

  [[nodiscard]] ConfigSpace& config() { return config_; }
  [[nodiscard]] const std::vector<Bar>& bars() const { return config_.bars(); }
  [[nodiscard]] unsigned msi_vectors() const { return msi_ ? Msi::kVectors : 0; }
  [[nodiscard]] unsigned msix_vectors() const { return msix_ ? msix_->vectors() : 0; }

  void config_read(std::uint32_t offset, MutableByteView out) const { config_.read(offset, out); }
  void config_write(std::uint32_t offset, ByteView in);
  void bar_read(unsigned index, std::uint64_t offset, MutableByteView out);
  void bar_write(unsigned index, std::uint64_t offset, ByteView in);

  /// Conventional reset: configuration space, MSI-X and the device model are as after power-on.
  void reset();

  /// The machine's monitor is gone: it has unmapped everything and takes no more interrupts.
  virtual void on_disconnect() { reset(); }

  [[nodiscard]] bool message_signalled() const override {
    return (msix_ && msix_->enabled()) || (msi_ && msi_->enabled());
  }
  void send_message(unsigned vector) override { interrupts_.send_message(vector); }
  void set_pin(bool asserted) override;

 protected:
  void add_bar(const Bar& bar, BarModel& model);
  void add_msix(unsigned vectors, unsigned bar, std::uint32_t table_offset, std::uint32_t pba_offset);
  /// For a model that knows the pin alone: with MSI enabled, its message is what the pin says.
  void add_msi() { msi_.emplace(config_); }
  /// Returns the device model to its power-on state.
  virtual void reset_model() = 0;
  /// The guest has switched between pin and messages: interrupts that are pending go the new way. Those of the pin do
  /// so by themselves.
  virtual void interrupt_mode_changed() {}

 private:
  void update_pin();

  ConfigSpace config_;
  guest::Interrupts& interrupts_;
  std::optional<Msi> msi_;
  std::optional<Msix> msix_;
  std::array<BarModel*, kBars> models_{};
  std::array<std::uint32_t, kBars> sizes_{};
  bool pin_ = false;
  bool told_ = false;  // by MSI, of the level that `pin_` has
};

}  // namespace periplex::pci
