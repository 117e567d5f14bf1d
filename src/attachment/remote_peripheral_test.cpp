// SPDX-License-Identifier: Apache-2.0
#include "attachment/remote_peripheral.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "attachment/limits.hpp"
#include "attachment/testing/attached.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::attachment {
namespace {

using namespace std::chrono_literals;
using testing::Attached;
using testing::Guest;
using ::testing::HasSubstr;
using usb::EndpointAddress;
using usb::Status;
using Link = PeripheralState::Link;

constexpr std::uint8_t kBulkIn = 0x81, kBulkOut = 0x02, kInterruptIn = 0x83;

/// A device with a bulk pipe each way and an interrupt endpoint; answers when the test says so, but says what it is.
class VendorDevice final : public usb::Device {
 public:
  explicit VendorDevice(Scheduler& scheduler) : fake(scheduler, usb::Speed::high) {
    ByteWriter out;
    usb::encode(out, usb::DeviceDescriptor{.bcd_usb = 0x0200, .max_packet_size0 = 64, .vendor_id = 0x1209});
    device = out.take();
    ByteWriter rest;
    usb::encode(rest, usb::InterfaceDescriptor{.num_endpoints = 3, .interface_class = 0xff});
    usb::encode(rest, usb::EndpointDescriptor{EndpointAddress(kBulkIn), 2, 512, 0});
    usb::encode(rest, usb::EndpointDescriptor{EndpointAddress(kBulkOut), 2, 512, 0});
    usb::encode(rest, usb::EndpointDescriptor{EndpointAddress(kInterruptIn), 3, 8, 4});
    const auto total = static_cast<std::uint16_t>(usb::ConfigurationDescriptor::kSize + rest.size());
    usb::encode(out, usb::ConfigurationDescriptor{.total_length = total, .num_interfaces = 1});
    configuration = out.bytes(rest.view()).take();
  }

  usb::testing::FakeDevice fake;
  Bytes device, configuration;

  [[nodiscard]] usb::Speed speed() const override { return fake.speed(); }
  void submit(usb::TransferPtr transfer) override {
    const auto setup = transfer->setup;
    fake.submit(std::move(transfer));
    if (!setup || setup->type() != usb::RequestType::standard) return;
    const bool asks = setup->request == 6;
    const Bytes* const known = setup->value == 0x0100 ? &device : setup->value == 0x0200 ? &configuration : nullptr;
    const std::size_t last = fake.held() - 1;
    if (!asks) return answer(last, {});
    if (known != nullptr) return answer(last, *known);
    stalled_.push_back(fake.at(last).id());
  }
  /// Answers that are due; `submit` may not complete.
  void pump() {
    while (!due_.empty()) {
      const auto [id, bytes] = std::move(due_.front());
      due_.erase(due_.begin());
      finish(id, Status::ok, bytes);
    }
    for (const usb::TransferId id : std::exchange(stalled_, {})) finish(id, Status::stall, {});
  }
  [[nodiscard]] bool has_answers() const { return !due_.empty() || !stalled_.empty(); }
  void cancel(usb::TransferId id) override { fake.cancel(id); }
  void reset() override { fake.reset(); }

 private:
  void answer(std::size_t index, Bytes bytes) { due_.emplace_back(fake.at(index).id(), std::move(bytes)); }
  void finish(usb::TransferId id, Status status, const Bytes& bytes) {
    for (std::size_t i = 0; i < fake.held(); ++i) {
      if (fake.at(i).id() != id) continue;
      const std::size_t moved = fake.at(i).data.write(0, bytes);
      return fake.complete_at(i, {status, static_cast<std::uint32_t>(moved)});
    }
  }
  std::vector<std::pair<usb::TransferId, Bytes>> due_;
  std::vector<usb::TransferId> stalled_;
};

class RemotePeripheralTest : public ::testing::Test {
 protected:
  void SetUp() override {
    attached_ = std::make_unique<Attached>(device_, time_, 5ms);
    pass(100ms);
    attached_->link.connect();
    pass(200ms);
    ASSERT_NE(guest().device, nullptr) << attached_->worker.failure << attached_->agent.failure;
    guest().device->reset();
    pass(200ms);
    guest().control({0x00, 9, 1, 0, 0});
    pass(200ms);
    ASSERT_EQ(guest().outstanding(), 0u);
    ASSERT_EQ(guest().device->endpoint_type(EndpointAddress(kInterruptIn)), usb::TransferType::interrupt);
  }
  void pass(Nanoseconds time) {
    const Nanoseconds end = time_.now() + time;
    while (time_.now() < end) {
      time_.advance(1ms);
      device_.pump();
    }
  }
  Guest& guest() { return attached_->guest; }
  const PeripheralState& state() { return attached_->peripheral->state(); }
  bool answered(usb::TransferId id) { return guest().answers.contains(id); }
  static constexpr usb::SetupPacket kVendorRequest{0xc0, 1, 0, 0, 4};

  periplex::testing::VirtualTime time_;
  VendorDevice device_{time_};
  std::unique_ptr<Attached> attached_;
};

TEST_F(RemotePeripheralTest, TransfersJustStayPendingWhileTheDeviceIsHeld) {
  const usb::TransferId before = guest().in(kBulkIn, 512);
  pass(100ms);
  attached_->link.cut();
  EXPECT_EQ(state().link, Link::held);
  const Nanoseconds since = time_.now();
  const usb::TransferId during = guest().out(kBulkOut, Bytes(512));
  device_.fake.complete(Status::ok, 100);  // it happens meanwhile
  pass(15s);
  EXPECT_EQ(state().since, since);
  EXPECT_FALSE(answered(before));
  EXPECT_FALSE(answered(during));
  attached_->link.connect();
  pass(100ms);
  EXPECT_EQ(state().link, Link::connected);
  EXPECT_EQ(guest().answers.at(before).actual, 100u);
  EXPECT_EQ(device_.fake.held(EndpointAddress(kBulkOut)), 1u);
  EXPECT_EQ(attached_->worker.departures, 0u);
}

TEST_F(RemotePeripheralTest, PastTheBoundTheDeviceIsUnpluggedAndNothingOfItHappensLater) {
  const usb::TransferId before = guest().in(kBulkIn, 512);
  pass(100ms);
  attached_->link.cut();
  const usb::TransferId during = guest().out(kBulkOut, Bytes(512));
  pass(20'100ms);
  EXPECT_EQ(state().link, Link::lost);
  EXPECT_EQ(attached_->worker.departures, 1u);
  EXPECT_EQ(guest().answers.at(before).status, Status::disconnected);
  EXPECT_EQ(guest().answers.at(during).status, Status::disconnected);
  attached_->link.connect();
  pass(500ms);
  EXPECT_EQ(state().link, Link::connected) << state().why;
  EXPECT_EQ(attached_->worker.arrivals, 2u);
  EXPECT_EQ(attached_->agent.departures, 1u);
  EXPECT_EQ(device_.fake.held(EndpointAddress(kBulkOut)), 0u) << "a write of before the unplug";
  EXPECT_EQ(device_.fake.held(EndpointAddress(kBulkIn)), 0u);
}

TEST_F(RemotePeripheralTest, AHeldControlTransferFailsBeforeTheGuestLosesPatience) {
  const usb::TransferId id = guest().control(kVendorRequest);
  pass(100ms);
  attached_->link.cut();
  pass(3800ms);
  EXPECT_FALSE(answered(id));
  pass(200ms);
  EXPECT_EQ(guest().answers.at(id).status, Status::error);
  device_.fake.complete(Status::ok, 4);
  attached_->link.connect();
  pass(100ms);
  EXPECT_EQ(attached_->peripheral->counters().late_results, 1u);
  EXPECT_EQ(guest().doubled, 0u);
  EXPECT_EQ(attached_->worker.failure, "");
}

TEST_F(RemotePeripheralTest, AControlTransferThatADeviceTakesLongForIsLeftAlone) {
  const usb::TransferId id = guest().control(kVendorRequest);
  pass(10s);
  EXPECT_FALSE(answered(id));
  device_.fake.complete(Status::ok, 4);
  pass(100ms);
  EXPECT_EQ(guest().answers.at(id).status, Status::ok);
}

TEST_F(RemotePeripheralTest, ACancelledTransferBringsWhatHadHappenedAlready) {
  const usb::TransferId id = guest().in(kBulkIn, 512);
  pass(100ms);
  device_.fake.moved_when_cancelled[device_.fake.at(0).id()] = 64;
  guest().device->cancel(id);
  pass(100ms);
  EXPECT_EQ(guest().answers.at(id).status, Status::cancelled);
  EXPECT_EQ(guest().answers.at(id).actual, 64u);
}

TEST_F(RemotePeripheralTest, ACancelDoesNotWaitForAnAgentThatIsAway) {
  const usb::TransferId sent = guest().in(kBulkIn, 512);
  pass(100ms);
  attached_->link.cut();
  const usb::TransferId unsent = guest().in(kBulkIn, 512);
  guest().device->cancel(unsent);
  guest().device->cancel(sent);
  EXPECT_FALSE(answered(sent)) << "from inside the call";
  time_.run_until_idle();
  EXPECT_EQ(guest().answers.at(sent).status, Status::cancelled);
  EXPECT_EQ(guest().answers.at(unsent).status, Status::cancelled);
  attached_->link.connect();
  pass(100ms);
  EXPECT_EQ(device_.fake.held(), 0u) << "the agent has been told";
  EXPECT_EQ(guest().doubled, 0u);
}

TEST_F(RemotePeripheralTest, ACancelDoesNotWaitForADeviceThatDoesNotAnswer) {
  device_.fake.answers_cancels = false;
  const usb::TransferId id = guest().in(kBulkIn, 512);
  pass(100ms);
  guest().device->cancel(id);
  pass(300ms);
  EXPECT_EQ(guest().answers.at(id).status, Status::cancelled);
}

TEST_F(RemotePeripheralTest, AResetGivesEverythingBackAtOnce) {
  const usb::TransferId bulk = guest().in(kBulkIn, 512);
  const usb::TransferId interrupt = guest().in(kInterruptIn, 8);
  pass(100ms);
  const unsigned resets = device_.fake.resets;
  guest().device->reset();
  time_.run_until_idle();
  EXPECT_EQ(guest().answers.at(bulk).status, Status::cancelled);
  EXPECT_EQ(guest().answers.at(interrupt).status, Status::cancelled);
  pass(100ms);
  EXPECT_EQ(device_.fake.resets, resets + 1);
  EXPECT_EQ(device_.fake.held(), 0u);
  EXPECT_EQ(guest().device->endpoint_type(EndpointAddress(kBulkIn)), std::nullopt);
  EXPECT_EQ(attached_->worker.failure, "");
}

TEST_F(RemotePeripheralTest, DescriptorsThatAResetHasChangedAreTheNewOnes) {
  device_.device[12] = std::byte{0x77};  // bcdDevice
  guest().device->reset();
  const Guest::Answer early = [&] {
    const usb::TransferId id = guest().control({0x80, 6, 0x0100, 0, 18});
    pass(100ms);
    return guest().answers.at(id);
  }();
  EXPECT_EQ(early.data, device_.device) << "before the agent has looked, the device itself is asked";
  pass(100ms);
  const auto here = attached_->peripheral->counters().answered_here;
  const usb::TransferId id = guest().control({0x80, 6, 0x0100, 0, 18});
  time_.run_until_idle();
  EXPECT_EQ(attached_->peripheral->counters().answered_here, here + 1);
  EXPECT_EQ(guest().answers.at(id).data, device_.device);
}

TEST_F(RemotePeripheralTest, AnAgentThatWasRestartedMeansAnHonestUnplugAndANewDevice) {
  const usb::TransferId id = guest().in(kBulkIn, 512);
  pass(100ms);
  attached_->restart_agent();
  EXPECT_EQ(state().link, Link::held);
  pass(1s);
  attached_->link.connect();
  pass(500ms);
  EXPECT_EQ(attached_->worker.departures, 1u);
  EXPECT_EQ(attached_->worker.arrivals, 2u);
  EXPECT_EQ(guest().answers.at(id).status, Status::disconnected);
  EXPECT_EQ(state().link, Link::connected);
}

TEST_F(RemotePeripheralTest, ADeviceThatIsPulledOutIsUnpluggedWithItsReason) {
  const usb::TransferId id = guest().in(kBulkIn, 512);
  pass(100ms);
  attached_->server->device_gone("pulled out");
  pass(100ms);
  EXPECT_EQ(state().link, Link::lost);
  EXPECT_EQ(state().why, "pulled out");
  EXPECT_EQ(attached_->worker.departures, 1u);
  EXPECT_EQ(guest().answers.at(id).status, Status::disconnected);
  // It is plugged in again at the seat: another server, over another connection.
  attached_->restart_agent();
  pass(100ms);
  attached_->link.connect();
  pass(500ms);
  EXPECT_EQ(attached_->worker.arrivals, 2u);
}

TEST_F(RemotePeripheralTest, AStallOfAnInterruptEndpointIsShownOnceAndThenTheGuestDecides) {
  const usb::TransferId id = guest().in(kInterruptIn, 8);
  pass(100ms);
  ASSERT_EQ(device_.fake.held(), ReportSource::kRequests);
  while (device_.fake.held() != 0) device_.fake.complete(Status::stall);
  pass(100ms);
  EXPECT_EQ(guest().answers.at(id).status, Status::stall);
  EXPECT_EQ(device_.fake.held(), 0u);
  guest().control({0x02, 1, 0, kInterruptIn, 0});
  pass(100ms);
  const usb::TransferId again = guest().in(kInterruptIn, 8);
  pass(100ms);
  EXPECT_FALSE(answered(again));
  device_.fake.complete(Status::ok, 3);
  pass(100ms);
  EXPECT_EQ(guest().answers.at(again).actual, 3u);
}

TEST_F(RemotePeripheralTest, AGuestTransferOfSeveralPacketsIsFilledFromSeveralReports) {
  const usb::TransferId id = guest().in(kInterruptIn, 24);
  pass(100ms);
  device_.fake.complete(Status::ok, 8);
  pass(50ms);
  EXPECT_FALSE(answered(id));
  device_.fake.complete(Status::ok, 5);
  pass(50ms);
  EXPECT_EQ(guest().answers.at(id).actual, 13u);
}

TEST_F(RemotePeripheralTest, AGuestThatDoesTooMuchWhileNothingCanBeSentIsUnpluggedAndNothingGrows) {
  attached_->link.cut();
  for (unsigned i = 0; i < 50'000 && attached_->worker.failure.empty(); ++i) {
    guest().device->endpoint_opened(EndpointAddress(kBulkIn));
    time_.run_until_idle();
  }
  EXPECT_THAT(attached_->worker.failure, HasSubstr("the guest"));
  EXPECT_EQ(attached_->worker.departures, 1u);
}

TEST_F(RemotePeripheralTest, MoreTransfersThanTheAgentTakesWaitHere) {
  for (unsigned i = 0; i < 2 * kMaxTransfers; ++i) (void)guest().in(kBulkIn, 16);
  pass(200ms);
  EXPECT_EQ(device_.fake.held(), kMaxTransfers);
  while (device_.fake.held() != 0) {
    while (device_.fake.held() != 0) device_.fake.complete(Status::ok, 16);
    pass(50ms);
  }
  EXPECT_EQ(guest().outstanding(), 0u);
  EXPECT_EQ(attached_->agent.failure + attached_->worker.failure, "");
}

TEST_F(RemotePeripheralTest, ATransferThatIsLargerThanAnyMessageFailsHere) {
  const usb::TransferId id = guest().out(kBulkOut, Bytes(kMaxTransferBytes + 1));
  pass(50ms);
  EXPECT_EQ(guest().answers.at(id).status, Status::error);
  const usb::TransferId fits = guest().out(kBulkOut, Bytes(kMaxTransferBytes));
  pass(50ms);
  device_.fake.complete_ok();
  pass(50ms);
  EXPECT_EQ(guest().answers.at(fits).actual, kMaxTransferBytes);
}

}  // namespace
}  // namespace periplex::attachment
