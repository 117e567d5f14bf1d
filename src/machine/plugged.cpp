// SPDX-License-Identifier: Apache-2.0
#include "machine/plugged.hpp"

#include <fmt/format.h>
#include <utility>

#include "host/block_file.hpp"
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

}  // namespace

Outcome<std::unique_ptr<Plugged>> Plugged::make(Description description, UniqueFd image, const usb::DeviceLabel& label,
                                                Scheduler& scheduler, host::IoPool& pool) {
  std::unique_ptr<Plugged> plugged(new Plugged(std::move(description)));
  if (auto made = plugged->make_device(std::move(image), label, scheduler, pool); !made) {
    return std::unexpected(std::move(made.error()));
  }
  return plugged;
}

Outcome<> Plugged::make_device(UniqueFd image, const usb::DeviceLabel& label, Scheduler& scheduler,
                               host::IoPool& pool) {
  const std::string& id = description_.id;
  const usb::Speed speed = description_.speed;
  if (std::holds_alternative<Keyboard>(description_.options)) {
    own(std::make_unique<device::HidKeyboard>(id, speed, scheduler), label);
  } else if (std::holds_alternative<Tablet>(description_.options)) {
    own(std::make_unique<device::HidTablet>(id, speed, scheduler), label);
  } else if (std::holds_alternative<Mouse>(description_.options)) {
    own(std::make_unique<device::HidMouse>(id, speed, scheduler), label);
  } else {
    const Storage& wanted = std::get<Storage>(description_.options);
    std::unique_ptr<device::BlockBackend> medium;
    if (image) {
      auto opened = open_image(std::move(image), wanted.image, pool);
      if (!opened) return std::unexpected(std::move(opened.error()));
      medium = std::move(*opened);
    } else if (!wanted.removable) {
      return std::unexpected(Refusal{Reason::invalid, "a disk without a medium has to be removable",
                                     "name an image, or add removable=true"});
    }
    const device::StorageOptions options{.serial = device::stable_serial_number(id),
                                         .removable = wanted.removable,
                                         .read_only = wanted.readonly,
                                         .bad_sectors = blocks_of(wanted.bad_sectors)};
    own(std::make_unique<device::Storage>(options, speed, std::move(medium), scheduler), label);
  }
  return {};
}

template <typename Device>
void Plugged::own(std::unique_ptr<Device> made, const usb::DeviceLabel& label) {
  typed_ = made.get();
  device_ = std::make_unique<usb::ObservedDevice>(std::move(made), label);
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
  PeripheralView view{.description = description_, .port = port_.value, .configured = emulated().configured()};
  if (const device::Storage* disk = storage()) {
    const device::StorageState state = disk->state();
    view.size = state.size;
    view.medium = state.medium_present;
    view.locked = state.locked;
  }
  if (const auto* keyboard = std::get_if<device::HidKeyboard*>(&typed_)) view.leds = names_of((*keyboard)->leds());
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
