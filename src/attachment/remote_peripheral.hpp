// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attachment/counters.hpp"
#include "attachment/extension.hpp"
#include "attachment/message_stream.hpp"
#include "attachment/remote_device.hpp"
#include "remote/session.hpp"

namespace periplex::attachment {

struct PeripheralOptions {
  /// How long the guest keeps the device while there is no connection.
  Nanoseconds hold = std::chrono::seconds(20);
  /// How long a control transfer that is held stays pending: less than the 5 s that a guest's driver waits.
  Nanoseconds control_patience = std::chrono::seconds(4);
  /// Which peripheral it must be; empty: the first that comes.
  std::string unique_id;
};

/// Where a peripheral is, and since when.
struct PeripheralState {
  enum class Link : std::uint8_t {
    absent,     ///< no agent has offered it yet
    connected,  ///< plugged in, or about to be, and there is a connection
    held,       ///< plugged in, but there is no connection
    lost,       ///< unplugged: the agent, or the device, is gone; it will be plugged in again when it is back
    failed,     ///< the session is at its end
  };
  Link link = Link::absent;
  Nanoseconds since{};
  /// For a person: why it was lost, or failed.
  std::string why;
};
[[nodiscard]] std::string_view name(PeripheralState::Link link);

/// A peripheral at an agent: the worker's side of the attachment protocol (docs/attachment-protocol.md).
///
/// When the connection drops the device stays plugged in (`held`): its transfers are pending, and on the next
/// connection all goes on as if nothing had been. It is unplugged honestly when the hold has lasted too long, when
/// another agent instance answers, or when the agent says that the device is gone; and plugged in anew, as another
/// `usb::Device`, when an agent describes it again. An agent that breaks the protocol ends the session.
class RemotePeripheral final : public remote::Session, private MessageStream::User, private PeripheralLink {
 public:
  /// An agent whose device comes back this often, each time sooner than that, ends the session.
  static constexpr unsigned kMaxArrivalsInARow = 16;
  static constexpr Nanoseconds kArrivalPause = std::chrono::seconds(1);

  /// All must outlive this; `extension` may be null.
  RemotePeripheral(remote::SessionHost& host, Scheduler& scheduler, InstanceSource instances,
                   PeripheralOptions options = {}, PeripheralExtension* extension = nullptr);
  RemotePeripheral(const RemotePeripheral&) = delete;
  RemotePeripheral& operator=(const RemotePeripheral&) = delete;
  /// Without a word to the host. What the guest still waits for completes with `disconnected`.
  ~RemotePeripheral() override;

  void connected() override;
  void receive(ByteView bytes) override;
  void disconnected() override;
  [[nodiscard]] std::vector<remote::Count> counts() const override;

  [[nodiscard]] const PeripheralState& state() const { return state_; }
  [[nodiscard]] const PeripheralCounters& counters() const { return counters_; }
  /// What the agent has told; empty while no device is plugged in.
  [[nodiscard]] const std::optional<Describe>& description() const { return description_; }

 private:
  void send_bytes(Bytes bytes) override { host_.send(std::move(bytes)); }
  void on_begin() override;
  void on_resume() override;
  void on_lost() override;
  void on_message(ByteView payload) override;
  void on_room() override;
  void on_failed(StreamError why) override;

  void send(Bytes message) override { stream_.send(std::move(message)); }
  [[nodiscard]] bool has_room() const override { return stream_.has_room(); }
  [[nodiscard]] bool open() const override { return stream_.open(); }
  void show(usb::Device* device) override;
  void give_up(std::string why) override;

  [[nodiscard]] Verdict handle(ByteView payload);
  [[nodiscard]] Verdict on_describe(ByteView body);
  [[nodiscard]] Verdict on_gone(ByteView body);
  [[nodiscard]] bool comes_too_often();
  void plug_in();
  void unplug(std::string why);
  void hold_is_over();
  void fail(std::string why);
  void enter(PeripheralState::Link link, std::string why = {});

  remote::SessionHost& host_;
  Scheduler& scheduler_;
  const PeripheralOptions options_;
  PeripheralExtension* const extension_;
  PeripheralState state_;
  PeripheralCounters counters_;
  std::unique_ptr<Timer> hold_;
  std::unique_ptr<Timer> giving_up_;  // armed: now
  std::string give_up_why_;
  std::string unique_id_;
  std::optional<Describe> description_;
  MessageStream stream_;
  std::unique_ptr<RemoteDevice> device_;
  usb::Device* shown_ = nullptr;  // what is plugged in: device_, the extension's, or nothing yet
  bool extension_begun_ = false;
  unsigned arrivals_in_a_row_ = 0;
};

}  // namespace periplex::attachment
