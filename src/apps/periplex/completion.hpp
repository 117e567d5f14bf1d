// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace periplex::apps {

/// A script that completes periplex's commands, options, files and – by asking the machine – peripherals.
/// `shell` is bash, zsh or fish.
[[nodiscard]] std::string completion_script(std::string_view shell);

}  // namespace periplex::apps
