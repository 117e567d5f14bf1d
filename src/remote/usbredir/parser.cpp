// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/parser.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <new>

#include "remote/usbredir/library.hpp"

namespace periplex::remote::usbredir {
namespace {

constexpr const char* kVersion = "periplex";

Capabilities both(const Capabilities& ours, const Capabilities& theirs) {
  return {.bulk_streams = ours.bulk_streams && theirs.bulk_streams,
          .device_version = ours.device_version && theirs.device_version,
          .filter = ours.filter && theirs.filter,
          .disconnect_ack = ours.disconnect_ack && theirs.disconnect_ack,
          .max_packet_size = ours.max_packet_size && theirs.max_packet_size,
          .ids_64_bits = ours.ids_64_bits && theirs.ids_64_bits,
          .bulk_lengths_32_bits = ours.bulk_lengths_32_bits && theirs.bulk_lengths_32_bits,
          .bulk_receiving = ours.bulk_receiving && theirs.bulk_receiving};
}

}  // namespace

/// libusbredirparser's object, and what it asks us for. It is fed pieces that FrameGuard has passed.
struct Parser::Library final : LibraryUser {
  Library(Side side, const Capabilities& ours_, Handler& handler_)
      : library(usbredirparser_create()), ours(ours_), handler(handler_) {
    if (library == nullptr) throw std::bad_alloc();
    connect(*library, *this);
    std::uint32_t words[USB_REDIR_CAPS_SIZE] = {capability_bits(ours)};
    usbredirparser_init(library, kVersion, words, USB_REDIR_CAPS_SIZE,
                        side == Side::host ? usbredirparser_fl_usb_host : 0);
  }
  ~Library() { usbredirparser_destroy(library); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  std::expected<void, std::string> feed(ByteView bytes) {
    input = bytes;
    const int result = usbredirparser_do_read(library);
    write();  // it acknowledges a disconnect by itself
    if (result == 0 && input.empty()) return {};
    return std::unexpected(fmt::format("the other side breaks the usbredir protocol ({})", complaint));
  }
  void write() { (void)usbredirparser_do_write(library); }

  std::size_t on_read(MutableByteView room) override {
    const ByteView taken = input.first(std::min(input.size(), room.size()));
    std::ranges::copy(taken, room.begin());
    input = input.subspan(taken.size());
    return taken.size();
  }
  void on_write(ByteView bytes) override { handler.on_bytes(Bytes(bytes.begin(), bytes.end())); }
  void on_complaint(const char* text) override { complaint = text; }
  void on_hello(const Hello& hello) override {
    const Capabilities theirs = capabilities_of(*library);
    common = both(ours, theirs);
    handler.on_message(0, Hello{.version = hello.version, .capabilities = theirs});
  }
  void on_message(MessageId id, Message message) override { handler.on_message(id, std::move(message)); }
  [[nodiscard]] const Capabilities& common_capabilities() const override { return common; }

  usbredirparser* library;
  const Capabilities ours;
  Capabilities common;
  Handler& handler;
  ByteView input;
  std::string complaint = "without a reason";
};

Parser::Parser(Side side, const Capabilities& ours, Handler& handler)
    : library_(std::make_unique<Library>(side, ours, handler)), guard_([this](ByteView bytes) {
        auto fed = library_->feed(bytes);
        guard_.set_wide_ids(library_->common.ids_64_bits);
        return fed;
      }) {}

Parser::~Parser() = default;

void Parser::start() {
  library_->write();
}

std::expected<void, std::string> Parser::receive(ByteView bytes) {
  return guard_.receive(bytes);
}

void Parser::send(MessageId id, const Message& message) {
  send_message(*library_->library, id, message);
  library_->write();
}

const Capabilities& Parser::common() const {
  return library_->common;
}

}  // namespace periplex::remote::usbredir
