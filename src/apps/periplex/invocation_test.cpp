// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/invocation.hpp"

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/periplex/completion.hpp"

namespace periplex::apps {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

auto parse(std::vector<const char*> words) {
  words.insert(words.begin(), "periplex");
  return parse_invocation(static_cast<int>(words.size()), words.data());
}

template <typename Command>
Command parsed(std::vector<const char*> words) {
  const auto invocation = parse(std::move(words));
  EXPECT_TRUE(invocation) << invocation.error().text;
  return invocation ? std::get<Command>(invocation->command) : Command{};
}

TEST(Invocation, EveryCommandIsUnderstood) {
  parsed<command::List>({"list"});
  EXPECT_EQ(parsed<command::Attach>({"attach", "storage,image=x"}).specification, "storage,image=x");
  EXPECT_EQ(parsed<command::Detach>({"detach", "d"}).id, "d");
  EXPECT_FALSE(parsed<command::Eject>({"eject", "d"}).force);
  EXPECT_TRUE(parsed<command::Eject>({"eject", "d", "--force"}).force);
  EXPECT_EQ(parsed<command::Insert>({"insert", "d", "x.img"}).image, "x.img");
  EXPECT_EQ(parsed<command::Type>({"type", "a b\n", "--to", "k"}).to, "k");
  EXPECT_THAT(parsed<command::Key>({"key", "ctrl+c", "enter"}).chords, ElementsAre("ctrl+c", "enter"));
  EXPECT_EQ(parsed<command::Pointer>({"pointer", "move", "1", "32767", "--to", "t"}).body, R"({"x":1,"y":32767})");
  EXPECT_EQ(parsed<command::Pointer>({"pointer", "move", "1", "2", "--to", "t"}).to, "t");
  EXPECT_EQ(parsed<command::Pointer>({"pointer", "by", "-3", "-4"}).body, R"({"dx":-3,"dy":-4})");
  EXPECT_EQ(parsed<command::Pointer>({"pointer", "click", "left"}).body, R"({"click":"left"})");
  EXPECT_EQ(parsed<command::Pointer>({"pointer", "scroll", "-2"}).body, R"({"wheel":-2})");
  EXPECT_FALSE(parsed<command::Stats>({"stats"}).prometheus);
  EXPECT_TRUE(parsed<command::Stats>({"stats", "--prometheus"}).prometheus);
  EXPECT_EQ(parsed<command::CaptureStart>({"capture", "start", "f"}).file, "f");
  parsed<command::CaptureStop>({"capture", "stop"});
  EXPECT_EQ(parsed<command::Args>({"args", "libvirt", "--memory", "4G"}).memory, "4G");
  EXPECT_EQ(parsed<command::Args>({"args", "qemu"}).memory, "2G");
  EXPECT_EQ(parsed<command::Doctor>({"doctor", "--qemu", "q"}).qemu, "q");
  EXPECT_EQ(parsed<command::Completion>({"completion", "zsh"}).shell, "zsh");
  EXPECT_EQ(parsed<command::ServeUsbip>({"serve", "usbip", "--attach", "mouse"}).listen, "127.0.0.1:3240");
  EXPECT_THAT(parsed<command::ServeUsbip>({"serve", "usbip", "--attach", "a", "--attach", "b"}).specifications,
              ElementsAre("a", "b"));
  EXPECT_EQ(parsed<command::ServeUsbredir>({"serve", "usbredir", "--attach", "mouse"}).listen, "127.0.0.1:4000");
  EXPECT_EQ(parsed<command::ServeUsbredir>({"serve", "usbredir", "--attach", "mouse"}).specification, "mouse");
  parsed<command::Version>({"version"});
}

TEST(Invocation, TheMachineIsNamedBeforeOrAfterTheCommand) {
  EXPECT_EQ(parse({"--control", "/c", "list"})->control, "/c");
  EXPECT_EQ(parse({"list", "--control", "/c", "--json"})->control, "/c");
  EXPECT_TRUE(parse({"list", "--json"})->json);
  EXPECT_TRUE(parse({"pointer", "click", "left", "--json"})->json);
  EXPECT_THAT(parse({"--machine", "vm7", "list"})->control, HasSubstr("periplex/vm7/control.sock"));
  EXPECT_THAT(parse({"list"})->control, HasSubstr("periplex/vm1/control.sock"));
}

TEST(Invocation, MistakesEndWithStatusTwo) {
  for (const std::vector<const char*>& words : {std::vector<const char*>{},
                                                {"nonsense"},
                                                {"attach"},
                                                {"detach"},
                                                {"key"},
                                                {"pointer"},
                                                {"pointer", "move", "1"},
                                                {"pointer", "move", "1", "32768"},
                                                {"pointer", "click", "up"},
                                                {"args", "xen"},
                                                {"capture"},
                                                {"completion", "tcsh"},
                                                {"serve", "usbredir"},
                                                {"serve", "usbredir", "--attach", "a", "--attach", "b"},
                                                {"list", "--nonsense"},
                                                {"--machine", "../x", "list"}}) {
    const auto invocation = parse(words);
    ASSERT_FALSE(invocation) << (words.empty() ? "" : words[0]);
    EXPECT_EQ(invocation.error().status, kUsageError);
  }
  EXPECT_EQ(parse({"--help"}).error().status, 0);
  EXPECT_THAT(parse({"--help"}).error().text, HasSubstr("EXIT STATUS"));
  EXPECT_EQ(parse({"attach", "--help"}).error().status, 0);
}

TEST(Completion, KnowsEveryCommandInEveryShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    for (const char* word :
         {"list", "attach", "detach", "eject", "insert", "type", "key", "pointer", "stats", "capture", "args", "doctor",
          "completion", "version", "--json list", "prometheus", "controller=", "usbip,host=", "usbredir,host="}) {
      EXPECT_THAT(completion_script(shell), HasSubstr(word)) << shell;
    }
  }
}

}  // namespace
}  // namespace periplex::apps
