// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <set>

#include "base/time.hpp"
#include "remote/usbredir/submitter.hpp"
#include "remote/usbredir/wire.hpp"

namespace periplex::remote::usbredir {

/// What pumps need of the session.
class PumpHost : public Wire {
 public:
  /// So much waits to be sent that no more should be made.
  [[nodiscard]] virtual bool congested() const = 0;

 protected:
  ~PumpHost() = default;
};

/// An endpoint that the usb-host reads or writes by itself, because the usb-guest has asked for it.
class ExportPump {
 public:
  explicit ExportPump(const StartPump& settings) : settings_(settings) {}
  /// Ends what it has in flight.
  virtual ~ExportPump() = default;
  virtual void start() = 0;
  /// There is room to send again.
  virtual void resume() {}
  /// A packet for the device.
  virtual void push(IsochronousData&& packet) { (void)packet; }
  /// It has ended by itself and is to be removed.
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] const StartPump& settings() const { return settings_; }

 protected:
  const StartPump settings_;
  bool ended_ = false;
};

/// Interrupt IN, and bulk IN that is read ahead: always some transfers at the device, whose answers are pushed. While
/// the far end takes nothing, the device is not asked, so that nothing is lost.
class ReceivingPump final : public ExportPump {
 public:
  static constexpr unsigned kInterruptTransfers = 4;
  static constexpr std::uint32_t kMaxBulkBytes = 1u << 20;

  ReceivingPump(const StartPump& settings, std::uint32_t bytes, PumpHost& host, Submitter& submitter)
      : ExportPump(settings), bytes_(bytes), host_(host), submitter_(submitter) {}
  ~ReceivingPump() override;
  void start() override;
  void resume() override;

 private:
  void submit();
  void on_done(usb::TransferId id, usb::Transfer& transfer, usb::Completion completion);
  void push_data(Result result, Bytes data);

  const std::uint32_t bytes_;
  PumpHost& host_;
  Submitter& submitter_;
  std::set<usb::TransferId> in_flight_;
  unsigned parked_ = 0;
  MessageId next_ = 0;
};

/// Keeps an isochronous endpoint's time: the device behind the contract wants packets as their intervals pass.
class Metronome {
 public:
  Metronome(Scheduler& scheduler, Nanoseconds period, std::function<void()> beat);
  void start();
  void stop() { timer_->cancel(); }
  [[nodiscard]] bool running() const { return timer_->armed(); }

 private:
  /// After a longer pause it begins anew: nobody wants what was missed.
  static constexpr int kMostBeatsLate = 8;
  void on_timer();

  Scheduler& scheduler_;
  const Nanoseconds period_;
  std::function<void()> beat_;
  Nanoseconds next_{};
  std::unique_ptr<Timer> timer_;
};

/// Isochronous IN: a group of packets is asked for with every beat; what comes is pushed. While the far end takes
/// nothing, beats are left out.
class CapturePump final : public ExportPump {
 public:
  CapturePump(const StartPump& settings, std::uint32_t packet_size, Nanoseconds interval, PumpHost& host,
              Submitter& submitter, Scheduler& scheduler);
  ~CapturePump() override;
  void start() override { metronome_.start(); }

 private:
  void beat();
  void on_done(usb::TransferId id, usb::Transfer& transfer, usb::Completion completion);

  const std::uint32_t packet_size_;
  PumpHost& host_;
  Submitter& submitter_;
  Metronome metronome_;
  std::set<usb::TransferId> in_flight_;
  MessageId next_ = 0;
};

/// Isochronous OUT: begins when half of the buffers are full, as the document wants, and anew when they have run empty.
/// What does not fit is dropped.
class PlaybackPump final : public ExportPump {
 public:
  PlaybackPump(const StartPump& settings, std::uint32_t packet_size, Nanoseconds interval, PumpHost& host,
               Submitter& submitter, Scheduler& scheduler);
  ~PlaybackPump() override;
  void start() override {}
  void push(IsochronousData&& packet) override;

 private:
  void beat();
  void on_done(usb::TransferId id, const usb::Transfer& transfer, usb::Completion completion);
  [[nodiscard]] std::size_t capacity() const { return std::size_t{settings_.packets_per_urb} * settings_.urbs; }

  const std::uint32_t packet_size_;
  PumpHost& host_;
  Submitter& submitter_;
  Metronome metronome_;
  std::set<usb::TransferId> in_flight_;
  std::deque<Bytes> packets_;
};

}  // namespace periplex::remote::usbredir
