// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apps/periplexd/child.hpp"
#include "apps/periplexd/settings.hpp"

namespace periplex::apps {

/// The workers of this host's machines. Those that are to be started here are kept running; one that runs already, as
/// it was left by a periplexd that is gone, is taken on as it is.
class Workers {
 public:
  /// `programs`: the directory where periplex-machine is.
  Workers(EventLoop& loop, std::string programs, std::string runtime_directory);
  ~Workers();

  /// From now on there are these machines. Workers of machines that stay are left alone; those of others end.
  /// `presets` are for those that are started from now on.
  void apply(std::vector<ManagedMachine> machines, std::vector<std::string> presets);
  /// A connection to the stream socket of a machine's worker; none: there is no such machine, or it is not there.
  [[nodiscard]] UniqueFd connect(std::string_view machine) const;
  /// Ends those that were started here or taken on; `ended` is called once, when they have.
  void stop(std::function<void()> ended);

 private:
  void start(const ManagedMachine& machine);
  void let_go(const std::string& name);
  void one_has_ended(const Child* child);
  [[nodiscard]] std::string directory_of(std::string_view machine) const;

  EventLoop& loop_;
  const std::string programs_;
  const std::string runtime_directory_;
  std::vector<ManagedMachine> machines_;
  std::vector<std::string> presets_;
  std::map<std::string, std::unique_ptr<Child>, std::less<>> running_;
  std::vector<std::unique_ptr<Child>> ending_;
  std::function<void()> ended_;
};

}  // namespace periplex::apps
