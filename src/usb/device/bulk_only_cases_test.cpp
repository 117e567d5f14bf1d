// SPDX-License-Identifier: Apache-2.0
// The thirteen cases of Bulk-Only §6.7, by their numbers, and what makes a CBW valid (§6.2.1, §6.6.1).
#include <gtest/gtest.h>

#include "usb/device/testing/bulk_only_host.hpp"

namespace periplex::usb::device {
namespace {

using testing::BulkOnlyHost;
using enum BulkOnlyStatus;

Bytes bytes(std::initializer_list<unsigned> values) {
  Bytes result;
  for (const unsigned value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

const Bytes kTestUnitReady = bytes({0x00, 0, 0, 0, 0, 0});
const Bytes kReadOne = bytes({0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0});
const Bytes kWriteOne = bytes({0x2a, 0, 0, 0, 0, 1, 0, 0, 1, 0});
constexpr std::uint8_t kIn = 0x81;
constexpr std::uint8_t kOut = 0x02;

/// Expects what host and device do after a phase error in the data stage: STALL, clear, status 02h.
void expect_phase_error(BulkOnlyHost& host, TransferId data, std::uint8_t halted, std::uint32_t length) {
  EXPECT_EQ(host.get(data).status, Status::stall);
  EXPECT_TRUE(host.is_halted(halted));
  EXPECT_EQ(host.clear_halt(halted).status, Status::ok);
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(length, phase_error));
  EXPECT_EQ(host.run(kTestUnitReady), BulkOnlyHost::csw(0, passed)) << "ready for the next command";
}

TEST(BulkOnlyCase, Case01NeitherExpectsData) {
  BulkOnlyHost host;
  EXPECT_EQ(host.run(kTestUnitReady), BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnlyCase, Case02HostExpectsNoneDeviceWantsToSend) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(kReadOne, 0, true));
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(0, phase_error));
  EXPECT_FALSE(host.is_halted(kIn));
}

TEST(BulkOnlyCase, Case03HostExpectsNoneDeviceWantsToReceive) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(kWriteOne, 0, false));
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(0, phase_error));
  EXPECT_EQ(host.medium->requests, 0u);
}

TEST(BulkOnlyCase, Case04HostExpectsDataDeviceHasNone) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(kTestUnitReady, 100, true));
  const auto data = host.get(host.in(100));
  EXPECT_EQ(data.status, Status::ok);
  EXPECT_EQ(data.data, Bytes(100)) << "padded";
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(100, passed));
}

TEST(BulkOnlyCase, Case04AFailingReadIsPaddedAndHaltsNothing) {
  BulkOnlyHost host;
  EXPECT_EQ(host.run(bytes({0x28, 0, 0, 1, 0, 0, 0, 0, 1, 0}), 512), BulkOnlyHost::csw(512, failed));
  EXPECT_EQ(host.data, Bytes(512));
  EXPECT_FALSE(host.is_halted(kIn));
  EXPECT_EQ(host.sense(), (std::array{5u, 0x21u, 0u}));
}

TEST(BulkOnlyCase, Case05HostExpectsMoreThanDeviceSends) {
  BulkOnlyHost host;
  EXPECT_EQ(host.run(bytes({0x12, 0, 0, 0, 255, 0}), 255), BulkOnlyHost::csw(255 - 36, passed));
  EXPECT_EQ(host.data.size(), 255u);
  EXPECT_EQ(as_text(host.data).substr(8, 8), "Periplex");
  EXPECT_EQ(ByteView(host.data).subspan(36).front(), std::byte{0});
}

TEST(BulkOnlyCase, Case06HostExpectsWhatDeviceSends) {
  BulkOnlyHost host;
  host.medium->content[512] = std::byte{0x5a};
  EXPECT_EQ(host.run(kReadOne, 512), BulkOnlyHost::csw(0, passed));
  EXPECT_EQ(host.data.front(), std::byte{0x5a});
}

TEST(BulkOnlyCase, Case07HostExpectsLessThanDeviceSends) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(kReadOne, 100, true));
  expect_phase_error(host, host.in(100), kIn, 100);
}

TEST(BulkOnlyCase, Case08HostExpectsToReceiveDeviceToo) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(kWriteOne, 512, true));
  expect_phase_error(host, host.in(512), kIn, 512);
}

TEST(BulkOnlyCase, Case09HostSendsDataDeviceWantsNone) {
  BulkOnlyHost host;
  EXPECT_EQ(host.run_out(kTestUnitReady, Bytes(100)), BulkOnlyHost::csw(100, passed));
  EXPECT_FALSE(host.is_halted(kOut));
}

TEST(BulkOnlyCase, Case09AFailingWriteTakesItsDataAndHaltsNothing) {
  BulkOnlyHost host;
  EXPECT_EQ(host.run_out(bytes({0x2a, 0, 0, 1, 0, 0, 0, 0, 1, 0}), Bytes(512)), BulkOnlyHost::csw(512, failed));
  EXPECT_EQ(host.sense(), (std::array{5u, 0x21u, 0u}));
}

TEST(BulkOnlyCase, Case10HostSendsDeviceToo) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(kReadOne, 512, false));
  expect_phase_error(host, host.out(Bytes(512)), kOut, 512);
}

TEST(BulkOnlyCase, Case11HostSendsMoreThanDeviceTakes) {
  BulkOnlyHost host;
  Bytes content(1000, std::byte{0x33});
  EXPECT_EQ(host.run_out(kWriteOne, content), BulkOnlyHost::csw(488, passed));
  EXPECT_EQ(host.medium->content[1023], std::byte{0x33});
  EXPECT_EQ(host.medium->content[1024], std::byte{0});
}

TEST(BulkOnlyCase, Case12HostSendsWhatDeviceTakes) {
  BulkOnlyHost host;
  EXPECT_EQ(host.run_out(kWriteOne, Bytes(512, std::byte{0x44})), BulkOnlyHost::csw(0, passed));
  EXPECT_EQ(host.medium->content[512], std::byte{0x44});
}

TEST(BulkOnlyCase, Case13HostSendsLessThanDeviceTakes) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(kWriteOne, 100, false));
  expect_phase_error(host, host.out(Bytes(100)), kOut, 100);
  EXPECT_EQ(host.medium->requests, 0u);
}

TEST(BulkOnlyWrapper, WhatIsNotAValidCbwHaltsBothPipesUntilResetRecovery) {
  Bytes wrong_signature = BulkOnlyHost::cbw(kTestUnitReady, 0, true);
  wrong_signature[0] = std::byte{0};
  Bytes too_long = BulkOnlyHost::cbw(kTestUnitReady, 0, true);
  too_long.resize(32);
  Bytes no_command = BulkOnlyHost::cbw(kTestUnitReady, 0, true);
  no_command[14] = std::byte{0};
  Bytes long_command = BulkOnlyHost::cbw(kTestUnitReady, 0, true);
  long_command[14] = std::byte{17};
  for (const Bytes& cbw : {wrong_signature, too_long, no_command, long_command, Bytes{}, Bytes(4096)}) {
    BulkOnlyHost host;
    EXPECT_EQ(host.get(host.out(cbw)).status, Status::ok);
    EXPECT_EQ(host.get(host.in(13)).status, Status::stall);
    EXPECT_EQ(host.get(host.out(BulkOnlyHost::cbw(kTestUnitReady, 0, true))).status, Status::stall);
    host.clear_halt(kIn);
    host.clear_halt(kOut);
    EXPECT_TRUE(host.is_halted(kIn)) << "clearing is not enough";
    EXPECT_TRUE(host.is_halted(kOut));
    EXPECT_EQ(host.reset_recovery().status, Status::ok);
    EXPECT_TRUE(host.is_halted(kIn)) << "the reset preserves halts (§3.1)";
    host.clear_halt(kIn);
    host.clear_halt(kOut);
    EXPECT_EQ(host.run(kTestUnitReady), BulkOnlyHost::csw(0, passed));
  }
}

TEST(BulkOnlyWrapper, AnAbsentUnitIsRefusedBySense) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(kTestUnitReady, 0, true, 1));
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(0, failed));
  host.out(BulkOnlyHost::cbw(bytes({3, 0, 0, 0, 18, 0}), 18, true, 1));
  EXPECT_EQ(host.get(host.in(18)).data, sense::kLogicalUnitNotSupported.fixed_format());
}

}  // namespace
}  // namespace periplex::usb::device
