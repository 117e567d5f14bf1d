// SPDX-License-Identifier: Apache-2.0
#include "host/usb/interface_claims.hpp"

#include <gmock/gmock.h>

#include "host/usb/testing/fake_handle.hpp"

namespace periplex::host {
namespace {

using ::testing::ElementsAre;
using testing::FakeHandle;
using ::testing::IsEmpty;

struct ClaimsTest : ::testing::Test {
  FakeHandle::State state;
  FakeHandle handle{state};
  InterfaceClaims claims{1};
};

TEST_F(ClaimsTest, DriversAreDetachedWhereThereAreSomeAndComeBackThere) {
  state.drivers = {1};
  EXPECT_EQ(claims.claim(handle, {0, 1}), 0);
  EXPECT_THAT(state.take_calls(), ElementsAre("claim 0", "detach 1", "claim 1"));
  claims.give_back(handle);
  EXPECT_THAT(state.take_calls(), ElementsAre("release 0", "release 1", "attach 1"));
  EXPECT_THAT(state.drivers, ElementsAre(1));
  claims.give_back(handle);
  EXPECT_THAT(state.take_calls(), IsEmpty());
}

TEST_F(ClaimsTest, ADriverThatTakesTheInterfaceInBetweenIsDetachedToo) {
  state.results["claim 0"] = LIBUSB_ERROR_BUSY;
  EXPECT_EQ(claims.claim(handle, {0}), LIBUSB_ERROR_BUSY);
  EXPECT_THAT(state.take_calls(), ElementsAre("claim 0", "claim 0"));
}

TEST_F(ClaimsTest, WhatCannotBeClaimedWholeIsGivenBackWhole) {
  state.drivers = {0};
  state.results["claim 1"] = LIBUSB_ERROR_BUSY;
  EXPECT_EQ(claims.claim(handle, {0, 1}), LIBUSB_ERROR_BUSY);
  EXPECT_THAT(state.take_calls(), ElementsAre("detach 0", "claim 0", "claim 1", "claim 1", "release 0", "attach 0"));
}

TEST_F(ClaimsTest, TheSameConfigurationAgainKeepsWhatIsToBeGivenBack) {
  state.drivers = {0};
  (void)claims.claim(handle, {0});
  (void)state.take_calls();
  EXPECT_EQ(claims.choose_configuration(handle, 1, {0}, {0}), 0);
  EXPECT_THAT(state.take_calls(), ElementsAre("release 0", "configuration 1", "claim 0"));
  claims.give_back(handle);
  EXPECT_THAT(state.take_calls(), ElementsAre("release 0", "attach 0"));
}

TEST_F(ClaimsTest, AnotherConfigurationBringsOtherInterfacesAndTheFirstOneComesBack) {
  state.drivers = {0};
  (void)claims.claim(handle, {0});
  (void)state.take_calls();
  EXPECT_EQ(claims.choose_configuration(handle, 2, {0}, {0, 1}), 0);
  EXPECT_THAT(state.take_calls(), ElementsAre("release 0", "configuration 2", "claim 0", "claim 1"));
  claims.give_back(handle);
  EXPECT_THAT(state.take_calls(), ElementsAre("release 0", "release 1", "configuration 1"))
      << "with it the kernel's drivers come by themselves";
}

TEST_F(ClaimsTest, ARefusedConfigurationLeavesThingsAsTheyWere) {
  state.results["configuration 2"] = LIBUSB_ERROR_NOT_FOUND;
  (void)claims.claim(handle, {0});
  (void)state.take_calls();
  EXPECT_EQ(claims.choose_configuration(handle, 2, {0}, {0, 1}), LIBUSB_ERROR_NOT_FOUND);
  EXPECT_THAT(state.take_calls(), ElementsAre("release 0", "configuration 2", "claim 0"));
}

TEST_F(ClaimsTest, ConfigurationZeroIsNone) {
  EXPECT_EQ(claims.choose_configuration(handle, 0, {}, {}), 0);
  EXPECT_THAT(state.take_calls(), ElementsAre("configuration -1"));
}

}  // namespace
}  // namespace periplex::host
