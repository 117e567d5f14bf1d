// SPDX-License-Identifier: Apache-2.0
#include "usb/device/scsi_action.hpp"

#include <algorithm>

namespace periplex::usb::device {
namespace {

class Reply final : public ScsiAction {
 public:
  Reply(Bytes data, std::uint64_t allocation_length)
      : data_(std::move(data)),
        rest_(ByteView(data_).first(std::min<std::uint64_t>(data_.size(), allocation_length))) {}

  [[nodiscard]] DataStage data_stage() const override {
    return rest_.empty() ? DataStage{} : DataStage{DataDirection::to_host, rest_.size()};
  }
  [[nodiscard]] Next move(SpanCursor& data) override {
    rest_ = rest_.subspan(data.put(rest_));
    return std::nullopt;
  }

 private:
  const Bytes data_;
  ByteView rest_;
};

class WithParameters final : public ScsiAction {
 public:
  WithParameters(std::size_t length, std::function<Decoded(ByteView)> evaluate)
      : parameters_(length), evaluate_(std::move(evaluate)) {}

  [[nodiscard]] DataStage data_stage() const override { return {DataDirection::from_host, parameters_.size()}; }
  [[nodiscard]] Next move(SpanCursor& data) override {
    taken_ += data.take(MutableByteView(parameters_).subspan(taken_));
    return std::nullopt;
  }
  [[nodiscard]] Next finish() override {
    if (!evaluated_) {
      evaluated_ = true;
      Decoded decoded = evaluate_(parameters_);
      if (!decoded) return std::unexpected(decoded.error());
      action_ = std::move(*decoded);
    }
    if (action_ == nullptr) return std::nullopt;
    return action_->finish();
  }
  void carried_out(SpanCursor& data) override {
    if (action_ != nullptr) action_->carried_out(data);
  }

 private:
  Bytes parameters_;
  std::size_t taken_ = 0;
  std::function<Decoded(ByteView)> evaluate_;
  bool evaluated_ = false;
  ScsiActionPtr action_;
};

class FlushThen final : public ScsiAction {
 public:
  explicit FlushThen(std::function<void()> then) : then_(std::move(then)) {}

  [[nodiscard]] Next finish() override {
    if (!asked_) {
      asked_ = true;
      return BlockRequest{.operation = BlockOperation::flush};
    }
    if (then_) then_();
    return std::nullopt;
  }

 private:
  bool asked_ = false;
  std::function<void()> then_;
};

}  // namespace

ScsiActionPtr reply(Bytes data, std::uint64_t allocation_length) {
  return std::make_unique<Reply>(std::move(data), allocation_length);
}

ScsiActionPtr with_parameters(std::size_t length, std::function<Decoded(ByteView)> evaluate) {
  return std::make_unique<WithParameters>(length, std::move(evaluate));
}

ScsiActionPtr flush() {
  return std::make_unique<FlushThen>(nullptr);
}
ScsiActionPtr flush_then(std::function<void()> then) {
  return std::make_unique<FlushThen>(std::move(then));
}

}  // namespace periplex::usb::device
