// SPDX-License-Identifier: Apache-2.0
#include "link/frame.hpp"

#include <gtest/gtest.h>

#include "link/messages.hpp"
#include "link/reception.hpp"
#include "link/text.hpp"

namespace periplex::link {
namespace {

TEST(FrameReader, FindsFramesInPiecesOfAnySize) {
  ByteWriter stream;
  append_frame(stream, FrameType::data, ChannelId(3), as_bytes("hello"));
  append_frame(stream, FrameType::sync, {}, {});
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    FrameReader reader;
    std::vector<std::string> found;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      reader.feed(stream.view().subspan(at, std::min(step, stream.size() - at)));
      for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
        found.emplace_back(as_text((*frame)->payload));
      }
    }
    EXPECT_EQ(found, (std::vector<std::string>{"hello", ""})) << step;
  }
}

TEST(FrameReader, RefusesAFrameThatIsTooLongAtItsHeader) {
  ByteWriter header;
  FrameHeader{.type = FrameType::data, .length = kMaxPayload + 1, .channel = ChannelId(1)}.write(header);
  FrameReader reader;
  reader.feed(header.view());
  EXPECT_EQ(reader.next().error(), Reason::frame_too_long);
}

TEST(Text, ShowsNothingThatATerminalWouldObey) {
  EXPECT_EQ(presentable("a\x1b[31m\n"), "a?[31m?");
  EXPECT_EQ(presentable("Gr\xc3\xbc\xc3\x9f"), "Gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(presentable("\xc3(\xff\xed\xa0\x80"), "?(????");
  EXPECT_EQ(presentable("\xc2\x9b"), "??");
  EXPECT_EQ(presentable("\xf0\x9f\x96\xb1"), "\xf0\x9f\x96\xb1");
}

TEST(Text, IsCutBetweenCharacters) {
  std::string text(kMaxText - 1, 'x');
  ByteWriter writer;
  append_text(writer, text + "\xc3\xbc");
  ByteReader reader(writer.view());
  EXPECT_EQ(read_text(reader), text);
}

TEST(Identifier, IsPrintableAndShort) {
  EXPECT_TRUE(is_identifier("usb:0951:1666:0123456789AB"));
  EXPECT_TRUE(is_identifier(std::string(kMaxIdentifier, 'x')));
  EXPECT_FALSE(is_identifier(std::string(kMaxIdentifier + 1, 'x')));
  EXPECT_FALSE(is_identifier(""));
  EXPECT_FALSE(is_identifier("a b"));
  EXPECT_FALSE(is_identifier("\xc3\xbc"));
}

TEST(Messages, IgnoreWhatALaterVersionAppends) {
  Bytes payload = Opening{.id = "usb:1", .priority = Priority::interactive, .compression = true}.payload();
  payload.push_back(std::byte{0x55});
  const auto opening = Opening::parse(payload);
  ASSERT_TRUE(opening);
  EXPECT_EQ(opening->id, "usb:1");
  EXPECT_EQ(opening->priority, Priority::interactive);
  EXPECT_TRUE(opening->compression);
}

TEST(Messages, OfTheGreetingIgnoreItTooSoThatOlderReleasesUnderstandNewerOnes) {
  Bytes hello = Hello{.max_version = 9, .capabilities = 0xffff'ffff, .name = "newer"}.payload();
  Bytes welcome = Welcome{.name = "newer"}.payload();
  for (Bytes* payload : {&hello, &welcome}) payload->insert(payload->end(), 40, std::byte{0x55});
  ASSERT_TRUE(Hello::parse(hello));
  EXPECT_EQ(Hello::parse(hello)->name, "newer");
  ASSERT_TRUE(Welcome::parse(welcome));
  EXPECT_EQ(Welcome::parse(welcome)->name, "newer");
}

TEST(Messages, AreRefusedAtEveryLengthTooShort) {
  const auto all_refused = [](const Bytes& payload, auto parse) {
    for (std::size_t length = 0; length < payload.size(); ++length) {
      if (parse(ByteView(payload).first(length))) return false;
    }
    return static_cast<bool>(parse(payload));
  };
  EXPECT_TRUE(all_refused(Peripheral{.id = "a", .name = "b", .serial = "c"}.payload(), Peripheral::parse));
  EXPECT_TRUE(all_refused(Withdrawal{.id = "a"}.payload(), Withdrawal::parse));
  EXPECT_TRUE(all_refused(Opening{.id = "a"}.payload(), Opening::parse));
  EXPECT_TRUE(all_refused(Ending{.text = "a"}.payload(), Ending::parse));
  EXPECT_TRUE(all_refused(Hello{.name = "a"}.payload(), Hello::parse));
  Bytes welcome = Welcome{.name = "a", .way = 7}.payload();
  EXPECT_EQ(Welcome::parse(welcome)->way, 7U);
  welcome.resize(welcome.size() - 4);  // as gates wrote it that knew nothing of datagrams
  EXPECT_EQ(Welcome::parse(welcome)->way, 0U);
  EXPECT_TRUE(all_refused(welcome, Welcome::parse));
  EXPECT_TRUE(all_refused(credit_payload(1), parse_credit));
  EXPECT_TRUE(all_refused(ping_payload(1), parse_ping));
}

TEST(Greeting, NegotiatesDownToTheOlderRelease) {
  const Settings newer{.min_version = 1, .max_version = 3, .capabilities = 0x0f};
  const auto agreement = negotiate({.min_version = 1, .max_version = 2, .capabilities = 0xf0000001}, newer);
  ASSERT_TRUE(agreement);
  EXPECT_EQ(agreement->version, 2);
  EXPECT_EQ(agreement->capabilities, 1U);
  EXPECT_EQ(negotiate({.min_version = 4, .max_version = 9}, newer).error(), Reason::no_common_version);
  EXPECT_EQ(negotiate({.min_version = 0, .max_version = 0}, newer).error(), Reason::no_common_version);
  EXPECT_EQ(negotiate({.required = 0x100}, newer).error(), Reason::missing_capability);
  EXPECT_EQ(negotiate({.capabilities = 1}, {.required = 2}).error(), Reason::missing_capability);
}

TEST(Reception, TellsAnotherProtocolAtItsFirstByte) {
  Reception reception;
  EXPECT_EQ(reception.receive(as_bytes("G")).error(), Reason::bad_magic);
}

TEST(Reception, KeepsWhatFollowsTheHello) {
  Bytes stream = make_frame(FrameType::hello, {}, Hello{.name = "seat"}.payload());
  const Bytes follows = make_frame(FrameType::sync, {}, {});
  stream.insert(stream.end(), follows.begin(), follows.end());
  Reception reception;
  EXPECT_EQ(reception.receive(ByteView(stream).first(30)), std::nullopt);
  const auto hello = reception.receive(ByteView(stream).subspan(30));
  ASSERT_TRUE(hello && *hello);
  EXPECT_EQ((*hello)->name, "seat");
  EXPECT_EQ(hex(reception.rest()), hex(follows));
}

}  // namespace
}  // namespace periplex::link
