// SPDX-License-Identifier: Apache-2.0
#include "machine/plugged.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "usb/device/bulk_only_wrapper.hpp"

namespace periplex::machine {
namespace {

using namespace std::chrono_literals;

/// A removable disk, and a guest that has configured it.
class PluggedTest : public ::testing::Test, public usb::TransferOwner {
 protected:
  PluggedTest() {
    EXPECT_EQ(::ftruncate(image.get(), 1 << 20), 0);
    disk = std::move(*make("storage,id=d,image=x,removable=true", again()));
    submit(usb::EndpointAddress(0), usb::Direction::out, {}, usb::SetupPacket{0x00, 0x09, 1, 0, 0});
    command(Bytes(6));  // TEST UNIT READY takes the power-on attention
  }

  Outcome<std::unique_ptr<Plugged>> make(std::string_view specification, UniqueFd file = {}, UniqueFd second = {}) {
    Files files;
    if (file) files.push_back(std::move(file));
    if (second) files.push_back(std::move(second));
    return Plugged::make(parse_specification(specification).value(), std::move(files), {}, loop, pool);
  }
  /// The image, opened once more.
  UniqueFd again() const {
    return UniqueFd(::open(fmt::format("/proc/self/fd/{}", image.get()).c_str(), O_RDWR | O_CLOEXEC));
  }
  /// The guest runs a command without data.
  void command(const Bytes& cdb) {
    ByteWriter wrapper;
    wrapper.le32(usb::device::CommandBlockWrapper::kSignature).le32(1).le32(0).u8(0).u8(0);
    wrapper.u8(static_cast<std::uint8_t>(cdb.size())).bytes(cdb).zeros(16 - cdb.size());
    submit(usb::EndpointAddress(2, usb::Direction::out), usb::Direction::out, usb::TransferData::owned(wrapper.take()));
    submit(usb::EndpointAddress(1, usb::Direction::in), usb::Direction::in, usb::TransferData::room(13));
  }
  void submit(usb::EndpointAddress endpoint, usb::Direction direction, usb::TransferData data,
              std::optional<usb::SetupPacket> setup = {}) {
    auto transfer =
        std::make_unique<usb::Transfer>(*this, usb::TransferId(next_id_++), endpoint, direction, std::move(data));
    if (setup) transfer->setup = *setup;
    disk->device().submit(std::move(transfer));
    for (int i = 0; i < 4; ++i) loop.run_once(0ns);
  }
  void on_complete(usb::TransferPtr, usb::Completion) override {}

  EventLoop loop;
  host::IoPool pool{loop};
  UniqueFd image{::memfd_create("image", MFD_CLOEXEC)};
  std::unique_ptr<Plugged> disk;

 private:
  std::uint64_t next_id_ = 1;
};

TEST_F(PluggedTest, WhatTheGuestEjectedCanBeInsertedAgain) {
  command({std::byte{0x1b}, {}, {}, {}, std::byte{2}, {}});  // START STOP UNIT with LOEJ (SBC-3 §5.25)
  ASSERT_FALSE(disk->view().medium);
  const auto inserted = disk->insert(again(), "y", pool);
  ASSERT_TRUE(inserted) << inserted.error().text;
  EXPECT_TRUE(disk->view().medium);
  EXPECT_EQ(disk->view().description.storage()->image, "y");
}

TEST_F(PluggedTest, WhatDoesNotFitLeavesTheDriveEmpty) {
  command({std::byte{0x1b}, {}, {}, {}, std::byte{2}, {}});
  EXPECT_FALSE(disk->insert(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)), "y", pool));
  EXPECT_FALSE(disk->view().medium);
  EXPECT_EQ(disk->view().description.storage()->image, "");
}

TEST_F(PluggedTest, ASerialPortShowsItsTerminal) {
  const auto port = make("serial,id=p", host::make_terminal_master().value());
  ASSERT_TRUE(port) << port.error().text;
  const auto terminal = (*port)->view().terminal;
  ASSERT_TRUE(terminal);
  EXPECT_TRUE(terminal->path.starts_with("/dev/pts/"));
  EXPECT_FALSE(terminal->open);
  EXPECT_FALSE(terminal->ready);
  EXPECT_EQ((*port)->device().speed(), usb::Speed::high);
}

TEST_F(PluggedTest, ASerialPortIsRefusedWithAdvice) {
  EXPECT_EQ(make("serial").error().reason, Reason::invalid) << "nothing came";
  EXPECT_EQ(make("serial", again()).error().reason, Reason::invalid) << "a file came";
  const auto taken = make("serial,link=/dev/null", host::make_terminal_master().value());
  EXPECT_EQ(taken.error().reason, Reason::conflict);
  EXPECT_FALSE(taken.error().advice.empty());
  EXPECT_EQ(make("serial,link=/nonexistent/link", host::make_terminal_master().value()).error().reason, Reason::failed);
}

TEST_F(PluggedTest, ASoundCardTakesItsFilesInOrder) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd source(ends[0]);
  UniqueFd sink(ends[1]);
  const auto card = make("sound,playback=a,capture=b", std::move(sink), std::move(source));
  ASSERT_TRUE(card) << card.error().text;
  EXPECT_EQ((*card)->device().speed(), usb::Speed::full);
  EXPECT_TRUE(make("sound,playback=a,speed=high", UniqueFd(::memfd_create("wav", MFD_CLOEXEC))));
}

TEST_F(PluggedTest, ASoundCardIsRefusedWithAdvice) {
  const auto no_wav = make("sound,capture=b", again());
  EXPECT_EQ(no_wav.error().reason, Reason::invalid);
  EXPECT_FALSE(no_wav.error().advice.empty());
  EXPECT_FALSE(make("sound,playback=a")) << "nothing came";
  EXPECT_FALSE(make("sound,playback=a,capture=b", UniqueFd(::memfd_create("wav", MFD_CLOEXEC)))) << "one came";
}

}  // namespace
}  // namespace periplex::machine
