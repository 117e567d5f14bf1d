// SPDX-License-Identifier: Apache-2.0
#include "pci/function.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace periplex::pci {

Function::Function(const Identity& identity, guest::Interrupts& interrupts)
    : config_(identity), interrupts_(interrupts) {
  config_.add_interrupt_pin();
}

void Function::add_bar(const Bar& bar, BarModel& model) {
  config_.add_bar(bar);
  models_[bar.index] = &model;
  sizes_[bar.index] = bar.size;
}

void Function::add_msix(unsigned vectors, unsigned bar, std::uint32_t table_offset, std::uint32_t pba_offset) {
  msix_.emplace(config_, interrupts_, vectors, bar, table_offset, pba_offset);
}

void Function::config_write(std::uint32_t offset, ByteView in) {
  const bool messages = message_signalled();
  config_.write(offset, in);
  update_pin();
  if (messages != message_signalled()) interrupt_mode_changed();
}

void Function::bar_read(unsigned index, std::uint64_t offset, MutableByteView out) {
  std::ranges::fill(out, std::byte{0xff});
  if (index >= kBars || models_[index] == nullptr || offset >= sizes_[index]) return;
  out = out.first(std::min<std::uint64_t>(out.size(), sizes_[index] - offset));
  if (msix_ && msix_->covers(index, offset)) return msix_->read(offset, out);
  models_[index]->read(offset, out);
}

void Function::bar_write(unsigned index, std::uint64_t offset, ByteView in) {
  if (index >= kBars || models_[index] == nullptr || offset >= sizes_[index]) return;
  in = in.first(std::min<std::uint64_t>(in.size(), sizes_[index] - offset));
  if (msix_ && msix_->covers(index, offset)) return msix_->write(offset, in);
  models_[index]->write(offset, in);
}

void Function::reset() {
  reset_model();
  config_.reset();
  if (msix_) msix_->reset();
  set_pin(false);
}

void Function::set_pin(bool asserted) {
  pin_ = asserted;
  update_pin();
}

void Function::update_pin() {
  config_.set_interrupt_status(pin_);
  // PCI 3.0 §6.2.2, Interrupt Disable: "A value of 1 disables the assertion of its INTx# signal"; §6.8: with MSI or
  // MSI-X enabled a function "is prohibited from using its INTx# pin".
  interrupts_.set_pin(pin_ && !config_.interrupt_disabled() && !message_signalled());
  const bool message = pin_ && msi_ && msi_->enabled();
  if (message && !told_) interrupts_.send_message(0);
  told_ = message;
}

}  // namespace periplex::pci
