// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pci/function.hpp"
#include "vfio_user/dma_regions.hpp"
#include "vfio_user/irq_lines.hpp"
#include "vfio_user/protocol.hpp"

namespace periplex::vfio_user {

/// The server's side of one client's conversation: takes messages, gives replies, does no I/O on the socket.
///
/// Every command is answered at once. Where Cloud Hypervisor reads a reply of fixed length (all of GET_INFO,
/// GET_REGION_INFO, GET_IRQ_INFO, REGION_READ, REGION_WRITE and DMA_UNMAP) a well-formed request never gets the shorter
/// error reply: what is not there has size 0, reads as all ones and ignores writes.
class Session {
 public:
  Session(pci::Function& function, guest::Memory& memory, IrqLines& lines);

  enum class Verdict : bool { go_on, close };
  /// Handles one message and appends the reply, if one is due, to `replies`. After `close` the client is to be left,
  /// once it has been sent what `replies` holds.
  [[nodiscard]] Verdict handle(const Message& message, Bytes& replies);

  /// Whether the client's version has been agreed on.
  [[nodiscard]] bool negotiated() const { return negotiated_; }

 private:
  [[nodiscard]] Verdict negotiate(const Message& message, Bytes& replies);
  void serve(const Message& message, Bytes& replies);
  void dma_map(const Message& message, Bytes& replies);
  void dma_unmap(const Message& message, Bytes& replies);
  void get_info(const Message& message, Bytes& replies) const;
  void get_region_info(const Message& message, Bytes& replies) const;
  void get_irq_info(const Message& message, Bytes& replies) const;
  void set_irqs(const Message& message, Bytes& replies);
  void region_read(const Message& message, Bytes& replies);
  void region_write(const Message& message, Bytes& replies);
  void reset(const Message& message, Bytes& replies);
  [[nodiscard]] std::uint64_t region_size(std::uint32_t index) const;
  [[nodiscard]] std::uint32_t irq_count(std::uint32_t index) const;

  pci::Function& function_;
  IrqLines& lines_;
  DmaRegions regions_;
  bool negotiated_ = false;
};

}  // namespace periplex::vfio_user
