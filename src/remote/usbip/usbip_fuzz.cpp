// SPDX-License-Identifier: Apache-2.0
// A hostile server behind an importer, and a hostile client in front of an exporter. Guest and device act meanwhile as
// the input says. Every transfer of the guest must come back exactly once, and nothing may abort.
#include <cstdlib>
#include <optional>

#include "base/bytes.hpp"
#include "base/testing/virtual_time.hpp"
#include "remote/usbip/device_list.hpp"
#include "remote/usbip/exporter.hpp"
#include "remote/usbip/importer.hpp"
#include "usb/testing/fake_device.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::remote::usbip {
namespace {

constexpr std::size_t kMostOutstanding = 64;

class Scenario {
 public:
  explicit Scenario(ByteView input) : input_(input) {}
  virtual ~Scenario() = default;

 protected:
  /// Bytes of the far end.
  Bytes some() {
    const ByteView bytes = input_.take(std::min<std::size_t>(input_.u8(), input_.remaining()));
    return {bytes.begin(), bytes.end()};
  }
  ByteReader input_;
  periplex::testing::VirtualTime time_;
};

class Server final : public Scenario, private SessionHost {
 public:
  explicit Server(ByteView input) : Scenario(input) {
    importer_.emplace(static_cast<SessionHost&>(*this), ImportOptions{.bus_id = "1-1"}, time_);
  }

  void run() {
    importer_->connected();
    if (input_.u8() % 8 != 0) import();
    while (input_.ok() && input_.remaining() > 0) step();
    importer_->disconnected();
    if (arrived_ != left_ || ended_ != 1) std::abort();
    importer_.reset();
    time_.advance(std::chrono::seconds(2));
    if (log_ && (log_->outstanding() != 0 || log_->completed_inside_submit)) std::abort();
  }

 private:
  void send(Bytes bytes) override {
    // Of what the importer has asked the answer quotes the sequence number.
    if (const auto message =
            bytes.size() >= kHeaderSize ? parse_header(ByteView(bytes).first(kHeaderSize)) : std::nullopt) {
      if (const auto* submit = std::get_if<Submit>(&*message)) last_ = submit->sequence;
      if (const auto* unlink = std::get_if<Unlink>(&*message)) last_unlink_ = unlink->sequence;
    }
  }
  void device_arrived(usb::Device& device) override {
    device_ = &device;
    log_.emplace(device);
    ++arrived_;
  }
  void device_left(usb::Device&) override {
    device_ = nullptr;
    ++left_;
  }
  void session_failed(std::string) override { ++ended_; }

  void import() {
    ByteWriter out;
    encode(out, OperationHeader{.code = static_cast<std::uint16_t>(Operation::reply_import)});
    encode(out, DeviceRecord{.speed = input_.u8() % 8u});
    importer_->receive(out.view());
  }

  void answer(std::uint32_t sequence) {
    const Bytes payload = some();
    ByteWriter out;
    encode(out, SubmitReturn{.sequence = sequence,
                             .status = -static_cast<std::int32_t>(input_.u8()),
                             .actual = static_cast<std::uint32_t>(payload.size()),
                             .packets = input_.u8() % 4u});
    out.bytes(payload);
    importer_->receive(out.view());
  }

  void guest(std::uint8_t what) {
    if (device_ == nullptr || log_->outstanding() >= kMostOutstanding) return;
    const EndpointAddress endpoint(static_cast<std::uint8_t>(what >> 4),
                                   (what & 8) != 0 ? usb::Direction::in : usb::Direction::out);
    switch (what % 5) {
      case 0:
        last_id_ = log_->control(usb::SetupPacket::parse(input_.le64()), Bytes(input_.u8() % 16));
        return;
      case 1:
        last_id_ = log_->in(EndpointAddress(endpoint.number() | 1, usb::Direction::in), input_.le16() % 2048);
        return;
      case 2:
        last_id_ = log_->out(EndpointAddress(endpoint.number() | 1, usb::Direction::out), Bytes(input_.u8()));
        return;
      case 3:
        return device_->cancel(last_id_);
      default:
        return device_->reset();
    }
  }

  void step() {
    const std::uint8_t what = input_.u8();
    switch (what % 6) {
      case 0:
        return importer_->receive(some());
      case 1:
        return answer(last_ - what % 3);
      case 2: {
        ByteWriter out;
        encode(out, UnlinkReturn{.sequence = last_unlink_, .status = -static_cast<std::int32_t>(input_.u8())});
        return importer_->receive(out.view());
      }
      case 3:
      case 4:
        return guest(input_.u8());
      default:
        return time_.advance(std::chrono::milliseconds(input_.u8() * 8));
    }
  }

  using EndpointAddress = usb::EndpointAddress;
  std::optional<usb::testing::TransferLog> log_;
  std::optional<Importer> importer_;
  usb::Device* device_ = nullptr;
  usb::TransferId last_id_;
  std::uint32_t last_ = 0;
  std::uint32_t last_unlink_ = 0;
  int arrived_ = 0;
  int left_ = 0;
  int ended_ = 0;
};

class Client final : public Scenario, private ExporterHost {
 public:
  explicit Client(ByteView input) : Scenario(input) {
    const usb::Speed speed = input_.u8() % 2 == 0 ? usb::Speed::high : usb::Speed::super;
    device_.emplace(time_, speed);
    exports_.push_back({.record = {.bus_id = "1-1"}, .interfaces = {}, .device = &*device_});
    exporter_.emplace(exports_, static_cast<ExporterHost&>(*this), time_);
  }

  void run() {
    if (input_.u8() % 8 != 0) exporter_->receive(encode_import_request("1-1"));
    while (input_.ok() && input_.remaining() > 0) step();
    exporter_.reset();
    device_.reset();
    time_.run_until_idle();
    if (exports_[0].taken) std::abort();
  }

 private:
  void send(Bytes) override {}
  void exporter_failed(std::string) override {}

  void step() {
    const std::uint8_t what = input_.u8();
    switch (what % 5) {
      case 0:
        return exporter_->receive(some());
      case 1: {
        const Bytes payload = some();
        ByteWriter out;
        encode(out, Submit{.sequence = ++sequence_,
                           .direction = (what & 16) != 0 ? usb::Direction::in : usb::Direction::out,
                           .endpoint = static_cast<std::uint32_t>(what >> 5),
                           .flags = input_.u8(),
                           .length = (what & 16) != 0 ? input_.le16() : static_cast<std::uint32_t>(payload.size()),
                           .packets = input_.u8() % 4u,
                           .interval = input_.u8(),
                           .setup = input_.le64()});
        out.bytes(payload);
        return exporter_->receive(out.view());
      }
      case 2: {
        ByteWriter out;
        encode(out, Unlink{.sequence = ++sequence_, .target = sequence_ - input_.u8() % 8u});
        return exporter_->receive(out.view());
      }
      case 3:
        if (device_->held() == 0) return;
        return device_->complete(
            static_cast<usb::Status>(input_.u8() % 6),
            std::min<std::uint32_t>(input_.le16(), static_cast<std::uint32_t>(device_->at(0).data.size())));
      default:
        return time_.advance(std::chrono::milliseconds(input_.u8()));
    }
  }

  std::optional<usb::testing::FakeDevice> device_;
  std::vector<Export> exports_;
  std::optional<Exporter> exporter_;
  std::uint32_t sequence_ = 0;
};

}  // namespace
}  // namespace periplex::remote::usbip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace periplex::remote::usbip;
  if (size == 0) return 0;
  const periplex::ByteView input(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      Server(input).run();
      break;
    case 1:
      Client(input).run();
      break;
    default:
      (void)DeviceList().receive(input);
  }
  return 0;
}
