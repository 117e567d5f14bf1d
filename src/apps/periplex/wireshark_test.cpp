// SPDX-License-Identifier: Apache-2.0
// Whether Wireshark understands our captures as we mean them.
#include <cstdio>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "apps/periplex/run_program.hpp"
#include "base/testing/virtual_time.hpp"
#include "usb/capture.hpp"

namespace periplex::apps {
namespace {

class FileSink final : public usb::CaptureSink {
 public:
  explicit FileSink(const std::string& path) : file_(path, std::ios::binary) {}
  [[nodiscard]] bool write(Bytes block) override {
    file_.write(as_text(block).data(), static_cast<std::streamsize>(block.size()));
    return true;
  }

 private:
  std::ofstream file_;
};

class NoOwner final : public usb::TransferOwner {
 public:
  void on_complete(usb::TransferPtr, usb::Completion) override {}
};

void write_sample(const std::string& path) {
  testing::VirtualTime time;
  FileSink sink(path);
  NoOwner owner;
  usb::Capture capture(time, sink, {.interface_name = "vm1", .clock_origin = std::chrono::seconds(1'700'000'000)});
  usb::Transfer descriptor(owner, usb::TransferId(1), usb::EndpointAddress(0), usb::Direction::in,
                           usb::TransferData::room(18));
  descriptor.setup = usb::SetupPacket{.request_type = 0x80, .request = 6, .value = 0x0100, .index = 0, .length = 18};
  const usb::DeviceLabel device{.bus = 2, .number = 5};
  capture.on_submitted(device, usb::TransferType::control, descriptor);
  descriptor.data.write(0, ByteWriter().u8(18).u8(1).le16(0x0200).le32(0).le16(0x1209).le16(4).zeros(6).view());
  time.advance(std::chrono::microseconds(250));
  capture.on_completed(device, usb::TransferType::control, descriptor, {usb::Status::ok, 18});
  const usb::Transfer stalled(owner, usb::TransferId(2), usb::EndpointAddress(0x02), usb::Direction::out,
                              usb::TransferData::owned(Bytes(31)));
  capture.on_submitted(device, usb::TransferType::bulk, stalled);
  capture.on_completed(device, usb::TransferType::bulk, stalled, {usb::Status::stall, 0});
  usb::Transfer sound(owner, usb::TransferId(3), usb::EndpointAddress(0x81), usb::Direction::in,
                      usb::TransferData::room(392));
  sound.packets = {{.offset = 0, .length = 196}, {.offset = 196, .length = 196}};
  capture.on_submitted(device, usb::TransferType::isochronous, sound);
  for (usb::IsochronousPacket& packet : sound.packets) packet.actual = 192;
  capture.on_completed(device, usb::TransferType::isochronous, sound, {usb::Status::ok, 384});
}

TEST(Wireshark, OpensACaptureAndReadsItsPackets) {
  ASSERT_TRUE(run_program({"tshark", "--version"})) << "this test needs tshark: apt-get install tshark";
  const std::string path = ::testing::TempDir() + "periplex-" + std::to_string(::getpid()) + ".pcapng";
  write_sample(path);
  const auto read = run_program({"tshark",
                                 "-r",
                                 path,
                                 "-T",
                                 "fields",
                                 "-e",
                                 "usb.urb_type",
                                 "-e",
                                 "usb.transfer_type",
                                 "-e",
                                 "usb.endpoint_address",
                                 "-e",
                                 "usb.bus_id",
                                 "-e",
                                 "usb.device_address",
                                 "-e",
                                 "usb.urb_status",
                                 "-e",
                                 "usb.idVendor",
                                 "-e",
                                 "frame.time_epoch"});
  std::remove(path.c_str());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->status, 0);
  EXPECT_EQ(read->output,
            "'S'\t0x02\t0x80\t2\t5\t-115\t\t1700000000.000000000\n"
            "'C'\t0x02\t0x80\t2\t5\t0\t0x1209\t1700000000.000250000\n"
            "'S'\t0x03\t0x02\t2\t5\t-115\t\t1700000000.000250000\n"
            "'C'\t0x03\t0x02\t2\t5\t-32\t\t1700000000.000250000\n"
            "'S'\t0x00\t0x81\t2\t5\t-115\t\t1700000000.000250000\n"
            "'C'\t0x00\t0x81\t2\t5\t0\t\t1700000000.000250000\n");
}

}  // namespace
}  // namespace periplex::apps
