// SPDX-License-Identifier: Apache-2.0
#include "machine/plugged.hpp"

#include <fmt/format.h>
#include <utility>

#include "host/block_file.hpp"
#include "host/pcm_file.hpp"
#include "usb/device/device_description.hpp"

namespace periplex::machine {
namespace {

namespace device = usb::device;

std::vector<device::BlockRange> blocks_of(const std::vector<SectorRange>& sectors) {
  std::vector<device::BlockRange> blocks;
  for (const SectorRange& range : sectors) blocks.push_back({range.first, range.last - range.first + 1});
  return blocks;
}

std::vector<std::string> names_of(const device::KeyboardLeds& leds) {
  std::vector<std::string> names;
  if (leds.num_lock) names.emplace_back("num_lock");
  if (leds.caps_lock) names.emplace_back("caps_lock");
  if (leds.scroll_lock) names.emplace_back("scroll_lock");
  if (leds.compose) names.emplace_back("compose");
  if (leds.kana) names.emplace_back("kana");
  return names;
}

Refusal image_refusal(host::BlockFileError error, std::string_view name) {
  switch (error) {
    case host::BlockFileError::not_a_disk:
      return {Reason::invalid, fmt::format("{} is neither a file nor a block device", name), "name a raw disk image"};
    case host::BlockFileError::too_small:
      return {Reason::invalid, fmt::format("{} is smaller than one sector", name),
              "make it as large as the disk is to be: truncate -s 1G IMAGE"};
    case host::BlockFileError::unreadable:
      return {Reason::invalid, fmt::format("{} cannot be read", name), "open it for reading before it is handed over"};
  }
  return {Reason::failed, fmt::format("{} cannot be used", name), "see its owner and mode"};
}

Refusal terminal_refusal(host::TerminalError error, std::string_view link) {
  switch (error) {
    case host::TerminalError::not_a_terminal:
      return {Reason::invalid, "what came for the serial port is not the master of a pseudo-terminal",
              "hand over what posix_openpt gives, as `periplex attach` does"};
    case host::TerminalError::unwatchable:
      return {Reason::failed, "periplex-machine may not look at the serial port's terminal",
              "attach as the user that runs periplex-machine; see also /proc/sys/fs/inotify/max_user_instances"};
    case host::TerminalError::link_taken:
      return {Reason::conflict, fmt::format("there is something else at {}", link),
              "choose another link; only a link to a terminal is replaced"};
    case host::TerminalError::link_refused:
      return {Reason::failed, fmt::format("periplex-machine cannot make the link {}", link),
              "name a path in a directory that it may write to"};
  }
  return {Reason::failed, "the terminal cannot be used", "detach something and try again"};
}

Refusal sound_refusal(host::PcmFileError error, std::string_view name) {
  switch (error) {
    case host::PcmFileError::wrong_kind:
      return {Reason::invalid, fmt::format("{} is neither a file nor a pipe", name), "name a WAV file, or a FIFO"};
    case host::PcmFileError::wrong_access:
      return {Reason::invalid, fmt::format("{} was not opened for this", name),
              "open what is played to for writing, what is recorded from for reading"};
    case host::PcmFileError::unreadable:
      return {Reason::failed, fmt::format("{} cannot be read", name), "see whether the file is whole"};
    case host::PcmFileError::not_wav:
      return {Reason::invalid, fmt::format("{} is no WAV file", name), "name a WAV file, or a FIFO with bare PCM"};
    case host::PcmFileError::unsupported_format:
      return {Reason::invalid, fmt::format("{} is a WAV file of another format", name),
              "use 16-bit PCM with two channels: sox IN -b 16 -c 2 OUT.wav"};
  }
  return {Reason::failed, fmt::format("{} cannot be used", name), "see its owner and mode"};
}

device::StorageTransport transport_of(Transport transport) {
  return transport == Transport::uas ? device::StorageTransport::uas : device::StorageTransport::bulk_only;
}

/// The next of `files`; nothing if all have been taken.
UniqueFd take(Files& files) {
  if (files.empty()) return {};
  UniqueFd next = std::move(files.front());
  files.erase(files.begin());
  return next;
}

}  // namespace

Outcome<std::unique_ptr<Plugged>> Plugged::make(Description description, Files files, const usb::DeviceLabel& label,
                                                EventLoop& loop, host::IoPool& pool, const Preset* preset) {
  std::unique_ptr<Plugged> plugged(new Plugged(std::move(description), preset, loop));
  if (auto made = plugged->make_device(std::move(files), label, loop, pool); !made) {
    return std::unexpected(std::move(made.error()));
  }
  return plugged;
}

Outcome<> Plugged::make_device(Files files, const usb::DeviceLabel& label, EventLoop& loop, host::IoPool& pool) {
  if (description_.storage() != nullptr) return make_storage(std::move(files), label, loop, pool);
  if (description_.serial() != nullptr) return make_serial(std::move(files), label, loop);
  if (description_.sound() != nullptr) return make_sound(std::move(files), label, loop, pool);
  if (std::holds_alternative<Keyboard>(description_.options)) {
    own(std::make_unique<device::HidKeyboard>(id(), speed(), loop), label);
  } else if (std::holds_alternative<Tablet>(description_.options)) {
    own(std::make_unique<device::HidTablet>(id(), speed(), loop), label);
  } else {
    own(std::make_unique<device::HidMouse>(id(), speed(), loop), label);
  }
  return {};
}

Outcome<> Plugged::make_storage(Files files, const usb::DeviceLabel& label, EventLoop& loop, host::IoPool& pool) {
  const Storage& wanted = *description_.storage();
  std::unique_ptr<device::BlockBackend> medium;
  if (!files.empty()) {
    auto opened = open_image(std::move(files.front()), wanted.image, pool);
    if (!opened) return std::unexpected(std::move(opened.error()));
    medium = std::move(*opened);
  } else if (!wanted.removable) {
    return std::unexpected(Refusal{Reason::invalid, "a disk without a medium has to be removable",
                                   "name an image, or add removable=true"});
  }
  const device::StorageOptions options{.serial = device::stable_serial_number(id()),
                                       .removable = wanted.removable,
                                       .read_only = wanted.readonly,
                                       .transport = transport_of(wanted.transport),
                                       .bad_sectors = blocks_of(wanted.bad_sectors)};
  own(std::make_unique<device::Storage>(options, speed(), std::move(medium), loop), label);
  return {};
}

Outcome<> Plugged::make_serial(Files files, const usb::DeviceLabel& label, EventLoop& loop) {
  const std::string& link = description_.serial()->link;
  auto terminal = host::Terminal::make(take(files), link, loop);
  if (!terminal) return std::unexpected(terminal_refusal(terminal.error(), link));
  terminal_ = terminal->get();
  own(std::make_unique<device::Serial>(id(), speed(), std::move(*terminal), loop), label);
  return {};
}

Outcome<> Plugged::make_sound(Files files, const usb::DeviceLabel& label, EventLoop& loop, host::IoPool& pool) {
  const Sound& wanted = *description_.sound();
  std::unique_ptr<device::PcmSink> sink;
  std::unique_ptr<device::PcmSource> source;
  // The source first: it changes nothing if the other is refused.
  UniqueFd playback = wanted.playback.empty() ? UniqueFd() : take(files);
  if (!wanted.capture.empty()) {
    auto made = host::make_pcm_source(take(files), pool);
    if (!made) return std::unexpected(sound_refusal(made.error(), wanted.capture));
    source = std::move(*made);
  }
  if (!wanted.playback.empty()) {
    auto made = host::make_pcm_sink(std::move(playback), loop, pool);
    if (!made) return std::unexpected(sound_refusal(made.error(), wanted.playback));
    sink = std::move(*made);
  }
  const device::SoundOptions options{.serial = device::stable_serial_number(id())};
  own(std::make_unique<device::Sound>(options, speed(), std::move(sink), std::move(source), loop), label);
  return {};
}

template <typename Device>
void Plugged::own(std::unique_ptr<Device> made, const usb::DeviceLabel& label) {
  typed_ = made.get();
  std::unique_ptr<usb::Device> shown = std::move(made);
  if (preset_ != nullptr) shown = std::make_unique<device::PresetDevice>(std::move(shown), preset_->device, scheduler_);
  device_ = std::make_unique<usb::ObservedDevice>(std::move(shown), label);
}

Outcome<std::unique_ptr<device::BlockBackend>> Plugged::open_image(UniqueFd image, std::string_view name,
                                                                   host::IoPool& pool) {
  const bool readonly = description_.storage()->readonly;
  auto lock = host::ImageLock::acquire(image, !readonly);
  if (!lock) {
    return std::unexpected(Refusal{Reason::conflict, fmt::format("{} is in use already", name),
                                   "detach it there first, or attach it readonly=true in both places; if it was taken "
                                   "out just now it is still being written: try again"});
  }
  auto file = host::BlockFile::make(std::move(image), pool, {.read_only = readonly, .lock = lock});
  if (!file) return std::unexpected(image_refusal(file.error(), name));
  lock_ = std::move(lock);
  return std::unique_ptr<device::BlockBackend>(std::move(*file));
}

PeripheralView Plugged::view() const {
  PeripheralView view{.description = description_,
                      .port = port_.value,
                      .port_speed = port_speed_,
                      .configured = emulated().configured()};
  if (const device::Storage* disk = storage()) {
    const device::StorageState state = disk->state();
    view.size = state.size;
    view.medium = state.medium_present;
    view.locked = state.locked;
  }
  if (const auto* keyboard = std::get_if<device::HidKeyboard*>(&typed_)) view.leds = names_of((*keyboard)->leds());
  if (const auto* serial = std::get_if<device::Serial*>(&typed_)) {
    const device::LineSettings& line = (*serial)->settings();
    view.terminal = {.path = terminal_->path(),
                     .open = terminal_->connected(),
                     .ready = line.data_terminal_ready,
                     .bit_rate = line.coding.bit_rate};
  }
  return view;
}

Outcome<> Plugged::eject(bool force) {
  if (storage() == nullptr) {
    return std::unexpected(Refusal{Reason::invalid, fmt::format("{} is no disk", id()), "only disks have a medium"});
  }
  const auto ejected = storage()->eject(force ? device::Storage::Force::yes : device::Storage::Force::no);
  if (ejected) {
    lock_.reset();  // requests that are still being carried out hold it until they have ended
    std::get<Storage>(description_.options).image.clear();
    return {};
  }
  switch (ejected.error()) {
    case device::EjectError::not_removable:
      return std::unexpected(Refusal{Reason::conflict, fmt::format("the medium of {} is not removable", id()),
                                     "detach the disk instead, or attach it with removable=true"});
    case device::EjectError::no_medium:
      return std::unexpected(Refusal{Reason::conflict, fmt::format("there is no medium in {}", id()),
                                     fmt::format("periplex insert {} IMAGE puts one in", id())});
    case device::EjectError::locked:
      return std::unexpected(Refusal{Reason::conflict, fmt::format("the guest uses the medium of {}", id()),
                                     "unmount it in the guest first; --force takes it out all the same"});
  }
  return std::unexpected(Refusal{Reason::failed, "the medium did not come out", "detach the disk"});
}

Outcome<> Plugged::insert(UniqueFd image, std::string name, host::IoPool& pool) {
  device::Storage* const disk = storage();
  if (disk == nullptr || !description_.storage()->removable) {
    return std::unexpected(
        Refusal{Reason::conflict, fmt::format("{} takes no other medium", id()), "only disks with removable=true do"});
  }
  if (disk->state().medium_present) {
    return std::unexpected(Refusal{Reason::conflict, fmt::format("there is a medium in {} already", id()),
                                   fmt::format("periplex eject {} takes it out", id())});
  }
  // What the guest has ejected lies in the open tray, and may be the very image that is to go in.
  (void)eject(true);
  auto medium = open_image(std::move(image), name, pool);
  if (!medium) return std::unexpected(std::move(medium.error()));
  disk->insert(std::move(*medium));
  std::get<Storage>(description_.options).image = std::move(name);
  return {};
}

device::Storage* Plugged::storage() const {
  const auto* disk = std::get_if<device::Storage*>(&typed_);
  return disk == nullptr ? nullptr : *disk;
}

device::EmulatedDevice& Plugged::emulated() const {
  return std::visit([](auto* typed) -> device::EmulatedDevice& { return *typed; }, typed_);
}

}  // namespace periplex::machine
