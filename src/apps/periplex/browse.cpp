// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/browse.hpp"

#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include "apps/tcp.hpp"
#include "remote/usbip/device_list.hpp"

namespace periplex::apps {
namespace {

namespace usbip = remote::usbip;

constexpr int kPatienceMs = 10'000;

using Offers = std::expected<std::vector<usbip::Offer>, std::string>;

Offers ask(const UniqueFd& socket) {
  const Bytes request = usbip::encode_device_list_request();
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) != std::ssize(request)) {
    return std::unexpected(std::string("the server has closed the connection"));
  }
  usbip::DeviceList list;
  std::array<std::byte, 16 * 1024> bytes;
  for (;;) {
    pollfd wait{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (const int ready = ::poll(&wait, 1, kPatienceMs); ready == 0) {
      return std::unexpected(std::string("the server does not answer"));
    }
    const ssize_t count = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return std::unexpected(std::string("the server has closed the connection before it answered"));
    if (auto offers = list.receive(ByteView(bytes).first(static_cast<std::size_t>(count)))) return std::move(*offers);
  }
}

}  // namespace

Result browse_usbip(const command::ShowUsbip& show) {
  const auto failure = [](std::string text, std::string advice) {
    return std::unexpected(Failure{std::move(text), std::move(advice)});
  };
  const auto endpoint = parse_endpoint(show.host, usbip::kDefaultPort);
  if (!endpoint) return failure(fmt::format("{} is no HOST or HOST:PORT", show.host), "write it like 10.0.0.2:3240");
  const auto socket = connect_tcp(*endpoint);
  if (!socket) return failure(socket.error().text, socket.error().advice);
  const Offers offers = ask(*socket);
  if (!offers) return failure(offers.error(), "is it a USB/IP server?");
  std::string json;
  std::string text;
  for (const usbip::Offer& offer : *offers) {
    const usbip::DeviceRecord& record = offer.record;
    const auto speed = usbip::speed_of(record.speed);
    json += fmt::format(R"({}{{"busid":"{}","vendor":"{:04x}","product":"{:04x}","speed":"{}"}})",
                        json.empty() ? "" : ",", usbip::is_bus_id(record.bus_id) ? record.bus_id : "", record.vendor_id,
                        record.product_id, speed ? usb::name(*speed) : "unknown");
    text += fmt::format("{}{:<10} {:04x}:{:04x} {} speed", text.empty() ? "" : "\n",
                        usbip::is_bus_id(record.bus_id) ? record.bus_id : "?", record.vendor_id, record.product_id,
                        speed ? usb::name(*speed) : "unknown");
  }
  if (text.empty()) text = "It exports nothing that is free (on Linux: `usbip bind -b BUSID`).";
  return Shown{fmt::format(R"({{"devices":[{}]}})", json), text, 0};
}

}  // namespace periplex::apps
