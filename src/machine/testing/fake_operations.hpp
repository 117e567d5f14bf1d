// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "machine/operations.hpp"

namespace periplex::machine::testing {

/// A machine that remembers what it was asked, in words, and refuses when told to.
class FakeOperations final : public Operations {
 public:
  [[nodiscard]] MachineView view() const override { return machine; }
  [[nodiscard]] std::vector<PeripheralView> peripherals() const override { return plugged; }
  [[nodiscard]] Statistics statistics() const override { return counted; }

  [[nodiscard]] Outcome<PeripheralView> attach(Description description, Files files) override {
    std::string what = fmt::format("attach {} {}", description.kind(), description.id);
    for (std::size_t i = 0; i < files.size(); ++i) what += " +file";
    if (auto done = note(std::move(what)); !done) {
      return std::unexpected(done.error());
    }
    plugged.push_back({.description = std::move(description), .port = 1, .leds = {}, .terminal = {}});
    return plugged.back();
  }
  [[nodiscard]] Outcome<> detach(std::string_view id) override { return note(fmt::format("detach {}", id)); }
  [[nodiscard]] Outcome<> eject(std::string_view id, bool force) override {
    return note(fmt::format("eject {}{}", id, force ? " by force" : ""));
  }
  [[nodiscard]] Outcome<> insert(std::string_view id, UniqueFd image, std::string name) override {
    return note(fmt::format("insert {} {}{}", id, name, image ? " +file" : ""));
  }
  [[nodiscard]] Outcome<> type(std::optional<std::string_view> id, std::string_view text) override {
    return note(fmt::format("type {} {}", id.value_or("-"), text));
  }
  [[nodiscard]] Outcome<> press(std::optional<std::string_view> id, const std::vector<std::string>& chords) override {
    return note(fmt::format("press {} {}", id.value_or("-"), fmt::join(chords, " ")));
  }
  [[nodiscard]] Outcome<> point(std::optional<std::string_view> id,
                                const std::vector<pointer::Action>& actions) override {
    pointed = actions;
    return note(fmt::format("point {} {}", id.value_or("-"), actions.size()));
  }
  [[nodiscard]] Outcome<> start_capture(UniqueFd file, std::string name) override {
    return note(fmt::format("capture {}{}", name, file ? " +file" : ""));
  }
  [[nodiscard]] Outcome<CaptureView> stop_capture() override {
    if (auto done = note("stop capture"); !done) return std::unexpected(done.error());
    return CaptureView{"usb.pcapng", 3, 1};
  }

  MachineView machine;
  std::vector<PeripheralView> plugged;
  Statistics counted;
  std::vector<pointer::Action> pointed;
  std::optional<Refusal> refusal;  ///< the answer to everything, if there is one
  std::vector<std::string> asked;

 private:
  Outcome<> note(std::string what) {
    asked.push_back(std::move(what));
    if (refusal) return std::unexpected(*refusal);
    return {};
  }
};

}  // namespace periplex::machine::testing
