// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pci/config_space.hpp"

namespace periplex::pci {

/// MSI with one message (PCI 3.0 §6.8.1): the capability structure for 64-bit message addresses, without per-vector
/// masking.
///
/// The machine's monitor delivers the message and keeps what the guest wrote as its address and data, so that those
/// registers are storage here.
class Msi {
 public:
  static constexpr unsigned kVectors = 1;

  explicit Msi(ConfigSpace& config);

  /// MSI Enable of Message Control (§6.8.1.3).
  [[nodiscard]] bool enabled() const;

 private:
  RegisterCell* control_;
};

}  // namespace periplex::pci
