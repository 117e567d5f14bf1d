// SPDX-License-Identifier: Apache-2.0
// Whether Wireshark, with docs/wireshark/periplex_link.lua, reads our frames as we mean them.
#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

#include "link/messages.hpp"
#include "link/openssl.hpp"
#include "link/testing/samples.hpp"
#include "link/testing/tls.hpp"

namespace periplex::link {
namespace {

constexpr std::uint16_t kAgentPort = 50'000;

/// Runs a command of the shell; its standard output, and its status through `status`.
std::string output_of(const std::string& command, int& status) {
  std::FILE* pipe = ::popen((command + " 2>/dev/null </dev/null").c_str(), "r");
  if (pipe == nullptr) return {};
  std::string output;
  std::array<char, 4096> bytes;
  for (std::size_t count = 0; (count = std::fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) {
    output.append(bytes.data(), count);
  }
  status = ::pclose(pipe);
  return output;
}

/// A capture of one TCP connection, as raw IPv4 packets (LINKTYPE_RAW).
class Capture {
 public:
  Capture() { file_.le32(0xa1b2c3d4).le16(2).le16(4).zeros(8).le32(65'535).le32(101); }
  /// One segment from the agent, or to it. Their checksums are not filled in; nobody looks at them by default.
  void segment(bool from_agent, ByteView bytes) {
    std::uint32_t& own = sequence_[from_agent ? 0 : 1];
    const auto length = static_cast<std::uint32_t>(40 + bytes.size());
    const std::uint16_t source = from_agent ? kAgentPort : kDefaultPort;
    const std::uint16_t target = from_agent ? kDefaultPort : kAgentPort;
    file_.le32(1'700'000'000).le32(0).le32(length).le32(length);
    file_.u8(0x45).u8(0).be16(static_cast<std::uint16_t>(length)).be32(0x00004000).u8(64).u8(6).be16(0);
    file_.be32(from_agent ? 0x0a000001 : 0x0a000002).be32(from_agent ? 0x0a000002 : 0x0a000001);
    file_.be16(source).be16(target).be32(own).be32(sequence_[from_agent ? 1 : 0]);
    file_.u8(0x50).u8(0x18).be16(0xffff).be32(0).bytes(bytes);
    own += static_cast<std::uint32_t>(bytes.size());
  }
  void write(const std::string& path) const { std::ofstream(path, std::ios::binary) << as_text(file_.view()); }

 private:
  ByteWriter file_;
  std::array<std::uint32_t, 2> sequence_{1000, 2000};
};

std::string read_with_tshark(const Capture& capture, const std::string& fields) {
  const std::string path = fmt::format("{}periplex-link-{}.pcap", ::testing::TempDir(), ::getpid());
  capture.write(path);
  int status = -1;
  const std::string output =
      output_of(fmt::format("tshark -r '{}' -X 'lua_script:{}' {}", path, PERIPLEX_LINK_DISSECTOR, fields), status);
  std::remove(path.c_str());
  EXPECT_EQ(status, 0);
  return output;
}

TEST(Wireshark, ReadsEveryFrameOfTheProtocol) {
  int status = -1;
  (void)output_of("tshark --version", status);
  ASSERT_EQ(status, 0) << "this test needs tshark: apt-get install tshark";
  Capture capture;
  for (const testing::Sample& sample : testing::samples()) capture.segment(true, sample.bytes);
  EXPECT_EQ(read_with_tshark(capture, "-T fields -e _ws.col.Protocol -e _ws.col.Info"),
            "Periplex\tHELLO begin, real-time lane\n"
            "Periplex\tWELCOME version 1, real-time lane\n"
            "Periplex\tREFUSE unknown session\n"
            "Periplex\tEND not allowed\n"
            "Periplex\tPING\n"
            "Periplex\tPONG\n"
            "Periplex\tSYNC\n"
            "Periplex\tOFFER usb:1-2 Stick\n"
            "Periplex\tWITHDRAW usb:1-2\n"
            "Periplex\tOPEN #5 usb:1-2\n"
            "Periplex\tCLOSE #5 taken back\n"
            "Periplex\tDATA #5 5 bytes\n"
            "Periplex\tCREDIT #5 65536\n");
}

TEST(Wireshark, PutsFramesTogetherThatSegmentsCut) {
  ByteWriter stream;
  append_frame(stream, FrameType::offer, {}, Peripheral{.id = "keys", .vendor = 0x1209, .name = "Keys"}.payload());
  append_frame(stream, FrameType::data, ChannelId(1), Bytes(3000));
  append_frame(stream, FrameType::withdraw, {}, Withdrawal{.id = "keys"}.payload());
  Capture capture;
  const ByteView bytes = stream.view();
  for (std::size_t at = 0; at < bytes.size(); at += 1000) {
    capture.segment(true, bytes.subspan(at, std::min<std::size_t>(1000, bytes.size() - at)));
  }
  EXPECT_EQ(read_with_tshark(capture,
                             "-Y periplex_link -T fields -e periplex_link.type -e periplex_link.channel "
                             "-e periplex_link.length -e periplex_link.vendor -e periplex_link.id"),
            "0x10\t0\t21\t0x1209\tkeys\n"
            "0x14,0x11\t1,0\t3000,7\t\tkeys\n");
}

TEST(Wireshark, MarksWhatIsNotWhatItsTypeSays) {
  Capture capture;
  capture.segment(true, make_frame(FrameType::credit, ChannelId(1), as_bytes("x")));
  capture.segment(true, make_frame(FrameType(0x91), {}, as_bytes("whatever")));
  EXPECT_EQ(read_with_tshark(capture, "-T fields -e _ws.col.Info -e _ws.expert.message"),
            "CREDIT #1\tThe payload is not what its type says\n"
            "type 0x91\t\n");
}

/// One end of TLS in memory.
struct TlsEnd {
  explicit TlsEnd(const TlsContext& context) : ssl(SSL_new(context.get())) {
    SSL_set_bio(ssl.get(), in, out);
    context.role() == TlsContext::Role::gate ? SSL_set_accept_state(ssl.get()) : SSL_set_connect_state(ssl.get());
  }
  /// What it has to say; empty if nothing.
  Bytes said() {
    Bytes bytes(BIO_ctrl_pending(out));
    if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void hears(ByteView bytes) {
    BIO_write(in, bytes.data(), static_cast<int>(bytes.size()));
    std::array<std::byte, 1000> plain;
    (void)SSL_do_handshake(ssl.get());
    (void)SSL_read(ssl.get(), plain.data(), plain.size());
  }

  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  openssl::SslPtr ssl;
};

std::string logged_keys;  // of the test below: OpenSSL's hook for them takes nothing along

TEST(Wireshark, ReadsFramesInsideTlsWhereItHasTheKeys) {
  const testing::Certificates& certificates = testing::Certificates::get();
  const auto gate_context = TlsContext::make(certificates.for_gate());
  const auto agent_context = TlsContext::make(certificates.for_agent());
  ASSERT_TRUE(gate_context && agent_context);
  SSL_CTX_set_keylog_callback(gate_context->get(), [](const SSL*, const char* line) {
    logged_keys += line;
    logged_keys += '\n';
  });
  TlsEnd gate(*gate_context);
  TlsEnd agent(*agent_context);
  Capture capture;
  agent.hears({});
  for (int turn = 0; turn < 4; ++turn) {
    if (turn == 2) {
      const Bytes hello = testing::samples().front().bytes;
      ASSERT_EQ(SSL_write(agent.ssl.get(), hello.data(), static_cast<int>(hello.size())),
                static_cast<int>(hello.size()));
    }
    for (const bool from_agent : {true, false}) {
      const Bytes bytes = (from_agent ? agent : gate).said();
      if (bytes.empty()) continue;
      capture.segment(from_agent, bytes);
      (from_agent ? gate : agent).hears(bytes);
    }
  }
  const std::string keys = fmt::format("{}periplex-link-{}.keys", ::testing::TempDir(), ::getpid());
  std::ofstream(keys) << logged_keys;
  EXPECT_EQ(read_with_tshark(capture, fmt::format("-o 'tls.keylog_file:{}' -Y periplex_link.type -T fields "
                                                  "-e periplex_link.type -e periplex_link.name",
                                                  keys)),
            "0x01\tseat-7\n");
  std::remove(keys.c_str());
}

}  // namespace
}  // namespace periplex::link
