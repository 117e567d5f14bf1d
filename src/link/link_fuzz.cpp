// SPDX-License-Identifier: Apache-2.0
// The link protocol against any far end. The input's first byte chooses: raw bytes to the gate's reception and session,
// raw bytes to an agent, well framed frames to either with all that its own host may do meanwhile, or datagrams beside
// a stream.
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
  void send_datagram(Bytes bytes) override { check(!ended && Datagram::parse(bytes).has_value()); }
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
  void datagrams_welcome() override { agent->datagrams_connected(); }
  AgentSession* agent = nullptr;
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
    host.session = host.agent = &session;
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
      return session.receive_datagram(
          Datagram{.channel = channel, .offset = byte, .acknowledged = byte * 300, .content = Bytes(byte)}.bytes());
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
  const Bytes welcome = make_frame(FrameType::welcome, {}, Welcome{.capabilities = kCapabilities, .way = 1}.payload());
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

/// The byte at `offset` of the stream that the far end sends.
std::byte pattern(std::uint64_t offset) {
  return std::byte(offset * 31 >> 3);
}

Bytes patterned(std::uint64_t offset, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = pattern(offset + i);
  return bytes;
}

/// Checks that the bytes of the one channel come once and in order, whichever way they come.
class DatagramHost final : public GateHost {
 public:
  void output_ready(Lane) override {}
  void drop(Lane, Bytes, Reason) override {}
  void lane_up(Lane) override {}
  void channel_started(ChannelId) override {}
  void channel_stopped(ChannelId) override {}
  void channel_data(ChannelId channel, ByteView bytes) override {
    for (const std::byte byte : bytes) check(byte == pattern(received++));
    if (generous) session->consumed(channel, bytes.size());
  }
  void channel_writable(ChannelId) override {}
  void channel_closed(ChannelId, const Ending&) override {}
  void session_ended(const Ending&, bool) override { ended = true; }
  void offered(const Peripheral& peripheral) override {
    (void)session->open({.id = peripheral.id, .priority = Priority::interactive});
  }
  void withdrawn(const std::string&, Reason) override {}
  void send_datagram(Bytes bytes) override {
    const auto datagram = Datagram::parse(bytes);
    check(datagram && (datagram->type != Datagram::Type::piece || datagram->acknowledged == received));
    for (std::size_t i = 0; i < datagram->content.size(); ++i) {
      check(datagram->content[i] == pattern(datagram->offset + i));
    }
  }

  GateSession* session = nullptr;
  bool generous = true;
  bool ended = false;
  std::uint64_t received = 0;
};

/// A gate's session with one urgent channel. The stream carries what it must; datagrams carry parts of the same bytes,
/// of the fuzzer's choice, and anything else.
class TwoWays {
 public:
  TwoWays() {
    host_.session = &session_;
    check(session_.attach({.lanes = 1, .name = "agent"}).has_value());
    session_.receive(Lane::realtime, make_frame(FrameType::offer, {}, Peripheral{.id = "keys"}.payload()));
    check(session_.bind({.type = Datagram::Type::bind, .binding = {.session = SessionId(1), .way = 1}}));
  }
  void act(ByteReader& input) {
    const unsigned how = input.u8();
    const std::uint16_t size = input.le16();
    switch (how & 7) {
      case 0:
        return stream(size % 2048u + 1);
      case 1:
      case 2:
        return piece(how, size);
      case 3:
        sent_ += session_.send(keys_, patterned(sent_, size % 4096));
        return;
      case 4:
        session_.receive(Lane::realtime, make_frame(FrameType::credit, keys_, credit_payload(size)));
        return void(session_.take(Lane::realtime, size));
      case 5:
        return time_.advance(milliseconds(size % 1024));
      case 6:
        host_.generous = (size & 1) != 0;
        return session_.receive_datagram(Datagram{.type = Datagram::Type(how >> 3), .number = size}.bytes());
      default:
        return raw(input.take(std::min<std::size_t>(size & 0xff, input.remaining())));
    }
  }
  [[nodiscard]] bool ended() const { return host_.ended; }

 private:
  /// No more than the credit, which an honest far end keeps to.
  void stream(std::size_t wanted) {
    const std::size_t size = std::min<std::size_t>(wanted, session_.channels().at(keys_).may_receive);
    if (size == 0) return;
    session_.receive(Lane::realtime, make_frame(FrameType::data, keys_, patterned(streamed_, size)));
    streamed_ += size;
  }
  void piece(unsigned how, std::size_t size) {
    const std::uint64_t offset = host_.received - std::min<std::uint64_t>(host_.received, how >> 3) + (how >> 5);
    session_.receive_datagram(Datagram{.channel = keys_,
                                       .offset = offset,
                                       .acknowledged = sent_ - std::min<std::uint64_t>(sent_, size & 0xff),
                                       .content = patterned(offset, size % Datagram::kMaxContent)}
                                  .bytes());
  }
  /// Anything but a piece of this stream, whose bytes would be others.
  void raw(ByteView bytes) {
    if (!bytes.empty() && bytes[0] != std::byte{1}) session_.receive_datagram(bytes);
  }

  periplex::testing::VirtualTime time_;
  DatagramHost host_;
  GateSession session_{time_, host_, {.name = "gate"}, SessionId(1), Secret{}};
  const ChannelId keys_{1};
  std::uint64_t streamed_ = 0;
  std::uint64_t sent_ = 0;
};

void feed_datagrams(ByteReader& input) {
  TwoWays ways;
  while (input.remaining() > 3 && !ways.ended()) ways.act(input);
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
