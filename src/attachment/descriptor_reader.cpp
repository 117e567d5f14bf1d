// SPDX-License-Identifier: Apache-2.0
#include "attachment/descriptor_reader.hpp"

#include <algorithm>
#include <utility>

#include "attachment/limits.hpp"
#include "usb/descriptors.hpp"

namespace periplex::attachment {
namespace {

using usb::DescriptorType;
using usb::Status;

constexpr std::uint16_t kDeviceLength = 18;
constexpr std::uint16_t kQualifierLength = 10;
constexpr std::uint16_t kStringLength = 255;
constexpr std::uint16_t kConfigurationHead = 9;
constexpr std::uint16_t kBosHead = 5;
constexpr std::uint16_t kBosVersion = 0x0201;  // bcdUSB from which on a device has a BOS (USB 3.2 §9.6.2, USB 2.0 LPM)

std::uint16_t value_of(DescriptorType type, std::uint8_t index = 0) {
  return static_cast<std::uint16_t>(static_cast<unsigned>(type) << 8 | index);
}
bool is(std::uint16_t value, DescriptorType type) {
  return value >> 8 == static_cast<std::uint8_t>(type);
}

}  // namespace

void DescriptorReader::start(usb::Speed speed, Extent extent, OnDone on_done) {
  stop();
  speed_ = speed;
  extent_ = extent;
  on_done_ = std::move(on_done);
  wanted_.clear();
  strings_.clear();
  known_.clear();
  bytes_ = 0;
  wanted_.push_back({value_of(DescriptorType::device), 0, kDeviceLength});
  next();
}

void DescriptorReader::stop() {
  on_done_ = nullptr;
  if (request_) requests_.drop(*std::exchange(request_, std::nullopt));
}

void DescriptorReader::next() {
  if (wanted_.empty() || known_.size() == kMaxDescriptors) {
    const OnDone done = std::exchange(on_done_, nullptr);
    return done({.failed = false, .descriptors = std::move(known_)});
  }
  const Wanted wanted = wanted_.front();
  wanted_.pop_front();
  request_ = requests_.submit({.endpoint = {},
                               .direction = usb::Direction::in,
                               .data = usb::TransferData::room(wanted.length),
                               .setup = usb::SetupPacket{.request_type = 0x80,
                                                         .request = 6,
                                                         .value = wanted.value,
                                                         .index = wanted.index,
                                                         .length = wanted.length}},
                              [this, wanted](const usb::Transfer& transfer, usb::Completion completion) {
                                on_answer(wanted, transfer, completion);
                              });
}

void DescriptorReader::on_answer(const Wanted& wanted, const usb::Transfer& transfer, usb::Completion completion) {
  request_.reset();
  const bool first = is(wanted.value, DescriptorType::device);
  if (completion.status == Status::ok) {
    const Bytes bytes = transfer.data.copy(completion.actual);
    if (ask_for_the_rest(wanted, bytes)) return next();
    if (!bytes.empty() && bytes_ + bytes.size() + 64 * known_.size() < kMaxDescriptorBytes / 2) {
      bytes_ += bytes.size();
      known_.push_back({wanted.value, wanted.index, bytes});
      learn(wanted, bytes);
    }
  } else if (completion.status == Status::stall && !first) {
    known_.push_back({wanted.value, wanted.index, std::nullopt});
  }
  if (!first || !known_.empty()) return next();
  const OnDone done = std::exchange(on_done_, nullptr);
  done({.failed = true, .descriptors = {}});
}

/// wTotalLength of a configuration or a BOS says how much there is; the first request asked for its head only.
bool DescriptorReader::ask_for_the_rest(const Wanted& wanted, ByteView got) {
  const bool headed = is(wanted.value, DescriptorType::configuration) || is(wanted.value, DescriptorType::bos);
  const std::uint16_t head = is(wanted.value, DescriptorType::bos) ? kBosHead : kConfigurationHead;
  if (!headed || wanted.length != head || got.size() < 4) return false;
  ByteReader in(got.subspan(2));
  const std::uint16_t total = in.le16();
  if (total <= head) return false;
  wanted_.push_front({wanted.value, wanted.index, total});
  return true;
}

void DescriptorReader::learn(const Wanted& wanted, ByteView bytes) {
  if (is(wanted.value, DescriptorType::device)) return learn_device(bytes);
  if (is(wanted.value, DescriptorType::configuration)) {
    learn_configuration(bytes);
    const bool last =
        std::ranges::none_of(wanted_, [](const Wanted& each) { return is(each.value, DescriptorType::configuration); });
    if (last) want_strings();
    return;
  }
  if (wanted.value != value_of(DescriptorType::string)) return;
  // String descriptor zero: the languages (USB 2.0 table 9-15).
  ByteReader in(bytes);
  in.skip(2);
  for (std::size_t i = 0; i < kMaxLanguages && in.remaining() >= 2; ++i) {
    const std::uint16_t language = in.le16();
    for (const std::uint8_t index : strings_) {
      wanted_.push_back({value_of(DescriptorType::string, index), language, kStringLength});
    }
  }
}

void DescriptorReader::learn_device(ByteView bytes) {
  const auto device = usb::parse_device(bytes);
  if (!device) return;
  strings_.insert({device->manufacturer, device->product, device->serial_number});
  for (std::uint8_t i = 0; i < std::min(device->num_configurations, kMaxConfigurations); ++i) {
    wanted_.push_back({value_of(DescriptorType::configuration, i), 0, kConfigurationHead});
  }
  if (extent_ == Extent::identity) return;
  if (device->bcd_usb >= kBosVersion) wanted_.push_back({value_of(DescriptorType::bos), 0, kBosHead});
  const bool dual = speed_ == usb::Speed::full || speed_ == usb::Speed::high;
  if (dual && device->bcd_usb >= 0x0200) {
    wanted_.push_back({value_of(DescriptorType::device_qualifier), 0, kQualifierLength});
  }
}

void DescriptorReader::learn_configuration(ByteView bytes) {
  const auto configuration = usb::parse_configuration(bytes);
  if (!configuration) return;
  strings_.insert(configuration->descriptor.name);
  for (const usb::ParsedInterface& each : configuration->interfaces) strings_.insert(each.descriptor.name);
}

void DescriptorReader::want_strings() {
  strings_.erase(0);
  if (extent_ == Extent::identity || strings_.empty()) return;
  wanted_.push_back({value_of(DescriptorType::string), 0, kStringLength});
}

}  // namespace periplex::attachment
