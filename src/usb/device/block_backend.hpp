// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <variant>

#include "base/bytes.hpp"

/// What a disk stands on: bytes that are read and written at offsets, without any thread, socket or clock in sight.
namespace periplex::usb::device {

/// Why a request failed, in the words a disk needs.
enum class BlockError : std::uint8_t {
  medium_error,     ///< the bytes cannot be read or written (EIO)
  no_space,         ///< what lies underneath cannot grow any more (ENOSPC, EDQUOT)
  gone,             ///< what lies underneath is not there any more
  write_protected,  ///< it cannot be written
};

struct BlockFailure {
  BlockError error = BlockError::medium_error;
  /// The first byte that was not moved; everything of the request before it was. For a flush: zero.
  std::uint64_t offset = 0;
};

using BlockResult = std::expected<void, BlockFailure>;

enum class BlockOperation : std::uint8_t {
  read,
  write,
  flush,    ///< makes every completed write durable
  discard,  ///< gives the space back; the range reads as zeros afterwards
};

/// One request. Any byte offset and length inside the backend's size are allowed.
struct BlockRequest {
  BlockOperation operation = BlockOperation::read;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< bytes; for reads and writes the sum of `spans`
  /// The data, content or room. The list itself need only live during the call, the bytes it names until the result.
  std::span<const MutableByteView> spans;
};

/// Who asks keeps a single read or write below this, so that memory for requests in flight stays bounded.
inline constexpr std::size_t kMaxBlockRequest = std::size_t{1} << 20;

/// Interest in a request that is under way. Destroying it drops the interest: the handler is not called any more, and
/// the bytes that the request named are not touched any more, from that moment on. Whether a write takes place is then
/// open, but it does not overtake later requests to the same range.
class BlockClaim {
 public:
  virtual ~BlockClaim() = default;
};

using BlockHandler = std::move_only_function<void(BlockResult)>;

/// What starting a request gives: its result at once, or a claim on a result that comes later.
using BlockStart = std::variant<BlockResult, std::unique_ptr<BlockClaim>>;

/// A store of bytes with a fixed size.
///
/// `start` answers each request exactly once: with the result where it is known at once (memory, page cache) – then the
/// handler is dropped and nobody is woken – or through the handler, on the loop, never inside `start`. Several requests
/// may be under way; those whose ranges overlap take effect in the order of the calls if one of them writes. Claims
/// must be dropped before the backend is destroyed.
class BlockBackend {
 public:
  virtual ~BlockBackend() = default;

  /// Bytes; constant, and a multiple of `logical_block_size`.
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Bytes; a power of two from 512 to 4096.
  [[nodiscard]] virtual std::uint32_t logical_block_size() const { return 512; }
  /// The unit in which writing is cheap; a power of two, at least the logical block size.
  [[nodiscard]] virtual std::uint32_t physical_block_size() const { return 4096; }
  [[nodiscard]] virtual bool read_only() const { return false; }
  [[nodiscard]] virtual bool can_discard() const { return false; }

  [[nodiscard]] virtual BlockStart start(const BlockRequest& request, BlockHandler handler) = 0;
};

}  // namespace periplex::usb::device
