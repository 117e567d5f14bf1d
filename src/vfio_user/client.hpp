// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <system_error>

#include "vfio_user/message_socket.hpp"
#include "vfio_user/version.hpp"

namespace periplex::vfio_user {

/// The other end of the protocol: what a machine's monitor does, for tests and benchmarks.
///
/// Every call sends one message and waits for its reply, except `post`. Where both ends run on one thread, `pump` runs
/// the server's end while a call waits; without it the call sleeps in the kernel.
class Client {
 public:
  using Pump = std::function<void()>;

  enum class Failure : std::uint8_t {
    disconnected,  ///< the server is gone
    malformed,     ///< a reply that cannot be understood
    refused,       ///< an error reply; `error` is its errno
  };
  struct Error {
    Failure failure;
    std::errc error{};
  };
  template <typename T>
  using Result = std::expected<T, Error>;

  /// Connects to a server's socket; the error is an errno.
  [[nodiscard]] static std::expected<UniqueFd, std::errc> connect(const std::string& path);

  explicit Client(UniqueFd socket, Pump pump = {});

  /// Agrees on version and capabilities; needed before everything else. `json` is what QEMU 11 sends, without
  /// migration.
  [[nodiscard]] Result<Proposal> negotiate(
      Version version = {},
      std::string_view json =
          R"({"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"write_multiple":true}})");

  [[nodiscard]] Result<DeviceInfo> device_info();
  [[nodiscard]] Result<RegionInfo> region_info(std::uint32_t index);
  [[nodiscard]] Result<IrqInfo> irq_info(std::uint32_t index);

  /// Shares [`offset`, `offset + size`) of the file `fd` as readable and writable guest memory at `address`.
  [[nodiscard]] Result<void> dma_map(std::uint64_t address, std::uint64_t size, int fd, std::uint64_t offset = 0);
  [[nodiscard]] Result<void> dma_unmap(std::uint64_t address, std::uint64_t size);

  /// Arms `fds.size()` interrupts of `index` from `start` on with eventfds.
  [[nodiscard]] Result<void> arm(std::uint32_t index, std::uint32_t start, std::span<const int> fds);
  /// Any SET_IRQS message.
  [[nodiscard]] Result<void> set_irqs(const IrqSet& set, std::span<const int> fds = {});

  /// Fills `out` from a region. No allocation.
  [[nodiscard]] Result<void> read(std::uint32_t region, std::uint64_t offset, MutableByteView out);
  /// Writes and waits for the acknowledgement.
  [[nodiscard]] Result<void> write(std::uint32_t region, std::uint64_t offset, ByteView data);
  /// Writes without an acknowledgement (NO_REPLY): done when the message has been sent.
  [[nodiscard]] Result<void> post(std::uint32_t region, std::uint64_t offset, ByteView data);

  template <typename T>
  [[nodiscard]] Result<T> read(std::uint32_t region, std::uint64_t offset) {
    T value{};
    if (auto done = read(region, offset, MutableByteView(reinterpret_cast<std::byte*>(&value), sizeof value)); !done) {
      return std::unexpected(done.error());
    }
    return value;
  }
  template <typename T>
    requires std::is_integral_v<T>
  [[nodiscard]] Result<void> write(std::uint32_t region, std::uint64_t offset, T value) {
    return write(region, offset, ByteView(pack(value)));
  }
  template <typename T>
    requires std::is_integral_v<T>
  [[nodiscard]] Result<void> post(std::uint32_t region, std::uint64_t offset, T value) {
    return post(region, offset, ByteView(pack(value)));
  }

  [[nodiscard]] Result<void> reset();

  /// Sends one message and does not wait; returns its id. `flags` may hold Header::kNoReply.
  [[nodiscard]] Result<std::uint16_t> send(Command command, ByteView payload, std::span<const int> fds = {},
                                           std::uint32_t flags = 0);
  /// The next reply, whatever it answers. Its payload is valid until the next call.
  [[nodiscard]] Result<Message> receive();

 private:
  [[nodiscard]] Result<ByteView> call(Command command, ByteView payload, std::span<const int> fds = {});
  template <typename T>
  [[nodiscard]] Result<T> query(Command command, const T& request);
  void begin(Command command, std::size_t payload_size, std::uint32_t flags);
  [[nodiscard]] Result<void> flush(std::span<const int> fds = {});
  [[nodiscard]] Result<ByteView> reply_to_last();

  MessageSocket socket_;
  Pump pump_;
  std::uint16_t last_id_ = 0;
};

}  // namespace periplex::vfio_user
