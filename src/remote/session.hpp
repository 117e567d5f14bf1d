// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "usb/device.hpp"

namespace periplex::remote {

/// Whoever runs a session with a peripheral's far end: carries its bytes, and plugs in what it offers.
///
/// Called on the machine's loop only, also from inside calls to the session.
class SessionHost {
 public:
  /// Queues `bytes` for the far end. They arrive in order, or the connection is lost.
  virtual void send(Bytes bytes) = 0;
  /// `device` may be plugged in from now on, until `device_left`.
  virtual void device_arrived(usb::Device& device) = 0;
  /// `device` is gone. After this returns nobody calls it any more.
  virtual void device_left(usb::Device& device) = 0;
  /// The far end cannot be reached for now; the device stays, and waits. Where that never happens nobody says so.
  virtual void session_held(bool held) { (void)held; }
  /// The session has come to its end, for the reason that `why` tells a person; `device_left` was called before where
  /// there was a device. It must not be destroyed from inside this call.
  virtual void session_failed(std::string why) = 0;

 protected:
  ~SessionHost() = default;
};

/// Something that a session counts, by its name.
struct Count {
  std::string_view name;
  std::uint64_t value = 0;
};

/// A session with the far end of one peripheral, whatever protocol it speaks. Sans-I/O: it sees bytes and time only.
class Session {
 public:
  virtual ~Session() = default;
  /// There is a connection.
  virtual void connected() = 0;
  /// What the far end sent, in pieces of any size.
  virtual void receive(ByteView bytes) = 0;
  /// The connection is lost, or given up. A session that cannot do without it ends; if it has ended already, this makes
  /// sure that nothing of the guest's is held any more. Its device completes all before this returns.
  virtual void disconnected() = 0;
  /// What it has counted since it began, for people; where it counts nothing, nothing.
  [[nodiscard]] virtual std::vector<Count> counts() const { return {}; }
};

}  // namespace periplex::remote
