// SPDX-License-Identifier: Apache-2.0
#include "machine/controllers.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "loop/unix_listener.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::machine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ControllersTest : public ::testing::Test {
 protected:
  ~ControllersTest() override {
    controllers.reset();
    for (const std::string& path : paths) ::unlink(path.c_str());
  }

  /// Those that `specifications` describe.
  void start(const std::vector<std::string_view>& specifications) {
    controllers.reset();
    devices.clear();
    std::vector<ControllerDescription> descriptions;
    for (const std::string_view text : specifications) descriptions.push_back(parse_controller(text).value());
    std::vector<ControllerPlan> plans;
    for (ControllerDescription& description : with_names(std::move(descriptions)).value()) {
      ControllerPlan& plan = plans.emplace_back();
      for (const std::string& name : function_names(description)) {
        paths.push_back(fmt::format("{}periplex-controllers-{}-{}", ::testing::TempDir(), ::getpid(), name));
        plan.sockets.push_back({paths.back(), listen_unix({.path = paths.back()}).value()});
      }
      plan.description = std::move(description);
    }
    controllers = std::make_unique<Controllers>(loop, std::move(plans));
    controllers->serve();
  }
  /// Plugs a device of its own in; the controller it came to, or the refusal's text.
  std::string plug(usb::Speed speed, std::string_view wanted = {}) {
    devices.push_back(std::make_unique<usb::testing::FakeDevice>(loop, speed));
    const auto place = controllers->plug(*devices.back(), wanted);
    return place ? place->controller : place.error().text;
  }
  EventLoop loop;
  std::vector<std::string> paths;
  std::vector<std::unique_ptr<usb::testing::FakeDevice>> devices;
  std::unique_ptr<Controllers> controllers;
};

TEST_F(ControllersTest, ADeviceGoesToTheFirstThatRunsItsSpeedAndHasAFreePort) {
  start({"xhci,usb2-ports=1,usb3-ports=1", "xhci,usb2-ports=1,usb3-ports=1"});
  EXPECT_EQ(plug(usb::Speed::full), "xhci");
  EXPECT_EQ(plug(usb::Speed::super), "xhci");
  EXPECT_EQ(plug(usb::Speed::high), "xhci2");
  EXPECT_EQ(plug(usb::Speed::super), "xhci2");
  EXPECT_THAT(plug(usb::Speed::high), HasSubstr("all ports for high speed are taken"));
  controllers->pull(*devices[1], "xhci");
  EXPECT_EQ(plug(usb::Speed::super), "xhci");
}

TEST_F(ControllersTest, ADeviceGoesWhereItIsWanted) {
  start({"xhci,name=a", "xhci,name=b,usb2-ports=1"});
  EXPECT_EQ(plug(usb::Speed::full, "b"), "b");
  EXPECT_THAT(plug(usb::Speed::full, "b"), HasSubstr("all ports of b for full speed are taken"));
  EXPECT_THAT(plug(usb::Speed::full, "c"), HasSubstr("there is no controller \"c\""));
  usb::testing::FakeDevice stray(loop, usb::Speed::full);
  EXPECT_THAT(controllers->plug(stray, "c").error().advice, HasSubstr("a, b"));
}

TEST_F(ControllersTest, EachHasASocketAndCountsForItself) {
  start({"xhci", "xhci,name=second,usb2-ports=2,usb3-ports=3"});
  const std::vector<ControllerView> views = controllers->views();
  ASSERT_EQ(views.size(), 2u);
  EXPECT_EQ(views[1].name, "second");
  EXPECT_EQ(views[1].kind, "xhci");
  EXPECT_EQ(views[1].socket, paths[1]);
  EXPECT_EQ(views[1].ports.usb2, 2u);
  EXPECT_EQ(views[1].ports.usb3, 3u);
  EXPECT_FALSE(views[1].client.connected);
  EXPECT_EQ(controllers->statistics().at(1).name, "second");
  EXPECT_EQ(controllers->statistics().at(1).messages, 0u);
}

TEST_F(ControllersTest, EveryKindTakesTheSpeedsThatItRuns) {
  start({"uhci", "ehci,ports=2", "xhci"});
  EXPECT_EQ(plug(usb::Speed::full), "uhci");
  EXPECT_EQ(plug(usb::Speed::high), "ehci");
  EXPECT_EQ(plug(usb::Speed::super), "xhci");
  EXPECT_EQ(plug(usb::Speed::full, "ehci"), "ehci") << "it hands the device over to a companion";
}

TEST_F(ControllersTest, ADeviceThatIsTooFastRunsAtTheFastestSpeedThereIs) {
  start({"uhci,name=slow,ports=2", "ehci,name=faster,ports=2"});
  usb::testing::FakeDevice fast(loop, usb::Speed::super);
  EXPECT_EQ(controllers->plug(fast, {}).value().speed, usb::Speed::high);
  controllers->pull(fast, "faster");
  EXPECT_EQ(controllers->plug(fast, "slow").value().speed, usb::Speed::full);
  controllers->for_each_endpoint(fast, "slow", [](auto&&...) { FAIL() << "the guest has configured nothing yet"; });
  EXPECT_EQ(plug(usb::Speed::high, "slow"), "slow");
  EXPECT_THAT(plug(usb::Speed::high, "slow"), HasSubstr("all ports of slow for full speed are taken"));
  controllers->pull(fast, "slow");
}

TEST_F(ControllersTest, CompanionsAreServedButTakeNoDevices) {
  start({"ehci,ports=4"});
  std::vector<std::string> names;
  for (const ControllerView& view : controllers->views()) names.push_back(view.name);
  EXPECT_THAT(names, ElementsAre("ehci-companion1", "ehci-companion2", "ehci"));
  EXPECT_EQ(controllers->views()[1].companion_of, "ehci");
  EXPECT_EQ(controllers->views()[1].ports.usb1, 2u);
  EXPECT_EQ(controllers->views()[2].ports.usb2, 4u);
  EXPECT_THAT(plug(usb::Speed::full, "ehci-companion1"), HasSubstr("the ports of ehci-companion1 are those of ehci"));
}

TEST_F(ControllersTest, TheBestSpeedIsTheFastestThatAnyRuns) {
  start({"uhci"});
  EXPECT_EQ(controllers->best_speed(usb::Speed::super, {}), usb::Speed::full);
  start({"uhci", "ehci"});
  EXPECT_EQ(controllers->best_speed(usb::Speed::super, {}), usb::Speed::high);
  EXPECT_EQ(controllers->best_speed(usb::Speed::super, "uhci"), usb::Speed::full);
  EXPECT_EQ(controllers->best_speed(usb::Speed::full, {}), usb::Speed::full);
  start({"uhci", "xhci"});
  EXPECT_EQ(controllers->best_speed(usb::Speed::super, {}), usb::Speed::super);
}

}  // namespace
}  // namespace periplex::machine
