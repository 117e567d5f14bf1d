// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "loop/event_loop.hpp"

namespace periplex::host {

/// A few threads for system calls that may wait for a disk, so that the loop never does.
///
/// All calls are made on the loop, except that `Work::perform` runs on one of the pool's threads. Threads start when
/// there is work for them. The memory that work holds while it is performed is bounded over all work of the pool: what
/// exceeds the bound waits in order, and holds nothing until its turn comes.
class IoPool {
 public:
  /// One thing to do. The pool shares it while it is under way.
  class Work {
   public:
    virtual ~Work() = default;
    /// Bytes it will hold from `prepare` to the end of `finished`.
    [[nodiscard]] virtual std::size_t memory() const = 0;
    /// On the loop, before it is performed: it may take memory now. False: it need not be performed any more.
    [[nodiscard]] virtual bool prepare() = 0;
    /// On a thread of the pool.
    virtual void perform() = 0;
    /// On the loop, once, performed or not; never inside `submit`.
    virtual void finished() = 0;
  };

  static constexpr unsigned kMaxThreads = 4;
  static constexpr std::size_t kMemoryLimit = std::size_t{8} << 20;

  explicit IoPool(EventLoop& loop, unsigned max_threads = kMaxThreads, std::size_t memory_limit = kMemoryLimit);
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;
  /// Performs what was prepared, so that no accepted write is lost, and joins the threads. Nothing is finished any
  /// more.
  ~IoPool();

  void submit(std::shared_ptr<Work> work);

  [[nodiscard]] std::size_t memory_in_use() const { return memory_in_use_; }
  [[nodiscard]] std::size_t threads() const { return threads_.size(); }

 private:
  struct Shared;  // what threads and loop share

  void admit();
  void start_thread();

  EventLoop& loop_;
  const unsigned max_threads_;
  const std::size_t memory_limit_;
  std::deque<std::shared_ptr<Work>> waiting_;  // for memory
  std::size_t memory_in_use_ = 0;
  std::shared_ptr<IoPool*> self_;  // expires with the pool: results that are posted then find nobody
  std::shared_ptr<Shared> shared_;
  std::vector<std::thread> threads_;
};

}  // namespace periplex::host
