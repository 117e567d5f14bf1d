// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

/// Where a machine's sockets are, so that both programs look in the same place.
namespace periplex::apps {

/// For root /run/periplex, for others $XDG_RUNTIME_DIR/periplex (/run/user/UID/periplex where that is not set).
[[nodiscard]] std::string runtime_root();
/// Of the machine `name`, below `runtime_root`.
[[nodiscard]] std::string runtime_directory(std::string_view name);

/// Sockets end so: that of the control API, and one for each PCI function, by its name.
inline constexpr std::string_view kSocketSuffix = ".sock";
inline constexpr std::string_view kControlSocketName = "control.sock";
inline constexpr std::string_view kDefaultMachineName = "vm1";

/// `path` from the root directory on, whether it exists or not.
[[nodiscard]] std::string absolute_path(std::string_view path);

}  // namespace periplex::apps
