// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <memory>

#include "host/image_lock.hpp"
#include "host/io_pool.hpp"
#include "loop/unique_fd.hpp"
#include "usb/device/block_backend.hpp"

namespace periplex::host {

enum class BlockFileError : std::uint8_t {
  not_a_disk,  ///< neither a regular file nor a block device
  too_small,   ///< not one whole block
  unreadable,  ///< the descriptor was not opened for reading, or tells nothing about itself
};

struct BlockFileOptions {
  std::uint32_t logical_block_size = 512;  ///< 512, 1024, 2048 or 4096
  bool read_only = false;                  ///< even if the descriptor allows writing
  /// Held until the last request has ended, which may be after the file's own end.
  std::shared_ptr<const ImageLock> lock = nullptr;
};

/// A disk image or a block device, given as an open descriptor; nothing is opened here.
///
/// Where the bytes are in memory anyway the request is carried out at once on the caller's spans, without a copy, a
/// wake-up or a thread: always on tmpfs and memfd, elsewhere for reads that the page cache can answer. All else goes to
/// the pool through memory of its own, so that no thread but the loop's ever touches the caller's bytes; they are
/// copied on the loop, if the request is still wanted then.
///
/// A flush is an fdatasync; it covers the writes that have completed. A file shorter than its size (a hole, a file that
/// was cut) reads as zeros. The size is that of the moment of opening, rounded down to whole blocks.
class BlockFile final : public usb::device::BlockBackend {
 public:
  /// `pool` must outlive the file.
  [[nodiscard]] static std::expected<std::unique_ptr<BlockFile>, BlockFileError> make(UniqueFd fd, IoPool& pool,
                                                                                      BlockFileOptions options = {});
  ~BlockFile() override;

  [[nodiscard]] std::uint64_t size() const override { return traits_.size; }
  [[nodiscard]] std::uint32_t logical_block_size() const override { return traits_.logical_block_size; }
  [[nodiscard]] std::uint32_t physical_block_size() const override { return traits_.physical_block_size; }
  [[nodiscard]] bool read_only() const override { return traits_.read_only; }
  [[nodiscard]] bool can_discard() const override { return traits_.can_discard; }
  [[nodiscard]] usb::device::BlockStart start(const usb::device::BlockRequest& request,
                                              usb::device::BlockHandler handler) override;

  /// Whether everything is carried out at once.
  [[nodiscard]] bool in_memory() const { return traits_.in_memory; }

 private:
  struct Traits {
    std::uint64_t size = 0;
    std::uint32_t logical_block_size = 512;
    std::uint32_t physical_block_size = 512;
    bool read_only = false;
    bool can_discard = false;
    bool in_memory = false;
  };
  class Queue;  // of requests that take time; outlives the file while one is under way
  class Request;
  class Claim;

  BlockFile(std::shared_ptr<Queue> queue, Traits traits);

  [[nodiscard]] static std::expected<Traits, BlockFileError> examine(int fd, const BlockFileOptions& options);

  const Traits traits_;
  std::shared_ptr<Queue> queue_;
  bool cached_reads_ = true;
};

}  // namespace periplex::host
