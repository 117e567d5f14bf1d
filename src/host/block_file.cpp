// SPDX-License-Identifier: Apache-2.0
#include "host/block_file.hpp"

#include <algorithm>
#include <deque>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <utility>
#include <vector>

#include "host/file_io.hpp"
#include "usb/device/block_spans.hpp"

namespace periplex::host {
namespace {

using usb::device::BlockError;
using usb::device::BlockFailure;
using usb::device::BlockHandler;
using usb::device::BlockOperation;
using usb::device::BlockRequest;
using usb::device::BlockResult;
using usb::device::BlockStart;
using usb::device::SpanCursor;

BlockResult carry_out(int fd, const BlockRequest& request) {
  switch (request.operation) {
    case BlockOperation::read:
      return read_at(fd, request.offset, request.spans);
    case BlockOperation::write:
      return write_at(fd, request.offset, request.spans);
    case BlockOperation::flush:
      return sync_data(fd);
    case BlockOperation::discard:
      return punch_hole(fd, request.offset, request.length);
  }
  return {};
}

bool changes(BlockOperation operation) {
  return operation == BlockOperation::write || operation == BlockOperation::discard;
}

/// Whether two requests must take effect in order.
bool conflict(const BlockRequest& a, const BlockRequest& b) {
  if (!changes(a.operation) && !changes(b.operation)) return false;
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}

bool lives_in_memory(int fd) {
  struct statfs info{};
  if (::fstatfs(fd, &info) != 0) return false;
  const auto type = static_cast<std::uint64_t>(info.f_type);
  return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
}

}  // namespace

/// A request that takes time: owned by the queue and the pool while under way, and by its claim.
class BlockFile::Request final : public IoPool::Work, public std::enable_shared_from_this<Request> {
 public:
  Request(std::shared_ptr<Queue> queue, const BlockRequest& request, BlockHandler handler)
      : queue_(std::move(queue)),
        request_(request),
        spans_(request.spans.begin(), request.spans.end()),
        handler_(std::move(handler)) {}

  [[nodiscard]] const BlockRequest& request() const { return request_; }

  /// The caller's bytes are not touched any more, and nobody is told.
  void drop() {
    wanted_ = false;
    spans_.clear();
    handler_ = nullptr;
  }

  [[nodiscard]] std::size_t memory() const override { return moves_data() ? request_.length : 0; }
  [[nodiscard]] bool prepare() override;
  void perform() override;
  void finished() override;

 private:
  [[nodiscard]] bool moves_data() const {
    return request_.operation == BlockOperation::read || request_.operation == BlockOperation::write;
  }

  // Of the loop.
  std::shared_ptr<Queue> queue_;
  const BlockRequest request_;  // its spans are not looked at after construction
  std::vector<MutableByteView> spans_;
  BlockHandler handler_;
  bool wanted_ = true;
  // Of whoever has the work in hand: first the loop, then a thread, then the loop again.
  Bytes bounce_;
  BlockResult result_;
};

class BlockFile::Claim final : public usb::device::BlockClaim {
 public:
  explicit Claim(std::shared_ptr<Request> request) : request_(std::move(request)) {}
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim() override { request_->drop(); }

 private:
  std::shared_ptr<Request> request_;
};

/// Starts requests in the order they came, each as soon as none that is under way must come before it.
class BlockFile::Queue {
 public:
  Queue(UniqueFd fd, IoPool& pool, std::shared_ptr<const ImageLock> lock)
      : lock_(std::move(lock)), fd_(std::move(fd)), pool_(pool) {}

  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Whether `request` has to wait for one that is in the queue, and so must go through it.
  [[nodiscard]] bool must_wait(const BlockRequest& request) const {
    const auto before = [&](const std::shared_ptr<Request>& other) { return conflict(other->request(), request); };
    return std::ranges::any_of(running_, before) || std::ranges::any_of(waiting_, before);
  }
  void add(std::shared_ptr<Request> request) {
    waiting_.push_back(std::move(request));
    start_next();
  }
  void finished(const Request& request) {
    std::erase_if(running_, [&](const std::shared_ptr<Request>& each) { return each.get() == &request; });
    start_next();
  }
  /// Nobody waits for anything here any more. What is under way ends by itself.
  void abandon() {
    waiting_.clear();
    running_.clear();
  }

 private:
  void start_next() {
    const auto in_the_way = [this](const std::shared_ptr<Request>& each) {
      return conflict(each->request(), waiting_.front()->request());
    };
    while (!waiting_.empty() && std::ranges::none_of(running_, in_the_way)) {
      running_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      pool_.submit(running_.back());
    }
  }

  const std::shared_ptr<const ImageLock> lock_;
  const UniqueFd fd_;
  IoPool& pool_;
  std::deque<std::shared_ptr<Request>> waiting_;
  std::vector<std::shared_ptr<Request>> running_;
};

bool BlockFile::Request::prepare() {
  // Unwanted writes are dropped here, where their bytes would be taken; flushes and discards have none to take.
  if (!wanted_) return false;
  if (!moves_data()) return true;
  bounce_.resize(request_.length);
  if (request_.operation == BlockOperation::write) SpanCursor(spans_).take(bounce_);
  return true;
}

void BlockFile::Request::perform() {
  BlockRequest mine = request_;
  const MutableByteView bounce = bounce_;
  mine.spans = {&bounce, 1};
  result_ = carry_out(queue_->fd(), mine);
}

void BlockFile::Request::finished() {
  const auto self = shared_from_this();
  if (wanted_ && request_.operation == BlockOperation::read) {
    const std::uint64_t end = request_.offset + request_.length;
    const std::uint64_t reached = result_ ? end : std::clamp(result_.error().offset, request_.offset, end);
    SpanCursor(spans_).put(ByteView(bounce_).first(reached - request_.offset));
  }
  bounce_ = {};
  queue_->finished(*this);
  // Last: the handler may start new requests, and may end the file.
  if (wanted_) std::exchange(handler_, nullptr)(result_);
}

BlockFile::BlockFile(std::shared_ptr<Queue> queue, Traits traits) : traits_(traits), queue_(std::move(queue)) {}
BlockFile::~BlockFile() {
  queue_->abandon();
}

std::expected<std::unique_ptr<BlockFile>, BlockFileError> BlockFile::make(UniqueFd fd, IoPool& pool,
                                                                          BlockFileOptions options) {
  const auto traits = examine(fd.get(), options);
  if (!traits) return std::unexpected(traits.error());
  auto queue = std::make_shared<Queue>(std::move(fd), pool, std::move(options.lock));
  return std::unique_ptr<BlockFile>(new BlockFile(std::move(queue), *traits));
}

std::expected<BlockFile::Traits, BlockFileError> BlockFile::examine(int fd, const BlockFileOptions& options) {
  struct stat info{};
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fstat(fd, &info) != 0 || (flags & O_ACCMODE) == O_WRONLY) {
    return std::unexpected(BlockFileError::unreadable);
  }
  Traits traits{.logical_block_size = options.logical_block_size,
                .read_only = options.read_only || (flags & O_ACCMODE) == O_RDONLY};
  std::uint64_t bytes = 0;
  if (S_ISREG(info.st_mode)) {
    bytes = static_cast<std::uint64_t>(info.st_size);
    traits.in_memory = lives_in_memory(fd);
    traits.physical_block_size = std::max<std::uint32_t>(4096, options.logical_block_size);
    // A hole behind the end changes nothing, and tells whether holes can be made.
    traits.can_discard = !traits.read_only && punch_hole(fd, bytes, 4096).has_value();
  } else if (S_ISBLK(info.st_mode)) {
    int physical = 0;
    int read_only = 0;
    if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0) return std::unexpected(BlockFileError::unreadable);
    if (::ioctl(fd, BLKPBSZGET, &physical) != 0 || physical < 512) physical = 512;
    traits.physical_block_size = std::max(static_cast<std::uint32_t>(physical), options.logical_block_size);
    traits.read_only |= ::ioctl(fd, BLKROGET, &read_only) != 0 || read_only != 0;
  } else {
    return std::unexpected(BlockFileError::not_a_disk);
  }
  traits.size = bytes - bytes % options.logical_block_size;
  if (traits.size == 0) return std::unexpected(BlockFileError::too_small);
  return traits;
}

BlockStart BlockFile::start(const BlockRequest& request, BlockHandler handler) {
  if (changes(request.operation) && traits_.read_only) {
    return BlockResult(std::unexpected(BlockFailure{BlockError::write_protected, request.offset}));
  }
  const int fd = queue_->fd();
  if (traits_.in_memory) return carry_out(fd, request);

  BlockRequest rest = request;
  SpanCursor at(request.spans);
  if (request.operation == BlockOperation::read && cached_reads_ && !queue_->must_wait(request)) {
    const CachedRead cached = read_cached(fd, request.offset, request.spans);
    cached_reads_ = cached.supported;
    if (cached.bytes == request.length) return BlockResult{};
    at.advance(cached.bytes);
    rest.offset += cached.bytes;
    rest.length -= cached.bytes;
    rest.spans = at.peek(rest.length);
  }
  auto slow = std::make_shared<Request>(queue_, rest, std::move(handler));
  auto claim = std::make_unique<Claim>(slow);
  queue_->add(std::move(slow));
  return claim;
}

}  // namespace periplex::host
