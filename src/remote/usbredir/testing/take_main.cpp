// SPDX-License-Identifier: Apache-2.0
// usbredir_take PORT disk BYTES [OUT] | uas BYTES [OUT] | keyboard REPORTS | play MILLISECONDS: takes the device that
// `usbredirect --as :PORT` offers on this computer and uses it as a driver would: reads the first BYTES of a bulk-only
// disk into OUT and writes them back turned around, or prints what a keyboard reports.
#include <arpa/inet.h>
#include <cstdio>
#include <fstream>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "remote/usbredir/importer.hpp"
#include "remote/usbredir/testing/stream.hpp"
#include "usb/device/bulk_only_wrapper.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::remote::usbredir::testing {
namespace {

using usb::EndpointAddress;
using usb::TransferId;

constexpr std::uint32_t kPart = 1u << 20;
constexpr std::uint32_t kBlock = 512;

UniqueFd connect_to(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("nobody listens");
  }
  return fd;
}

class Guest final : public SessionHost {
 public:
  explicit Guest(std::uint16_t port)
      : stream_(
            loop_, connect_to(port), [this](ByteView bytes) { importer_.receive(bytes); },
            [this] { importer_.disconnected(); }, [] {}) {
    importer_.connected();
    while (device_ == nullptr) turn();
    std::printf("device: %.*s speed from %s\n", static_cast<int>(usb::name(device_->speed()).size()),
                usb::name(device_->speed()).data(), importer_.peer().c_str());
    device_->reset();
    (void)wait(log_->control({.request_type = 0, .request = 5, .value = 1}));
    const auto device = wait(log_->control({.request_type = 0x80, .request = 6, .value = 0x100, .length = 18}));
    std::printf("descriptor: %s\n", hex(device.data).c_str());
    (void)wait(log_->control({.request_type = 0x80, .request = 6, .value = 0x200, .length = 255}));
    std::printf(
        "configure: %s\n",
        std::string(usb::name(wait(log_->control({.request_type = 0, .request = 9, .value = 1})).status)).c_str());
    for (unsigned i = 1; i < 16; ++i) {
      for (const usb::Direction direction : {usb::Direction::in, usb::Direction::out}) {
        const EndpointAddress endpoint(i, direction);
        const auto type = device_->endpoint_type(endpoint);
        if (type == usb::TransferType::bulk) (direction == usb::Direction::in ? bulk_in_ : bulk_out_) = endpoint;
        if (type == usb::TransferType::interrupt && direction == usb::Direction::in) interrupt_ = endpoint;
      }
    }
  }

  void disk(std::uint32_t bytes, const std::string& out) {
    for (int i = 0; i < 3; ++i) (void)command({std::byte{0}}, {}, 0);  // until there is no attention any more
    Bytes all;
    for (std::uint32_t at = 0; at < bytes; at += kPart) {
      const Bytes part = command(cdb(0x28, at), {}, kPart);
      all.insert(all.end(), part.begin(), part.end());
    }
    std::ofstream(out, std::ios::binary) << as_text(all);
    Bytes turned(all.rbegin(), all.rend());
    for (std::uint32_t at = 0; at < bytes; at += kPart) {
      (void)command(cdb(0x2a, at), Bytes(turned.begin() + at, turned.begin() + at + kPart), 0);
    }
    (void)command({std::byte{0x35}, {}, {}, {}, {}, {}, {}, {}, {}, {}}, {}, 0);
    std::printf("disk: %zu bytes, %u failures\n", all.size(), failures_);
  }

  void keyboard(unsigned reports) {
    (void)wait(log_->control({.request_type = 0x21, .request = 10, .value = 0}));
    std::puts("ready");
    for (unsigned i = 0; i < reports; ++i) {
      const auto report = wait(log_->in(interrupt_, 8));
      std::printf("report: %s\n", hex(report.data).c_str());
    }
  }

  void uas(std::uint32_t bytes, const std::string& out) {
    constexpr EndpointAddress kCommand{0x01};
    constexpr EndpointAddress kStatus{0x82};
    constexpr EndpointAddress kData{0x83};
    std::vector<std::pair<TransferId, TransferId>> under_way;
    std::uint16_t tag = 0;
    for (std::uint32_t at = 0; at < bytes; at += kPart) {
      ++tag;
      under_way.emplace_back(submit(kStatus, usb::TransferData::room(112), tag),
                             submit(kData, usb::TransferData::room(kPart), tag));
      ByteWriter iu;
      iu.u8(1).u8(0).be16(tag).u8(0).zeros(3).be64(0).bytes(cdb(0x28, at)).zeros(6);
      (void)submit(kCommand, usb::TransferData::owned(iu.take()), 0);
    }
    Bytes all;
    for (const auto& [status, data] : under_way) {
      const Bytes part = wait(data).data;
      all.insert(all.end(), part.begin(), part.end());
      const Bytes sense = wait(status).data;
      if (sense.size() < 7 || sense[0] != std::byte{3} || sense[6] != std::byte{0}) ++failures_;
    }
    std::ofstream(out, std::ios::binary) << as_text(all);
    std::printf("uas: %zu bytes, %u failures\n", all.size(), failures_);
  }

  void play(unsigned milliseconds) {
    (void)wait(log_->control({.request_type = 1, .request = 11, .value = 1, .index = 1}));
    std::uint32_t next = 1;
    unsigned bad = 0;
    const Nanoseconds begin = loop_.now();
    for (unsigned i = 0; i < milliseconds; ++i) {
      ByteWriter frames;
      for (int frame = 0; frame < 48; ++frame) frames.le32(next++);
      auto transfer = std::make_unique<usb::Transfer>(*log_, TransferId(++last_id_), EndpointAddress(1),
                                                      usb::Direction::out, usb::TransferData::owned(frames.take()));
      transfer->packets.push_back({.offset = 0, .length = 192});
      device_->submit(std::move(transfer));
      while (loop_.now() < begin + std::chrono::milliseconds(i)) loop_.run_once(std::chrono::milliseconds(1));
    }
    for (const auto& entry : log_->entries) bad += entry.status != usb::Status::ok ? 1 : 0;
    (void)wait(log_->control({.request_type = 1, .request = 11, .value = 0, .index = 1}));
    std::printf("played: %u packets, %u bad\n", milliseconds, bad);
  }

  void send(Bytes bytes) override { stream_.send(bytes); }
  void device_arrived(usb::Device& device) override {
    device_ = &device;
    log_ = std::make_unique<usb::testing::TransferLog>(device);
  }
  void device_left(usb::Device&) override { device_ = nullptr; }
  void session_failed(std::string why) override {
    std::printf("failed: %s\n", why.c_str());
    failed_ = true;
  }

 private:
  void turn() {
    if (failed_) throw std::runtime_error("the session has ended");
    loop_.run_once(std::chrono::milliseconds(100));
  }
  usb::testing::TransferLog::Entry wait(TransferId id) {
    while (log_->find(id) == nullptr) turn();
    return *log_->find(id);
  }
  TransferId submit(EndpointAddress endpoint, usb::TransferData data, std::uint16_t stream) {
    const TransferId id(++last_id_);
    auto transfer = std::make_unique<usb::Transfer>(*log_, id, endpoint, endpoint.direction(), std::move(data));
    transfer->stream = stream;
    device_->submit(std::move(transfer));
    return id;
  }
  static Bytes cdb(std::uint8_t operation, std::uint32_t at) {
    ByteWriter out;
    out.u8(operation).u8(0).be32(at / kBlock).u8(0).be16(kPart / kBlock).u8(0);
    return out.take();
  }
  Bytes command(const Bytes& cdb, const Bytes& content, std::uint32_t room) {
    const auto length = room != 0 ? room : static_cast<std::uint32_t>(content.size());
    ByteWriter out;
    out.le32(usb::device::CommandBlockWrapper::kSignature).le32(++tag_).le32(length).u8(room != 0 ? 0x80 : 0).u8(0);
    out.u8(static_cast<std::uint8_t>(cdb.size())).bytes(cdb).zeros(16 - cdb.size());
    (void)wait(log_->out(bulk_out_, out.take()));
    Bytes data;
    if (room != 0) data = wait(log_->in(bulk_in_, room)).data;
    if (!content.empty()) (void)wait(log_->out(bulk_out_, content));
    const Bytes status = wait(log_->in(bulk_in_, 13)).data;
    if (status.size() != 13 || (length > 0 && status[12] != std::byte{0})) ++failures_;
    log_->entries.clear();
    return data;
  }

  EventLoop loop_;
  usb::Device* device_ = nullptr;
  std::unique_ptr<usb::testing::TransferLog> log_;
  bool failed_ = false;
  Importer importer_{*this, loop_};
  Stream stream_;
  EndpointAddress bulk_in_;
  EndpointAddress bulk_out_;
  EndpointAddress interrupt_;
  std::uint64_t last_id_ = 1u << 20;
  std::uint32_t tag_ = 0;
  unsigned failures_ = 0;
};

}  // namespace
}  // namespace periplex::remote::usbredir::testing

int main(int count, char** arguments) {
  if (count < 4) return 2;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  periplex::remote::usbredir::testing::Guest guest(static_cast<std::uint16_t>(std::stoul(arguments[1])));
  const auto number = static_cast<std::uint32_t>(std::stoul(arguments[3]));
  const std::string what = arguments[2];
  const std::string out = count > 4 ? arguments[4] : "/dev/null";
  if (what == "disk") guest.disk(number, out);
  if (what == "uas") guest.uas(number, out);
  if (what == "keyboard") guest.keyboard(number);
  if (what == "play") guest.play(number);
  return 0;
}
