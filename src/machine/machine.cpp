// SPDX-License-Identifier: Apache-2.0
#include "machine/machine.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "usb/device/device_description.hpp"

namespace periplex::machine {
namespace {

/// Devices of a USB bus have the numbers 1 to 127 (USB 2.0 §9.1.1.4).
constexpr std::uint8_t kLastDeviceNumber = 127;

}  // namespace

Machine::Machine(EventLoop& loop, Options options, std::vector<ControllerPlan> controllers)
    : loop_(loop),
      options_(std::move(options)),
      started_(loop.now()),
      pool_(std::make_unique<host::IoPool>(loop)),
      controllers_(loop, std::move(controllers)),
      remote_({.loop = loop,
               .controllers = controllers_,
               .presets = options_.presets,
               .next_label = [this](usb::Speed speed) { return next_label(speed); },
               .watch =
                   [this](usb::ObservedDevice& device) {
                     if (capture_) device.observe(capture_->observer());
                   },
               .disks = options_.remote_disks}) {}

Machine::~Machine() {
  controllers_.stop();
  std::vector<std::shared_ptr<const host::ImageLock>> locks;
  for (const auto& peripheral : plugged_) {
    controllers_.pull(peripheral->device(), peripheral->controller());
    if (peripheral->lock()) locks.push_back(peripheral->lock());
  }
  plugged_.clear();
  pool_.reset();  // performs the writes it has accepted
  for (const auto& lock : locks) lock->sync();
}

void Machine::take_streams(UniqueFd listening) {
  streams_ = std::make_unique<StreamListener>(
      loop_, std::move(listening),
      [this](std::string_view name, UniqueFd stream) { remote_.take_stream(name, std::move(stream)); });
  remote_.set_streams([this](const std::string& name) { streams_->want(name); },
                      [this](const std::string& name) { streams_->leave(name); });
}

MachineView Machine::view() const {
  MachineView view{.name = options_.name,
                   .process = ::getpid(),
                   .uptime = loop_.now() - started_,
                   .control_socket = options_.control_socket,
                   .controllers = controllers_.views()};
  if (capture_) view.capture = capture_->view();
  view.confinement = confinement_;
  return view;
}

std::vector<PeripheralView> Machine::peripherals() const {
  std::vector<PeripheralView> views;
  for (const auto& peripheral : plugged_) views.push_back(peripheral->view());
  remote_.add_views(views);
  return views;
}

Statistics Machine::statistics() const {
  Statistics statistics{.wakeups = loop_.wakeups(), .controllers = controllers_.statistics()};
  for (const auto& peripheral : plugged_) {
    PeripheralStatistics& of_one = statistics.peripherals.emplace_back();
    of_one.id = peripheral->id();
    of_one.controller = peripheral->controller();
    controllers_.for_each_endpoint(
        peripheral->device(), peripheral->controller(),
        [&](usb::EndpointAddress address, usb::TransferType type, const usb::EndpointCounters& counters) {
          of_one.endpoints.push_back({address, type, counters});
        });
  }
  remote_.add_statistics(statistics.peripherals);
  return statistics;
}

Outcome<PeripheralView> Machine::attach(Description description, Files files) {
  if (description.id.empty()) description.id = unused_id(description.kind());
  if (find(description.id) || remote_.has(description.id)) {
    return std::unexpected(Refusal{Reason::conflict,
                                   fmt::format("there is a peripheral \"{}\" already", description.id),
                                   "choose another id, or detach that one first"});
  }
  if (description.is_remote()) return remote_.attach(std::move(description), std::move(files));
  if (!description.speed) {
    description.speed = controllers_.best_speed(natural_speed(description), description.controller);
  }
  const usb::DeviceLabel label = next_label(*description.speed);
  const Preset* const preset = options_.presets.find(description.id);
  if (auto* disk = std::get_if<Storage>(&description.options); disk != nullptr && preset != nullptr) {
    disk->readonly |= preset->readonly;
  }
  auto plugged = Plugged::make(description, std::move(files), label, loop_, *pool_, preset);
  if (!plugged) return std::unexpected(std::move(plugged.error()));
  if (capture_) (*plugged)->device().observe(capture_->observer());
  auto place = controllers_.plug((*plugged)->device(), description.controller);
  if (!place) return std::unexpected(std::move(place.error()));
  (*plugged)->set_place(std::move(place->controller), place->port, place->speed);
  plugged_.push_back(std::move(*plugged));
  return plugged_.back()->view();
}

Outcome<> Machine::detach(std::string_view id) {
  if (remote_.detach(id)) return {};
  const auto found = find(id);
  if (!found) return std::unexpected(found.error());
  controllers_.pull((*found)->device(), (*found)->controller());
  std::erase_if(plugged_, [&](const auto& peripheral) { return peripheral.get() == *found; });
  return {};
}

Outcome<> Machine::eject(std::string_view id, bool force) {
  const auto found = find(id);
  if (!found) return std::unexpected(found.error());
  return (*found)->eject(force);
}

Outcome<> Machine::insert(std::string_view id, UniqueFd image, std::string name) {
  const auto found = find(id);
  if (!found) return std::unexpected(found.error());
  return (*found)->insert(std::move(image), std::move(name), *pool_);
}

Outcome<> Machine::type(std::optional<std::string_view> id, std::string_view text) {
  const auto found = choose(id, &Plugged::is_keyboard, "keyboard");
  if (!found) return std::unexpected(found.error());
  return (*found)->type(text);
}

Outcome<> Machine::press(std::optional<std::string_view> id, const std::vector<std::string>& chords) {
  const auto found = choose(id, &Plugged::is_keyboard, "keyboard");
  if (!found) return std::unexpected(found.error());
  return (*found)->press(chords);
}

Outcome<> Machine::point(std::optional<std::string_view> id, const std::vector<pointer::Action>& actions) {
  const bool relative = std::ranges::any_of(
      actions, [](const pointer::Action& action) { return std::holds_alternative<pointer::MoveBy>(action); });
  const auto found =
      choose(id, [&](const Plugged& plugged) { return plugged.can_point(actions); }, relative ? "mouse" : "tablet");
  if (!found) return std::unexpected(found.error());
  return (*found)->point(actions);
}

Outcome<> Machine::start_capture(UniqueFd file, std::string name) {
  if (capture_) {
    return std::unexpected(Refusal{Reason::conflict,
                                   fmt::format("USB traffic is being written to {}", capture_->view().name),
                                   "periplex capture stop ends that"});
  }
  auto capture = CaptureFile::open(std::move(file), std::move(name), loop_);
  if (!capture) return std::unexpected(std::move(capture.error()));
  capture_ = std::move(*capture);
  for (const auto& peripheral : plugged_) peripheral->device().observe(capture_->observer());
  remote_.observe(capture_->observer());
  return {};
}

Outcome<CaptureView> Machine::stop_capture() {
  if (!capture_) {
    return std::unexpected(
        Refusal{Reason::conflict, "USB traffic is not being written", "periplex capture start FILE begins that"});
  }
  CaptureView view = capture_->view();
  for (const auto& peripheral : plugged_) peripheral->device().ignore(capture_->observer());
  remote_.ignore(capture_->observer());
  capture_.reset();
  return view;
}

Outcome<Plugged*> Machine::find(std::string_view id) const {
  const auto found = std::ranges::find_if(plugged_, [&](const auto& peripheral) { return peripheral->id() == id; });
  if (found == plugged_.end()) {
    if (remote_.has(id)) {
      return std::unexpected(Refusal{Reason::conflict, fmt::format("{} is not here", id),
                                     "what is done to a peripheral is done where it is; it can be detached"});
    }
    return std::unexpected(Refusal{Reason::not_found, fmt::format("there is no peripheral \"{}\"", id),
                                   "`periplex list` shows those there are"});
  }
  return found->get();
}

Outcome<Plugged*> Machine::choose(std::optional<std::string_view> id, const Suits& suits, std::string_view what) const {
  if (id) {
    const auto found = find(*id);
    if (found && !suits(**found)) {
      return std::unexpected(Refusal{Reason::invalid, fmt::format("{} is no {}", *id, what),
                                     fmt::format("name a {}, or none: then the first is meant", what)});
    }
    return found;
  }
  const auto found = std::ranges::find_if(plugged_, [&](const auto& peripheral) { return suits(*peripheral); });
  if (found == plugged_.end()) {
    return std::unexpected(Refusal{Reason::conflict, fmt::format("there is no {}", what),
                                   fmt::format("periplex attach {} plugs one in", what)});
  }
  return found->get();
}

std::string Machine::unused_id(std::string_view kind) const {
  for (unsigned number = 1;; ++number) {
    std::string id = fmt::format("{}{}", kind, number);
    if (!find(id) && !remote_.has(id)) return id;
  }
}

usb::DeviceLabel Machine::next_label(usb::Speed speed) {
  last_device_number_ = static_cast<std::uint8_t>(last_device_number_ % kLastDeviceNumber + 1);
  return {.bus = static_cast<std::uint16_t>(usb::is_usb3(speed) ? 2 : 1), .number = last_device_number_};
}

}  // namespace periplex::machine
