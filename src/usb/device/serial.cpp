// SPDX-License-Identifier: Apache-2.0
#include "usb/device/serial.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "usb/device/descriptor_set.hpp"
#include "usb/device/product_ids.hpp"

namespace periplex::usb::device {
namespace {

/// bInterfaceClass, bInterfaceSubClass and bInterfaceProtocol (CDC120 §4.2 – §4.7). Protocol 1 is that of modems with
/// AT commands: this is no modem, but it is the protocol that every serial port shows and every driver looks for.
constexpr std::uint8_t kCommunications = 0x02;
constexpr std::uint8_t kAbstractControlModel = 0x02;
constexpr std::uint8_t kAtCommands = 0x01;
constexpr std::uint8_t kData = 0x0a;
constexpr std::uint8_t kControlInterface = 0;
constexpr std::uint8_t kDataInterface = 1;

/// bDescriptorType and bDescriptorSubtype (CDC120 tables 12 and 13).
constexpr std::uint8_t kInterfaceDescriptor = 0x24;
constexpr std::uint8_t kHeader = 0x00;
constexpr std::uint8_t kCallManagement = 0x01;
constexpr std::uint8_t kAbstractControlManagement = 0x02;
constexpr std::uint8_t kUnion = 0x06;
constexpr std::uint16_t kCdcRelease = 0x0120;
/// bmCapabilities (PSTN120 table 4).
constexpr std::uint8_t kHasLineRequests = 1u << 1;
constexpr std::uint8_t kHasSendBreak = 1u << 2;

/// bmRequestType and bRequest (PSTN120 §6.3).
constexpr std::uint8_t kToInterface = 0x21;
constexpr std::uint8_t kFromInterface = 0xa1;
constexpr std::uint8_t kSetLineCoding = 0x20;
constexpr std::uint8_t kGetLineCoding = 0x21;
constexpr std::uint8_t kSetControlLineState = 0x22;
constexpr std::uint8_t kSendBreak = 0x23;
constexpr std::size_t kLineCodingSize = 7;
/// wValue of SET_CONTROL_LINE_STATE (table 18).
constexpr std::uint16_t kDataTerminalReady = 1u << 0;
constexpr std::uint16_t kRequestToSend = 1u << 1;
/// wValue of SEND_BREAK (§6.3.13).
constexpr std::uint16_t kBreakUntilFurtherNotice = 0xffff;

/// bNotification and UART state bits (§6.5.4, table 31): carrier detected, and the other side is ready.
constexpr std::uint8_t kSerialState = 0x20;
constexpr std::uint16_t kReceiverCarrier = 1u << 0;
constexpr std::uint16_t kTransmissionCarrier = 1u << 1;
constexpr std::uint16_t kNotificationPacket = 16;  // of 10 bytes
constexpr auto kNotificationInterval = std::chrono::milliseconds(16);

constexpr std::uint8_t kMaxBurst = 15;  // of 16 packets

/// A device does not ask to be woken sooner (USB 2.0 §7.1.7.7).
constexpr auto kLeastSuspension = std::chrono::milliseconds(5);

/// CDC120 §5.2.3 and PSTN120 §5.3. No calls are managed here.
Bytes functional_descriptors() {
  ByteWriter out;
  out.u8(5).u8(kInterfaceDescriptor).u8(kHeader).le16(kCdcRelease);
  out.u8(5).u8(kInterfaceDescriptor).u8(kCallManagement).u8(0).u8(kDataInterface);
  out.u8(4).u8(kInterfaceDescriptor).u8(kAbstractControlManagement).u8(kHasLineRequests | kHasSendBreak);
  out.u8(5).u8(kInterfaceDescriptor).u8(kUnion).u8(kControlInterface).u8(kDataInterface);
  return out.take();
}

DeviceDescription describe(std::string_view id) {
  EndpointDescription notification{.address = Serial::kNotification,
                                   .type = TransferType::interrupt,
                                   .payload = kNotificationPacket,
                                   .interval = kNotificationInterval};
  InterfaceDescription control{.number = kControlInterface,
                               .interface_class = kCommunications,
                               .interface_subclass = kAbstractControlModel,
                               .interface_protocol = kAtCommands,
                               .class_descriptors = functional_descriptors(),
                               .endpoints = {std::move(notification)}};
  InterfaceDescription data{
      .number = kDataInterface,
      .interface_class = kData,
      .endpoints = {{.address = Serial::kBulkOut, .type = TransferType::bulk, .max_burst = kMaxBurst},
                    {.address = Serial::kBulkIn, .type = TransferType::bulk, .max_burst = kMaxBurst}}};
  return {.vendor_id = kVendorId,
          .product_id = kSerialProductId,
          .manufacturer = std::string(kManufacturer),
          .product = "USB Serial",
          .serial_number = stable_serial_number(id),
          .max_power_ma = 100,
          .remote_wake_up = true,
          .associations = {{.first_interface = kControlInterface,
                            .count = 2,
                            .function_class = kCommunications,
                            .function_subclass = kAbstractControlModel,
                            .function_protocol = kAtCommands}},
          .interfaces = {std::move(control), std::move(data)}};
}

Bytes encode(const LineCoding& coding) {
  return ByteWriter()
      .le32(coding.bit_rate)
      .u8(static_cast<std::uint8_t>(coding.stop_bits))
      .u8(static_cast<std::uint8_t>(coding.parity))
      .u8(coding.data_bits)
      .take();
}

/// Empty for what no line can be.
std::optional<LineCoding> parse_line_coding(ByteView bytes) {
  if (bytes.size() != kLineCodingSize) return std::nullopt;
  ByteReader in(bytes);
  LineCoding coding{.bit_rate = in.le32()};
  const std::uint8_t stop_bits = in.u8();
  const std::uint8_t parity = in.u8();
  coding.data_bits = in.u8();
  const bool possible_size = (coding.data_bits >= 5 && coding.data_bits <= 8) || coding.data_bits == 16;
  if (stop_bits > static_cast<std::uint8_t>(StopBits::two) || parity > static_cast<std::uint8_t>(Parity::space) ||
      !possible_size) {
    return std::nullopt;
  }
  coding.stop_bits = static_cast<StopBits>(stop_bits);
  coding.parity = static_cast<Parity>(parity);
  return coding;
}

}  // namespace

Serial::Serial(std::string_view id, Speed speed, std::unique_ptr<SerialLine> line, Scheduler& scheduler)
    : EmulatedDevice(describe(id), speed, scheduler),
      packet_size_(bulk_packet(speed)),
      line_(std::move(line)),
      break_timer_(scheduler.make_timer([this] { send_break(0); })),
      wake_timer_(scheduler.make_timer([this] { on_readable(); })) {
  line_->connect(*this);
}

Serial::~Serial() {
  give_up_sending(Status::disconnected);
}

ControlResult Serial::on_class_request(const SetupPacket& setup, ByteView data) {
  if (setup.index != kControlInterface) return kStall;
  if (setup.request_type == kFromInterface && setup.request == kGetLineCoding && setup.value == 0) {
    return encode(settings_.coding);
  }
  if (setup.request_type != kToInterface) return kStall;
  LineSettings wanted = settings_;
  switch (setup.request) {
    case kSetLineCoding:
      if (const auto coding = parse_line_coding(data); coding && setup.value == 0) {
        wanted.coding = *coding;
        break;
      }
      return kStall;
    case kSetControlLineState:
      if (setup.length != 0) return kStall;
      wanted.data_terminal_ready = (setup.value & kDataTerminalReady) != 0;
      wanted.request_to_send = (setup.value & kRequestToSend) != 0;
      break;
    case kSendBreak:
      if (setup.length != 0) return kStall;
      send_break(setup.value);
      return Bytes{};
    default:
      return kStall;  // encapsulated commands: there is no modem to take them
  }
  change(wanted);
  return Bytes{};
}

void Serial::send_break(std::uint16_t milliseconds) {
  LineSettings wanted = settings_;
  wanted.sending_break = milliseconds != 0;
  change(wanted);
  break_timer_->cancel();
  if (milliseconds != 0 && milliseconds != kBreakUntilFurtherNotice) {
    break_timer_->arm(std::chrono::milliseconds(milliseconds));
  }
}

void Serial::change(const LineSettings& settings) {
  if (settings == settings_) return;
  settings_ = settings;
  line_->apply(settings_);
}

void Serial::forget_settings() {
  break_timer_->cancel();
  notified_state_ = 0;
  change({});
}

void Serial::on_transfer(EndpointAddress endpoint) {
  if (endpoint == kBulkIn) receive();
  if (endpoint == kBulkOut) send();
  if (endpoint == kNotification) notify();
}

void Serial::on_cancel(TransferId id) {
  if (sending_ && sending_->id() == id) give_up_sending(Status::cancelled);
}

void Serial::on_configured(std::uint8_t) {
  give_up_sending(Status::error);
  forget_settings();
}

void Serial::on_interface_reset(std::uint8_t interface, std::uint8_t) {
  if (interface == kDataInterface) give_up_sending(Status::error);
}

void Serial::on_reset() {
  give_up_sending(Status::cancelled);
  forget_settings();
  wake_timer_->cancel();
}

void Serial::on_suspend() {
  wake_timer_->arm(kLeastSuspension);
}

void Serial::on_resume() {
  wake_timer_->cancel();
  receive();
  send();
  notify();
}

void Serial::on_readable() {
  if (!suspended()) return receive();
  if (!wake_timer_->armed() && line_->readable()) request_wake_up();
}

void Serial::receive() {
  while (!suspended()) {
    Transfer* const waiting = peek_pending(kBulkIn);
    if (waiting == nullptr || !line_->readable()) return;
    std::size_t received = 0;
    for (const MutableByteView span : waiting->data.spans()) {
      const MutableByteView room = span.first(std::min(span.size(), kMostAtOnce - received));
      const std::size_t got = line_->read(room);
      received += got;
      if (got < room.size() || received == kMostAtOnce) break;
    }
    // A transfer without any room, and there is a byte for it: on the wire the device would send too much.
    const Status status = received > 0 ? Status::ok : Status::babble;
    finish(take_pending(kBulkIn), {status, static_cast<std::uint32_t>(received)});
  }
}

void Serial::send() {
  if (!send_rest_of_packet()) return;
  while (true) {
    if (!sending_) {
      sending_ = take_pending(kBulkOut);
      sent_ = 0;
      if (!sending_) return;
    }
    std::size_t skip = sent_;
    for (const MutableByteView span : sending_->data.spans()) {
      const ByteView rest = ByteView(span).subspan(std::min(skip, span.size()));
      skip -= span.size() - rest.size();
      const std::size_t taken = rest.empty() ? 0 : line_->write(rest);
      sent_ += taken;
      if (taken < rest.size()) return;
    }
    finish(std::move(sending_), {Status::ok, static_cast<std::uint32_t>(sent_)});
  }
}

bool Serial::send_rest_of_packet() {
  if (rest_of_packet_.empty()) return true;
  const std::size_t taken = line_->write(rest_of_packet_);
  rest_of_packet_.erase(rest_of_packet_.begin(), rest_of_packet_.begin() + static_cast<std::ptrdiff_t>(taken));
  return rest_of_packet_.empty();
}

void Serial::give_up_sending(Status status) {
  if (!sending_) return;
  const std::size_t whole_packets = (sent_ + packet_size_ - 1) / packet_size_ * packet_size_;
  const std::size_t kept = std::min(whole_packets, sending_->data.size());
  rest_of_packet_.resize(kept - sent_);
  (void)sending_->data.read(sent_, rest_of_packet_);
  if (kept == sending_->data.size()) status = Status::ok;  // its last packet has been taken
  finish(std::move(sending_), {status, static_cast<std::uint32_t>(kept)});
}

void Serial::notify() {
  const std::uint16_t state = serial_state();
  if (state == notified_state_ || suspended() || peek_pending(kNotification) == nullptr) return;
  notified_state_ = state;
  const Bytes notification =
      ByteWriter().u8(kFromInterface).u8(kSerialState).le16(0).le16(kControlInterface).le16(2).le16(state).take();
  finish_with(take_pending(kNotification), notification);
}

std::uint16_t Serial::serial_state() const {
  return line_->connected() ? kReceiverCarrier | kTransmissionCarrier : 0;
}

}  // namespace periplex::usb::device
