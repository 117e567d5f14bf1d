// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/log.hpp"
#include "base/time.hpp"
#include "machine/controller_description.hpp"
#include "machine/peripheral.hpp"
#include "machine/presets.hpp"

namespace periplex::apps {

/// What somebody has said about a machine, on the command line or in a file; what is absent was not said.
struct Settings {
  std::optional<std::string> name;
  std::optional<std::string> runtime_directory;
  std::optional<std::string> control;
  std::optional<std::string> streams;
  std::optional<std::string> socket_owner;
  std::optional<std::string> socket_mode;
  std::optional<std::string> capture;
  std::optional<std::string> log_level;
  std::optional<unsigned> spin_us;
  std::optional<bool> low_latency;
  machine::DiskSettings remote_disks;
  std::vector<machine::ControllerDescription> controllers;
  std::vector<machine::Description> peripherals;
  std::vector<machine::Preset> presets;
};

/// A machine as it is to be started.
struct Plan {
  std::string name;
  std::string runtime_directory;
  std::string control_socket;
  std::string streams;  ///< empty: none can come
  std::optional<uid_t> socket_owner;
  std::optional<gid_t> socket_group;
  mode_t socket_mode = 0600;
  std::optional<std::string> capture;
  log::Level log_level = log::Level::info;
  Microseconds spin{200};
  bool low_latency = false;
  machine::DiskSettings remote_disks;                       ///< of disks at seats
  std::vector<machine::ControllerDescription> controllers;  ///< at least one; all have names
  std::vector<machine::Description> peripherals;
  std::vector<machine::Preset> presets;
};

/// What is wrong with the settings, and what would be right.
struct SettingsError {
  std::string text;
  std::string advice;
};

/// Both together; where both speak, `first` counts, and its peripherals and presets come behind those of `second`.
/// Controllers are one such thing: those of `second` count only if `first` names none.
[[nodiscard]] Settings merge(Settings first, Settings second);

/// Checks them and fills in the defaults.
[[nodiscard]] std::expected<Plan, SettingsError> make_plan(const Settings& settings);

/// Where the machine's monitor connects to the function `name`.
[[nodiscard]] std::string function_socket(const Plan& plan, std::string_view name);

/// Reads a TOML file. Relative paths in it begin at its directory.
[[nodiscard]] std::expected<Settings, SettingsError> read_configuration(const std::string& path);

}  // namespace periplex::apps
