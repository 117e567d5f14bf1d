// SPDX-License-Identifier: Apache-2.0
#include "bench/software_guest.hpp"

#include <array>
#include <stdexcept>

namespace periplex::bench {
namespace {

using usb::xhci::CompletionCode;
using usb::xhci::testing::EndpointSetup;

constexpr unsigned kPort = 5;  // the first SuperSpeed port
constexpr unsigned kSuperSpeedControlPacket = 512;
constexpr unsigned kBulkPacket = 1024;
constexpr unsigned kRingTrbs = 256;

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

UniqueFd connect_to(const std::string& path) {
  auto socket = vfio_user::Client::connect(path);
  require(socket.has_value(), "cannot connect to the worker");
  return std::move(*socket);
}

vfio_user::Client negotiated(const std::string& path, const vfio_user::SharedRam& ram, std::uint64_t size) {
  vfio_user::Client client(connect_to(path));
  require(client.negotiate().has_value(), "the worker does not agree on a version");
  require(client.dma_map(0, size, ram.fd()).has_value(), "the worker does not take the guest's memory");
  return client;
}

}  // namespace

std::uint32_t SocketRegisters::read32(std::uint32_t offset) {
  const auto value = client_.read<std::uint32_t>(SoftwareGuest::kBar, offset);
  require(value.has_value(), "the worker is gone");
  return *value;
}

void SocketRegisters::write32(std::uint32_t offset, std::uint32_t value) {
  require(client_.post(SoftwareGuest::kBar, offset, value).has_value(), "the worker is gone");
}

void SocketRegisters::write64(std::uint32_t offset, std::uint64_t value) {
  require(client_.post(SoftwareGuest::kBar, offset, value).has_value(), "the worker is gone");
}

SoftwareGuest::SoftwareGuest(const std::string& socket_path, std::uint64_t ram_size)
    : shared_(ram_size),
      client_(negotiated(socket_path, shared_, ram_size)),
      ram_(shared_.bytes()),
      driver_(registers_, ram_) {
  enumerate();
}

void SoftwareGuest::enumerate() {
  require(driver_.start(), "the controller does not come up");
  driver_.write_portsc(kPort, 1u << 9 | 1u << 4);  // port reset
  slot_ = driver_.enable_slot().slot;
  require(driver_.address_device(slot_, kPort, false, kSuperSpeedControlPacket).code == CompletionCode::success,
          "the device takes no address");
  const std::array endpoints{
      EndpointSetup{.dci = kOut, .type = 2, .max_packet_size = kBulkPacket, .ring_trbs = kRingTrbs},
      EndpointSetup{.dci = kIn, .type = 6, .max_packet_size = kBulkPacket, .ring_trbs = kRingTrbs}};
  require(driver_.configure(slot_, endpoints).code == CompletionCode::success, "the device cannot be configured");
  (void)driver_.drain();
}

}  // namespace periplex::bench
