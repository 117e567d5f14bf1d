// SPDX-License-Identifier: Apache-2.0
#include "bench/bulk.hpp"

#include <cstring>
#include <stdexcept>

#include "bench/software_guest.hpp"
#include "bench/stopwatch.hpp"
#include "bench/worker.hpp"

namespace periplex::bench {
namespace {

using namespace usb::xhci::testing;
using usb::Direction;
using usb::xhci::CompletionCode;
using usb::xhci::Trb;

constexpr std::uint64_t kRamSize = std::uint64_t{64} << 20;
constexpr std::size_t kDeviceSize = std::size_t{64} << 20;  // more than caches hold, as an image would be
constexpr std::uint64_t kBytesPerRun = std::uint64_t{512} << 20;
constexpr std::uint32_t kTrbBytes = 64 * 1024;  // §6.4.1.1: the most that one TRB carries
constexpr Microseconds kSpin{50};               // as periplex-machine
constexpr unsigned kPollsBeforeYield = 256;

/// One way to queue transfers, and the buffers and TDs for it, made ahead.
class Flow {
 public:
  Flow(SoftwareGuest& guest, Direction direction, std::uint32_t td_bytes, unsigned queued)
      : guest_(guest), dci_(direction == Direction::in ? SoftwareGuest::kIn : SoftwareGuest::kOut) {
    for (unsigned i = 0; i < queued; ++i) {
      buffers_.push_back(guest.ram().allocate(td_bytes, 0x1000));
      std::vector<Trb> td;
      for (std::uint32_t at = 0; at < td_bytes; at += kTrbBytes) {
        const bool last = at + kTrbBytes >= td_bytes;
        td.push_back(normal(buffers_.back() + at, kTrbBytes, last ? flag::kIoc : flag::kChain));
      }
      tds_.push_back(std::move(td));
    }
  }

  [[nodiscard]] const std::vector<GuestAddress>& buffers() const { return buffers_; }

  /// Keeps the ring filled until `total` TDs have ended. Buffers are used in turn.
  void run(std::uint64_t total) {
    std::uint64_t queued = 0;
    std::uint64_t ended = 0;
    unsigned idle = 0;
    Driver& driver = guest_.driver();
    while (ended < total) {
      const std::uint64_t before = queued;
      while (queued < total && queued - ended < tds_.size()) {
        driver.queue(guest_.slot(), dci_, tds_[queued % tds_.size()]);
        ++queued;
      }
      if (queued != before) driver.ring(guest_.slot(), dci_);
      const std::uint64_t seen = poll();
      ended += seen;
      if (seen != 0) driver.acknowledge();
      idle = seen != 0 ? 0 : idle + 1;
      // Where the worker has to share this processor it would not get on otherwise.
      if (idle > kPollsBeforeYield && processors() == 1) ::sched_yield();
    }
  }

 private:
  std::uint64_t poll() {
    std::uint64_t seen = 0;
    while (const auto event = guest_.driver().poll()) {
      if (code_of(*event) != CompletionCode::success) throw std::runtime_error("a transfer failed");
      ++seen;
    }
    return seen;
  }

  SoftwareGuest& guest_;
  unsigned dci_;
  std::vector<GuestAddress> buffers_;
  std::vector<std::vector<Trb>> tds_;
};

/// The same bytes between the same guest buffers and as much other memory, by the guest itself.
double copy_seconds(SoftwareGuest& guest, const Flow& flow, BulkResult& result, Bytes& other, std::uint64_t total) {
  const Stopwatch watch;
  std::size_t position = 0;
  for (std::uint64_t i = 0; i < total; ++i) {
    if (position + result.td_bytes > other.size()) position = 0;
    std::byte* theirs = other.data() + position;
    std::byte* ours = guest.ram().bytes(flow.buffers()[i % flow.buffers().size()], result.td_bytes).data();
    for (std::uint32_t at = 0; at < result.td_bytes; at += kTrbBytes) {
      if (result.direction == Direction::in) {
        std::memcpy(ours + at, theirs + at, kTrbBytes);
      } else {
        std::memcpy(theirs + at, ours + at, kTrbBytes);
      }
    }
    position += result.td_bytes;
  }
  return watch.seconds();
}

}  // namespace

std::vector<BulkResult> measure_bulk(unsigned repetitions) {
  std::vector<BulkResult> results;
  for (const Direction direction : {Direction::in, Direction::out}) {
    results.push_back({.direction = direction, .td_bytes = 64 * 1024, .queued = 16});
    results.push_back({.direction = direction, .td_bytes = 1024 * 1024, .queued = 4});
  }
  const Worker worker({.processor = 1, .spin = kSpin, .device_size = kDeviceSize});
  pin(0);
  SoftwareGuest guest(worker.socket_path(), kRamSize);
  Bytes other(kDeviceSize);
  std::vector<Flow> flows;
  for (const BulkResult& result : results) {
    flows.emplace_back(guest, result.direction, result.td_bytes, result.queued);
  }
  for (unsigned repetition = 0; repetition <= repetitions; ++repetition) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      BulkResult& result = results[i];
      const std::uint64_t total = kBytesPerRun / result.td_bytes;
      const double copy_before = processor_seconds(0);
      const double copy = static_cast<double>(kBytesPerRun) / copy_seconds(guest, flows[i], result, other, total);
      const double copy_processor = processor_seconds(0) - copy_before;
      const double worker_before = processor_seconds(worker.pid());
      const Stopwatch watch;
      flows[i].run(total);
      const double bulk = static_cast<double>(kBytesPerRun) / watch.seconds();
      const double worker_processor = processor_seconds(worker.pid()) - worker_before;
      if (repetition == 0) continue;  // warms caches and page tables up
      result.memcpy_bytes_per_second.add(copy);
      result.bytes_per_second.add(bulk);
      result.ratio.add(bulk / copy);
      result.processor_ratio.add(copy_processor / worker_processor);
    }
  }
  pin({});
  return results;
}

}  // namespace periplex::bench
