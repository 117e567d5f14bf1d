// SPDX-License-Identifier: Apache-2.0
#include "machine/machine.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loop/unix_listener.hpp"

namespace periplex::machine {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class MachineTest : public ::testing::Test {
 protected:
  MachineTest() : path(::testing::TempDir() + fmt::format("periplex-machine-{}.sock", ::getpid())) {
    std::vector<ControllerPlan> controllers(1);
    controllers[0].description = {"xhci", Xhci{.usb2_ports = 2, .usb3_ports = 1}};
    controllers[0].sockets.push_back({path, listen_unix({.path = path}).value()});
    machine =
        std::make_unique<Machine>(loop, Machine::Options{.name = "vm1", .control_socket = "c"}, std::move(controllers));
    machine->serve();
  }
  ~MachineTest() override { ::unlink(path.c_str()); }

  static UniqueFd image(off_t size = 1 << 20) {
    UniqueFd file(::memfd_create("image", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(file.get(), size), 0);
    return file;
  }
  /// The same file, opened once more.
  static UniqueFd again(const UniqueFd& file, int flags) {
    return UniqueFd(::open(fmt::format("/proc/self/fd/{}", file.get()).c_str(), flags | O_CLOEXEC));
  }
  auto attach(std::string_view specification, UniqueFd file = {}) {
    Files files;
    if (file) files.push_back(std::move(file));
    return machine->attach(parse_specification(specification).value(), std::move(files));
  }

  EventLoop loop;
  std::string path;
  std::unique_ptr<Machine> machine;
};

TEST_F(MachineTest, PeripheralsComeAndGo) {
  const auto disk = attach("storage,id=d,image=x,removable=true", image());
  ASSERT_TRUE(disk) << disk.error().text;
  EXPECT_EQ(disk->size, 1u << 20);
  EXPECT_TRUE(disk->medium);
  EXPECT_FALSE(disk->configured);
  ASSERT_TRUE(attach("keyboard"));
  ASSERT_TRUE(attach("tablet,id=t"));
  const auto all = machine->peripherals();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[1].description.id, "keyboard1");
  EXPECT_EQ(all[1].leds, std::vector<std::string>{});
  EXPECT_NE(all[1].port, all[2].port);
  EXPECT_TRUE(machine->detach("d"));
  EXPECT_EQ(machine->detach("d").error().reason, Reason::not_found);
  EXPECT_EQ(machine->peripherals().size(), 2u);
  loop.run_once(0ns);
}

TEST_F(MachineTest, IdsAreUniqueAndPortsAreFinite) {
  ASSERT_TRUE(attach("keyboard,id=a"));
  EXPECT_EQ(attach("tablet,id=a").error().reason, Reason::conflict);
  ASSERT_TRUE(attach("mouse"));
  const auto third = attach("mouse");
  ASSERT_FALSE(third);
  EXPECT_THAT(third.error().text, HasSubstr("all ports for full speed are taken"));
  EXPECT_THAT(third.error().advice, HasSubstr("--controller"));
  ASSERT_TRUE(machine->detach("a"));
  EXPECT_TRUE(attach("mouse")) << "the port is free again";
}

TEST_F(MachineTest, AnImageIsNotWrittenByTwo) {
  UniqueFd file = image();
  UniqueFd second = again(file, O_RDWR);
  UniqueFd third = again(file, O_RDWR);
  ASSERT_TRUE(attach("storage,id=a,image=x", std::move(file)));
  const auto refused = attach("storage,id=b,image=x,speed=high", std::move(second));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("in use already"));
  ASSERT_TRUE(machine->detach("a"));
  EXPECT_TRUE(attach("storage,id=b,image=x,speed=high", std::move(third)));
}

TEST_F(MachineTest, ReadersMayShareAnImage) {
  UniqueFd file = image();
  UniqueFd second = again(file, O_RDONLY);
  EXPECT_TRUE(attach("storage,id=a,image=x,readonly=true", std::move(file)));
  EXPECT_TRUE(attach("storage,id=b,image=x,readonly=true,speed=high", std::move(second)));
}

TEST_F(MachineTest, WhatIsNoDiskIsRefused) {
  EXPECT_FALSE(attach("storage,image=x", UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC))));
  EXPECT_FALSE(attach("storage,image=x", image(100)));
  EXPECT_FALSE(attach("storage,image=x"));
  EXPECT_TRUE(attach("storage,image=x,removable=true")) << "an empty drive";
}

TEST_F(MachineTest, MediaGoOutAndIn) {
  UniqueFd file = image();
  UniqueFd same = again(file, O_RDWR);
  ASSERT_TRUE(attach("storage,id=d,image=x,removable=true", std::move(file)));
  EXPECT_EQ(machine->insert("d", image(), "y").error().reason, Reason::conflict);
  ASSERT_TRUE(machine->eject("d", false));
  EXPECT_FALSE(machine->peripherals()[0].medium);
  EXPECT_EQ(machine->eject("d", false).error().reason, Reason::conflict);
  ASSERT_TRUE(machine->insert("d", std::move(same), "y"));
  EXPECT_EQ(machine->peripherals()[0].description.storage()->image, "y");
  EXPECT_EQ(machine->eject("nobody", false).error().reason, Reason::not_found);
  ASSERT_TRUE(attach("keyboard,id=k"));
  EXPECT_EQ(machine->eject("k", false).error().reason, Reason::invalid);
}

TEST_F(MachineTest, InputWithoutAListenerIsRefusedWithAdvice) {
  EXPECT_EQ(machine->type(std::nullopt, "a").error().reason, Reason::conflict) << "no keyboard";
  ASSERT_TRUE(attach("keyboard,id=k"));
  ASSERT_TRUE(attach("tablet,id=t"));
  EXPECT_THAT(machine->type(std::nullopt, "a").error().text, HasSubstr("no driver in the guest"));
  EXPECT_EQ(machine->press("k", {"ctrl+nonsense"}).error().reason, Reason::invalid);
  EXPECT_EQ(machine->press("t", {"a"}).error().reason, Reason::invalid);
  EXPECT_EQ(machine->point("k", {pointer::Click{1}}).error().reason, Reason::invalid);
  EXPECT_EQ(machine->point("t", {pointer::MoveBy{1, 1}}).error().reason, Reason::invalid);
  EXPECT_THAT(machine->point(std::nullopt, {pointer::MoveTo{1, 1}}).error().text, HasSubstr("no driver"));
}

TEST_F(MachineTest, ACaptureIsStartedOnce) {
  ASSERT_TRUE(attach("keyboard"));
  EXPECT_EQ(machine->stop_capture().error().reason, Reason::conflict);
  ASSERT_TRUE(machine->start_capture(image(0), "f"));
  EXPECT_EQ(machine->start_capture(image(0), "g").error().reason, Reason::conflict);
  EXPECT_EQ(machine->view().capture->name, "f");
  ASSERT_TRUE(attach("mouse"));
  EXPECT_EQ(machine->stop_capture()->name, "f");
  EXPECT_FALSE(machine->view().capture);
}

TEST_F(MachineTest, AnIdleMachineSleeps) {
  ASSERT_TRUE(attach("storage,image=x", image()));
  ASSERT_TRUE(attach("keyboard"));
  ASSERT_TRUE(attach("tablet"));
  for (int i = 0; i < 10; ++i) loop.run_once(0ns);
  const auto before = machine->statistics().wakeups;
  auto end = loop.make_timer([&] { loop.stop(); });
  end->arm(20ms);
  loop.run();
  EXPECT_LE(machine->statistics().wakeups, before + 2);
}

}  // namespace
}  // namespace periplex::machine
