// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/protocol.hpp"

namespace periplex::vfio_user {
namespace {

/// The value if all its fields lay inside the payload; what follows them is the command's own business.
template <typename T>
std::optional<T> complete(const ByteReader& in, const T& value) {
  return in.ok() ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string_view name(Command command) {
  switch (command) {
    case Command::version:
      return "VERSION";
    case Command::dma_map:
      return "DMA_MAP";
    case Command::dma_unmap:
      return "DMA_UNMAP";
    case Command::device_get_info:
      return "DEVICE_GET_INFO";
    case Command::device_get_region_info:
      return "DEVICE_GET_REGION_INFO";
    case Command::device_get_region_io_fds:
      return "DEVICE_GET_REGION_IO_FDS";
    case Command::device_get_irq_info:
      return "DEVICE_GET_IRQ_INFO";
    case Command::device_set_irqs:
      return "DEVICE_SET_IRQS";
    case Command::region_read:
      return "REGION_READ";
    case Command::region_write:
      return "REGION_WRITE";
    case Command::dma_read:
      return "DMA_READ";
    case Command::dma_write:
      return "DMA_WRITE";
    case Command::device_reset:
      return "DEVICE_RESET";
    case Command::region_write_multi:
      return "REGION_WRITE_MULTI";
    case Command::device_feature:
      return "DEVICE_FEATURE";
    case Command::mig_data_read:
      return "MIG_DATA_READ";
    case Command::mig_data_write:
      return "MIG_DATA_WRITE";
  }
  return "unknown";
}

std::optional<DmaMap> DmaMap::parse(ByteView payload) {
  ByteReader in(payload);
  DmaMap map;
  map.argsz = in.le32();
  map.flags = in.le32();
  map.offset = in.le64();
  map.address = in.le64();
  map.size = in.le64();
  return complete(in, map);
}

std::optional<DmaUnmap> DmaUnmap::parse(ByteView payload) {
  ByteReader in(payload);
  DmaUnmap unmap;
  unmap.argsz = in.le32();
  unmap.flags = in.le32();
  unmap.address = in.le64();
  unmap.size = in.le64();
  return complete(in, unmap);
}

std::optional<DeviceInfo> DeviceInfo::parse(ByteView payload) {
  ByteReader in(payload);
  DeviceInfo info;
  info.argsz = in.le32();
  info.flags = in.le32();
  info.num_regions = in.le32();
  info.num_irqs = in.le32();
  return complete(in, info);
}

std::optional<RegionInfo> RegionInfo::parse(ByteView payload) {
  ByteReader in(payload);
  RegionInfo info;
  info.argsz = in.le32();
  info.flags = in.le32();
  info.index = in.le32();
  info.cap_offset = in.le32();
  info.size = in.le64();
  info.offset = in.le64();
  return complete(in, info);
}

std::optional<IrqInfo> IrqInfo::parse(ByteView payload) {
  ByteReader in(payload);
  IrqInfo info;
  info.argsz = in.le32();
  info.flags = in.le32();
  info.index = in.le32();
  info.count = in.le32();
  return complete(in, info);
}

std::optional<IrqSet> IrqSet::parse(ByteView payload) {
  ByteReader in(payload);
  IrqSet set;
  set.argsz = in.le32();
  set.flags = in.le32();
  set.index = in.le32();
  set.start = in.le32();
  set.count = in.le32();
  return complete(in, set);
}

std::optional<RegionAccess> RegionAccess::parse(ByteView payload) {
  ByteReader in(payload);
  RegionAccess access;
  access.offset = in.le64();
  access.region = in.le32();
  access.count = in.le32();
  return complete(in, access);
}

}  // namespace periplex::vfio_user
