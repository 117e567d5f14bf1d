// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/register_file.hpp"
#include "usb/xhci/services.hpp"
#include "usb/xhci/slot_commands.hpp"

namespace periplex::usb::xhci {

/// The command ring (xHCI 1.2 §4.6.1, §4.9.3) and its register CRCR (§5.4.5): commands are taken one at a time, in
/// order; each ends with a Command Completion Event.
class CommandRing {
 public:
  CommandRing(Services& services, SlotCommands& commands, RegisterFile& registers, std::uint32_t base);

  /// Doorbell 0 was rung.
  void ring_doorbell();
  /// Takes commands as long as there are some and nothing forbids it.
  void advance();
  /// The later turn of the loop that `advance` has asked for.
  void advance_again();
  /// R/S went to 0: "CRR … is cleared to 0 when the xHC halts".
  void halt() { running_ = false; }
  void reset();

 private:
  static constexpr unsigned kMaxCommandsInOneGo = 64;

  void on_crcr_write(const RegisterWrite& write);
  void complete(GuestAddress command, CompletionCode code, SlotId slot);
  void stop();
  void advance_later();

  Services& services_;
  SlotCommands& commands_;
  RegisterCell& crcr_;
  RingPosition dequeue_;
  bool running_ = false;    // CRCR.CRR
  bool executing_ = false;  // a command has not ended yet
  bool stopping_ = false;   // CRCR.CS or CA was written while it runs
  bool aborting_ = false;   // … and it was CA
  bool advances_later_ = false;
};

}  // namespace periplex::usb::xhci
