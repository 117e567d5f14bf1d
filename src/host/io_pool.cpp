// SPDX-License-Identifier: Apache-2.0
#include "host/io_pool.hpp"

#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <signal.h>
#include <utility>

namespace periplex::host {

struct IoPool::Shared {
  std::mutex mutex;
  std::condition_variable work_waits;
  std::deque<std::move_only_function<void()>> jobs;
  unsigned idle_threads = 0;
  bool stop = false;

  void run_jobs() {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle_threads;
      work_waits.wait(lock, [this] { return stop || !jobs.empty(); });
      --idle_threads;
      if (jobs.empty()) return;
      auto job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      job = nullptr;  // what it holds must not be held while waiting for the next
      lock.lock();
    }
  }
};

IoPool::IoPool(EventLoop& loop, unsigned max_threads, std::size_t memory_limit)
    : loop_(loop),
      max_threads_(max_threads),
      memory_limit_(memory_limit),
      self_(std::make_shared<IoPool*>(this)),
      shared_(std::make_shared<Shared>()) {}

IoPool::~IoPool() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stop = true;
  }
  shared_->work_waits.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void IoPool::submit(std::shared_ptr<Work> work) {
  waiting_.push_back(std::move(work));
  admit();
}

void IoPool::admit() {
  while (!waiting_.empty()) {
    const std::size_t memory = waiting_.front()->memory();
    // Something larger than the limit is let through alone, so that it is not stuck for ever.
    if (memory_in_use_ > 0 && memory_in_use_ + memory > memory_limit_) return;
    const std::shared_ptr<Work> work = std::move(waiting_.front());
    waiting_.pop_front();
    memory_in_use_ += memory;
    auto report = [weak = std::weak_ptr(self_), work, memory] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      work->finished();
      (*self)->memory_in_use_ -= memory;
      (*self)->admit();
    };
    if (!work->prepare()) {
      loop_.defer(std::move(report));
      continue;
    }
    bool another_thread = false;
    {
      const std::lock_guard lock(shared_->mutex);
      // The thread keeps nothing of the work once it has handed it back: its end belongs to the loop.
      shared_->jobs.emplace_back([&todo = *work, &loop = loop_, report = std::move(report)]() mutable {
        todo.perform();
        loop.post(std::move(report));
      });
      another_thread = shared_->jobs.size() > shared_->idle_threads;
    }
    shared_->work_waits.notify_one();
    if (another_thread && threads_.size() < max_threads_) start_thread();
  }
}

void IoPool::start_thread() {
  // Signals are the main thread's; threads inherit the mask they are started with.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  threads_.emplace_back([shared = shared_] { shared->run_jobs(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace periplex::host
