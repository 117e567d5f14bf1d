// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/transfer_descriptor.hpp"

#include <gmock/gmock.h>

#include "guest/testing/ram.hpp"
#include "usb/xhci/testing/producer_ring.hpp"
#include "usb/xhci/testing/trbs.hpp"

namespace periplex::usb::xhci {
namespace {

using namespace testing;
using ::testing::ElementsAre;

constexpr GuestAddress kData{0x10000};
constexpr SetupPacket kGetDescriptor{.request_type = 0x80, .request = 6, .value = 0x100, .index = 0, .length = 18};
constexpr SetupPacket kSetConfiguration{.request_type = 0, .request = 9, .value = 1, .index = 0, .length = 0};

/// What a test expects of one event.
struct Seen {
  std::uint64_t pointer;
  std::uint32_t length;
  CompletionCode code;
  bool event_data;
  friend bool operator==(const Seen&, const Seen&) = default;
};

class TransferDescriptorTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kRamSize = 0x40000;

  RingPosition position() const { return {ring_.enqueue(), ring_.cycle()}; }
  TransferDescriptor::Assembled normal_td(Direction direction = Direction::in) {
    return TransferDescriptor::assemble_normal(memory_, start_, direction);
  }
  TransferDescriptor::Assembled control_td() { return TransferDescriptor::assemble_control(memory_, start_); }

  std::vector<Seen> done(const TransferDescriptor& td, std::uint64_t actual) {
    std::vector<Seen> events;
    td.report_done(actual, [&](const TransferDescriptor::Event& event) {
      events.push_back({event.pointer, event.length, event.code, event.event_data});
    });
    return events;
  }
  std::vector<Seen> failed(const TransferDescriptor& td, CompletionCode code, std::uint64_t actual) {
    std::vector<Seen> events;
    failed_at_ = td.failed_at(actual);
    td.report_failed(code, actual, [&](const TransferDescriptor::Event& event) {
      events.push_back({event.pointer, event.length, event.code, event.event_data});
    });
    return events;
  }

  std::shared_ptr<guest::testing::VectorBacking> backing_ = std::make_shared<guest::testing::VectorBacking>(kRamSize);
  guest::Memory memory_ = make_memory();
  GuestRam ram_{backing_->bytes()};
  ProducerRing ring_{ram_, 1, 16};
  RingPosition start_ = position();
  RingPosition failed_at_;

 private:
  guest::Memory make_memory() {
    guest::Memory memory;
    (void)memory.map(GuestAddress(0), kRamSize, backing_, 0, true);
    return memory;
  }
};

Seen success(GuestAddress trb, std::uint32_t length = 0) {
  return {trb.value, length, CompletionCode::success, false};
}
Seen short_packet(GuestAddress trb, std::uint32_t left) {
  return {trb.value, left, CompletionCode::short_packet, false};
}

TEST_F(TransferDescriptorTest, OneTrbWithIocGivesOneEvent) {
  const GuestAddress trb = ring_.push(normal(kData, 512));
  const auto td = normal_td().value();
  ASSERT_TRUE(td);
  EXPECT_EQ(td->data().size(), 512u);
  EXPECT_EQ(td->next(), position());
  EXPECT_THAT(done(*td, 512), ElementsAre(success(trb)));
}

TEST_F(TransferDescriptorTest, WithoutIocThereIsNoEventForSuccess) {
  ring_.push(normal(kData, 512, 0));
  EXPECT_THAT(done(*normal_td().value(), 512), ElementsAre());
}

TEST_F(TransferDescriptorTest, NothingIsThereUntilTheChainIsComplete) {
  EXPECT_FALSE(normal_td().value());
  ring_.push(normal(kData, 100, flag::kChain));
  EXPECT_FALSE(normal_td().value());
  ring_.push(normal(kData + 100, 50));
  const auto td = normal_td().value();
  ASSERT_TRUE(td);
  EXPECT_EQ(td->data().size(), 150u);
  EXPECT_EQ(td->trbs(), 2u);
}

TEST_F(TransferDescriptorTest, AChainRunsOnBehindALink) {
  for (unsigned i = 0; i < 14; ++i) ring_.push(normal(kData, 1));
  start_ = position();
  ring_.push(std::array{normal(kData, 100, flag::kChain), normal(kData, 28)});
  const auto td = normal_td().value();
  ASSERT_TRUE(td);
  EXPECT_EQ(td->data().size(), 128u);
  EXPECT_EQ(td->next(), position());
  EXPECT_FALSE(td->next().cycle);
}

TEST_F(TransferDescriptorTest, AShortPacketWithIspIsReportedWhereItHappened) {
  const GuestAddress first = ring_.push(normal(kData, 512, flag::kChain | flag::kIsp));
  const GuestAddress middle = ring_.push(normal(kData, 512, flag::kChain | flag::kIsp));
  ring_.push(normal(kData, 512, flag::kIsp));
  const auto td = *normal_td().value();
  EXPECT_THAT(done(td, 600), ElementsAre(short_packet(middle, 424)));
  EXPECT_THAT(done(td, 512), ElementsAre(short_packet(middle, 512)))
      << "a zero-length packet ends the TD in the next TRB";
  EXPECT_THAT(done(td, 0), ElementsAre(short_packet(first, 512)));
}

TEST_F(TransferDescriptorTest, AShortPacketAndALaterIocGiveTwoEvents) {
  const GuestAddress middle = ring_.push(normal(kData, 512, flag::kChain | flag::kIsp));
  const GuestAddress last = ring_.push(normal(kData, 512, flag::kIoc | flag::kIsp));
  EXPECT_THAT(done(*normal_td().value(), 100), ElementsAre(short_packet(middle, 412), short_packet(last, 512)));
}

TEST_F(TransferDescriptorTest, AShortPacketWithoutIspIsReportedByTheIoc) {
  ring_.push(normal(kData, 512, flag::kChain));
  const GuestAddress last = ring_.push(normal(kData, 512));
  EXPECT_THAT(done(*normal_td().value(), 100), ElementsAre(short_packet(last, 512)));
}

TEST_F(TransferDescriptorTest, EventDataCarriesItsParameterAndWhatWasMoved) {
  ring_.push(normal(kData, 512, flag::kChain));
  ring_.push(normal(kData, 512, flag::kChain));
  ring_.push(event_data(0xfeed'beef'1234'5678));
  const auto td = *normal_td().value();
  EXPECT_THAT(done(td, 1024), ElementsAre(Seen{0xfeed'beef'1234'5678, 1024, CompletionCode::success, true}));
  EXPECT_THAT(done(td, 700), ElementsAre(Seen{0xfeed'beef'1234'5678, 700, CompletionCode::short_packet, true}));
}

TEST_F(TransferDescriptorTest, EventDataCountsFromTheOneBeforeIt) {
  ring_.push(normal(kData, 512, flag::kChain));
  ring_.push(event_data(1, flag::kIoc | flag::kChain));
  ring_.push(normal(kData, 100, flag::kChain));
  ring_.push(event_data(2));
  EXPECT_THAT(done(*normal_td().value(), 612),
              ElementsAre(Seen{1, 512, CompletionCode::success, true}, Seen{2, 100, CompletionCode::success, true}));
}

TEST_F(TransferDescriptorTest, AZeroLengthTrbIsATdToo) {
  const GuestAddress trb = ring_.push(normal(kData, 0));
  const auto td = *normal_td().value();
  EXPECT_EQ(td.data().size(), 0u);
  EXPECT_THAT(done(td, 0), ElementsAre(success(trb)));
}

TEST_F(TransferDescriptorTest, ImmediateDataStandsInTheTrb) {
  ring_.push(make_trb(TrbType::normal, 0x0807'0605'0403'0201, 5, flag::kIdt | flag::kIoc));
  const auto td = *normal_td(Direction::out).value();
  EXPECT_EQ(td.data().size(), 5u);
  const auto data = td.data().gather(memory_, Direction::out, Holding::pinned).value();
  EXPECT_EQ(hex(data.copy(8)), "01 02 03 04 05");
}

TEST_F(TransferDescriptorTest, RefusesImmediateDataThatCannotBe) {
  ring_.push(make_trb(TrbType::normal, 0, 9, flag::kIdt));
  EXPECT_EQ(normal_td(Direction::out).error().at, start_) << "longer than the field it stands in";
  start_ = position();
  ring_.push(make_trb(TrbType::normal, 0, 4, flag::kIdt));
  EXPECT_FALSE(normal_td(Direction::in)) << "a device cannot write into the TRB";
  start_ = position();
  ring_.push(normal(kData, 4, flag::kChain));
  ring_.push(make_trb(TrbType::normal, 0, 4, flag::kIdt));
  EXPECT_FALSE(normal_td(Direction::out)) << "it must be alone in its TD";
}

TEST_F(TransferDescriptorTest, ANoOpMovesNothingAndGivesItsEvent) {
  const GuestAddress trb = ring_.push(no_op());
  const auto td = *normal_td().value();
  EXPECT_TRUE(td.is_no_op());
  EXPECT_EQ(td.data().size(), 0u);
  EXPECT_THAT(done(td, 0), ElementsAre(success(trb)));
}

TEST_F(TransferDescriptorTest, RefusesTypesThatDoNotBelongOnABulkRing) {
  for (const TrbType type : {TrbType::reserved, TrbType::setup_stage, TrbType::data_stage, TrbType::status_stage,
                             TrbType::isoch, TrbType::enable_slot_command, TrbType::transfer_event}) {
    start_ = position();
    ring_.push(make_trb(type, 0, 0));
    const auto td = normal_td();
    ASSERT_FALSE(td) << static_cast<unsigned>(type);
    EXPECT_EQ(td.error().at, start_);
    EXPECT_FALSE(td.error().ring);
  }
}

TEST_F(TransferDescriptorTest, EndsAChainThatGoesInCircles) {
  // The ring's last TRB links back without toggling, so everything in it is ready for ever.
  const GuestAddress base = ring_.segment(0);
  for (unsigned i = 0; i < 15; ++i) ring_.push(normal(kData, 1, flag::kChain));
  ram_.write(base + 15 * kTrbSize + 12, std::uint32_t{6u << 10 | 1});
  start_ = {base, true};
  const auto td = normal_td();
  ASSERT_FALSE(td);
  EXPECT_FALSE(td.error().ring) << "TRB Error, after kMaxTrbs TRBs";
}

TEST_F(TransferDescriptorTest, ReportsARingThatLeavesMemoryInTheMiddleOfATd) {
  ring_.push(normal(kData, 1, flag::kChain));
  ram_.write(ring_.enqueue(), std::uint64_t{0x7'0000'0000});
  ram_.write(ring_.enqueue() + 12, std::uint32_t{6u << 10 | 1});
  EXPECT_EQ(normal_td().error().ring, RingError::fault);
}

TEST_F(TransferDescriptorTest, AnErrorIsReportedAtTheTrbThatWasUnderWay) {
  ring_.push(normal(kData, 512, flag::kChain));
  const RingPosition second = position();
  ring_.push(normal(kData, 512, flag::kChain));
  ring_.push(normal(kData, 512));
  const auto td = *normal_td().value();
  EXPECT_THAT(failed(td, CompletionCode::stall_error, 600),
              ElementsAre(Seen{second.address.value, 424, CompletionCode::stall_error, false}));
  EXPECT_EQ(failed_at_, second);
  EXPECT_THAT(failed(td, CompletionCode::stall_error, 0),
              ElementsAre(Seen{start_.address.value, 512, CompletionCode::stall_error, false}));
  EXPECT_EQ(failed_at_, start_);
}

TEST_F(TransferDescriptorTest, AnErrorAfterAllDataBelongsToTheLastTransferTrb) {
  ring_.push(normal(kData, 512, flag::kChain));
  ring_.push(event_data(1));
  EXPECT_THAT(failed(*normal_td().value(), CompletionCode::usb_transaction_error, 512),
              ElementsAre(Seen{start_.address.value, 0, CompletionCode::usb_transaction_error, false}));
}

TEST_F(TransferDescriptorTest, AControlTransferWithDataIsThreeTds) {
  ring_.push(setup_stage(kGetDescriptor));
  EXPECT_FALSE(control_td().value());
  const GuestAddress data = ring_.push(data_stage(kData, 64, Direction::in));
  EXPECT_FALSE(control_td().value()) << "nothing until the Status Stage is there";
  const GuestAddress status = ring_.push(status_stage(Direction::out));
  const auto td = *control_td().value();
  EXPECT_EQ(td.setup(), kGetDescriptor);
  EXPECT_EQ(td.direction(), Direction::in);
  EXPECT_EQ(td.data().size(), 64u);
  EXPECT_THAT(done(td, 64), ElementsAre(success(status)));
  EXPECT_THAT(done(td, 18), ElementsAre(short_packet(data, 46), success(status)));
}

TEST_F(TransferDescriptorTest, AControlTransferWithoutDataIsTwoTds) {
  ring_.push(setup_stage(kSetConfiguration));
  const GuestAddress status = ring_.push(status_stage(Direction::in));
  const auto td = *control_td().value();
  EXPECT_EQ(td.data().size(), 0u);
  EXPECT_THAT(done(td, 0), ElementsAre(success(status)));
  EXPECT_THAT(failed(td, CompletionCode::stall_error, 0),
              ElementsAre(Seen{status.value, 0, CompletionCode::stall_error, false}));
}

TEST_F(TransferDescriptorTest, AStageMayEndInEventData) {
  ring_.push(setup_stage(kGetDescriptor));
  ring_.push(data_stage(kData, 18, Direction::in, flag::kChain));
  ring_.push(event_data(0xd));
  ring_.push(status_stage(Direction::out, flag::kChain));
  ring_.push(event_data(0x5));
  EXPECT_THAT(done(*control_td().value(), 18),
              ElementsAre(Seen{0xd, 18, CompletionCode::success, true}, Seen{0x5, 0, CompletionCode::success, true}));
}

TEST_F(TransferDescriptorTest, AStallIsReportedInTheDataStageUnlessAllWasMoved) {
  ring_.push(setup_stage(kGetDescriptor));
  const GuestAddress data = ring_.push(data_stage(kData, 18, Direction::in));
  const GuestAddress status = ring_.push(status_stage(Direction::out));
  const auto td = *control_td().value();
  EXPECT_THAT(failed(td, CompletionCode::stall_error, 0),
              ElementsAre(Seen{data.value, 18, CompletionCode::stall_error, false}));
  EXPECT_THAT(failed(td, CompletionCode::stall_error, 18),
              ElementsAre(Seen{status.value, 0, CompletionCode::stall_error, false}));
}

TEST_F(TransferDescriptorTest, RefusesStagesInTheWrongOrder) {
  const auto refused_at = [this](std::initializer_list<Trb> trbs) {
    start_ = position();
    GuestAddress last;
    for (const Trb& trb : trbs) last = ring_.push(trb);
    const auto td = control_td();
    return !td && !td.error().ring && td.error().at.address == last;
  };
  EXPECT_TRUE(refused_at({status_stage(Direction::in)}));
  EXPECT_TRUE(refused_at({normal(kData, 1)}));
  EXPECT_TRUE(refused_at({data_stage(kData, 1, Direction::in)}));
  EXPECT_TRUE(refused_at({setup_stage(kSetConfiguration), data_stage(kData, 1, Direction::out)}));
  EXPECT_TRUE(refused_at({setup_stage(kGetDescriptor), setup_stage(kGetDescriptor)}));
  EXPECT_TRUE(refused_at({setup_stage(kGetDescriptor), data_stage(kData, 18, Direction::in), normal(kData, 1)}));
}

TEST_F(TransferDescriptorTest, RefusesASetupStageThatIsNotImmediateOrNotEightBytes) {
  ring_.push(make_trb(TrbType::setup_stage, 0, 8));
  EXPECT_FALSE(control_td());
  start_ = position();
  ring_.push(make_trb(TrbType::setup_stage, 0, 7, flag::kIdt));
  EXPECT_FALSE(control_td());
}

}  // namespace
}  // namespace periplex::usb::xhci
