// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "pci/function.hpp"

namespace periplex::vfio_user::testing {

/// A PCI function whose 16 KiB memory BAR is storage, with an I/O BAR, an INTx pin and 40 MSI-X vectors.
///
/// Writing to `kPin` drives the pin, writing to `kMessage` sends that vector's message.
class ScratchFunction final : public pci::Function, public pci::BarModel {
 public:
  static constexpr unsigned kMemoryBar = 0;
  static constexpr unsigned kIoBar = 4;
  static constexpr std::uint32_t kBarSize = 0x4000;
  static constexpr std::uint32_t kIoSize = 0x20;
  static constexpr unsigned kVectors = 40;
  static constexpr std::uint32_t kTable = 0x2000;
  static constexpr std::uint32_t kPba = 0x3000;
  static constexpr std::uint64_t kPin = 0x20;
  static constexpr std::uint64_t kMessage = 0x24;

  explicit ScratchFunction(guest::Interrupts& interrupts)
      : Function({.vendor_id = 0x1234, .device_id = 0x5678, .class_code = 0x0c0330}, interrupts), storage_(kBarSize) {
    add_bar({kMemoryBar, pci::BarKind::memory64, kBarSize}, *this);
    add_bar({kIoBar, pci::BarKind::io, kIoSize}, *this);
    add_msix(kVectors, kMemoryBar, kTable, kPba);
  }

  void read(std::uint64_t offset, MutableByteView out) override {
    std::copy_n(storage_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  }
  void write(std::uint64_t offset, ByteView in) override {
    std::ranges::copy(in, storage_.begin() + static_cast<std::ptrdiff_t>(offset));
    writes.emplace_back(offset, in.size());
    if (in.empty()) return;
    if (offset == kPin) set_pin(in[0] != std::byte{0});
    if (offset == kMessage) send_message(std::to_integer<unsigned>(in[0]) % kVectors);
  }
  void on_disconnect() override {
    ++disconnects;
    Function::on_disconnect();
  }

  std::vector<std::pair<std::uint64_t, std::size_t>> writes;  // offset and length
  unsigned resets = 0;
  unsigned disconnects = 0;

 private:
  void reset_model() override {
    ++resets;
    std::ranges::fill(storage_, std::byte{0});
  }
  void interrupt_mode_changed() override {}

  Bytes storage_;
};

}  // namespace periplex::vfio_user::testing
