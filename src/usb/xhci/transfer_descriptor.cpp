// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/transfer_descriptor.hpp"

#include <array>

namespace periplex::usb::xhci {
namespace {

constexpr std::uint32_t kMaxImmediate = 8;  // §6.4.1.1, IDT: "TRB Transfer Length … shall not exceed 8"

RingPosition place_of(const Trb& trb) {
  return {trb.address, trb::Cycle.test(trb.control)};
}

unsigned interrupter_of(const Trb& trb) {
  return static_cast<unsigned>(trb::InterrupterTarget.get(trb.status));
}

TransferDescriptor::Event event_for(const Trb& trb, std::uint32_t length, CompletionCode code) {
  const bool event_data = trb.type() == TrbType::event_data;
  return {.pointer = event_data ? trb.parameter : trb.address.value,
          .length = length,
          .code = code,
          .event_data = event_data,
          .interrupter = interrupter_of(trb),
          .block_interrupt = trb::BEI.test(trb.control)};
}

std::unexpected<TransferDescriptor::Malformed> trb_error(RingPosition at) {
  return std::unexpected(TransferDescriptor::Malformed{std::nullopt, at});
}

std::unexpected<TransferDescriptor::Malformed> ring_error(RingError error, RingPosition at) {
  return std::unexpected(TransferDescriptor::Malformed{error, at});
}

}  // namespace

bool TransferDescriptor::carries_data(const Trb& trb) {
  return trb.type() == TrbType::normal || trb.type() == TrbType::data_stage || trb.type() == TrbType::isoch;
}

/// Adds a data TRB's piece; false where it breaks the rules for immediate data.
bool TransferDescriptor::add_data(const Trb& trb) {
  const auto length = static_cast<std::uint32_t>(trb::TransferLength.get(trb.status));
  if (immediate_) return false;
  if (!trb::IDT.test(trb.control)) {
    data_.add(GuestAddress(trb.parameter), length);
    return true;
  }
  // "If the IDT flag is set in one TRB of a TD, then it shall be the only Transfer TRB of the TD."
  if (length > kMaxImmediate || data_.pieces() != 0 || direction_ == Direction::in) return false;
  immediate_ = true;
  std::array<std::byte, kMaxImmediate> immediate;
  std::memcpy(immediate.data(), &trb.parameter, sizeof trb.parameter);
  data_.add_immediate(ByteView(immediate).first(length));
  return true;
}

TransferDescriptor::Assembled TransferDescriptor::assemble_normal(const guest::Memory& memory, RingPosition start,
                                                                  Direction direction) {
  return assemble_chain(memory, start, direction, TrbType::normal);
}

TransferDescriptor::Assembled TransferDescriptor::assemble_isoch(const guest::Memory& memory, RingPosition start,
                                                                 Direction direction) {
  return assemble_chain(memory, start, direction, TrbType::isoch);
}

/// A TD whose first TRB is of type `first`; Normal TRBs continue it (§4.11.2.1, §4.11.2.3).
TransferDescriptor::Assembled TransferDescriptor::assemble_chain(const guest::Memory& memory, RingPosition start,
                                                                 Direction direction, TrbType first) {
  TransferDescriptor td(start, direction);
  RingReader reader(memory, start);
  while (true) {
    const RingPosition at = reader.position();
    const auto next = reader.next();
    if (!next) return ring_error(next.error(), at);
    if (!*next) return std::nullopt;
    const Trb& trb = **next;
    const TrbType data = td.data_.pieces() == 0 ? first : TrbType::normal;
    const bool known =
        trb.type() == TrbType::event_data || (trb.type() == TrbType::no_op && td.trbs_.empty()) || trb.type() == data;
    if (!known || td.trbs_.size() == kMaxTrbs) return trb_error(place_of(trb));
    if (carries_data(trb) && !td.add_data(trb)) return trb_error(place_of(trb));
    td.trbs_.push_back(trb);
    if (!trb::Chain.test(trb.control)) break;
  }
  td.next_ = reader.position();
  return td;
}

/// The order in which the stages of a control transfer follow each other (§4.11.2.2).
class TransferDescriptor::ControlAssembly {
 public:
  explicit ControlAssembly(TransferDescriptor& td) : td_(td) {}

  [[nodiscard]] bool done() const { return stage_ == Stage::done; }

  /// Takes the next TRB; false where it may not stand there.
  [[nodiscard]] bool take(const Trb& trb) {
    const bool chained = trb::Chain.test(trb.control);
    switch (stage_) {
      case Stage::setup:
        return take_setup(trb);
      case Stage::data_or_status:
        if (trb.type() == TrbType::status_stage) return take_status(trb, chained);
        if (trb.type() != TrbType::data_stage || td_.setup_->length == 0) return false;
        stage_ = chained ? Stage::data_chain : Stage::status;
        return add(trb);
      case Stage::data_chain:
        if (trb.type() != TrbType::normal && trb.type() != TrbType::event_data) return false;
        if (!chained) stage_ = Stage::status;
        return add(trb);
      case Stage::status:
        return trb.type() == TrbType::status_stage && take_status(trb, chained);
      case Stage::status_chain:
        if (trb.type() != TrbType::event_data) return false;
        if (!chained) stage_ = Stage::done;
        return add(trb);
      case Stage::done:
        break;
    }
    return false;
  }

 private:
  enum class Stage : std::uint8_t { setup, data_or_status, data_chain, status, status_chain, done };

  bool take_setup(const Trb& trb) {
    if (trb.type() == TrbType::no_op) {
      stage_ = Stage::done;
      return add(trb);
    }
    // §6.4.1.2.1: the Setup Stage TRB carries the eight bytes itself.
    if (trb.type() != TrbType::setup_stage || !trb::IDT.test(trb.control) ||
        trb::TransferLength.get(trb.status) != SetupPacket::kSize) {
      return false;
    }
    td_.setup_ = SetupPacket::parse(trb.parameter);
    td_.direction_ = td_.setup_->direction();
    stage_ = Stage::data_or_status;
    return add(trb);
  }

  bool take_status(const Trb& trb, bool chained) {
    stage_ = chained ? Stage::status_chain : Stage::done;
    return add(trb);
  }

  bool add(const Trb& trb) {
    if (carries_data(trb) && !td_.add_data(trb)) return false;
    td_.trbs_.push_back(trb);
    return true;
  }

  TransferDescriptor& td_;
  Stage stage_ = Stage::setup;
};

TransferDescriptor::Assembled TransferDescriptor::assemble_control(const guest::Memory& memory, RingPosition start) {
  TransferDescriptor td(start, Direction::out);
  RingReader reader(memory, start);
  ControlAssembly assembly(td);
  while (!assembly.done()) {
    const RingPosition at = reader.position();
    const auto next = reader.next();
    if (!next) return ring_error(next.error(), at);
    if (!*next) return std::nullopt;
    if (td.trbs_.size() == kMaxTrbs || !assembly.take(**next)) return trb_error(place_of(**next));
  }
  td.next_ = reader.position();
  return td;
}

RingPosition TransferDescriptor::first() const {
  return place_of(trbs_.front());
}

std::optional<unsigned> TransferDescriptor::frame_id() const {
  const Trb& first = trbs_.front();
  if (first.type() != TrbType::isoch || trb::SIA.test(first.control)) return std::nullopt;
  return static_cast<unsigned>(trb::FrameId.get(first.control));
}

unsigned TransferDescriptor::interrupter() const {
  return interrupter_of(trbs_.back());
}

void TransferDescriptor::append_data(DataSet& all) const {
  for (const Trb& trb : trbs_) {
    if (!carries_data(trb)) continue;
    all.add(GuestAddress(trb.parameter), static_cast<std::uint32_t>(trb::TransferLength.get(trb.status)));
  }
}

void TransferDescriptor::report_done(std::uint64_t actual, const Report& report) const {
  bool is_short = false;
  std::uint32_t edtla = 0;  // Event Data Transfer Length Accumulator
  std::size_t piece = 0;
  for (const Trb& trb : trbs_) {
    const bool ioc = trb::IOC.test(trb.control);
    if (carries_data(trb)) {
      const DataSet::Portion portion = data_.portion(piece++, actual);
      const bool short_here = portion.is_short() && !is_short && direction_ == Direction::in;
      is_short = is_short || short_here;
      edtla += portion.moved;
      // A short packet on a TRB with only ISP and an IOC on a later one give two events (§4.10.1.1).
      if (ioc || (short_here && trb::ISP.test(trb.control))) {
        report(event_for(trb, portion.residual(), is_short ? CompletionCode::short_packet : CompletionCode::success));
      }
    } else if (trb.type() == TrbType::event_data) {
      if (ioc)
        report(event_for(trb, edtla & 0xff'ffff, is_short ? CompletionCode::short_packet : CompletionCode::success));
      edtla = 0;
    } else {
      // Setup and Status Stage, No Op: TDs of their own, so what the Data Stage left behind ends here.
      is_short = false;
      edtla = 0;
      if (ioc) report(event_for(trb, 0, CompletionCode::success));
    }
  }
}

/// The TRB that was being executed when `actual` bytes had been moved; `piece` is its index in the data set.
std::size_t TransferDescriptor::failed_trb(std::uint64_t actual, std::size_t& piece) const {
  std::size_t last = 0;
  std::size_t index = 0;
  for (std::size_t i = 0; i < trbs_.size(); ++i) {
    if (trbs_[i].type() == TrbType::event_data) continue;
    last = i;
    if (!carries_data(trbs_[i])) continue;
    piece = index++;
    if (data_.portion(piece, actual).is_short()) return i;
  }
  return last;  // everything was moved: the Status Stage, or the last TRB
}

RingPosition TransferDescriptor::failed_at(std::uint64_t actual) const {
  std::size_t piece = 0;
  return place_of(trbs_[failed_trb(actual, piece)]);
}

void TransferDescriptor::report_failed(CompletionCode code, std::uint64_t actual, const Report& report) const {
  std::size_t piece = 0;
  const Trb& trb = trbs_[failed_trb(actual, piece)];
  const std::uint32_t left = carries_data(trb) ? data_.portion(piece, actual).residual() : 0;
  report(event_for(trb, left, code));
}

void TransferDescriptor::report_missed(const Report& report) const {
  std::size_t piece = 0;
  const Trb& trb = trbs_[failed_trb(data_.size(), piece)];
  report(event_for(trb, static_cast<std::uint32_t>(trb::TransferLength.get(trb.status)),
                   CompletionCode::missed_service_error));
}

}  // namespace periplex::usb::xhci
