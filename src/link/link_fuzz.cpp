// SPDX-License-Identifier: Apache-2.0
// The link protocol against any far end. The input's first byte chooses: raw bytes to the gate's reception and session,
// raw bytes to an agent, well framed frames to either with all that its own host may do meanwhile, or datagrams.
#include <algorithm>
#include <cstdlib>

#include "base/testing/virtual_time.hpp"
#include "link/agent_session.hpp"
#include "link/datagram.hpp"
#include "link/gate_session.hpp"
#include "link/reception.hpp"

namespace periplex::link {
namespace {

using std::chrono::milliseconds;

void check(bool condition) {
  if (!condition) std::abort();
}

/// Checks what a host may rely on: a channel starts and stops in turn, and gets no more than it gave credit for.
template <typename Base>
class CheckingHost : public Base {
 public:
  void output_ready(Lane) override {}
  void drop(Lane, Bytes last_words, Reason) override { check(last_words.size() <= FrameHeader::kSize + kMaxPayload); }
  void lane_up(Lane) override {}
  void channel_started(ChannelId channel) override {
    check(session->channels().at(channel).running);
    held = 0;
  }
  void channel_stopped(ChannelId channel) override { check(!session->channels().at(channel).running); }
  void channel_data(ChannelId channel, ByteView bytes) override {
    check(!ended && !bytes.empty() && bytes.size() <= kMaxPiece);
    held += bytes.size();
    if (generous) session->consumed(channel, bytes.size());
  }
  void channel_message(ChannelId, const Message& message) override {
    check(!ended && message.content.size() <= Message::kMaxSize);
  }
  void channel_writable(ChannelId channel) override { (void)session->send(channel, Bytes(100)); }
  void channel_closed(ChannelId channel, const Ending&) override { check(!session->channels().contains(channel)); }
  void session_ended(const Ending&, bool) override {
    check(!ended);
    ended = true;
  }

  Session* session = nullptr;
  bool ended = false;
  bool generous = true;
  std::size_t held = 0;

 protected:
  ~CheckingHost() = default;
};

class CheckingAgent final : public CheckingHost<AgentHost> {
 public:
  void channel_opened(ChannelId, const Opening&) override {}
};

class CheckingGate final : public CheckingHost<GateHost> {
 public:
  void offered(const Peripheral& peripheral) override {
    if (peripheral.name != "shy") (void)gate->open({.id = peripheral.id, .compression = true});
  }
  void withdrawn(const std::string& id, Reason) override { check(gate->peripheral(id) == nullptr); }
  GateSession* gate = nullptr;
};

struct GateEnd {
  GateEnd() { host.session = host.gate = &session; }
  testing::VirtualTime time;
  CheckingGate host;
  GateSession session{time, host, {.name = "gate"}, SessionId(1), Secret{}};
};

struct AgentEnd {
  AgentEnd() {
    host.session = &session;
    (void)session.offer({.id = "a"});
    (void)session.offer({.id = "b", .name = "second"});
  }
  testing::VirtualTime time;
  CheckingAgent host;
  AgentSession session{time, host, {.name = "agent"}};
};

Lane lane_of(unsigned byte) {
  return (byte & 1) != 0 ? Lane::bulk : Lane::realtime;
}

/// What is taken must be whole frames of known types.
void drain(Session& session, Lane lane, std::size_t limit) {
  FrameReader reader;
  reader.feed(session.take(lane, limit));
  for (;;) {
    const auto frame = reader.next();
    check(frame.has_value());
    if (!*frame) break;
  }
  check(reader.rest().empty());
}

/// What the own host and the network do, as `byte` says.
void act(Session& session, periplex::testing::VirtualTime& time, unsigned byte) {
  const ChannelId channel((byte >> 4) & 7);
  switch (byte & 7) {
    case 0:
      return time.advance(milliseconds(byte * 20));
    case 1:
      return drain(session, lane_of(byte >> 3), std::size_t{byte} * 256);
    case 2:
      return void(session.send(channel, Bytes(std::size_t{byte} * 512, std::byte{'x'})));
    case 3:
      return session.consumed(channel, std::size_t{byte} * 4096);
    case 4:
      return session.close(channel, {.reason = Reason::worker_gone});
    case 5:
      return session.disconnected(lane_of(byte >> 3));
    case 6:
      return void(session.send_message(channel, {.sequence = byte, .content = Bytes(byte)}));
    default:
      if (byte == 0xff) session.end({});
  }
}

Bytes next_frame(ByteReader& input) {
  static constexpr std::uint8_t kTypes[] = {1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x80, 0x30};
  const std::uint8_t type = input.u8();
  const ChannelId channel(input.u8() & 15);
  const ByteView payload = input.take(std::min<std::size_t>(input.le16() & 0x3ff, input.remaining()));
  return make_frame(FrameType(kTypes[type & 15]), channel, payload, (type & 0x40) != 0 ? kFlagCompressed : 0);
}

void feed_gate(ByteReader& input, bool framed) {
  GateEnd end;
  Reception reception;
  const auto hello = reception.receive(input.take(std::min<std::size_t>(input.u8(), input.remaining())));
  Hello first{.name = "agent"};
  if (hello && *hello) first = **hello;
  if (!end.session.attach(first)) return;
  while (input.remaining() > 2 && !end.host.ended) {
    const unsigned how = input.u8();
    end.host.generous = (how & 0x80) != 0;
    if ((how & 3) == 0) {
      act(end.session, end.time, input.u8());
    } else if ((how & 0x1c) == 0x04) {
      (void)end.session.attach({.lane = lane_of(how >> 5),
                                .purpose = (how & 0x40) != 0 ? Purpose::join : Purpose::resume,
                                .session = SessionId(1)});
    } else if (framed) {
      end.session.receive(lane_of(how >> 2), next_frame(input));
    } else {
      end.session.receive(lane_of(how >> 2), input.take(std::min<std::size_t>(input.u8(), input.remaining())));
    }
  }
}

void feed_agent(ByteReader& input, bool framed) {
  AgentEnd end;
  const Bytes welcome = make_frame(FrameType::welcome, {}, Welcome{.capabilities = kCapabilities}.payload());
  const Bytes second =
      make_frame(FrameType::welcome, {}, Welcome{.lane = Lane::bulk, .capabilities = kCapabilities}.payload());
  end.session.connected(Lane::realtime);
  end.session.receive(Lane::realtime, welcome);
  while (input.remaining() > 2 && !end.host.ended) {
    const unsigned how = input.u8();
    end.host.generous = (how & 0x80) != 0;
    if ((how & 3) == 0) {
      act(end.session, end.time, input.u8());
    } else if ((how & 0x1c) == 0x04) {
      const Lane lane = lane_of(how >> 5);
      end.session.connected(lane);
      if ((how & 0x40) != 0) end.session.receive(lane, lane == Lane::bulk ? second : welcome);
      if ((how & 2) != 0) end.session.withdraw("b", Reason::unplugged);
    } else if (framed) {
      end.session.receive(lane_of(how >> 2), next_frame(input));
    } else {
      end.session.receive(lane_of(how >> 2), input.take(std::min<std::size_t>(input.u8(), input.remaining())));
    }
  }
}

void feed_datagrams(ByteReader& input) {
  periplex::testing::VirtualTime time;
  std::uint64_t delivered = 0;
  DatagramLane lane(time, ChannelId(1),
                    {.send_datagram = [](const Bytes& bytes) { check(bytes.size() <= Datagram::kMaxSize); },
                     .send_on_stream = [](const Message&) {},
                     .deliver = [&](ByteView) { ++delivered; }});
  lane.begin_datagrams();
  while (input.remaining() > 5) {
    const unsigned how = input.u8();
    const Datagram datagram{.type = Datagram::Type(how & 3), .channel = ChannelId(1), .sequence = input.le32()};
    if ((how & 4) != 0) {
      lane.message_received({.sequence = datagram.sequence, .content = {}});
    } else {
      lane.datagram_received((how & 8) != 0 ? Bytes(input.rest().begin(), input.rest().end()) : datagram.bytes());
    }
    if ((how & 0x10) != 0) time.advance(milliseconds(how));
    if ((how & 0x20) != 0) lane.send(Bytes(how * 10));
  }
  check(delivered == lane.counters().delivered);
}

}  // namespace
}  // namespace periplex::link

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace periplex::link;
  periplex::ByteReader input(std::as_bytes(std::span(data, size)));
  switch (input.u8() % 5) {
    case 0:
      feed_gate(input, false);
      break;
    case 1:
      feed_gate(input, true);
      break;
    case 2:
      feed_agent(input, false);
      break;
    case 3:
      feed_agent(input, true);
      break;
    default:
      feed_datagrams(input);
  }
  return 0;
}
