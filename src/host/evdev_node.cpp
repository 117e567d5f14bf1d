// SPDX-License-Identifier: Apache-2.0
#include "host/evdev_node.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/input.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace periplex::host {
namespace {

constexpr std::size_t kEventsPerRead = 64;

}  // namespace

std::expected<UniqueFd, std::string> EvdevNode::open(const std::string& node) {
  const std::string path = "/dev/input/" + node;
  constexpr int kFlags = O_NONBLOCK | O_CLOEXEC;
  UniqueFd file(::open(path.c_str(), O_RDWR | kFlags));
  // Without the right to write there are no lights.
  if (!file && errno == EACCES) file = UniqueFd(::open(path.c_str(), O_RDONLY | kFlags));
  if (!file) return std::unexpected(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  return file;
}

EvdevRange EvdevNode::range(std::uint16_t axis) const {
  input_absinfo info{};
  if (::ioctl(file_.get(), EVIOCGABS(axis), &info) < 0) return {};
  return {.minimum = info.minimum, .maximum = info.maximum};
}

EvdevNode::EvdevNode(EventLoop& loop, UniqueFd file, bool grab) : loop_(loop), file_(std::move(file)), grab_(grab) {}

void EvdevNode::start(EvdevFeed& feed, std::function<void()> gone) {
  feed_ = &feed;
  gone_ = std::move(gone);
  watch_ = loop_.watch(file_.get(), EPOLLIN, [this](std::uint32_t) { read(); });
  try_to_grab();
}

void EvdevNode::read() {
  std::array<input_event, kEventsPerRead> events{};
  const ssize_t size = ::read(file_.get(), events.data(), sizeof events);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return end();
  for (std::size_t i = 0; i < static_cast<std::size_t>(size) / sizeof(input_event); ++i) {
    take({.type = events[i].type, .code = events[i].code, .value = events[i].value});
  }
}

void EvdevNode::take(const EvdevEvent& event) {
  if (event.type == EV_SYN && event.code == SYN_DROPPED) lost_ = true;
  const bool group_end = event.type == EV_SYN && event.code == SYN_REPORT;
  if (!lost_) feed_->handle(event);
  if (!group_end) return;
  if (std::exchange(lost_, false)) feed_->set_pressed(pressed());
  try_to_grab();
}

void EvdevNode::try_to_grab() {
  if (grab_ && !grabbed_ && pressed().empty()) grabbed_ = ::ioctl(file_.get(), EVIOCGRAB, 1) == 0;
}

std::vector<std::uint16_t> EvdevNode::pressed() const {
  std::array<std::uint8_t, KEY_CNT / 8> bits{};
  std::vector<std::uint16_t> codes;
  if (::ioctl(file_.get(), EVIOCGKEY(sizeof bits), bits.data()) < 0) return codes;
  for (std::size_t code = 0; code < KEY_CNT; ++code) {
    if ((bits[code / 8] >> (code % 8) & 1) != 0) codes.push_back(static_cast<std::uint16_t>(code));
  }
  return codes;
}

void EvdevNode::show_leds(const usb::device::KeyboardLeds& leds) {
  // What this computer shows is its own as long as it uses the keyboard.
  if (!grabbed_) return;
  const std::pair<std::uint16_t, bool> lights[] = {{LED_NUML, leds.num_lock},
                                                   {LED_CAPSL, leds.caps_lock},
                                                   {LED_SCROLLL, leds.scroll_lock},
                                                   {LED_COMPOSE, leds.compose},
                                                   {LED_KANA, leds.kana}};
  std::array<input_event, std::size(lights) + 1> events{};
  for (std::size_t i = 0; i < std::size(lights); ++i) {
    events[i].type = EV_LED;
    events[i].code = lights[i].first;
    events[i].value = lights[i].second ? 1 : 0;
  }
  (void)!::write(file_.get(), events.data(), sizeof events);
}

void EvdevNode::end() {
  watch_.reset();
  if (const auto gone = std::exchange(gone_, nullptr)) gone();
}

}  // namespace periplex::host
