// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/bytes.hpp"
#include "loop/unique_fd.hpp"

/// The vfio-user protocol 0.0 as printed in QEMU's docs/interop/vfio-user.rst ("vfio-user Protocol Specification");
/// section names below are that document's. Numbers it takes from <linux/vfio.h> keep their names.
namespace periplex::vfio_user {

/// "Commands". 14 (dirty pages) has left the document.
enum class Command : std::uint16_t {  // NOLINT(performance-enum-size): the width on the wire
  version = 1,
  dma_map = 2,
  dma_unmap = 3,
  device_get_info = 4,
  device_get_region_info = 5,
  device_get_region_io_fds = 6,
  device_get_irq_info = 7,
  device_set_irqs = 8,
  region_read = 9,
  region_write = 10,
  dma_read = 11,
  dma_write = 12,
  device_reset = 13,
  region_write_multi = 15,
  device_feature = 16,
  mig_data_read = 17,
  mig_data_write = 18,
};

/// The command's name for traces; "unknown" for a number outside the list.
[[nodiscard]] std::string_view name(Command command);

/// "max_msg_fds" and "max_data_xfer_size" as we negotiate them. The largest message is one that carries the largest
/// data.
inline constexpr std::size_t kMaxMessageFds = 16;
inline constexpr std::uint32_t kMaxDataSize = 1 << 20;
inline constexpr std::uint32_t kMaxMessageSize = kMaxDataSize + 4096;

/// `fields`, one behind the other, in host byte order (which is little endian here).
template <typename... Fields>
  requires(std::is_trivially_copyable_v<Fields> && ...)
[[nodiscard]] constexpr std::array<std::byte, (sizeof(Fields) + ...)> pack(Fields... fields) {
  std::array<std::byte, (sizeof(Fields) + ...)> bytes{};
  auto at = bytes.begin();
  const auto put = [&at](auto field) {
    const auto raw = std::bit_cast<std::array<std::byte, sizeof field>>(field);
    at = std::copy(raw.begin(), raw.end(), at);
  };
  (put(fields), ...);
  return bytes;
}

/// "Header".
struct Header {
  static constexpr std::size_t kSize = 16;
  static constexpr std::uint32_t kTypeMask = 0xf;
  static constexpr std::uint32_t kTypeCommand = 0;
  static constexpr std::uint32_t kTypeReply = 1;
  static constexpr std::uint32_t kNoReply = 1 << 4;
  static constexpr std::uint32_t kError = 1 << 5;

  std::uint16_t id = 0;
  Command command{};
  std::uint32_t size = kSize;  ///< of the whole message
  std::uint32_t flags = 0;
  std::uint32_t error = 0;

  /// `bytes` holds at least `kSize` bytes.
  [[nodiscard]] static Header parse(ByteView bytes) {
    ByteReader in(bytes);
    Header header;
    header.id = in.le16();
    header.command = Command{in.le16()};  // NOLINT(*EnumCastOutOfRange): a peer may send any number
    header.size = in.le32();
    header.flags = in.le32();
    header.error = in.le32();
    return header;
  }
  [[nodiscard]] constexpr auto packed() const { return pack(id, command, size, flags, error); }
  [[nodiscard]] constexpr bool is_command() const { return (flags & kTypeMask) == kTypeCommand; }
  [[nodiscard]] constexpr bool is_reply() const { return (flags & kTypeMask) == kTypeReply; }
  [[nodiscard]] constexpr bool wants_reply() const { return (flags & kNoReply) == 0; }
};
static_assert(Header{}.packed().size() == Header::kSize);
static_assert(Header{.id = 0x0201, .command = Command::region_read, .size = 0x20, .flags = 0x10, .error = 22}
                  .packed() == pack(std::uint64_t{0x0000'0020'0009'0201}, std::uint64_t{0x0000'0016'0000'0010}));

/// One whole message. `payload` and `fds` belong to whoever received it and are valid until it receives again; a
/// descriptor that is wanted for longer is moved out.
struct Message {
  Header header;
  ByteView payload;
  std::span<UniqueFd> fds;
};

/// "VFIO_USER_VERSION": followed by JSON text.
struct Version {
  static constexpr std::size_t kSize = 4;
  std::uint16_t major = 0;
  std::uint16_t minor = 0;

  [[nodiscard]] constexpr auto packed() const { return pack(major, minor); }
};
static_assert(Version{}.packed().size() == Version::kSize);

/// "VFIO_USER_DMA_MAP".
struct DmaMap {
  static constexpr std::size_t kSize = 32;
  static constexpr std::uint32_t kReadable = 1 << 0;
  static constexpr std::uint32_t kWriteable = 1 << 1;
  static constexpr std::uint32_t kAccessMmap = 1 << 2;
  static constexpr std::uint32_t kAccessFileIo = 1 << 3;

  std::uint32_t argsz = kSize;
  std::uint32_t flags = 0;
  std::uint64_t offset = 0;
  std::uint64_t address = 0;
  std::uint64_t size = 0;

  [[nodiscard]] static std::optional<DmaMap> parse(ByteView payload);
  [[nodiscard]] constexpr auto packed() const { return pack(argsz, flags, offset, address, size); }
};
static_assert(DmaMap{}.packed().size() == DmaMap::kSize);

/// "VFIO_USER_DMA_UNMAP".
struct DmaUnmap {
  static constexpr std::size_t kSize = 24;
  static constexpr std::uint32_t kAll = 1 << 1;  // VFIO_DMA_UNMAP_FLAG_ALL

  std::uint32_t argsz = kSize;
  std::uint32_t flags = 0;
  std::uint64_t address = 0;
  std::uint64_t size = 0;

  [[nodiscard]] static std::optional<DmaUnmap> parse(ByteView payload);
  [[nodiscard]] constexpr auto packed() const { return pack(argsz, flags, address, size); }
};
static_assert(DmaUnmap{}.packed().size() == DmaUnmap::kSize);

/// "VFIO_USER_DEVICE_GET_INFO".
struct DeviceInfo {
  static constexpr std::size_t kSize = 16;
  static constexpr std::uint32_t kReset = 1 << 0;
  static constexpr std::uint32_t kPci = 1 << 1;

  std::uint32_t argsz = kSize;
  std::uint32_t flags = 0;
  std::uint32_t num_regions = 0;
  std::uint32_t num_irqs = 0;

  [[nodiscard]] static std::optional<DeviceInfo> parse(ByteView payload);
  [[nodiscard]] constexpr auto packed() const { return pack(argsz, flags, num_regions, num_irqs); }
};
static_assert(DeviceInfo{}.packed().size() == DeviceInfo::kSize);

/// VFIO_PCI_*_REGION_INDEX: 0 to 5 are the Base Address registers.
inline constexpr std::uint32_t kRegionRom = 6;
inline constexpr std::uint32_t kRegionConfig = 7;
inline constexpr std::uint32_t kRegionVga = 8;
inline constexpr std::uint32_t kRegions = 9;

/// "VFIO_USER_DEVICE_GET_REGION_INFO".
struct RegionInfo {
  static constexpr std::size_t kSize = 32;
  static constexpr std::uint32_t kRead = 1 << 0;
  static constexpr std::uint32_t kWrite = 1 << 1;

  std::uint32_t argsz = kSize;
  std::uint32_t flags = 0;
  std::uint32_t index = 0;
  std::uint32_t cap_offset = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;

  [[nodiscard]] static std::optional<RegionInfo> parse(ByteView payload);
  [[nodiscard]] constexpr auto packed() const { return pack(argsz, flags, index, cap_offset, size, offset); }
};
static_assert(RegionInfo{}.packed().size() == RegionInfo::kSize);

/// VFIO_PCI_*_IRQ_INDEX.
inline constexpr std::uint32_t kIrqIntx = 0;
inline constexpr std::uint32_t kIrqMsi = 1;
inline constexpr std::uint32_t kIrqMsix = 2;
inline constexpr std::uint32_t kIrqErr = 3;
inline constexpr std::uint32_t kIrqReq = 4;
inline constexpr std::uint32_t kIrqs = 5;

/// "VFIO_USER_DEVICE_GET_IRQ_INFO".
struct IrqInfo {
  static constexpr std::size_t kSize = 16;
  static constexpr std::uint32_t kEventfd = 1 << 0;
  static constexpr std::uint32_t kMaskable = 1 << 1;
  static constexpr std::uint32_t kAutomasked = 1 << 2;

  std::uint32_t argsz = kSize;
  std::uint32_t flags = 0;
  std::uint32_t index = 0;
  std::uint32_t count = 0;

  [[nodiscard]] static std::optional<IrqInfo> parse(ByteView payload);
  [[nodiscard]] constexpr auto packed() const { return pack(argsz, flags, index, count); }
};
static_assert(IrqInfo{}.packed().size() == IrqInfo::kSize);

/// "VFIO_USER_DEVICE_SET_IRQS": followed by `count` booleans if kDataBool is set.
struct IrqSet {
  static constexpr std::size_t kSize = 20;
  static constexpr std::uint32_t kDataNone = 1 << 0;
  static constexpr std::uint32_t kDataBool = 1 << 1;
  static constexpr std::uint32_t kDataEventfd = 1 << 2;
  static constexpr std::uint32_t kActionMask = 1 << 3;
  static constexpr std::uint32_t kActionUnmask = 1 << 4;
  static constexpr std::uint32_t kActionTrigger = 1 << 5;

  std::uint32_t argsz = kSize;
  std::uint32_t flags = 0;
  std::uint32_t index = 0;
  std::uint32_t start = 0;
  std::uint32_t count = 0;

  [[nodiscard]] static std::optional<IrqSet> parse(ByteView payload);
  [[nodiscard]] constexpr auto packed() const { return pack(argsz, flags, index, start, count); }
};
static_assert(IrqSet{}.packed().size() == IrqSet::kSize);

/// "VFIO_USER_REGION_READ" and "VFIO_USER_REGION_WRITE": data follow in a read's reply and in a write's request.
struct RegionAccess {
  static constexpr std::size_t kSize = 16;

  std::uint64_t offset = 0;
  std::uint32_t region = 0;
  std::uint32_t count = 0;

  [[nodiscard]] static std::optional<RegionAccess> parse(ByteView payload);
  [[nodiscard]] constexpr auto packed() const { return pack(offset, region, count); }
};
static_assert(RegionAccess{}.packed().size() == RegionAccess::kSize);

}  // namespace periplex::vfio_user
