// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "base/time.hpp"
#include "usb/descriptors.hpp"
#include "usb/device.hpp"
#include "usb/transfer_relay.hpp"

namespace periplex::usb {

/// A device in front of a faster one: what a guest sees whose controller does not run the device's own speed (row A6).
///
/// Descriptors are translated. A guest-bound transfer asks the device for a multiple of the device's own packet,
/// because that is what it sends; what the guest did not ask for yet is carried over to the next transfer. Device-bound
/// data is handed on as it is: the device's side cuts whole data sets at the device's packet size.
///
/// A data set that the guest's driver queues in parts must have parts that are multiples of the device's packet, unless
/// the last one: a shorter one ends it for the device.
class OtherSpeedDevice final : public Device {
 public:
  /// `device` is faster than `speed`, and must stay alive as long as this.
  OtherSpeedDevice(Device& device, Speed speed, Scheduler& scheduler);
  OtherSpeedDevice(const OtherSpeedDevice&) = delete;
  OtherSpeedDevice& operator=(const OtherSpeedDevice&) = delete;
  ~OtherSpeedDevice() override;

  [[nodiscard]] Speed speed() const override { return speed_; }
  [[nodiscard]] std::optional<TransferType> endpoint_type(EndpointAddress endpoint) const override {
    return device_.endpoint_type(endpoint);
  }
  void submit(TransferPtr transfer) override;
  void cancel(TransferId id) override;
  void reset() override;
  void endpoint_opened(EndpointAddress endpoint) override;
  void suspend() override { device_.suspend(); }
  void resume() override { device_.resume(); }
  void set_wake_up(std::function<void()> wake_up) override { device_.set_wake_up(std::move(wake_up)); }

 private:
  /// What the device sent in answer to one request.
  struct Run {
    Bytes bytes;
    std::size_t taken = 0;
    Status status = Status::ok;
    bool ended_short = false;
  };
  struct Waiting {
    TransferPtr transfer;
    std::uint32_t filled = 0;
  };
  struct Request {
    TransferId id;
    bool cancelled = false;
    bool stale = false;  ///< the device has begun anew since: what it answers concerns nobody
  };
  /// A guest-bound endpoint of the device, as its configuration tells.
  struct Known {
    std::uint32_t packet = 0;
    std::uint8_t interface = 0;
  };
  /// A guest-bound endpoint whose transfers are not multiples of the device's packet.
  struct Inbound {
    std::deque<Waiting> waiting;   // of the guest, oldest first
    std::deque<Request> requests;  // to the device, oldest first
    std::deque<Run> runs;          // that nobody has taken whole
  };

  [[nodiscard]] bool answer_here(const Transfer& transfer) const;
  void submit_descriptor(TransferPtr transfer);
  void submit_inbound(TransferPtr transfer, std::uint32_t packet);
  [[nodiscard]] TransferId submit_own(EndpointAddress endpoint, std::size_t room, std::optional<SetupPacket> setup);
  void ask(EndpointAddress endpoint, Inbound& inbound, std::size_t room);
  void on_answer(Transfer& answered, Completion completion);
  void on_descriptor(TransferPtr guest, const TransferData& data, Completion completion);
  void on_inbound(EndpointAddress endpoint, Inbound& inbound, const TransferData& data, Completion completion);
  void deliver(Inbound& inbound);
  bool deliver_run(Inbound& inbound);
  void finish(TransferPtr transfer, Completion completion);
  void learn(ByteView configuration);
  void begin_anew(const SetupPacket& setup);
  void begin_anew(Inbound& inbound);

  Device& device_;
  Speed speed_;
  Scheduler& scheduler_;
  std::shared_ptr<TransferRelay> relay_;
  std::uint64_t last_id_ = 0;
  std::map<EndpointAddress, Known> known_;  // bulk and interrupt
  std::map<EndpointAddress, Inbound> inbound_;
  std::map<TransferId, TransferPtr> descriptors_;  // requests of the guest for one, by our own
};

}  // namespace periplex::usb
