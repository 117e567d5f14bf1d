// SPDX-License-Identifier: Apache-2.0
#include "host/usb/pool_calls.hpp"

namespace periplex::host {
namespace {

class Call final : public IoPool::Work {
 public:
  Call(std::move_only_function<int()> call, std::move_only_function<void(int)> done)
      : call_(std::move(call)), done_(std::move(done)) {}

  [[nodiscard]] std::size_t memory() const override { return 0; }
  [[nodiscard]] bool prepare() override { return true; }
  void perform() override { result_ = call_(); }
  void finished() override {
    call_ = nullptr;
    if (done_) done_(result_);
  }

 private:
  std::move_only_function<int()> call_;
  std::move_only_function<void(int)> done_;
  int result_ = 0;
};

}  // namespace

void PoolCalls::run(std::move_only_function<int()> call, std::move_only_function<void(int)> done) {
  pool_.submit(std::make_shared<Call>(std::move(call), std::move(done)));
}

}  // namespace periplex::host
