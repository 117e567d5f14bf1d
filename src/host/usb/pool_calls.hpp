// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/io_pool.hpp"
#include "host/usb/handle.hpp"

namespace periplex::host {

/// Makes calls that may wait on the threads of a pool.
class PoolCalls final : public CallThread {
 public:
  /// `pool` must outlive this.
  explicit PoolCalls(IoPool& pool) : pool_(pool) {}

  void run(std::move_only_function<int()> call, std::move_only_function<void(int)> done) override;

 private:
  IoPool& pool_;
};

}  // namespace periplex::host
