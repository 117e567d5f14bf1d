// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "attachment/messages.hpp"
#include "attachment/requests.hpp"

namespace periplex::attachment {

/// Reads what a device has of descriptors that do not depend on its state, one request after the other: device,
/// configurations, BOS, device qualifier, and the strings that those name in the device's languages.
///
/// It asks for no more than a host may: a string only where a descriptor names it. What the device does not answer is
/// left out; a STALL is remembered as one.
class DescriptorReader {
 public:
  /// Languages whose strings are read, and configurations.
  static constexpr std::size_t kMaxLanguages = 4;
  static constexpr std::uint8_t kMaxConfigurations = 8;

  /// Which descriptors.
  enum class Extent : std::uint8_t {
    everything,
    identity,  ///< device and configurations: enough to tell whether it is the same device still
  };
  /// `failed`: the device has not answered for its own descriptor.
  struct Result {
    bool failed = false;
    std::vector<KnownDescriptor> descriptors;
  };
  using OnDone = std::function<void(Result)>;

  explicit DescriptorReader(Requests& requests) : requests_(requests) {}
  DescriptorReader(const DescriptorReader&) = delete;
  DescriptorReader& operator=(const DescriptorReader&) = delete;
  ~DescriptorReader() { stop(); }

  /// Starts, over if need be. `on_done` comes from the loop.
  void start(usb::Speed speed, Extent extent, OnDone on_done);
  /// `on_done` will not come.
  void stop();
  [[nodiscard]] bool reading() const { return request_.has_value(); }

 private:
  struct Wanted {
    std::uint16_t value;
    std::uint16_t index;
    std::uint16_t length;  // how much to ask for
  };

  void next();
  void on_answer(const Wanted& wanted, const usb::Transfer& transfer, usb::Completion completion);
  [[nodiscard]] bool ask_for_the_rest(const Wanted& wanted, ByteView got);
  void learn(const Wanted& wanted, ByteView bytes);
  void learn_device(ByteView bytes);
  void learn_configuration(ByteView bytes);
  void want_strings();

  Requests& requests_;
  OnDone on_done_;
  usb::Speed speed_ = usb::Speed::full;
  Extent extent_ = Extent::everything;
  std::optional<usb::TransferId> request_;
  std::deque<Wanted> wanted_;
  std::set<std::uint8_t> strings_;
  std::vector<KnownDescriptor> known_;
  std::size_t bytes_ = 0;
};

}  // namespace periplex::attachment
