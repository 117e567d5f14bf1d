// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "usb/device/testing/scsi_host.hpp"
#include "usb/device/testing/uas_host.hpp"
#include "usb/device/uas.hpp"

namespace periplex::usb::device {
namespace {

using testing::bytes;
using testing::UasHost;
using enum UasFunction;

const Bytes kTestUnitReady = bytes({0, 0, 0, 0, 0, 0});
const Bytes kLock = bytes({0x1e, 0, 0, 0, 1, 0});
const Bytes kRead = bytes({0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0});
const Bytes kWrite = bytes({0x2a, 0, 0, 0, 0, 1, 0, 0, 1, 0});

/// A host with reads in flight as tags 1 to 3, on a medium that does not answer.
class UasTaskManagement : public ::testing::Test {
 protected:
  UasTaskManagement() {
    host.medium->slow = true;
    for (std::uint16_t tag = 1; tag <= 3; ++tag) {
      ended.push_back(host.status(tag));
      data.push_back(host.data_in(tag, 512));
      (void)host.command(UasHost::command_iu(tag, kRead));
    }
  }
  void expect_complete(UasFunction function, std::uint16_t task_tag = 0) {
    EXPECT_EQ(host.manage(9, function, task_tag), UasHost::responded(9, UasResponse::task_management_complete));
  }

  UasHost host;
  std::vector<TransferId> ended;
  std::vector<TransferId> data;
};

TEST_F(UasTaskManagement, AbortTaskEndsThatOneWithoutStatus) {
  expect_complete(abort_task, 2);
  EXPECT_EQ(host.medium->pending(), 2u);
  EXPECT_EQ(host.get(data[1]), (testing::Answer{Status::ok, {}, 0}));
  EXPECT_FALSE(host.answer(ended[1]));
  while (host.medium->complete_next()) {
  }
  EXPECT_EQ(host.iu(ended[0]), UasHost::good(1));
  EXPECT_EQ(host.iu(ended[2]), UasHost::good(3));
  EXPECT_FALSE(host.answer(ended[1]));
}

TEST_F(UasTaskManagement, AbortingWhatIsNotThereIsComplete) {
  expect_complete(abort_task, 20);
  EXPECT_EQ(host.medium->pending(), 3u);
}

TEST_F(UasTaskManagement, TheTaskSetsAreAbortedWhole) {
  for (const UasFunction function : {abort_task_set, clear_task_set}) {
    expect_complete(function);
    EXPECT_EQ(host.medium->pending(), 0u);
    host.medium->slow = false;
    EXPECT_EQ(host.run(5, kTestUnitReady), UasHost::good(5)) << "and nothing else has happened";
  }
}

TEST_F(UasTaskManagement, LogicalUnitResetIsToldOnceAndTakesTheLockAway) {
  EXPECT_EQ(host.run(5, kLock), UasHost::good(5));
  EXPECT_TRUE(host.device->state().locked);
  expect_complete(logical_unit_reset);
  EXPECT_EQ(host.medium->pending(), 0u);
  EXPECT_FALSE(host.device->state().locked);
  EXPECT_EQ(host.run(5, kTestUnitReady), UasHost::failed(5, {6, 0x29, 0}));
  EXPECT_EQ(host.run(5, kTestUnitReady), UasHost::good(5));
}

TEST_F(UasTaskManagement, NexusResetIsToldOnceWhateverUnitItNames) {
  EXPECT_EQ(host.run(5, kLock), UasHost::good(5));
  EXPECT_EQ(host.manage(9, i_t_nexus_reset, 0, 1), UasHost::responded(9, UasResponse::task_management_complete));
  EXPECT_EQ(host.medium->pending(), 0u);
  EXPECT_FALSE(host.device->state().locked);
  EXPECT_EQ(host.run(5, kTestUnitReady), UasHost::failed(5, {6, 0x29, 7}));
  EXPECT_EQ(host.run(5, kTestUnitReady), UasHost::good(5));
}

TEST_F(UasTaskManagement, QueriesTellWhatIsInTheTaskSet) {
  EXPECT_EQ(host.manage(9, query_task, 2), UasHost::responded(9, UasResponse::succeeded));
  EXPECT_EQ(host.manage(9, query_task, 20), UasHost::responded(9, UasResponse::task_management_complete));
  EXPECT_EQ(host.manage(9, query_task_set), UasHost::responded(9, UasResponse::succeeded));
  expect_complete(abort_task_set);
  expect_complete(query_task_set);
}

TEST_F(UasTaskManagement, WhatThereIsNotIsRefused) {
  for (const UasFunction function : {clear_aca, query_asynchronous_event, UasFunction{0x03}, UasFunction{0}}) {
    EXPECT_EQ(host.manage(9, function), UasHost::responded(9, UasResponse::not_supported));
  }
  for (const UasFunction function : {abort_task, abort_task_set, logical_unit_reset, query_task}) {
    EXPECT_EQ(host.manage(9, function, 1, 1), UasHost::responded(9, UasResponse::incorrect_lun));
  }
  EXPECT_EQ(host.medium->pending(), 3u);
}

TEST_F(UasTaskManagement, ItsOwnTagMayNotBeInUse) {
  EXPECT_EQ(host.manage(2, query_task_set).response, UasResponse{}) << "the status transfer of the read comes first";
  EXPECT_EQ(host.iu(ended[1]), UasHost::responded(2, UasResponse::overlapped_tag));
  EXPECT_EQ(host.medium->pending(), 2u);
}

TEST_F(UasTaskManagement, AnAbortedWriteTakesItsDataAndTouchesThemNoMore) {
  const TransferId out = host.data_out(4, Bytes(512, std::byte{1}));
  (void)host.command(UasHost::command_iu(4, kWrite));
  EXPECT_EQ(host.medium->pending(), 4u);
  expect_complete(abort_task, 4);
  EXPECT_EQ(host.get(out).actual, 512u);
  EXPECT_EQ(host.medium->pending(), 3u);
}

}  // namespace
}  // namespace periplex::usb::device
