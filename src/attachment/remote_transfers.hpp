// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <unordered_map>

#include "attachment/completions.hpp"
#include "attachment/counters.hpp"
#include "attachment/message_stream.hpp"
#include "attachment/messages.hpp"
#include "attachment/verdict.hpp"
#include "base/time.hpp"

namespace periplex::attachment {

/// The guest's transfers that the agent is to carry out, and everything else that the worker has to tell it, in order.
///
/// A transfer waits here until the stream has room and the agent may have another; then it is sent, and waits for its
/// result. The guest gets each back exactly once, on the loop:
/// - with the result, when that comes;
/// - `cancelled`, when it was cancelled and had not been sent, or there is no connection, or the agent takes longer
/// than
///   `kCancelPatience`: a driver that cancels must not wait for a network;
/// - `error`, if it is a control transfer and was held for longer than the guest would wait for it;
/// - `cancelled` at a reset.
/// A result that comes after that is recognised and dropped.
class RemoteTransfers {
 public:
  /// Who needs to know how control transfers ended.
  class Listener {
   public:
    /// The device has answered; not told of requests from before a reset.
    virtual void on_control_result(const usb::SetupPacket& setup, usb::Status status) = 0;
    /// More waits to be told than may: the guest does too many things while nothing can be sent.
    virtual void on_overrun() = 0;

   protected:
    ~Listener() = default;
  };

  static constexpr Nanoseconds kCancelPatience = std::chrono::milliseconds(250);
  static constexpr std::size_t kMaxWaitingMessages = 4096;

  /// `control_patience`: how long after its submission a control transfer that is held comes back.
  RemoteTransfers(Listener& listener, MessageStream& stream, Completions& completions, Scheduler& scheduler,
                  PeripheralCounters& counters, Nanoseconds control_patience);
  RemoteTransfers(const RemoteTransfers&) = delete;
  RemoteTransfers& operator=(const RemoteTransfers&) = delete;
  /// What the guest has not got back yet completes with `disconnected`.
  ~RemoteTransfers();

  void submit(usb::TransferPtr transfer, usb::TransferType type);
  /// Tells the agent something, after all that was submitted and posted before.
  void post(Bytes message);
  void cancel(usb::TransferId id);
  /// Port reset: everything comes back, and what has not been sent never will be.
  void reset();

  [[nodiscard]] Verdict on_complete(ByteView body);
  void on_disconnected();
  /// There may be room now.
  void flush();

  /// Control transfers that the guest waits for.
  [[nodiscard]] std::size_t control_pending() const { return control_pending_; }

 private:
  struct Flight {
    usb::TransferPtr transfer;  // null: the guest has it back already
    std::optional<usb::SetupPacket> setup;
    usb::EndpointAddress endpoint;
    usb::Direction direction = usb::Direction::out;
    usb::TransferType type = usb::TransferType::bulk;
    std::uint16_t stream = 0;
    std::uint32_t length = 0;
    Nanoseconds submitted{};
    std::optional<Nanoseconds> cancelled;
    bool sent = false;
    bool held = false;  // at some time since it was submitted there was no connection
    bool before_reset = false;
  };
  using Flights = std::map<std::uint64_t, Flight>;
  struct Entry {
    std::uint64_t id = 0;  // of a transfer; 0: `message`
    Bytes message;
  };

  [[nodiscard]] bool may_send(const Flight& flight) const;
  void send(std::uint64_t id, Flight& flight);
  [[nodiscard]] bool overtakes(Flights::const_iterator flight) const;
  void give_back(Flight& flight, usb::Completion completion);
  void give_up(Flights::iterator flight, usb::Completion completion);
  void forget_unsent(std::uint64_t id);
  [[nodiscard]] std::optional<Nanoseconds> patience_ends(const Flight& flight) const;
  void lose_patience();
  void arm();

  Listener& listener_;
  MessageStream& stream_;
  Completions& completions_;
  Scheduler& scheduler_;
  PeripheralCounters& counters_;
  const Nanoseconds control_patience_;
  std::unique_ptr<Timer> timer_;
  Flights flights_;
  std::unordered_map<usb::TransferId, std::uint64_t> ids_;
  std::deque<Entry> queue_;
  std::uint64_t last_id_ = 0;
  std::size_t waiting_messages_ = 0;
  std::size_t sent_ = 0;  // flights that the agent has, or will have
  std::size_t sent_bytes_ = 0;
  std::size_t control_pending_ = 0;
};

}  // namespace periplex::attachment
