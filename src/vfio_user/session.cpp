// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/session.hpp"

#include <algorithm>

#include "base/trace.hpp"
#include "vfio_user/version.hpp"

namespace periplex::vfio_user {
namespace {

constexpr auto kInvalid = std::errc::invalid_argument;

void append(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// Appends the header of a reply whose payload has `payload_size` bytes.
void begin_reply(const Header& request, std::size_t payload_size, Bytes& replies) {
  const Header header{.id = request.id,
                      .command = request.command,
                      .size = static_cast<std::uint32_t>(Header::kSize + payload_size),
                      .flags = Header::kTypeReply};
  append(replies, header.packed());
}

void reply(const Header& request, ByteView payload, Bytes& replies) {
  if (!request.wants_reply()) return;
  begin_reply(request, payload.size(), replies);
  append(replies, payload);
}

/// "If an error occurs, the reply message must only include the reply header."
void refuse(const Header& request, std::errc error, Bytes& replies) {
  trace::line("vfio_user", "{} refused: errno {}", name(request.command), static_cast<int>(error));
  if (!request.wants_reply()) return;
  const Header header{.id = request.id,
                      .command = request.command,
                      .flags = Header::kTypeReply | Header::kError,
                      .error = static_cast<std::uint32_t>(error)};
  append(replies, header.packed());
}

void finish(const Header& request, const std::expected<void, std::errc>& done, Bytes& replies) {
  if (!done) return refuse(request, done.error(), replies);
  reply(request, {}, replies);
}

}  // namespace

Session::Session(pci::Function& function, guest::Memory& memory, IrqLines& lines)
    : function_(function), lines_(lines), regions_(memory) {}

Session::Verdict Session::handle(const Message& message, Bytes& replies) {
  const Header& header = message.header;
  trace::line("vfio_user", "{} id={} size={} flags={:#x} fds={}", name(header.command), header.id, header.size,
              header.flags, message.fds.size());
  if (!header.is_command()) {
    // We never ask the client for anything, so a reply answers nothing; the other types have no meaning.
    if (!header.is_reply()) refuse(header, kInvalid, replies);
    return Verdict::go_on;
  }
  // "Upon establishing a connection, the client must send a VFIO_USER_VERSION message"
  if (header.command == Command::version || !negotiated_) return negotiate(message, replies);
  serve(message, replies);
  return Verdict::go_on;
}

Session::Verdict Session::negotiate(const Message& message, Bytes& replies) {
  if (message.header.command != Command::version || negotiated_) {
    refuse(message.header, kInvalid, replies);
    return Verdict::close;
  }
  const auto proposal = parse_proposal(message.payload);
  const auto payload = proposal ? answer(*proposal, message.payload.size()) : std::unexpected(proposal.error());
  if (!payload) {
    refuse(message.header, payload.error(), replies);
    return Verdict::close;
  }
  reply(message.header, *payload, replies);
  negotiated_ = true;
  return Verdict::go_on;
}

void Session::serve(const Message& message, Bytes& replies) {
  switch (message.header.command) {
    case Command::region_read:
      return region_read(message, replies);
    case Command::region_write:
      return region_write(message, replies);
    case Command::dma_map:
      return dma_map(message, replies);
    case Command::dma_unmap:
      return dma_unmap(message, replies);
    case Command::device_get_info:
      return get_info(message, replies);
    case Command::device_get_region_info:
      return get_region_info(message, replies);
    case Command::device_get_irq_info:
      return get_irq_info(message, replies);
    case Command::device_set_irqs:
      return set_irqs(message, replies);
    case Command::device_reset:
      return reset(message, replies);
    case Command::version:
    // The server's own requests, which we never make: with shared memory there is nothing to ask for.
    case Command::dma_read:
    case Command::dma_write:
    // Optional: no client uses them, or only when we announce them.
    case Command::device_get_region_io_fds:
    case Command::region_write_multi:
    case Command::device_feature:
    case Command::mig_data_read:
    case Command::mig_data_write:
      break;
  }
  refuse(message.header, std::errc::operation_not_supported, replies);
}

void Session::dma_map(const Message& message, Bytes& replies) {
  const auto request = DmaMap::parse(message.payload);
  if (!request || request->argsz < DmaMap::kSize || message.fds.size() > 1) {
    return refuse(message.header, kInvalid, replies);
  }
  UniqueFd fd = message.fds.empty() ? UniqueFd() : std::move(message.fds.front());
  finish(message.header, regions_.map(*request, std::move(fd)), replies);
}

void Session::dma_unmap(const Message& message, Bytes& replies) {
  const auto request = DmaUnmap::parse(message.payload);
  if (!request || request->argsz < DmaUnmap::kSize) return refuse(message.header, kInvalid, replies);
  if ((request->flags & DmaUnmap::kAll) != 0) {
    regions_.unmap_all();
  } else if (!regions_.unmap(request->address, request->size)) {
    trace::line("vfio_user", "no region at {:#x} with size {:#x}", request->address, request->size);
  }
  // "The server responds with the original DMA entry in the request."
  reply(message.header, request->packed(), replies);
}

void Session::get_info(const Message& message, Bytes& replies) const {
  // Cloud Hypervisor's argsz counts the header too: more than enough is no error.
  const auto request = DeviceInfo::parse(message.payload);
  if (!request || request->argsz < DeviceInfo::kSize) return refuse(message.header, kInvalid, replies);
  const DeviceInfo info{.flags = DeviceInfo::kReset | DeviceInfo::kPci, .num_regions = kRegions, .num_irqs = kIrqs};
  reply(message.header, info.packed(), replies);
}

std::uint64_t Session::region_size(std::uint32_t index) const {
  if (index == kRegionConfig) return pci::kConfigSpaceSize;
  const auto bar = std::ranges::find(function_.bars(), index, &pci::Bar::index);
  return bar != function_.bars().end() ? bar->size : 0;
}

void Session::get_region_info(const Message& message, Bytes& replies) const {
  const auto request = RegionInfo::parse(message.payload);
  if (!request || request->argsz < RegionInfo::kSize) return refuse(message.header, kInvalid, replies);
  // Never VFIO_REGION_INFO_FLAG_MMAP: one mappable region makes QEMU wait for every write of the device.
  RegionInfo info{.index = request->index, .size = region_size(request->index)};
  if (info.size != 0) info.flags = RegionInfo::kRead | RegionInfo::kWrite;
  reply(message.header, info.packed(), replies);
}

std::uint32_t Session::irq_count(std::uint32_t index) const {
  // QEMU warns its user of "error recovery" at every start when there is no ERR; it is armed and never fires.
  if (index == kIrqIntx || index == kIrqErr) return 1;
  if (index == kIrqMsi) return function_.msi_vectors();
  return index == kIrqMsix ? function_.msix_vectors() : 0;
}

void Session::get_irq_info(const Message& message, Bytes& replies) const {
  const auto request = IrqInfo::parse(message.payload);
  if (!request || request->argsz < IrqInfo::kSize) return refuse(message.header, kInvalid, replies);
  IrqInfo info{.index = request->index, .count = irq_count(request->index)};
  if (info.count != 0) info.flags = IrqInfo::kEventfd;  // not NORESIZE: vectors are armed one by one
  if (info.index == kIrqIntx) info.flags |= IrqInfo::kMaskable | IrqInfo::kAutomasked;
  reply(message.header, info.packed(), replies);
}

void Session::set_irqs(const Message& message, Bytes& replies) {
  const auto request = IrqSet::parse(message.payload);
  if (!request || request->argsz < IrqSet::kSize || request->index >= kIrqs) {
    return refuse(message.header, kInvalid, replies);
  }
  const ByteView booleans = message.payload.subspan(IrqSet::kSize);
  finish(message.header, lines_.set(*request, booleans, message.fds, irq_count(request->index)), replies);
}

void Session::region_read(const Message& message, Bytes& replies) {
  const auto request = RegionAccess::parse(message.payload);
  if (!request || request->count > kMaxDataSize) return refuse(message.header, kInvalid, replies);
  const std::size_t start = replies.size();
  begin_reply(message.header, RegionAccess::kSize + request->count, replies);
  append(replies, request->packed());
  replies.resize(replies.size() + request->count, std::byte{0xff});
  const MutableByteView data = MutableByteView(replies).last(request->count);
  if (request->region < pci::kBars) {
    function_.bar_read(request->region, request->offset, data);
  } else if (request->region == kRegionConfig && request->offset < pci::kConfigSpaceSize) {
    const auto offset = static_cast<std::uint32_t>(request->offset);
    function_.config_read(offset, data.first(std::min<std::size_t>(data.size(), pci::kConfigSpaceSize - offset)));
  }
  if (!message.header.wants_reply()) replies.resize(start);  // nobody wants it, but reads have effects
}

void Session::region_write(const Message& message, Bytes& replies) {
  const auto request = RegionAccess::parse(message.payload);
  if (!request || request->count != message.payload.size() - RegionAccess::kSize || request->count > kMaxDataSize) {
    return refuse(message.header, kInvalid, replies);
  }
  const ByteView data = message.payload.subspan(RegionAccess::kSize);
  if (request->region < pci::kBars) {
    function_.bar_write(request->region, request->offset, data);
  } else if (request->region == kRegionConfig && request->offset < pci::kConfigSpaceSize) {
    const auto offset = static_cast<std::uint32_t>(request->offset);
    function_.config_write(offset, data.first(std::min<std::size_t>(data.size(), pci::kConfigSpaceSize - offset)));
  }
  reply(message.header, request->packed(), replies);
}

void Session::reset(const Message& message, Bytes& replies) {
  function_.reset();
  lines_.forget_pending();
  reply(message.header, {}, replies);
}

}  // namespace periplex::vfio_user
