// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/slot_commands.hpp"

#include <gmock/gmock.h>

#include "usb/xhci/testing/rig.hpp"

namespace periplex::usb::xhci {
namespace {

using namespace testing;
using usb::testing::FakeDevice;
using Code = CompletionCode;

// Slot State, table 6-7
constexpr unsigned kEnabled = 0;
constexpr unsigned kDefault = 1;
constexpr unsigned kAddressed = 2;
constexpr unsigned kConfigured = 3;
constexpr unsigned kRunning = 1;  // EP State

constexpr EndpointSetup kBulkOut{.dci = 2, .type = 2};
constexpr EndpointSetup kBulkIn{.dci = 3, .type = 6};

class SlotCommandsTest : public ::testing::Test {
 protected:
  SlotCommandsTest() {
    driver_.start();
    port_ = rig_.plug(device_);
  }
  ~SlotCommandsTest() override {
    if (plugged_) rig_.controller.detach(device_);
  }

  unsigned enabled_slot() { return driver_.enable_slot().slot; }
  unsigned slot_in(unsigned state) {
    const unsigned slot = enabled_slot();
    if (state == kDefault) (void)driver_.address_device(slot, port_, true);
    if (state >= kAddressed) (void)driver_.address_device(slot, port_);
    if (state == kConfigured) (void)driver_.configure(slot, kBulkIn);
    EXPECT_EQ(driver_.slot_state(slot), state);
    return slot;
  }
  Code execute(TrbType type, unsigned slot, std::uint32_t flags = 0, unsigned dci = 0) {
    const bool has_input = type == TrbType::address_device_command || type == TrbType::configure_endpoint_command ||
                           type == TrbType::evaluate_context_command;
    return driver_.execute(command(type, slot, dci, has_input ? driver_.input_context(slot).value : 0, flags)).code;
  }
  std::uint32_t output_word(unsigned slot, unsigned context, unsigned word) {
    return rig_.ram.read<std::uint32_t>(driver_.output_context(slot) + context * 32 + word * 4);
  }
  bool host_system_error() { return (driver_.usbsts() & 1u << 2) != 0; }

  Rig rig_;
  Driver& driver_ = rig_.driver;
  FakeDevice device_{rig_.time, Speed::high};
  unsigned port_ = 0;
  bool plugged_ = true;
};

constexpr std::uint32_t kDeconfigure = 1u << 9;

TEST_F(SlotCommandsTest, EnableSlotHandsOutTheLowestFreeSlotUntilThereIsNone) {
  for (unsigned i = 1; i <= 16; ++i) {
    const auto completion = driver_.enable_slot();
    EXPECT_EQ(completion.code, Code::success);
    EXPECT_EQ(completion.slot, i);
  }
  EXPECT_EQ(driver_.enable_slot().code, Code::no_slots_available_error);
  EXPECT_EQ(driver_.disable_slot(7).code, Code::success);
  EXPECT_EQ(driver_.enable_slot().slot, 7u);
}

TEST_F(SlotCommandsTest, EnableSlotKeepsToMaxSlotsEn) {
  rig_.write32(driver_.operational(0x38), 2);
  EXPECT_EQ(driver_.enable_slot().slot, 1u);
  EXPECT_EQ(driver_.enable_slot().slot, 2u);
  EXPECT_EQ(driver_.enable_slot().code, Code::no_slots_available_error);
}

TEST_F(SlotCommandsTest, CommandsForASlotThatIsNotEnabledSaySo) {
  for (const unsigned slot : {0u, 1u, 16u, 17u, 64u, 255u}) {
    for (unsigned type = 10; type <= 17; ++type) {
      EXPECT_EQ(driver_.execute(command(static_cast<TrbType>(type), slot, 1)).code, Code::slot_not_enabled_error)
          << type << " for " << slot;
    }
  }
}

TEST_F(SlotCommandsTest, EverySlotStateAnswersEveryCommandAsFigure42Says) {
  struct Row {
    unsigned from;
    Code address_blocked, address, configure, deconfigure, evaluate, reset;
    unsigned after_address_blocked, after_address, after_configure, after_deconfigure, after_reset;
  };
  constexpr Code kOk = Code::success;
  constexpr Code kWrong = Code::context_state_error;
  const std::array rows{
      Row{kEnabled, kOk, kOk, kWrong, kWrong, kWrong, kWrong, kDefault, kAddressed, kEnabled, kEnabled, kEnabled},
      Row{kDefault, kWrong, kOk, kWrong, kWrong, kOk, kWrong, kDefault, kAddressed, kDefault, kDefault, kDefault},
      Row{kAddressed, kWrong, kWrong, kOk, kOk, kOk, kOk, kAddressed, kAddressed, kConfigured, kAddressed, kDefault},
      Row{kConfigured, kWrong, kWrong, kOk, kOk, kOk, kOk, kConfigured, kConfigured, kConfigured, kAddressed, kDefault},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.from);
    const auto expect = [&](const auto& act, Code code, unsigned after) {
      const unsigned slot = slot_in(row.from);
      EXPECT_EQ(act(slot), code);
      EXPECT_EQ(driver_.slot_state(slot), after);
      EXPECT_EQ(driver_.disable_slot(slot).code, kOk) << "which is right in every state";
      EXPECT_EQ(driver_.slot_state(slot), kEnabled);
    };
    expect([&](unsigned slot) { return driver_.address_device(slot, port_, true).code; }, row.address_blocked,
           row.after_address_blocked);
    expect([&](unsigned slot) { return driver_.address_device(slot, port_).code; }, row.address, row.after_address);
    expect([&](unsigned slot) { return driver_.configure(slot, kBulkOut).code; }, row.configure, row.after_configure);
    expect([&](unsigned slot) { return execute(TrbType::configure_endpoint_command, slot, kDeconfigure); },
           row.deconfigure, row.after_deconfigure);
    expect([&](unsigned slot) { return execute(TrbType::evaluate_context_command, slot); }, row.evaluate, row.from);
    expect([&](unsigned slot) { return execute(TrbType::reset_device_command, slot); }, row.reset, row.after_reset);
  }
}

TEST_F(SlotCommandsTest, AddressDeviceTellsDeviceAndGuestTheAddress) {
  const unsigned slot = enabled_slot();
  device_.answers_set_address = false;
  driver_.write_input_control(slot, 0, 3);
  driver_.write_input_slot(slot, port_, 1);
  driver_.write_input_endpoint(slot, {.dci = 1, .type = 4, .max_packet_size = 64});
  driver_.queue_command(command(TrbType::address_device_command, slot, 0, driver_.input_context(slot).value));
  driver_.ring_command_doorbell();
  ASSERT_EQ(device_.held(), 1u);
  EXPECT_EQ(device_.at(0).setup, (SetupPacket{.request_type = 0, .request = 5, .value = 1}));
  device_.complete_ok();
  EXPECT_EQ(output_word(slot, 0, 3), kAddressed << 27 | slot);
  EXPECT_EQ(driver_.endpoint_state(slot, 1), kRunning);
  EXPECT_EQ(output_word(slot, 1, 1) >> 16, 64u);
}

TEST_F(SlotCommandsTest, AddressDeviceThatIsBlockedSendsNothing) {
  const unsigned slot = enabled_slot();
  EXPECT_EQ(driver_.address_device(slot, port_, true).code, Code::success);
  EXPECT_EQ(device_.submitted, 0u);
  EXPECT_EQ(output_word(slot, 0, 3), kDefault << 27);
  driver_.queue_control(slot, {.request_type = 0x80, .request = 6, .value = 0x100, .length = 8}, rig_.ram.allocate(64));
  driver_.ring(slot, 1);
  EXPECT_EQ(device_.held(), 1u) << "the default control endpoint works";
  EXPECT_EQ(driver_.address_device(slot, port_).code, Code::success)
      << "with a new ring; the old transfer is cancelled";
  EXPECT_EQ(driver_.slot_state(slot), kAddressed);
}

TEST_F(SlotCommandsTest, ADeviceThatRefusesItsAddressLeavesTheSlotAsItWas) {
  device_.answers_set_address = false;
  for (const auto& [status, code] :
       {std::pair{Status::stall, Code::stall_error}, std::pair{Status::error, Code::usb_transaction_error},
        std::pair{Status::babble, Code::usb_transaction_error}}) {
    const unsigned slot = enabled_slot();
    driver_.write_input_control(slot, 0, 3);
    driver_.write_input_slot(slot, port_, 1);
    driver_.write_input_endpoint(slot, {.dci = 1, .type = 4, .max_packet_size = 64});
    driver_.queue_command(command(TrbType::address_device_command, slot, 0, driver_.input_context(slot).value));
    driver_.ring_command_doorbell();
    device_.complete(status);
    const auto all = driver_.drain();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(code_of(all[0]), code);
    EXPECT_EQ(driver_.slot_state(slot), kEnabled);
    EXPECT_EQ(driver_.endpoint_state(slot, 1), 0u);
    EXPECT_EQ(driver_.disable_slot(slot).code, Code::success);
  }
}

TEST_F(SlotCommandsTest, AddressDeviceChecksWhatItIsGiven) {
  const unsigned slot = enabled_slot();
  EXPECT_EQ(driver_.address_device(slot, 0).code, Code::parameter_error);
  EXPECT_EQ(driver_.address_device(slot, 9).code, Code::parameter_error) << "there are eight ports";
  EXPECT_EQ(driver_.address_device(slot, port_ + 1).code, Code::usb_transaction_error) << "nothing is plugged in there";
  (void)driver_.address_device(slot, 0);
  driver_.write_input_slot(slot, port_, 1);
  driver_.write_input_control(slot, 0, 1);
  EXPECT_EQ(execute(TrbType::address_device_command, slot), Code::trb_error) << "A1 is not set";
  driver_.write_input_control(slot, 0, 3);
  rig_.ram.write(driver_.input_context(slot) + 32, std::uint32_t{1u << 27 | 5});
  EXPECT_EQ(execute(TrbType::address_device_command, slot), Code::usb_transaction_error) << "a route through a hub";
  driver_.write_input_slot(slot, port_, 1);
  rig_.ram.write(driver_.input_context(slot) + 64 + 4, std::uint32_t{2u << 3});
  EXPECT_EQ(execute(TrbType::address_device_command, slot), Code::parameter_error) << "not a control endpoint";
  driver_.write_input_slot(slot, port_, 1);
  rig_.ram.write(driver_.input_context(slot) + 64 + 4, std::uint32_t{4u << 3});
  rig_.ram.write(driver_.input_context(slot) + 64, std::uint32_t{31u << 10});
  EXPECT_EQ(execute(TrbType::address_device_command, slot), Code::parameter_error)
      << "a control endpoint has no streams";
  EXPECT_EQ(driver_.slot_state(slot), kEnabled);
  EXPECT_EQ(driver_.address_device(slot, port_).code, Code::success);
}

TEST_F(SlotCommandsTest, AddressDeviceNeedsAnEnabledPort) {
  driver_.write_portsc(port_, 1u << 9 | 1u << 1);  // PED: disables
  EXPECT_EQ(driver_.address_device(enabled_slot(), port_).code, Code::usb_transaction_error);
}

TEST_F(SlotCommandsTest, ConfigureEndpointAddsAndDrops) {
  const unsigned slot = slot_in(kAddressed);
  ASSERT_EQ(driver_.configure(slot, std::array{kBulkOut, kBulkIn}).code, Code::success);
  EXPECT_EQ(driver_.slot_state(slot), kConfigured);
  EXPECT_EQ(driver_.endpoint_state(slot, 2), kRunning);
  EXPECT_EQ(driver_.endpoint_state(slot, 3), kRunning);
  EXPECT_EQ(output_word(slot, 0, 0) >> 27, 3u) << "Context Entries";
  EXPECT_EQ(device_.opened.size(), 2u);
  ASSERT_EQ(driver_.configure(slot, {}, 1u << 3).code, Code::success);
  EXPECT_EQ(driver_.endpoint_state(slot, 3), 0u);
  EXPECT_EQ(output_word(slot, 0, 0) >> 27, 2u);
  ASSERT_EQ(driver_.configure(slot, {}, 1u << 2).code, Code::success);
  EXPECT_EQ(driver_.slot_state(slot), kAddressed) << "no endpoint is left";
}

TEST_F(SlotCommandsTest, ConfigureEndpointCanReplaceAnEndpointThatHasTransfers) {
  const unsigned slot = slot_in(kConfigured);
  driver_.queue(slot, 3, normal(rig_.ram.allocate(512), 512));
  driver_.ring(slot, 3);
  EndpointSetup other = kBulkIn;
  other.max_packet_size = 64;
  EXPECT_EQ(driver_.configure(slot, std::span(&other, 1), 1u << 3).code, Code::success);
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(output_word(slot, 3, 1) >> 16, 64u);
  driver_.ring(slot, 3);
  EXPECT_EQ(device_.held(), 0u) << "the new ring is empty";
}

TEST_F(SlotCommandsTest, AnEndpointThatIsBeingDroppedTakesNoDoorbellWhileOthersAreWaitedFor) {
  const unsigned slot = slot_in(kAddressed);
  ASSERT_EQ(driver_.configure(slot, std::array{kBulkOut, kBulkIn}).code, Code::success);
  device_.answers_cancels = false;
  driver_.queue(slot, 2, normal(rig_.ram.allocate(512), 512));
  driver_.ring(slot, 2);
  driver_.queue_command(command(TrbType::configure_endpoint_command, slot, 0, 0, kDeconfigure));
  driver_.ring_command_doorbell();
  driver_.queue(slot, 3, normal(rig_.ram.allocate(512), 512));
  driver_.ring(slot, 3);
  EXPECT_EQ(device_.held(), 1u) << "the endpoint that was idle is as good as gone";
  rig_.write32(driver_.operational(0), 1u << 1);  // HCRST
  device_.answer_cancels();
  rig_.time.run_until_idle();
  EXPECT_EQ(driver_.usbsts() & (1u << 11 | 1u), 1u) << "the reset has ended";
}

TEST_F(SlotCommandsTest, ConfigureEndpointThatIsRefusedChangesNothing) {
  const unsigned slot = slot_in(kConfigured);
  driver_.queue(slot, 3, normal(rig_.ram.allocate(512), 512));
  driver_.ring(slot, 3);
  const EndpointSetup wrong_direction{.dci = 5, .type = 2};
  EXPECT_EQ(driver_.configure(slot, std::span(&wrong_direction, 1), 1u << 3).code, Code::parameter_error);
  EXPECT_EQ(driver_.endpoint_state(slot, 3), kRunning);
  EXPECT_EQ(driver_.endpoint_state(slot, 5), 0u);
  EXPECT_EQ(device_.held(), 1u) << "not even the transfer of the endpoint to be dropped";
  EXPECT_TRUE(device_.cancels.empty());
}

TEST_F(SlotCommandsTest, ConfigureEndpointChecksDirectionAndType) {
  const unsigned slot = slot_in(kAddressed);
  for (unsigned type = 0; type < 8; ++type) {
    const bool in_ok = type >= 4;
    const bool out_ok = type >= 1 && type <= 3;
    EXPECT_EQ(driver_.configure(slot, {.dci = 9, .type = type}).code == Code::success, in_ok) << type;
    EXPECT_EQ(driver_.configure(slot, {.dci = 8, .type = type}).code == Code::success, out_ok) << type;
    (void)driver_.configure(slot, {}, 1u << 8 | 1u << 9);
  }
  driver_.write_input_endpoint(slot, kBulkIn);
  rig_.ram.write(driver_.input_context(slot) + 4 * 32, std::uint32_t{1u << 10});  // MaxPStreams without LSA
  driver_.write_input_control(slot, 0, 1u | 1u << 3);
  EXPECT_EQ(execute(TrbType::configure_endpoint_command, slot), Code::parameter_error) << "secondary streams";
}

TEST_F(SlotCommandsTest, ConfigureEndpointLeavesTheControlEndpointAlone) {
  const unsigned slot = slot_in(kAddressed);
  driver_.write_input_control(slot, 0, 1u | 1u << 1);
  EXPECT_EQ(execute(TrbType::configure_endpoint_command, slot), Code::trb_error);
  driver_.write_input_control(slot, 3, 1);
  EXPECT_EQ(execute(TrbType::configure_endpoint_command, slot), Code::success) << "D0 and D1 do not exist";
  EXPECT_EQ(driver_.endpoint_state(slot, 1), kRunning);
}

TEST_F(SlotCommandsTest, AnEndpointThatExistsMustBeDroppedBeforeItIsAdded) {
  const unsigned slot = slot_in(kConfigured);
  EXPECT_EQ(driver_.configure(slot, kBulkIn).code, Code::context_state_error);
  EXPECT_EQ(driver_.endpoint_state(slot, 3), kRunning);
}

TEST_F(SlotCommandsTest, DeconfigureClosesAllButTheControlEndpoint) {
  const unsigned slot = slot_in(kConfigured);
  driver_.queue(slot, 3, normal(rig_.ram.allocate(512), 512));
  driver_.ring(slot, 3);
  EXPECT_EQ(execute(TrbType::configure_endpoint_command, slot, kDeconfigure), Code::success);
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(driver_.endpoint_state(slot, 3), 0u);
  EXPECT_EQ(driver_.endpoint_state(slot, 1), kRunning);
  EXPECT_EQ(output_word(slot, 0, 0) >> 27, 1u);
}

TEST_F(SlotCommandsTest, EvaluateContextTakesMaxPacketSizeLatencyAndTarget) {
  const unsigned slot = slot_in(kAddressed);
  driver_.write_input_control(slot, 0, 3);
  rig_.ram.write(driver_.input_context(slot) + 32 + 4, std::uint32_t{9u << 16 | 77});
  rig_.ram.write(driver_.input_context(slot) + 32 + 8, std::uint32_t{2u << 22});
  rig_.ram.write(driver_.input_context(slot) + 64 + 4, std::uint32_t{8u << 16 | 2u << 3});
  EXPECT_EQ(execute(TrbType::evaluate_context_command, slot), Code::success);
  EXPECT_EQ(output_word(slot, 1, 1) >> 16, 8u);
  EXPECT_EQ(output_word(slot, 1, 1) >> 3 & 7, 4u) << "the type is not evaluated";
  EXPECT_EQ(output_word(slot, 0, 1), port_ << 16 | 77) << "nor is the port";
  EXPECT_EQ(output_word(slot, 0, 2) >> 22, 2u);
}

TEST_F(SlotCommandsTest, ResetDeviceReturnsTheSlotToDefault) {
  const unsigned slot = slot_in(kConfigured);
  driver_.queue(slot, 3, normal(rig_.ram.allocate(512), 512));
  driver_.ring(slot, 3);
  EXPECT_EQ(execute(TrbType::reset_device_command, slot), Code::success);
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(output_word(slot, 0, 3), kDefault << 27);
  EXPECT_EQ(driver_.endpoint_state(slot, 3), 0u);
  EXPECT_EQ(driver_.address_device(slot, port_).code, Code::success);
}

TEST_F(SlotCommandsTest, DisableSlotWaitsForTheDevice) {
  const unsigned slot = slot_in(kConfigured);
  device_.answers_cancels = false;
  driver_.queue(slot, 3, normal(rig_.ram.allocate(512), 512));
  driver_.ring(slot, 3);
  driver_.queue_command(command(TrbType::disable_slot_command, slot));
  driver_.ring_command_doorbell();
  EXPECT_TRUE(driver_.drain().empty());
  device_.answer_cancels();
  ASSERT_EQ(driver_.drain().size(), 1u);
  EXPECT_EQ(driver_.slot_state(slot), kEnabled);
  EXPECT_EQ(driver_.endpoint_state(slot, 3), 0u);
  driver_.ring(slot, 3);
  EXPECT_EQ(driver_.execute(command(TrbType::stop_endpoint_command, slot, 3)).code, Code::slot_not_enabled_error);
}

TEST_F(SlotCommandsTest, EndpointCommandsCheckTheirEndpoint) {
  const unsigned slot = slot_in(kConfigured);
  for (const TrbType type :
       {TrbType::stop_endpoint_command, TrbType::reset_endpoint_command, TrbType::set_tr_dequeue_pointer_command}) {
    EXPECT_EQ(execute(type, slot, 0, 0), Code::trb_error) << "endpoint id 0";
    EXPECT_EQ(execute(type, slot, 0, 31), Code::context_state_error) << "not configured";
  }
}

TEST_F(SlotCommandsTest, ContextsOutsideMemoryAreAHostSystemError) {
  for (const TrbType type :
       {TrbType::address_device_command, TrbType::configure_endpoint_command, TrbType::evaluate_context_command}) {
    driver_.start();
    rig_.time.run_until_idle();
    driver_.write_portsc(port_, 1u << 9 | 1u << 4);
    const unsigned slot = slot_in(type == TrbType::address_device_command ? kEnabled : kAddressed);
    (void)driver_.execute(command(type, slot, 0, Rig::kNowhere.value));
    EXPECT_TRUE(host_system_error()) << static_cast<unsigned>(type);
    EXPECT_NE(driver_.usbsts() & 1, 0u) << "halted";
  }
}

TEST_F(SlotCommandsTest, AnOutputContextOutsideMemoryIsAHostSystemError) {
  const unsigned slot = enabled_slot();
  const auto dcbaa = rig_.read<std::uint64_t>(driver_.operational(0x30));
  rig_.ram.write(GuestAddress(dcbaa + slot * 8), Rig::kNowhere.value);
  (void)driver_.address_device(slot, port_);
  EXPECT_TRUE(host_system_error());
}

TEST_F(SlotCommandsTest, ADcbaaOutsideMemoryIsAHostSystemError) {
  const unsigned slot = enabled_slot();
  rig_.write64(driver_.operational(0x30), Rig::kNowhere.value);
  (void)driver_.address_device(slot, port_);
  EXPECT_TRUE(host_system_error());
}

TEST_F(SlotCommandsTest, UnpluggingEndsASetAddressThatIsUnderWay) {
  device_.answers_set_address = false;
  const unsigned slot = enabled_slot();
  driver_.write_input_control(slot, 0, 3);
  driver_.write_input_slot(slot, port_, 1);
  driver_.write_input_endpoint(slot, {.dci = 1, .type = 4, .max_packet_size = 64});
  driver_.queue_command(command(TrbType::address_device_command, slot, 0, driver_.input_context(slot).value));
  driver_.ring_command_doorbell();
  rig_.controller.detach(device_);
  plugged_ = false;
  const auto all = driver_.drain();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(code_of(all[1]), Code::usb_transaction_error);
}

/// The commands and control requests with which Linux 6.1 enumerates a stick (drivers/usb/core/hub.c).
TEST_F(SlotCommandsTest, LinuxEnumeratesADevice) {
  const unsigned slot = enabled_slot();
  ASSERT_EQ(driver_.address_device(slot, port_, true, 64).code, Code::success);
  const GuestAddress buffer = rig_.ram.allocate(256);
  const auto control = [&](const SetupPacket& setup, std::uint32_t moved) {
    const GuestAddress status = driver_.queue_control(slot, setup, buffer);
    driver_.ring(slot, 1);
    ASSERT_EQ(device_.held(), 1u);
    device_.complete(Status::ok, moved);
    const auto all = driver_.drain();
    ASSERT_FALSE(all.empty());
    EXPECT_EQ(all.back().parameter, status.value);
    EXPECT_EQ(code_of(all.back()), Code::success);
  };
  control({.request_type = 0x80, .request = 6, .value = 0x100, .index = 0, .length = 64}, 18);
  driver_.write_portsc(port_, 1u << 9 | 1u << 4);
  (void)driver_.drain();
  ASSERT_EQ(execute(TrbType::reset_device_command, slot), Code::context_state_error) << "the slot is in Default";
  ASSERT_EQ(driver_.address_device(slot, port_, false, 64).code, Code::success);
  control({.request_type = 0x80, .request = 6, .value = 0x100, .index = 0, .length = 18}, 18);
  control({.request_type = 0x80, .request = 6, .value = 0x200, .index = 0, .length = 9}, 9);
  control({.request_type = 0x80, .request = 6, .value = 0x200, .index = 0, .length = 32}, 32);
  ASSERT_EQ(driver_.configure(slot, std::array{kBulkOut, kBulkIn}).code, Code::success);
  control({.request_type = 0, .request = 9, .value = 1, .index = 0, .length = 0}, 0);
  EXPECT_EQ(driver_.slot_state(slot), kConfigured);
}

}  // namespace
}  // namespace periplex::usb::xhci
