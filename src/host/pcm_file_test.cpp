// SPDX-License-Identifier: Apache-2.0
#include "host/pcm_file.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <numeric>
#include <span>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/testing/virtual_time.hpp"
#include "host/pcm_pipe.hpp"
#include "host/wav_format.hpp"
#include "host/wav_sink.hpp"
#include "host/wav_source.hpp"

namespace periplex::host {
namespace {

using namespace std::chrono_literals;
using usb::device::PcmSink;
using usb::device::PcmSource;

/// `frames` frames whose words count up, from frame `first` on.
Bytes ramp(std::uint32_t first, std::uint32_t frames) {
  std::vector<std::uint32_t> words(frames);
  std::iota(words.begin(), words.end(), first);
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

Bytes content(int fd) {
  Bytes bytes(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)));
  EXPECT_EQ(::pread(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return bytes;
}

/// What a WAV file holds, by its own header; empty if it is none.
Bytes sound_in(int fd) {
  const Bytes file = content(fd);
  const auto layout = find_wav_data(file, file.size());
  if (!layout) return {};
  const ByteView sound = ByteView(file).subspan(layout->offset, layout->size);
  return {sound.begin(), sound.end()};
}

std::uint32_t word_at(int fd, off_t offset) {
  std::uint32_t word = 0;
  EXPECT_EQ(::pread(fd, &word, sizeof word, offset), 4);
  return word;
}
std::uint32_t size_in_header(int fd) {
  return word_at(fd, 40);
}
std::uint32_t frame_at(int fd, std::uint32_t offset) {
  return word_at(fd, static_cast<off_t>(kWavHeaderSize) + offset);
}

class PcmFile : public ::testing::Test {
 protected:
  UniqueFd memory_file() { return UniqueFd(::memfd_create("pcm", MFD_CLOEXEC)); }
  UniqueFd again(const UniqueFd& fd) { return UniqueFd(::dup(fd.get())); }

  std::unique_ptr<PcmSink> sink_on(UniqueFd fd) {
    auto sink = make_pcm_sink(std::move(fd), loop, *pool);
    EXPECT_TRUE(sink);
    return sink ? std::move(*sink) : nullptr;
  }
  std::unique_ptr<PcmSource> source_on(UniqueFd fd) {
    auto source = make_pcm_source(std::move(fd), *pool);
    EXPECT_TRUE(source);
    return source ? std::move(*source) : nullptr;
  }
  template <typename Condition>
  void run_until(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) loop.run_once(10ms);
    EXPECT_TRUE(condition());
  }

  EventLoop loop;
  std::unique_ptr<IoPool> pool = std::make_unique<IoPool>(loop);
};

TEST_F(PcmFile, AFileIsAnEmptyWavFileFromTheBeginning) {
  const UniqueFd file = memory_file();
  ASSERT_EQ(::write(file.get(), "something else, longer than a header is, which is forty-four bytes", 66), 66);
  const auto sink = sink_on(again(file));
  EXPECT_EQ(hex(content(file.get())), hex(wav_header(48000, 0)));
}

TEST_F(PcmFile, WhatTheGuestPlaysIsInTheFileWhenItClosesTheStream) {
  const UniqueFd file = memory_file();
  const auto sink = sink_on(again(file));
  sink->begin(44100);
  EXPECT_EQ(sink->write(ramp(0, 44)), 176u);
  EXPECT_EQ(sink->write(ramp(44, 45)), 180u);
  sink->end();
  run_until([&] { return sound_in(file.get()).size() == 356; });
  EXPECT_EQ(sound_in(file.get()), ramp(0, 89));
  EXPECT_EQ(find_wav_data(content(file.get()), 1000)->rate, 44100u);
}

TEST_F(PcmFile, AnOpenStreamIsInTheFileAfterOneSecond) {
  const UniqueFd file = memory_file();
  periplex::testing::VirtualTime time;
  WavSink sink(again(file), time, *pool);
  sink.begin(48000);
  (void)sink.write(ramp(0, 48));
  time.advance(999ms);
  EXPECT_EQ(pool->threads(), 0u) << "nothing to do yet";
  time.advance(1ms);
  run_until([&] { return sound_in(file.get()).size() == 192; });
}

TEST_F(PcmFile, LongSoundGoesToTheFileInOrderAndTheHeaderIsAlwaysRight) {
  const UniqueFd file = memory_file();
  auto sink = sink_on(again(file));
  sink->begin(48000);
  std::uint32_t frame = 0;
  for (int millisecond = 0; millisecond < 60'000; ++millisecond, frame += 48) {
    ASSERT_EQ(sink->write(ramp(frame, 48)), 192u) << "the disk keeps up";
    if (millisecond % 500 != 0) continue;
    run_until([&] { return size_in_header(file.get()) + WavSink::kChunk + 192 > frame * 4; });
    const std::uint32_t size = size_in_header(file.get());
    ASSERT_LE(size + kWavHeaderSize, ::lseek(file.get(), 0, SEEK_END));
    ASSERT_TRUE(size == 0 || frame_at(file.get(), size - 4) == size / 4 - 1);
  }
  sink.reset();
  pool.reset();
  EXPECT_EQ(sound_in(file.get()), ramp(0, frame));
}

TEST_F(PcmFile, NothingIsLostWhenAllEndsAtOnce) {
  const UniqueFd file = memory_file();
  auto sink = sink_on(again(file));
  sink->begin(48000);
  for (std::uint32_t at = 0; at < 40'000; at += 1000) ASSERT_EQ(sink->write(ramp(at, 1000)), 4000u);
  sink.reset();
  pool.reset();
  EXPECT_EQ(sound_in(file.get()), ramp(0, 40'000)) << "the loop did not even run";
}

TEST_F(PcmFile, AWavFileKeepsTheRateOfItsFirstFrameAndRefusesOthers) {
  const UniqueFd file = memory_file();
  auto sink = sink_on(again(file));
  sink->begin(48000);
  EXPECT_EQ(sink->write(ramp(0, 1)), 4u);
  sink->begin(44100);
  EXPECT_EQ(sink->write(ramp(1, 1)), 0u);
  sink->begin(48000);
  EXPECT_EQ(sink->write(ramp(1, 1)), 4u);
  sink.reset();
  pool.reset();
  EXPECT_EQ(sound_in(file.get()), ramp(0, 2));
}

TEST_F(PcmFile, WhatTheDiskDoesNotTakeIsCounted) {
  // No file may grow past this here: writing fails as on a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const UniqueFd file = memory_file();
  const auto sink = sink_on(again(file));
  rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  sink->begin(48000);
  EXPECT_EQ(sink->write(ramp(0, 1000)), 4000u);
  sink->end();
  run_until([&] { return sink->lost() == 4000; });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(sound_in(file.get()).empty()) << "the header does not speak of what is not there";
}

TEST_F(PcmFile, AFileOpenedForAppendingIsWrittenFromItsStart) {
  const std::string path = ::testing::TempDir() + "periplex-" + std::to_string(::getpid()) + ".wav";
  UniqueFd appending(::open(path.c_str(), O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600));
  const UniqueFd file = again(appending);
  auto sink = sink_on(std::move(appending));
  ::unlink(path.c_str());
  sink->begin(48000);
  (void)sink->write(ramp(0, 10));
  sink.reset();
  pool.reset();
  EXPECT_EQ(sound_in(file.get()), ramp(0, 10));
}

TEST_F(PcmFile, AWavFileIsReadToItsEndFrameByFrame) {
  const UniqueFd file = memory_file();
  constexpr std::uint32_t kFrames = 1'000'000;
  Bytes bytes = wav_header(44100, kFrames * 4);
  const Bytes sound = ramp(0, kFrames);
  bytes.insert(bytes.end(), sound.begin(), sound.end());
  ASSERT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  const auto source = source_on(again(file));
  EXPECT_EQ(source->rate(), 44100u);
  auto& wav = dynamic_cast<WavSource&>(*source);
  run_until([&] { return wav.buffered() == WavSource::kAhead; });
  source->begin(44100);
  Bytes heard;
  std::array<std::byte, 180> packet;
  while (heard.size() < sound.size()) {
    const std::size_t got = source->read(packet);
    heard.insert(heard.end(), packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(got));
    if (got < packet.size()) loop.run_once(10ms);
  }
  EXPECT_EQ(heard, sound);
  EXPECT_EQ(source->read(packet), 0u) << "after its end there is nothing";
}

TEST_F(PcmFile, ASourceMayGoWhileItIsBeingRead) {
  const UniqueFd file = memory_file();
  Bytes bytes = wav_header(48000, 400'000);
  bytes.resize(bytes.size() + 400'000);
  ASSERT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  auto source = source_on(again(file));
  source.reset();
  for (int i = 0; i < 10; ++i) loop.run_once(1ms);
}

TEST_F(PcmFile, WhatIsNoSoundIsRefused) {
  const auto sink_error = [&](UniqueFd fd) { return make_pcm_sink(std::move(fd), loop, *pool).error(); };
  const auto source_error = [&](UniqueFd fd) { return make_pcm_source(std::move(fd), *pool).error(); };
  const auto device = [](int flags) { return UniqueFd(::open("/dev/null", flags | O_CLOEXEC)); };
  EXPECT_EQ(sink_error(device(O_WRONLY)), PcmFileError::wrong_kind);
  EXPECT_EQ(sink_error(device(O_RDONLY)), PcmFileError::wrong_access);
  EXPECT_EQ(sink_error(UniqueFd()), PcmFileError::wrong_access);
  EXPECT_EQ(source_error(device(O_WRONLY)), PcmFileError::wrong_access);
  EXPECT_EQ(source_error(memory_file()), PcmFileError::not_wav);
  const UniqueFd mono = memory_file();
  Bytes header = wav_header(48000, 0);
  header[22] = std::byte{1};
  ASSERT_EQ(::write(mono.get(), header.data(), header.size()), 44);
  EXPECT_EQ(source_error(again(mono)), PcmFileError::unsupported_format);
}

class PcmPipe : public PcmFile {
 protected:
  PcmPipe() {
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }
  /// Everything that is in the pipe.
  Bytes drain() {
    Bytes all;
    std::array<std::byte, 65536> some;
    (void)::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
    for (;;) {
      const ssize_t got = ::read(reader.get(), some.data(), some.size());
      if (got <= 0) return all;
      all.insert(all.end(), some.begin(), some.begin() + got);
    }
  }

  UniqueFd reader, writer;
};

TEST_F(PcmPipe, WhatTheGuestPlaysComesOutAtOnce) {
  const auto sink = sink_on(std::move(writer));
  sink->begin(48000);
  EXPECT_EQ(sink->write(ramp(0, 48)), 192u);
  EXPECT_EQ(drain(), ramp(0, 48));
}

TEST_F(PcmPipe, ASlowReaderGetsEverythingThatWasTakenAndTheRestIsRefused) {
  const auto sink = sink_on(std::move(writer));
  sink->begin(48000);
  std::uint32_t taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t now = sink->write(ramp(taken, 48));
    ASSERT_EQ(now % 4, 0u);
    taken += static_cast<std::uint32_t>(now / 4);
    if (now < 192) break;
  }
  EXPECT_GE(taken * 4, PipeSink::kMaxBacklog);
  EXPECT_EQ(sink->write(ramp(taken, 48)), 0u);
  Bytes heard;
  run_until([&] {
    const Bytes more = drain();
    heard.insert(heard.end(), more.begin(), more.end());
    return heard.size() == taken * 4;
  });
  EXPECT_EQ(heard, ramp(0, taken));
  EXPECT_EQ(sink->write(ramp(taken, 48)), 192u) << "and it goes on";
  EXPECT_EQ(sink->lost(), 0u);
}

TEST_F(PcmPipe, WithoutAReaderFramesAreRefusedOrCounted) {
  const auto sink = sink_on(std::move(writer));
  while (sink->write(ramp(0, 1000)) == 4000) continue;
  reader.reset();
  run_until([&] { return sink->lost() > 0; });
  EXPECT_GE(sink->lost(), PipeSink::kMaxBacklog - 4000);
  EXPECT_EQ(sink->write(ramp(0, 48)), 0u);
}

TEST_F(PcmPipe, ASourceGivesWholeFramesAsTheyComeAndNothingBetween) {
  const auto source = source_on(std::move(reader));
  EXPECT_EQ(source->rate(), std::nullopt);
  std::array<std::byte, 12> packet;
  EXPECT_EQ(source->read(packet), 0u);
  const Bytes sound = ramp(0x01020304, 4);
  ASSERT_EQ(::write(writer.get(), sound.data(), 6), 6);
  EXPECT_EQ(source->read(packet), 4u);
  EXPECT_EQ(source->read(packet), 0u) << "half a frame stays";
  ASSERT_EQ(::write(writer.get(), sound.data() + 6, 10), 10);
  writer.reset();
  EXPECT_EQ(source->read(packet), 12u);
  EXPECT_EQ(std::memcmp(packet.data(), sound.data() + 4, 12), 0);
  EXPECT_EQ(source->read(packet), 0u) << "nobody writes any more";
}

}  // namespace
}  // namespace periplex::host
