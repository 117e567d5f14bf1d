// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "remote/usbredir/bulk_streams.hpp"
#include "remote/usbredir/interrupt_in.hpp"
#include "remote/usbredir/isochronous_pipes.hpp"
#include "remote/usbredir/requests.hpp"
#include "usb/device.hpp"

namespace periplex::remote::usbredir {

/// The far end's device, to a controller: its transfers become messages of the usb-guest.
///
/// Standard requests that change which endpoints there are have messages of their own (as the document wants), and
/// SET_ADDRESS, SET_SEL and SET_ISOCH_DELAY are answered here: address and link of the real device are the far end's.
/// A cancelled transfer goes back at once; the far end is told, and its late answer is dropped.
///
/// A far end without bulk streams: the guest is shown the device without the settings that use some
/// (usb/without_streams.hpp).
///
/// What the protocol cannot carry: suspend, resume and remote wake-up.
class ImportedDevice final : public usb::Device {
 public:
  struct Counters {
    std::uint64_t lost_reports = 0;
    std::uint64_t dropped_packets = 0;
  };

  /// As much as one control transfer carries at a usb-host on Linux's usbfs; no configuration is asked for in a longer
  /// one.
  static constexpr std::uint16_t kMaxConfiguration = 4096;

  /// `misses_streams`: given if the far end has no bulk streams; called if the device has nothing to do without.
  ImportedDevice(usb::Speed speed, const EndpointInfo& endpoints, Wire& wire, Scheduler& scheduler,
                 std::function<void()> misses_streams = {});
  ~ImportedDevice() override;

  [[nodiscard]] usb::Speed speed() const override { return speed_; }
  [[nodiscard]] std::optional<usb::TransferType> endpoint_type(usb::EndpointAddress endpoint) const override;
  void submit(usb::TransferPtr transfer) override;
  void cancel(usb::TransferId id) override;
  void reset() override;

  /// It is gone: completes all at once, and what is submitted later, too. It may stay for whoever still refers to it.
  void leave();

  /// Other endpoints from now on.
  void set_endpoints(const EndpointInfo& endpoints) { endpoints_ = endpoints; }

  /// Answers and news. False: it answers a request of another kind, which no honest far end does.
  [[nodiscard]] bool on(MessageId id, ControlData&& message);
  [[nodiscard]] bool on(MessageId id, BulkData&& message);
  [[nodiscard]] bool on(MessageId id, InterruptData&& message);
  [[nodiscard]] bool on(MessageId id, const ConfigurationStatus& message);
  [[nodiscard]] bool on(MessageId id, const AlternateStatus& message);
  void on(IsochronousData&& message);
  void on(MessageId id, const PumpStatus& message);
  void on(MessageId id, const StreamsStatus& message) { streams_.on_status(id, message.result); }

  /// What has not reached the guest.
  [[nodiscard]] Counters counters() const;

 private:
  /// What a control transfer waits for.
  enum class Awaited : std::uint8_t { data, configuration, alternate, whole_configuration };

  void submit_control(usb::TransferPtr transfer);
  void submit_data(usb::TransferPtr transfer);
  void submit_bulk(usb::TransferPtr transfer);
  void submit_configuration(usb::TransferPtr transfer);
  void submit_interrupt_out(usb::TransferPtr transfer);
  void request(usb::TransferPtr transfer, const Message& message, Awaited awaited = Awaited::data);
  void set_configuration(usb::TransferPtr transfer);
  void set_interface(usb::TransferPtr transfer);
  [[nodiscard]] bool show_configuration(MessageId id, const ControlData& message, std::size_t room);
  [[nodiscard]] bool finish_control(MessageId id, Awaited kind, Result result, ByteView data);
  void finish(usb::TransferPtr transfer, usb::Status status) { completions_->push(std::move(transfer), {status, 0}); }
  [[nodiscard]] StreamPlan plan(usb::EndpointAddress endpoint) const;
  [[nodiscard]] const EndpointInfo::Entry& entry(usb::EndpointAddress endpoint) const {
    return endpoints_.entries[index_of(endpoint)];
  }
  template <typename Pipe, typename... Arguments>
  [[nodiscard]] Pipe& pipe(std::map<usb::EndpointAddress, Pipe>& pipes, usb::EndpointAddress endpoint,
                           Arguments&&... arguments);
  void close_pipes(std::optional<std::uint8_t> interface);

  const usb::Speed speed_;
  EndpointInfo endpoints_;
  Wire& wire_;
  Scheduler& scheduler_;
  const std::function<void()> misses_streams_;
  std::optional<usb::device::CompletionQueue> completions_;  // always there
  Requests requests_;
  BulkStreams streams_;
  std::map<MessageId, Awaited> awaited_;  // control transfers only
  std::map<usb::EndpointAddress, InterruptIn> interrupts_;
  std::map<usb::EndpointAddress, IsochronousIn> captures_;
  std::map<usb::EndpointAddress, IsochronousOut> playbacks_;
  std::set<std::uint8_t> alternates_;  // interfaces that are not at setting 0
  Counters closed_;                    // of pipes that are gone
  bool left_ = false;
};

}  // namespace periplex::remote::usbredir
