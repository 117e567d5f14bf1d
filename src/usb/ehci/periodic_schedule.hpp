// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/register_file.hpp"
#include "usb/batching/bus_addresses.hpp"
#include "usb/batching/isochronous_pipes.hpp"
#include "usb/batching/pipes.hpp"
#include "usb/ehci/isochronous_descriptor.hpp"
#include "usb/ehci/walk.hpp"

namespace periplex::usb::ehci {

/// The periodic schedule (EHCI 1.0 §4.6): a frame list whose entries lead to iTDs and then to the queue heads of
/// interrupt endpoints.
///
/// Frames are processed in their order, once each. When one begins, its queue heads are visited, and the iTDs of the
/// one before it, whose eight microframes are over, are given back. Isochronous packets of the frames ahead are shown
/// to the device side before their time.
///
/// Within a frame, microframes are not told apart: a queue head with any bit in its S-mask is visited once. Not
/// executed: siTDs and split transactions, which need a high-speed hub, and there is none; an FSTN is passed over.
class PeriodicSchedule {
 public:
  /// Structures looked at per frame. A longer chain is cut.
  static constexpr unsigned kMaxStructures = 256;
  /// Frames that are caught up with when walks were late. Without a stream those before them are skipped; a stream's
  /// never are: rather does the guest's time stand still.
  static constexpr std::uint64_t kMaxFramesBehind = 32;
  static constexpr std::uint64_t kFramesAhead = 8;

  PeriodicSchedule(batching::Surroundings& surroundings, const batching::BusAddresses& addresses,
                   const RegisterCell& usbcmd, const RegisterCell& list_base);

  /// The schedule is enabled in `frame`; the next one is the first it processes from the beginning.
  void start(std::uint64_t frame) { processed_ = frame; }
  /// The schedule is disabled: streams end. What interrupt endpoints wait for may still find its queue head later.
  void stop() { isochronous_.withdraw_all(); }
  /// Processes the frames up to `frame`, which has begun; while there are streams only some of them, so that devices
  /// can answer in between, and none for which a guest has to be waited for.
  void process_until(std::uint64_t frame, Nanoseconds now, Walk& walk);
  [[nodiscard]] bool due(std::uint64_t frame) const { return frame > processed_; }
  /// The last frame that was processed.
  [[nodiscard]] std::uint64_t processed() const { return processed_; }
  /// Whether the last call has waited for the guest.
  [[nodiscard]] bool waits_for_guest() const { return waits_for_guest_; }
  /// 1024, 512 or 256 (§2.3.1, Frame List Size).
  [[nodiscard]] std::uint64_t frame_list_size() const;

  /// Whether every frame counts.
  [[nodiscard]] bool streaming() const { return isochronous_.streaming(); }

  [[nodiscard]] batching::Pipes& pipes() { return pipes_; }
  void device_disabled(Device& device);
  void configured(Device& device, const SetupPacket& setup);
  void for_each_endpoint(const Device& device, const VisitEndpoint& visit) const;

 private:
  [[nodiscard]] bool guest_is_late(Nanoseconds now, Walk& walk);
  void visit_queues(std::uint64_t frame, Walk& walk);
  void carry_out(std::uint64_t frame, Walk& walk);
  void carry_out(const IsochronousDescriptor& descriptor, std::uint64_t frame, Walk& walk);
  void show_ahead(std::uint64_t frame, Walk& walk);
  template <typename OnItd>
  void for_each_itd(std::uint64_t frame, Walk& walk, OnItd on_itd);
  /// Who carries out an iTD. Nobody: its address or endpoint does not exist.
  [[nodiscard]] batching::IsochronousPipe* pipe_of(const IsochronousDescriptor& itd);
  [[nodiscard]] std::optional<Link> entry(std::uint64_t frame, Walk& walk) const;
  [[nodiscard]] Link follow(std::uint32_t address, Walk& walk) const;

  batching::Surroundings& surroundings_;
  const batching::BusAddresses& addresses_;
  const RegisterCell& usbcmd_;
  const RegisterCell& list_base_;
  batching::Pipes pipes_;
  batching::IsochronousPipes isochronous_;
  bool waits_for_guest_ = false;
  std::uint64_t processed_ = 0;  // the last frame whose queue heads were visited
};

}  // namespace periplex::usb::ehci
