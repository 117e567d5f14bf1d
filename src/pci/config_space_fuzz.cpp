// SPDX-License-Identifier: Apache-2.0
// Configuration space against accesses of every offset, width and value.
#include <cstdint>

#include "guest/testing/ram.hpp"
#include "pci/function.hpp"

namespace {

class FuzzedFunction final : public periplex::pci::Function, public periplex::pci::BarModel {
 public:
  explicit FuzzedFunction(periplex::guest::Interrupts& interrupts) : Function({.vendor_id = 1}, interrupts) {
    add_bar({0, periplex::pci::BarKind::memory64, 0x4000}, *this);
    add_msix(8, 0, 0x3000, 0x3800);
  }
  void read(std::uint64_t, periplex::MutableByteView) override {}
  void write(std::uint64_t, periplex::ByteView) override {}

 private:
  void reset_model() override {}
  void interrupt_mode_changed() override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  periplex::guest::testing::RecordedInterrupts interrupts;
  FuzzedFunction function(interrupts);
  periplex::ByteReader input(std::as_bytes(std::span(data, size)));
  while (input.remaining() > 4) {
    const std::uint8_t what = input.u8();
    const std::uint16_t offset = input.le16();
    const std::size_t length = std::min<std::size_t>(what >> 3, input.remaining());
    const periplex::ByteView bytes = input.take(length);
    periplex::Bytes out(length);
    switch (what & 7) {
      case 0:
        function.config_read(offset, out);
        break;
      case 1:
        function.config_write(offset, bytes);
        break;
      case 2:
        function.bar_read(what >> 5, offset, out);
        break;
      case 3:
        function.bar_write(what >> 5, offset, bytes);
        break;
      case 4:
        function.reset();
        break;
      case 5:
        function.set_pin((what & 8) != 0);
        break;
      default:
        function.send_message(what >> 3);
        break;
    }
  }
  return 0;
}
