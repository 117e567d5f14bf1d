// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "base/time.hpp"
#include "storage/command.hpp"

namespace periplex::storage {

/// How long a disk may take over one command, or over anything else that a guest would not wait for longer. Guests give
/// up earlier and say so; this is for a disk that has stopped answering while nobody looks.
inline constexpr Nanoseconds kCommandTimeout = std::chrono::seconds(60);
/// For a step of error recovery, which no disk has to think about.
inline constexpr Nanoseconds kRecoveryTimeout = std::chrono::seconds(5);

/// The host side of a USB storage transport, on a device that is configured.
///
/// Every command ends exactly once, on the loop, never from inside a call here. When the device cannot be talked to any
/// more the owner hears so, and is to call `end_all`.
class Transport {
 public:
  class Owner {
   public:
    /// Something has ended: more may be started.
    virtual void on_room() = 0;
    /// The transport does not understand the device any more, or has no answer: it needs a port reset.
    virtual void on_broken() = 0;
    /// The device is gone.
    virtual void on_lost() = 0;

   protected:
    ~Owner() = default;
  };

  virtual ~Transport() = default;

  /// How many commands may be started now.
  [[nodiscard]] virtual std::size_t room() const = 0;
  virtual void start(CommandId id, Command command, Done done) = 0;
  /// Asks for a command to end soon; an unknown one is ignored. Unless it has ended just now, its outcome is `aborted`.
  virtual void abort(CommandId id) = 0;
  /// Resets logical unit `lun`. No command may be under way.
  virtual void reset_unit(std::uint8_t lun, Done done) = 0;
  /// Every command ends with a copy of `result`, at once; the device is left alone.
  virtual void end_all(const Result& result) = 0;
};

}  // namespace periplex::storage
