// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/virtual_time.hpp"
#include "usb/device/sound.hpp"
#include "usb/transfer.hpp"

namespace periplex::usb::device::testing {

/// Keeps all that is played.
class MemorySink final : public PcmSink {
 public:
  void begin(std::uint32_t rate) override { begun.push_back(rate); }
  [[nodiscard]] std::size_t write(ByteView frames) override {
    const std::size_t taken = std::min(frames.size(), room);
    heard.insert(heard.end(), frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(taken));
    room -= taken;
    return taken;
  }
  void end() override { ++ends; }
  [[nodiscard]] std::uint64_t lost() const override { return lost_bytes; }

  std::vector<std::uint32_t> begun;
  Bytes heard;
  std::size_t room = ~std::size_t{0};
  unsigned ends = 0;
  std::uint64_t lost_bytes = 0;
};

/// Gives frames whose words count up from 1.
class RampSource final : public PcmSource {
 public:
  [[nodiscard]] std::optional<std::uint32_t> rate() const override { return only_rate; }
  void begin(std::uint32_t rate) override { begun.push_back(rate); }
  [[nodiscard]] std::size_t read(MutableByteView room) override {
    const std::size_t size = std::min(room.size(), left);
    for (std::size_t at = 0; at + sizeof next <= size; at += sizeof next, ++next) {
      std::memcpy(room.data() + at, &next, sizeof next);
    }
    left -= size;
    return size;
  }
  void end() override { ++ends; }

  std::optional<std::uint32_t> only_rate;
  std::vector<std::uint32_t> begun;
  std::uint32_t next = 1;
  std::size_t left = ~std::size_t{0};
  unsigned ends = 0;
};

/// A guest's sound driver in tests.
class SoundHost final : public TransferOwner {
 public:
  struct Answer {
    Completion completion;
    Bytes data;
    std::vector<IsochronousPacket> packets;
  };

  explicit SoundHost(Speed speed, const SoundOptions& options = {}, bool playback = true, bool capture = true,
                     std::optional<std::uint32_t> source_rate = {}) {
    auto memory = playback ? std::make_unique<MemorySink>() : nullptr;
    auto ramp = capture ? std::make_unique<RampSource>() : nullptr;
    sink = memory.get();
    source = ramp.get();
    if (source != nullptr) source->only_rate = source_rate;
    device = std::make_unique<Sound>(options, speed, std::move(memory), std::move(ramp), time);
  }
  ~SoundHost() { device.reset(); }
  SoundHost(const SoundHost&) = delete;
  SoundHost& operator=(const SoundHost&) = delete;

  Answer control(const SetupPacket& setup, Bytes data = {}) {
    auto transfer = std::make_unique<Transfer>(
        *this, next_id(), EndpointAddress(), setup.direction(),
        setup.direction() == Direction::in ? TransferData::room(setup.length) : TransferData::owned(std::move(data)));
    transfer->setup = setup;
    return run(std::move(transfer));
  }
  /// What a control request is answered with, as hexadecimal text, or its status.
  std::string ask(const SetupPacket& setup, Bytes data = {}) {
    const Answer answer = control(setup, std::move(data));
    return answer.completion.status == Status::ok ? hex(answer.data) : std::string(name(answer.completion.status));
  }
  void configure() { (void)control({.request_type = 0x00, .request = 9, .value = 1}); }
  std::string set_interface(std::uint16_t interface, std::uint16_t setting) {
    return ask({.request_type = 0x01, .request = 11, .value = setting, .index = interface});
  }
  /// Configures the device and opens all streams.
  void open() {
    configure();
    const auto interfaces = static_cast<std::uint16_t>((sink != nullptr) + (source != nullptr));
    for (std::uint16_t interface = 1; interface <= interfaces; ++interface) (void)set_interface(interface, 1);
  }

  /// One isochronous transfer with packets of these sizes; `data` for all of them.
  Answer isochronous(EndpointAddress endpoint, const std::vector<std::uint32_t>& sizes, Bytes data = {}) {
    std::uint32_t total = 0;
    std::vector<IsochronousPacket> packets;
    for (const std::uint32_t size : sizes)
      packets.push_back({.offset = std::exchange(total, total + size), .length = size});
    auto transfer = std::make_unique<Transfer>(
        *this, next_id(), endpoint, endpoint.direction(),
        endpoint.direction() == Direction::in ? TransferData::room(total) : TransferData::owned(std::move(data)));
    transfer->packets = std::move(packets);
    return run(std::move(transfer));
  }
  Answer play(Bytes frames) {
    const auto size = static_cast<std::uint32_t>(frames.size());
    return isochronous(kAudioOut, {size}, std::move(frames));
  }
  /// What `packets` packets with room for `room` bytes each bring, put together.
  Bytes record(std::size_t packets, std::uint32_t room) {
    const Answer answer = isochronous(kAudioIn, std::vector(packets, room));
    Bytes all;
    for (const IsochronousPacket& packet : answer.packets) {
      const auto first = answer.data.begin() + packet.offset;
      all.insert(all.end(), first, first + packet.actual);
    }
    return all;
  }

  periplex::testing::VirtualTime time;
  MemorySink* sink = nullptr;
  RampSource* source = nullptr;
  std::unique_ptr<Sound> device;

 private:
  TransferId next_id() { return TransferId(++last_id_); }
  Answer run(TransferPtr transfer) {
    answer_.reset();
    device->submit(std::move(transfer));
    time.run_until_idle();
    return answer_.value_or(Answer{.completion = {Status::error, 0}, .data = {}, .packets = {}});
  }
  void on_complete(TransferPtr transfer, Completion completion) override {
    const bool whole = transfer->direction() == Direction::in && !transfer->packets.empty();
    const std::size_t size = whole ? transfer->data.size() : completion.actual;
    answer_ = Answer{.completion = completion,
                     .data = transfer->direction() == Direction::in ? transfer->data.copy(size) : Bytes{},
                     .packets = transfer->packets};
  }

  std::optional<Answer> answer_;
  std::uint64_t last_id_ = 0;
};

}  // namespace periplex::usb::device::testing
