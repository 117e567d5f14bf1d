// SPDX-License-Identifier: Apache-2.0
#include "usb/device/emulated_device.hpp"

#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::usb::device {
namespace {

constexpr EndpointAddress kIn{0x81};
constexpr EndpointAddress kOut{0x02};
constexpr SetupPacket kSetConfiguration{.request_type = 0x00, .request = 9, .value = 1, .index = 0, .length = 0};
constexpr SetupPacket kHaltIn{.request_type = 0x02, .request = 3, .value = 0, .index = 0x81, .length = 0};
constexpr SetupPacket kClearHaltIn{.request_type = 0x02, .request = 1, .value = 0, .index = 0x81, .length = 0};

DeviceDescription bulk_device() {
  DeviceDescription device{.product = "Tested", .remote_wake_up = true};
  device.manufacturer = "Maker";
  InterfaceDescription interface;
  interface.endpoints.push_back({.address = kIn});
  interface.endpoints.push_back({.address = kOut});
  device.interfaces.push_back(interface);
  return device;
}

/// Leaves guest-bound transfers in the queue and takes device-bound ones, to finish them when a test says so.
class TestedDevice final : public EmulatedDevice {
 public:
  explicit TestedDevice(Scheduler& time) : EmulatedDevice(bulk_device(), Speed::high, time) {}
  ~TestedDevice() override {
    if (taken) finish(std::move(taken), {Status::disconnected, 0});
  }

  using EmulatedDevice::finish;
  using EmulatedDevice::finish_with;
  using EmulatedDevice::halt;
  using EmulatedDevice::peek_pending;
  using EmulatedDevice::pending_count;
  using EmulatedDevice::request_wake_up;
  using EmulatedDevice::take_pending;

  ControlResult on_class_request(const SetupPacket& setup, ByteView data) override {
    class_data.assign(data.begin(), data.end());
    if (setup.request == 0xff) return kStall;
    return Bytes(64, std::byte{7});
  }
  void on_transfer(EndpointAddress endpoint) override {
    if (endpoint == kOut && !taken) taken = take_pending(kOut);
  }
  void on_cancel(TransferId id) override {
    if (taken && taken->id() == id) finish(std::move(taken), {Status::cancelled, 0});
  }
  void on_endpoint_halt_cleared(EndpointAddress) override { ++halts_cleared; }
  void on_reset() override {
    if (taken) finish(std::move(taken), {Status::cancelled, 0});
  }
  void on_resume() override { ++resumes; }

  TransferPtr taken;
  Bytes class_data;
  int halts_cleared = 0;
  int resumes = 0;
};

class EmulatedDeviceTest : public ::testing::Test {
 protected:
  EmulatedDeviceTest() { (void)run(kSetConfiguration); }
  void TearDown() override { device.reset(); }  // the log must outlive the transfers
  testing::TransferLog::Entry run(const SetupPacket& setup, Bytes data = {}) {
    const TransferId id = log.control(setup, std::move(data));
    time.run_until_idle();
    return *log.find(id);
  }
  /// Empty while it is pending.
  std::optional<Status> status(TransferId id) {
    time.run_until_idle();
    const auto* entry = log.find(id);
    return entry != nullptr ? std::optional(entry->status) : std::nullopt;
  }

  periplex::testing::VirtualTime time;
  std::unique_ptr<TestedDevice> device = std::make_unique<TestedDevice>(time);
  testing::TransferLog log{*device};
};

TEST_F(EmulatedDeviceTest, NothingCompletesInsideSubmit) {
  log.control(kSetConfiguration);
  log.in(EndpointAddress(0x8f), 8);
  EXPECT_EQ(log.entries.size(), 1u) << "only the first configuration";
  time.run_until_idle();
  EXPECT_EQ(log.entries.size(), 3u);
  EXPECT_FALSE(log.completed_inside_submit);
}

TEST_F(EmulatedDeviceTest, AControlAnswerIsCutToTheLengthAskedFor) {
  const auto entry = run({.request_type = 0x80, .request = 6, .value = 0x0100, .index = 0, .length = 8});
  EXPECT_EQ(entry.status, Status::ok);
  EXPECT_EQ(hex(entry.data), "12 01 00 02 00 00 00 40");
}

TEST_F(EmulatedDeviceTest, AControlAnswerIsCutToTheRoomThereIs) {
  const TransferId id = log.submit(EndpointAddress(), Direction::in, TransferData::room(4),
                                   SetupPacket{.request_type = 0x80, .request = 6, .value = 0x0100, .length = 18});
  EXPECT_EQ(status(id), Status::ok);
  EXPECT_EQ(log.find(id)->actual, 4u);
}

TEST_F(EmulatedDeviceTest, DeviceBoundControlDataReachTheFunction) {
  const auto entry = run({.request_type = 0x21, .request = 9, .value = 0, .index = 0, .length = 3}, Bytes(5));
  EXPECT_EQ(entry.status, Status::ok);
  EXPECT_EQ(entry.actual, 3u);
  EXPECT_EQ(device->class_data.size(), 3u);
}

TEST_F(EmulatedDeviceTest, ARequestErrorIsAStallAndTheNextRequestWorks) {
  EXPECT_EQ(run({.request_type = 0xa1, .request = 0xff, .value = 0, .index = 0, .length = 3}).status, Status::stall);
  EXPECT_EQ(run({.request_type = 0xa1, .request = 1, .value = 0, .index = 0, .length = 3}).status, Status::ok);
}

TEST_F(EmulatedDeviceTest, ControlDataInTheWrongDirectionAreRefused) {
  const SetupPacket guest_bound{.request_type = 0x80, .request = 6, .value = 0x0100, .index = 0, .length = 18};
  const TransferId id = log.submit(EndpointAddress(), Direction::out, TransferData::owned(Bytes(18)), guest_bound);
  EXPECT_EQ(status(id), Status::stall);
  EXPECT_EQ(status(log.submit(EndpointAddress(), Direction::in, TransferData::room(8), std::nullopt)), Status::stall);
}

TEST_F(EmulatedDeviceTest, PendingTransfersAreTakenInOrder) {
  const TransferId first = log.in(kIn, 8);
  const TransferId second = log.in(kIn, 8);
  EXPECT_EQ(device->pending_count(kIn), 2u);
  EXPECT_EQ(device->peek_pending(kIn)->id(), first);
  device->finish_with(device->take_pending(kIn), as_bytes("one"));
  device->finish_with(device->take_pending(kIn), as_bytes("two"));
  EXPECT_EQ(device->take_pending(kIn), nullptr);
  time.run_until_idle();
  EXPECT_EQ(as_text(log.find(first)->data), "one");
  EXPECT_EQ(as_text(log.find(second)->data), "two");
}

TEST_F(EmulatedDeviceTest, MoreDataThanRoomIsBabble) {
  const TransferId id = log.in(kIn, 2);
  device->finish_with(device->take_pending(kIn), as_bytes("three"));
  EXPECT_EQ(status(id), Status::babble);
  EXPECT_EQ(log.find(id)->actual, 2u);
}

TEST_F(EmulatedDeviceTest, AnEndpointThatDoesNotExistDoesNotAnswer) {
  EXPECT_EQ(status(log.in(EndpointAddress(0x83), 8)), Status::error);
  (void)run({.request_type = 0x00, .request = 9, .value = 0, .index = 0, .length = 0});
  EXPECT_EQ(status(log.in(kIn, 8)), Status::error) << "nor does one of no configuration";
}

TEST_F(EmulatedDeviceTest, AHaltedEndpointStallsWhatWaitsAndWhatComes) {
  const TransferId waiting = log.in(kIn, 8);
  EXPECT_EQ(run(kHaltIn).status, Status::ok);
  EXPECT_EQ(status(waiting), Status::stall);
  EXPECT_EQ(status(log.in(kIn, 8)), Status::stall);
  EXPECT_EQ(run(kClearHaltIn).status, Status::ok);
  EXPECT_EQ(device->halts_cleared, 1);
  log.in(kIn, 8);
  EXPECT_EQ(device->pending_count(kIn), 1u);
}

TEST_F(EmulatedDeviceTest, TheFunctionHaltsItsEndpoints) {
  device->halt(kIn);
  EXPECT_EQ(status(log.in(kIn, 8)), Status::stall);
  EXPECT_EQ(hex(run({.request_type = 0x82, .request = 0, .value = 0, .index = 0x81, .length = 2}).data), "01 00");
  (void)run(kSetConfiguration);
  log.in(kIn, 8);
  EXPECT_EQ(device->pending_count(kIn), 1u) << "a configuration clears halts";
}

TEST_F(EmulatedDeviceTest, CancelEndsAWaitingTransferOnce) {
  const TransferId first = log.in(kIn, 8);
  const TransferId second = log.in(kIn, 8);
  device->cancel(first);
  device->cancel(first);
  EXPECT_EQ(log.entries.size(), 1u) << "from the loop";
  EXPECT_EQ(status(first), Status::cancelled);
  EXPECT_EQ(device->peek_pending(kIn)->id(), second);
  device->cancel(TransferId(12345));
  time.run_until_idle();
  EXPECT_EQ(log.outstanding(), 1u);
}

TEST_F(EmulatedDeviceTest, CancelAfterTheFactChangesNothing) {
  const TransferId id = log.in(kIn, 8);
  device->finish_with(device->take_pending(kIn), as_bytes("done"));
  device->cancel(id);
  EXPECT_EQ(status(id), Status::ok);
  EXPECT_EQ(log.outstanding(), 0u);
}

TEST_F(EmulatedDeviceTest, CancelOfATakenTransferIsTheFunctions) {
  const TransferId id = log.out(kOut, Bytes(4));
  ASSERT_TRUE(device->taken);
  device->cancel(id);
  EXPECT_EQ(status(id), Status::cancelled);
}

TEST_F(EmulatedDeviceTest, AResetCancelsEverythingAndUnconfigures) {
  const TransferId waiting = log.in(kIn, 8);
  const TransferId taken = log.out(kOut, Bytes(4));
  device->suspend();
  device->reset();
  EXPECT_EQ(status(waiting), Status::cancelled);
  EXPECT_EQ(status(taken), Status::cancelled);
  EXPECT_FALSE(device->configured());
  EXPECT_FALSE(device->suspended());
}

TEST_F(EmulatedDeviceTest, ItsEndCompletesWhatIsLeft) {
  const TransferId waiting = log.in(kIn, 8);
  const TransferId taken = log.out(kOut, Bytes(4));
  const TransferId finished = log.in(kIn, 8);
  device->cancel(finished);
  device.reset();
  EXPECT_EQ(log.find(waiting)->status, Status::disconnected);
  EXPECT_EQ(log.find(taken)->status, Status::disconnected);
  EXPECT_EQ(log.find(finished)->status, Status::cancelled);
  EXPECT_EQ(log.outstanding(), 0u);
  time.run_until_idle();
  EXPECT_EQ(log.entries.size(), 4u);
}

TEST_F(EmulatedDeviceTest, RemoteWakeUpNeedsASuspendedPortAndTheGuestsLeave) {
  int calls = 0;
  device->set_wake_up([&] { ++calls; });
  device->suspend();
  device->request_wake_up();
  EXPECT_EQ(calls, 0) << "not allowed";
  device->resume();
  EXPECT_EQ(device->resumes, 1);
  (void)run({.request_type = 0x00, .request = 3, .value = 1, .index = 0, .length = 0});
  device->request_wake_up();
  EXPECT_EQ(calls, 0) << "not suspended";
  device->suspend();
  device->request_wake_up();
  EXPECT_EQ(calls, 1);
  device->set_wake_up({});
  device->request_wake_up();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace periplex::usb::device
