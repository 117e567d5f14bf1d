// SPDX-License-Identifier: Apache-2.0
// usbredir_serve SOCKET keyboard|storage|uas|sound[:FILE] [SPEED]: offers an emulated device to whoever connects to the
// Unix socket, QEMU's usb-redir for instance. A disk's content is FILE, read once and kept in memory; what a sound card
// has played goes to FILE at the end. Lines of standard input: `type TEXT`, `unplug`, `plug`, `save FILE`, `quit`.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <sys/un.h>

#include "loop/unix_listener.hpp"
#include "remote/usbredir/exporter.hpp"
#include "remote/usbredir/testing/stream.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/fake_block.hpp"
#include "usb/device/testing/sound_host.hpp"
#include "usb/device/typing.hpp"

namespace periplex::remote::usbredir::testing {
namespace {

Bytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const ByteView bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

void write_file(const std::string& path, ByteView bytes) {
  std::ofstream(path, std::ios::binary) << as_text(bytes);
}

class Server final : public ExporterHost {
 public:
  Server(std::string socket, const std::string& what, const std::string& speed)
      : kind_(what.substr(0, what.find(':'))),
        file_(what.find(':') == std::string::npos ? "" : what.substr(what.find(':') + 1)),
        speed_(speed == "full"   ? usb::Speed::full
               : speed == "high" ? usb::Speed::high
                                 : usb::Speed::super) {
    auto listening = listen_unix({.path = std::move(socket)});
    if (!listening) throw std::runtime_error(listening.error());
    listener_ = std::move(*listening);
    if (kind_ == "storage" || kind_ == "uas") content_ = read_file(file_);
  }

  void run() {
    plug();
    const auto accepting = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_one(); });
    const auto commands = loop_.watch(0, EPOLLIN, [this](std::uint32_t) { on_input(); });
    loop_.run();
    exporter_.withdraw();
  }

  void send(Bytes bytes) override {
    if (stream_) stream_->send(bytes);
  }
  [[nodiscard]] std::size_t backlog() const override { return stream_ ? stream_->backlog() : 0; }
  void session_failed(std::string why) override {
    std::printf("failed: %s\n", why.c_str());
    loop_.defer([this] { stream_.reset(); });
  }

 private:
  void plug() {
    if (kind_ == "keyboard") {
      auto device = std::make_unique<usb::device::HidKeyboard>("served", speed_, loop_);
      keyboard_ = device.get();
      exporter_.offer(std::move(device));
    } else if (kind_ == "sound") {
      auto sink = std::make_unique<usb::device::testing::MemorySink>();
      sink_ = sink.get();
      exporter_.offer(std::make_unique<usb::device::Sound>(usb::device::SoundOptions{}, speed_, std::move(sink),
                                                           std::make_unique<usb::device::testing::RampSource>(),
                                                           loop_));
    } else {
      auto medium = std::make_unique<usb::device::testing::FakeBlock>(content_.size() / 512);
      medium->content = content_;
      medium_ = medium.get();
      usb::device::StorageOptions options{.serial = "0123456789ABCDEF", .removable = false};
      if (kind_ == "uas") options.transport = usb::device::StorageTransport::uas;
      exporter_.offer(std::make_unique<usb::device::Storage>(options, speed_, std::move(medium), loop_));
    }
  }

  void accept_one() {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd || stream_) return;
    stream_ = std::make_unique<Stream>(
        loop_, std::move(fd), [this](ByteView bytes) { exporter_.receive(bytes); }, [this] { on_end(); },
        [this] { exporter_.drained(); });
    std::puts("connected");
    exporter_.connected();
  }
  void on_end() {
    std::puts("disconnected");
    exporter_.disconnected();
    loop_.defer([this] { stream_.reset(); });
  }

  void on_input() {
    std::string line;
    if (!std::getline(std::cin, line) || line == "quit") return loop_.stop();
    if (line == "unplug") {
      exporter_.withdraw();
    } else if (line == "plug") {
      plug();
    } else if (line.starts_with("type ") && keyboard_ != nullptr) {
      const auto typed = usb::device::type_text(*keyboard_, line.substr(5));
      std::printf("typed: %s\n", typed ? "yes" : typed.error().describe().c_str());
    } else if (line.starts_with("save ")) {
      write_file(line.substr(5), medium_ != nullptr ? medium_->content : sink_->heard);
      std::puts("saved");
    }
    std::fflush(stdout);
  }

  EventLoop loop_;
  const std::string kind_;
  const std::string file_;
  const usb::Speed speed_;
  Bytes content_;
  UniqueFd listener_;
  std::unique_ptr<Stream> stream_;
  Exporter exporter_{*this, loop_};
  usb::device::HidKeyboard* keyboard_ = nullptr;
  usb::device::testing::FakeBlock* medium_ = nullptr;
  usb::device::testing::MemorySink* sink_ = nullptr;
};

}  // namespace
}  // namespace periplex::remote::usbredir::testing

int main(int count, char** arguments) {
  if (count < 3) return 2;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  periplex::remote::usbredir::testing::Server(arguments[1], arguments[2], count > 3 ? arguments[3] : "").run();
  return 0;
}
