// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "apps/periplex/invocation.hpp"
#include "apps/periplex/terminal.hpp"
#include "control/client.hpp"

namespace periplex::apps {

/// Carries commands out by asking a machine's control API.
class Commands {
 public:
  explicit Commands(const Invocation& invocation) : invocation_(invocation) {}

  [[nodiscard]] Result operator()(const command::List&);
  [[nodiscard]] Result operator()(const command::Attach& attach);
  [[nodiscard]] Result operator()(const command::Detach& detach);
  [[nodiscard]] Result operator()(const command::Eject& eject);
  [[nodiscard]] Result operator()(const command::Insert& insert);
  [[nodiscard]] Result operator()(const command::Type& type);
  [[nodiscard]] Result operator()(const command::Key& key);
  [[nodiscard]] Result operator()(const command::Pointer& pointer);
  [[nodiscard]] Result operator()(const command::Stats& stats);
  [[nodiscard]] Result operator()(const command::CaptureStart& start);
  [[nodiscard]] Result operator()(const command::CaptureStop&);
  [[nodiscard]] Result operator()(const command::Args& args);
  [[nodiscard]] Result operator()(const command::Doctor& doctor);
  [[nodiscard]] Result operator()(const command::Completion& completion);
  [[nodiscard]] Result operator()(const command::ServeUsbip& serve);
  [[nodiscard]] Result operator()(const command::ServeUsbredir& serve);
  [[nodiscard]] Result operator()(const command::ShowUsbip& show);
  [[nodiscard]] Result operator()(const command::Version&);

 private:
  /// The body of the answer, if its status is a good one.
  [[nodiscard]] std::expected<std::string, Failure> ask(std::string_view method, std::string_view target,
                                                        std::string_view body = {}, std::span<const int> files = {});
  /// The same; waits while the guest has not fetched enough of what it was sent before.
  [[nodiscard]] std::expected<std::string, Failure> ask_patiently(std::string_view target, std::string_view body);
  /// Peripheral `id` once its far end has answered; one that was refused there is detached again.
  [[nodiscard]] std::expected<std::string, Failure> wait_for_far_end(const std::string& id);
  [[nodiscard]] std::expected<control::http::Response, Failure> exchange(std::string_view method,
                                                                         std::string_view target, std::string_view body,
                                                                         std::span<const int> files);

  const Invocation& invocation_;
  std::optional<control::Client> client_;
};

}  // namespace periplex::apps
