// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "gate/configuration.hpp"
#include "machine/disk_settings.hpp"

namespace periplex::apps {

/// A machine of this host.
struct ManagedMachine {
  std::string name;
  bool start = false;                    ///< its worker is started here; else by somebody else
  std::string configuration;             ///< of its worker (periplex-machine --config); may be empty
  std::string streams;                   ///< its worker's stream socket
  machine::DiskSettings remote_disks{};  ///< of its disks at seats, if its worker is started here
  bool operator==(const ManagedMachine&) const = default;
};

/// What periplexd's configuration file says, with what it leaves out. All paths are absolute.
struct ManagerSettings {
  std::string state_directory;
  std::string runtime_directory;
  std::string name = "periplex";
  std::string listen;     ///< ADDRESS:PORT
  std::string gate_user;  ///< whom the gate becomes, where periplexd is root; empty: the usual
  bool datagrams = true;  ///< the gate takes them, at the UDP port of the same number
  std::vector<ManagedMachine> machines;
  std::vector<gate::Binding> bindings;
  std::vector<gate::Limit> limits;
  std::vector<std::string> presets;  ///< for every worker: periplex-machine --preset

  /// Whether all is the same that cannot change while periplexd runs.
  [[nodiscard]] bool same_places(const ManagerSettings& other) const {
    return state_directory == other.state_directory && runtime_directory == other.runtime_directory &&
           name == other.name && listen == other.listen && gate_user == other.gate_user && datagrams == other.datagrams;
  }
};

/// Reads a TOML file; without one (an empty path) there are no machines. The error is a text for a person.
[[nodiscard]] std::expected<ManagerSettings, std::string> read_manager_settings(const std::string& path);

}  // namespace periplex::apps
