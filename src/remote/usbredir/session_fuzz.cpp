// SPDX-License-Identifier: Apache-2.0
// A hostile far end: bytes for an importer, whose guest submits, cancels and resets meanwhile, or for an exporter that
// has a keyboard, a disk or a sound card. Nothing may abort, and every transfer of the guest must come back exactly
// once. The first byte says which; then follow commands, and messages in the clear, so that mutations keep their form.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <set>

#include "remote/usbredir/testing/session_pair.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device/sound.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/fake_block.hpp"
#include "usb/device/testing/sound_host.hpp"

namespace periplex::remote::usbredir {
namespace {

using usb::EndpointAddress;

constexpr std::size_t kMostOutstanding = 64;
constexpr std::size_t kMostData = 4096;
constexpr Nanoseconds kStep = std::chrono::milliseconds(3);

/// The far end's Hello, which all inputs share.
Bytes hello() {
  ByteWriter out;
  return out.le32(0).le32(68).le32(0).zeros(64).le32(0xff).take();
}

/// One message: type, then length of its body in one or two bytes, then an id of one byte, then the body.
Bytes message(ByteReader& input) {
  const std::uint32_t type = input.u8();
  const std::uint32_t claimed = input.le16();
  const std::uint64_t id = input.u8();
  // Numbers of an importer's requests are past 2^32.
  const std::uint64_t number = (id & 0x80) != 0 ? (std::uint64_t{1} << 32) + (id & 0x7f) : id;
  const ByteView body = input.take(std::min<std::size_t>(claimed % 1024, input.remaining()));
  ByteWriter out;
  const std::uint32_t length = claimed >= 0xff00 ? 0xffffffffu - claimed : static_cast<std::uint32_t>(body.size());
  return out.le32(type).le32(length).le64(number).bytes(body).take();
}

/// Wants every transfer back once, and never from inside `submit`.
class Guest final : public usb::TransferOwner {
 public:
  void submit(usb::Device& device, EndpointAddress endpoint, usb::Direction direction, usb::TransferData data,
              const std::function<void(usb::Transfer&)>& prepare) {
    const usb::TransferId id(++last_);
    auto transfer = std::make_unique<usb::Transfer>(*this, id, endpoint, direction, std::move(data));
    prepare(*transfer);
    outstanding_.insert(id);
    submitting_ = true;
    device.submit(std::move(transfer));
    submitting_ = false;
  }
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    if (submitting_ || outstanding_.erase(transfer->id()) != 1 || completion.actual > transfer->data.size()) {
      std::abort();
    }
  }
  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }

 private:
  std::set<usb::TransferId> outstanding_;
  std::uint64_t last_ = 0;
  bool submitting_ = false;
};

class ImporterScenario {
 public:
  explicit ImporterScenario(ByteReader& input) : input_(input) {
    importer_.connected();
    importer_.receive(hello());
  }
  void run() {
    while (input_.ok() && input_.remaining() > 0) step();
    importer_.disconnected();
    time_.run_until_idle();
    if (transfers_.outstanding() != 0) std::abort();
  }

 private:
  void step() {
    const std::uint8_t what = input_.u8();
    switch (what % 8) {
      case 0:
      case 1:
      case 2:
        return importer_.receive(message(input_));
      case 3:
        return submit();
      case 4:
        if (guest_.device != nullptr) guest_.device->cancel(usb::TransferId(input_.u8()));
        return;
      case 5:
        if (guest_.device != nullptr) guest_.device->reset();
        return;
      case 6:
        return time_.advance(kStep);
      default:
        importer_.receive(input_.take(std::min<std::size_t>(what, input_.remaining())));
    }
  }

  void submit() {
    const EndpointAddress endpoint(input_.u8());
    const std::uint16_t size = input_.le16() % kMostData;
    const std::uint8_t how = input_.u8();
    if (guest_.device == nullptr || transfers_.outstanding() >= kMostOutstanding) return;
    if (how % 4 == 0) {
      const usb::SetupPacket setup{.request_type = input_.u8(),
                                   .request = input_.u8(),
                                   .value = input_.u8(),
                                   .index = input_.u8(),
                                   .length = size};
      auto room = setup.direction() == usb::Direction::in ? usb::TransferData::room(size)
                                                          : usb::TransferData::owned(Bytes(size));
      return transfers_.submit(*guest_.device, EndpointAddress(), setup.direction(), std::move(room),
                               [&setup](usb::Transfer& transfer) { transfer.setup = setup; });
    }
    const bool guest_bound = endpoint.direction() == usb::Direction::in;
    auto data = guest_bound ? usb::TransferData::room(size) : usb::TransferData::owned(Bytes(size));
    const std::uint8_t stream = how % 4 == 1 ? input_.u8() : std::uint8_t{0};
    transfers_.submit(*guest_.device, endpoint, endpoint.direction(), std::move(data), [&](usb::Transfer& transfer) {
      transfer.stream = stream;
      if (how % 4 != 2) return;
      const std::uint32_t part = size / 4u;
      for (std::uint32_t i = 0; i < 4; ++i) transfer.packets.push_back({.offset = i * part, .length = part});
    });
  }

  ByteReader& input_;
  periplex::testing::VirtualTime time_;
  testing::Pipe out_{time_};
  Guest transfers_;
  testing::GuestSide guest_{discard(out_)};
  Importer importer_{guest_, time_};
  static testing::Pipe& discard(testing::Pipe& pipe) {
    pipe.arrive = [](ByteView) {};
    return pipe;
  }
};

class ExporterScenario {
 public:
  ExporterScenario(ByteReader& input, std::uint8_t which) : input_(input), which_(which) {
    out_.arrive = [](ByteView) {};
    exporter_.offer(device());
    exporter_.connected();
    exporter_.receive(hello());
    time_.run_until_idle();
  }
  void run() {
    while (input_.ok() && input_.remaining() > 0) step();
    exporter_.disconnected();
    time_.run_until_idle();
  }

 private:
  std::unique_ptr<usb::Device> device() {
    if (which_ % 4 == 0) return std::make_unique<usb::device::HidKeyboard>("fuzzed", usb::Speed::high, time_);
    if (which_ % 4 == 1) {
      return std::make_unique<usb::device::Sound>(usb::device::SoundOptions{}, usb::Speed::full,
                                                  std::make_unique<usb::device::testing::MemorySink>(),
                                                  std::make_unique<usb::device::testing::RampSource>(), time_);
    }
    usb::device::StorageOptions options{.serial = "0123456789ABCDEF"};
    if (which_ % 4 == 2) options.transport = usb::device::StorageTransport::uas;
    return std::make_unique<usb::device::Storage>(options, usb::Speed::super,
                                                  std::make_unique<usb::device::testing::FakeBlock>(64), time_);
  }
  void step() {
    const std::uint8_t what = input_.u8();
    switch (what % 8) {
      case 0:
        exporter_.receive(input_.take(std::min<std::size_t>(what, input_.remaining())));
        return;
      case 1:
        return time_.advance(kStep);
      case 2:
        exporter_.withdraw();
        exporter_.offer(device());
        return time_.run_until_idle();
      case 3:
        out_.held = !out_.held;
        if (!out_.held) out_.release();
        exporter_.drained();
        return;
      default:
        exporter_.receive(message(input_));
    }
  }

  ByteReader& input_;
  const std::uint8_t which_;
  periplex::testing::VirtualTime time_;
  testing::Pipe out_{time_};
  testing::HostSide host_{out_};
  Exporter exporter_{host_, time_};
};

}  // namespace
}  // namespace periplex::remote::usbredir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace periplex;
  using namespace periplex::remote::usbredir;
  ByteReader input(ByteView(reinterpret_cast<const std::byte*>(data), size));
  const std::uint8_t which = input.u8();
  if (which % 2 == 0) {
    ImporterScenario(input).run();
  } else {
    ExporterScenario(input, static_cast<std::uint8_t>(which / 2)).run();
  }
  return 0;
}
