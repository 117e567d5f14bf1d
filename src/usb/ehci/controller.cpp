// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/controller.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/trace.hpp"
#include "usb/ehci/registers.hpp"

namespace periplex::usb::ehci {
namespace {

/// How long what is in flight outlives the schedule that it belongs to.
constexpr Nanoseconds kStoppedPatience = std::chrono::milliseconds(50);

}  // namespace

Controller::Controller(const Options& options, const std::vector<CompanionPort>& companions, guest::Memory& memory,
                       pci::InterruptSink& interrupts, Scheduler& scheduler)
    : options_(options),
      memory_(memory),
      interrupts_(interrupts),
      scheduler_(scheduler),
      frames_(scheduler),
      timer_(scheduler.make_timer([this] { round(true); })) {
  add_capability_registers(companions);
  add_operational_registers();
  auto& surroundings = static_cast<batching::Surroundings&>(*this);
  async_ = std::make_unique<AsyncSchedule>(surroundings, addresses_, *async_list_);
  periodic_ = std::make_unique<PeriodicSchedule>(surroundings, addresses_, *usbcmd_, *periodic_list_);
  add_ports(companions);
}

Controller::~Controller() {
  *alive_ = false;
}

// --- USBCMD (§2.3.1)
// ----------------------------------------------------------------------------------------------------

bool Controller::running() const {
  return !usbsts_->test(usbsts::HCHalted);
}

bool Controller::async_running() const {
  return usbsts_->test(usbsts::AsyncScheduleStatus);
}

bool Controller::periodic_running() const {
  return usbsts_->test(usbsts::PeriodicScheduleStatus);
}

void Controller::on_usbcmd_write(const RegisterWrite& write) {
  if (write.wrote_one(usbcmd::HCRESET)) return reset();
  run_or_halt();
  // Whatever was written, the driver has something in mind: a schedule, the doorbell, running.
  round_soon();
}

/// Everything that is under way ends between two register accesses, so the status follows at once.
void Controller::run_or_halt() {
  const bool run = usbcmd_->test(usbcmd::RS);
  if (run != running()) {
    trace::line("usb/ehci", "controller {}", run ? "runs" : "halts");
    usbsts_->set(usbsts::HCHalted, run ? 0 : 1);
    if (run) {
      frames_.start();
    } else {
      frames_.stop();
    }
  }
  follow_schedule_enables();
}

void Controller::follow_schedule_enables() {
  const bool periodic = running() && usbcmd_->test(usbcmd::PSE);
  if (periodic && !periodic_running()) periodic_->start(frames_.frame());
  if (!periodic && periodic_running()) periodic_->stop();
  usbsts_->set(usbsts::PeriodicScheduleStatus, periodic ? 1 : 0);
  usbsts_->set(usbsts::AsyncScheduleStatus, running() && usbcmd_->test(usbcmd::ASE) ? 1 : 0);
}

void Controller::reset() {
  for (const auto& port : ports_) port->reset();
  for (RegisterCell* cell : {usbcmd_, usbsts_, usbintr_, periodic_list_, async_list_, configflag_}) cell->reset();
  const bool connected = std::ranges::any_of(ports_, [](const auto& port) { return port->connected(); });
  usbsts_->set(usbsts::PortChangeDetect, connected ? 1 : 0);
  frames_.stop();
  frames_.set_index(0);
  rollover_frame_ = frames_.frame();
  pace_ = {};
  arm_timer();
  update_pin();
}

// --- rounds
// -------------------------------------------------------------------------------------------------------------

void Controller::round_soon() {
  pace_.touched(scheduler_.now());
  if (std::exchange(round_deferred_, true)) return;
  scheduler_.defer([this, alive = alive_] {
    if (!*alive) return;
    round_deferred_ = false;
    round(true);
  });
}

void Controller::round(bool async) {
  walk_ = {};
  if (periodic_running()) process_periodic();
  bool came_round = !async_running();
  if (async && async_running() && !walk_.fault) came_round = async_->walk(frames_.frame(), walk_);
  if (!walk_.fault) patience_.note_success();
  if (walk_.fault && patience_.may_wait()) walk_.fault.reset();
  if (async && came_round) answer_doorbell();
  withdraw_from_stopped();
  pace_.walked(scheduler_.now(), walk_.activity);
  publish();
}

void Controller::process_periodic() {
  if (periodic_->streaming()) frames_.hold_back(periodic_->processed() + PeriodicSchedule::kMaxFramesBehind);
  periodic_->process_until(frames_.frame(), scheduler_.now(), walk_);
  if (periodic_->waits_for_guest()) frames_.hold_back(periodic_->processed());
  if (periodic_->due(frames_.frame()) && !walk_.fault) round_soon();
}

/// A schedule that is switched off leads to nobody any more. What is in flight is not given up at once: drivers switch
/// it off as soon as it is empty, and on again with the next request.
void Controller::withdraw_from_stopped() {
  const bool lingers =
      (!async_running() && async_->pipes().in_flight()) || (!periodic_running() && periodic_->pipes().in_flight());
  if (!running() || !lingers) return stopped_since_.reset();
  const Nanoseconds now = scheduler_.now();
  if (!stopped_since_) stopped_since_ = now;
  if (now - *stopped_since_ < kStoppedPatience) return;
  if (!async_running()) async_->pipes().withdraw_all();
  if (!periodic_running()) periodic_->pipes().withdraw_all();
}

/// "When the host controller has evicted all appropriate cached schedule state, it sets the Interrupt on Async Advance
/// status bit" (§4.8.2): whatever was taken out before the walk that has just ended is not touched after it.
void Controller::answer_doorbell() {
  if (!usbcmd_->test(usbcmd::IAAD)) return;
  usbcmd_->set(usbcmd::IAAD, 0);
  usbsts_->set(usbsts::AsyncAdvance, 1);
}

/// FRINDEX has come to the end of the frame list (§2.3.2).
void Controller::note_rollover() {
  const std::uint64_t frame = frames_.frame();
  const std::uint64_t size = periodic_->frame_list_size();
  if (frame <= rollover_frame_) return;
  if (frame / size != rollover_frame_ / size) usbsts_->set(usbsts::FrameListRollover, 1);
  rollover_frame_ = frame;
}

/// One interrupt for all that the round has brought about.
void Controller::publish() {
  if (walk_.interrupt) usbsts_->set(usbsts::USBINT, 1);
  if (walk_.error_interrupt) usbsts_->set(usbsts::USBERRINT, 1);
  usbsts_->set(usbsts::Reclamation, async_running() && walk_.activity != batching::Activity::idle ? 1 : 0);
  if (walk_.fault) {
    // "When this error occurs, the Host Controller clears the Run/Stop bit in the Command register" (§2.3.2).
    trace::line("usb/ehci", "host system error");
    usbsts_->set(usbsts::HostSystemError, 1);
    usbcmd_->set(usbcmd::RS, 0);
    run_or_halt();
  }
  note_rollover();
  update_pin();
  arm_timer();
}

/// Whether all ports with a device are suspended, so that the schedules lead to nobody.
bool Controller::asleep() const {
  const auto connected = [](const auto& port) { return port->connected(); };
  return std::ranges::any_of(ports_, connected) &&
         std::ranges::all_of(ports_, [&](const auto& port) { return !connected(port) || port->suspended(); });
}

void Controller::arm_timer() {
  if (!running()) return timer_->cancel();
  const Nanoseconds now = scheduler_.now();
  if ((async_running() || periodic_running()) && !asleep()) {
    Nanoseconds delay = pace_.interval(now);
    // Frames are processed when they begin, unless nobody would notice.
    const bool every_frame = periodic_running() && (delay <= kFrame || periodic_->streaming());
    if (every_frame) delay = std::min(delay, frames_.until_next_frame());
    return timer_->arm(delay);
  }
  if (stopped_since_ && scheduler_.now() - *stopped_since_ < kStoppedPatience) return timer_->arm(kStoppedPatience);
  if (usbintr_->test(usbintr::FrameListRollover)) {
    const std::uint64_t size = periodic_->frame_list_size();
    const auto frames = static_cast<std::int64_t>(size - 1 - frames_.frame() % size);
    return timer_->arm(frames_.until_next_frame() + frames * kFrame);
  }
  timer_->cancel();
}

void Controller::update_pin() {
  interrupts_.set_pin((usbsts_->value() & usbintr_->get(usbintr::Enables)) != 0);
}

/// A driver that reads the frame number may believe that everything before it has been processed.
std::uint64_t Controller::read_frindex() {
  pace_.touched(scheduler_.now());
  if (periodic_running() && periodic_->due(frames_.frame())) round(false);
  const std::uint64_t now = frames_.microframe();
  if (!periodic_running()) return FrameCounter::index(now);
  const std::uint64_t processed = periodic_->processed() * kMicroframesPerFrame + kMicroframesPerFrame - 1;
  return FrameCounter::index(std::min(now, processed));
}

// --- devices
// ------------------------------------------------------------------------------------------------------------

void Controller::configured(Device& device, const SetupPacket& setup) {
  constexpr std::uint8_t kToDevice = 0x00;  // bmRequestType, USB 2.0 table 9-3
  if (setup.is(StandardRequest::set_address, kToDevice)) return addresses_.assign(device, setup.value);
  async_->pipes().configured(device, setup);
  periodic_->configured(device, setup);
}

void Controller::device_disabled(Device& device) {
  addresses_.disable(device);
  async_->pipes().device_reset(device);
  periodic_->device_disabled(device);
}

void Controller::port_changed() {
  usbsts_->set(usbsts::PortChangeDetect, 1);
  update_pin();
  if (running()) round_soon();
}

Port* Controller::port_of(const Device& device) const {
  const auto found = std::ranges::find_if(ports_, [&](const auto& port) { return port->device() == &device; });
  return found == ports_.end() ? nullptr : found->get();
}

std::expected<PortNumber, AttachError> Controller::attach(Device& device) {
  bool runs_speed = false;
  for (const auto& port : ports_) {
    if (is_usb3(device.speed()) || (device.speed() != Speed::high && !port->has_companion())) continue;
    runs_speed = true;
    if (port->device() != nullptr) continue;
    port->attach(device);
    return PortNumber(port->number());
  }
  return std::unexpected(runs_speed ? AttachError::no_free_port : AttachError::speed_unsupported);
}

void Controller::detach(Device& device) {
  Port* port = port_of(device);
  PERIPLEX_CHECK(port != nullptr);
  port->detach();
}

void Controller::for_each_endpoint(const Device& device, const VisitEndpoint& visit) const {
  const Port* port = port_of(device);
  if (port == nullptr) return;
  if (!port->connected()) return port->for_each_endpoint_at_companion(visit);
  async_->pipes().for_each(device, visit);
  periodic_->for_each_endpoint(device, visit);
}

}  // namespace periplex::usb::ehci
