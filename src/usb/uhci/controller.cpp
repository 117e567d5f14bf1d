// SPDX-License-Identifier: Apache-2.0
#include "usb/uhci/controller.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/trace.hpp"

namespace periplex::usb::uhci {
namespace {

/// How many frames ahead isochronous packets go to the device side.
constexpr std::uint64_t kIsochronousWindow = 8;
/// Frames that are carried out in one turn of the loop where several are due, so that devices can answer in between.
constexpr unsigned kFramesPerTurn = 16;
/// Frames that may be due at once. Beyond, the guest or we were stopped.
constexpr std::uint64_t kMaxFramesDue = 128;
/// How long frames go on by themselves where no port is enabled, for a driver that waits for one to pass.
constexpr Nanoseconds kGrace = std::chrono::seconds(1);

}  // namespace

Controller::Controller(const Options& options, guest::Memory& memory, pci::InterruptSink& interrupts,
                       Scheduler& scheduler)
    : options_(options),
      memory_(memory),
      interrupts_(interrupts),
      scheduler_(scheduler),
      command_status_(&registers_.add(kCommandStatus, 0)),
      interrupt_frame_(&registers_.add(kInterruptFrame, 0)),
      frbaseadd_(&registers_.add(frbaseadd::reg, 0)),
      sofmod_(&registers_.add(kSofmod, 0)),
      usbcmd_(*command_status_, Half::lower),
      usbsts_(*command_status_, Half::upper),
      usbintr_(*interrupt_frame_, Half::lower),
      frnum_(*interrupt_frame_, Half::upper),
      pipes_(static_cast<batching::Surroundings&>(*this)),
      isochronous_(static_cast<batching::Surroundings&>(*this), kIsochronousWindow),
      schedule_(memory_, static_cast<AddressedDevices&>(*this), pipes_, isochronous_),
      clock_(scheduler),
      timer_(scheduler.make_timer([this] { advance(); })) {
  PERIPLEX_CHECK(options_.ports >= 1 && options_.ports <= Options::kMaxPorts);
  add_register_hooks();
  add_ports();
}

Controller::~Controller() {
  *alive_ = false;
  for (const auto& port : ports_) {
    if (port->device() != nullptr) port->device()->set_wake_up({});
  }
}

// --- run and stop

void Controller::run() {
  trace::line("usb/uhci", "running from frame {}", frnum_.value());
  state_ = RunState::running;
  usbsts_.set(usbsts::HCHalted, 0);
  frame_begun_ = false;
  clock_.start();
  advance_soon();
}

void Controller::halt() {
  trace::line("usb/uhci", "halted in frame {}", frnum_.value());
  state_ = RunState::halted;
  usbsts_.set(usbsts::HCHalted, 1);
  timer_->cancel();
  // Queues are as they were when it runs again, and what the device side answers meanwhile waits for that; but streams
  // have lost their frames.
  isochronous_.withdraw_all();
}

// --- the schedule

void Controller::advance() {
  if (!running()) return;
  if (!begin_due_frames()) repeat_frame();
  plan_next_round();
}

/// Carries out the frames that have begun, or as many as one turn may; whether there were any.
bool Controller::begin_due_frames() {
  skip_missed_frames();
  const std::uint64_t most = isochronous_.streaming() ? kIsochronousWindow / 2 : kFramesPerTurn;
  bool any = false;
  for (std::uint64_t i = 0; i < most && running() && clock_.due() > 0 && !guest_is_late(); ++i) {
    clock_.take();
    const auto index = static_cast<unsigned>(frnum_.get(frnum::Index));
    const Round round = schedule_.begin_frame(frame_list(), index, ++frames_);
    frnum_.set(frnum::Index, index + 1);
    frame_begun_ = true;
    any = true;
    end_round(round);
  }
  return any;
}

/// A physical frame passes whether the driver has queued its packets or not, and drivers are in time for that. One
/// whose processor has to wait for its turn is not always: then its time stands still until it is.
bool Controller::guest_is_late() {
  const std::uint64_t end = frames_ + 2;  // of the frame that would begin
  if (!isochronous_.wait_for_guest(end, scheduler_.now())) return false;
  schedule_.look_again(frame_list(), static_cast<unsigned>(frnum_.get(frnum::Index) - 1), frames_);
  if (!isochronous_.wait_for_guest(end, scheduler_.now())) return false;
  clock_.hold_back(0);
  clock_.note_activity();
  return true;
}

void Controller::skip_missed_frames() {
  // A stream's frames are never skipped: rather does the guest's time stand still.
  if (isochronous_.streaming()) return clock_.hold_back(kMaxFramesDue);
  const std::uint64_t due = clock_.due();
  const std::uint64_t kept = any_port_enabled() ? kMaxFramesDue : 1;
  if (due <= kept) return;
  clock_.take(due - kept);
  frnum_.set(frnum::Index, frnum_.get(frnum::Index) + due - kept);
}

/// Another round through the present frame.
void Controller::repeat_frame() {
  if (!frame_begun_) return;
  const auto index = static_cast<unsigned>(frnum_.get(frnum::Index) - 1);
  end_round(schedule_.repeat_frame(frame_list(), index, frames_));
}

void Controller::end_round(Round round) {
  if (!round.system_error) patience_.note_success();
  if (round.system_error && patience_.may_wait()) round.system_error = false;
  if (round.progressed) clock_.note_progress();
  if (round.active) clock_.note_activity();
  interrupt_on_complete_ |= round.interrupt_on_complete;
  short_packet_ |= round.short_packet;
  if (round.interrupt_on_complete || round.short_packet) usbsts_.set(usbsts::USBINT, 1);
  if (round.error) usbsts_.set(usbsts::ERROR, 1);
  if (round.process_error) usbsts_.set(usbsts::HCPE, 1);
  if (round.system_error) usbsts_.set(usbsts::HSE, 1);
  if (round.failed()) {
    // Both errors: "the Host Controller clears the Run/Stop bit".
    trace::line("usb/uhci", "schedule fails in frame {}", frnum_.value());
    usbcmd_.set(usbcmd::RS, 0);
    halt();
    pipes_.withdraw_all();
  }
  update_pin();
}

void Controller::advance_soon() {
  if (std::exchange(advance_pending_, true)) return;
  scheduler_.defer([this, alive = alive_] {
    if (!*alive) return;
    advance_pending_ = false;
    advance();
  });
}

void Controller::plan_next_round() {
  if (!running()) return;
  if (clock_.due() > 0) return advance_soon();
  if (!any_port_enabled() && scheduler_.now() - touched_ > kGrace) return timer_->cancel();
  timer_->arm(clock_.pause(isochronous_.streaming()));
}

// --- what pipes and the schedule ask for

void Controller::answered() {
  clock_.note_activity();
  advance_soon();
}

void Controller::memory_fault(guest::Fault) {
  schedule_.memory_fault();
}

void Controller::configured(Device& device, const SetupPacket& setup) {
  constexpr std::uint8_t kToDevice = 0x00;  // bmRequestType, USB 2.0 table 9-3
  if (setup.is(StandardRequest::set_address, kToDevice)) addresses_.assign(device, setup.value);
  pipes_.configured(device, setup);
  isochronous_.configured(device, setup);
}

Device* Controller::device_at(unsigned address) {
  Device* device = addresses_.at(address);
  if (device == nullptr) return nullptr;
  const Port* port = port_of(*device);
  return port != nullptr && port->passes() ? device : nullptr;
}

// --- ports

std::expected<PortNumber, AttachError> Controller::attach(Device& device) {
  if (device.speed() != Speed::low && device.speed() != Speed::full) {
    return std::unexpected(AttachError::speed_unsupported);
  }
  const auto free = std::ranges::find(ports_, nullptr, [](const auto& port) { return port->device(); });
  if (free == ports_.end()) return std::unexpected(AttachError::no_free_port);
  (*free)->attach(device);
  return PortNumber((*free)->number());
}

void Controller::attach_at(PortNumber port, Device& device) {
  PERIPLEX_CHECK(port.value >= 1 && port.value <= ports_.size() && ports_[port.value - 1]->device() == nullptr);
  ports_[port.value - 1]->attach(device);
}

void Controller::detach(Device& device) {
  Port* port = port_of(device);
  PERIPLEX_CHECK(port != nullptr);
  port->detach();
}

Port* Controller::port_of(const Device& device) const {
  const auto found = std::ranges::find_if(ports_, [&](const auto& port) { return port->device() == &device; });
  return found == ports_.end() ? nullptr : found->get();
}

bool Controller::any_port_enabled() const {
  return std::ranges::any_of(ports_, [](const auto& port) { return port->enabled(); });
}

void Controller::device_enabled(Device& device) {
  addresses_.enable(device);
  if (running()) advance_soon();
}

void Controller::device_disabled(Device& device) {
  touched_ = scheduler_.now();
  addresses_.disable(device);
  pipes_.device_reset(device);
  isochronous_.device_reset(device);
}

void Controller::device_left(Device& device) {
  touched_ = scheduler_.now();
  addresses_.disable(device);
  pipes_.device_left(device);
  isochronous_.device_left(device);
}

void Controller::resume_signalled() {
  if (!usbcmd_.test(usbcmd::EGSM)) return;
  // §2.1.1 FGR: "The Host Controller sets this bit to 1 when a resume event … is detected while in global suspend".
  usbsts_.set(usbsts::RD, 1);
  usbcmd_.set(usbcmd::FGR, 1);
  update_pin();
}

void Controller::for_each_endpoint(const Device& device, const VisitEndpoint& visit) const {
  pipes_.for_each(device, visit);
  isochronous_.for_each(device, visit);
}

}  // namespace periplex::usb::uhci
