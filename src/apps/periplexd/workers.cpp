// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/workers.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "apps/periplexd/running_process.hpp"
#include "apps/places.hpp"
#include "base/log.hpp"
#include "loop/message_socket.hpp"

namespace periplex::apps {

Workers::Workers(EventLoop& loop, std::string programs, std::string runtime_directory)
    : loop_(loop), programs_(std::move(programs)), runtime_directory_(std::move(runtime_directory)) {}

Workers::~Workers() = default;

std::string Workers::directory_of(std::string_view machine) const {
  return fmt::format("{}/{}", runtime_directory_, machine);
}

void Workers::apply(std::vector<ManagedMachine> machines, std::vector<std::string> presets) {
  const auto is_to_run = [&machines](const std::string& name) {
    const auto found = std::ranges::find(machines, name, &ManagedMachine::name);
    return found != machines.end() && found->start;
  };
  std::vector<std::string> gone;
  for (const auto& [name, child] : running_) {
    if (!is_to_run(name)) gone.push_back(name);
  }
  for (const std::string& name : gone) let_go(name);
  for (const ManagedMachine& machine : machines) {
    if (!machine.start) continue;
    if (!running_.contains(machine.name)) {
      start(machine);
      continue;
    }
    const auto old = std::ranges::find(machines_, machine.name, &ManagedMachine::name);
    if (old != machines_.end() && *old != machine) {
      // Its guest would lose its controllers: that is for whoever ends the guest.
      log::warning("apps", fmt::format("{} goes on as it was started; what has changed counts from its worker's next "
                                       "start on",
                                       machine.name));
    }
  }
  if (presets != presets_ && !machines_.empty()) {
    log::warning("apps", "what has changed under [[peripheral]] counts from each worker's next start on");
  }
  machines_ = std::move(machines);
  presets_ = std::move(presets);
}

void Workers::start(const ManagedMachine& machine) {
  const std::string directory = directory_of(machine.name);
  Child::Plan plan{.name = fmt::format("the worker of {}", machine.name)};
  plan.arguments = [this, name = machine.name, directory] {
    std::vector<std::string> words{programs_ + "/periplex-machine", "--name", name, "--runtime-dir", directory};
    const auto found = std::ranges::find(machines_, name, &ManagedMachine::name);
    for (const std::string& preset : presets_) words.insert(words.end(), {"--preset", preset});
    if (found == machines_.end()) return words;
    words.insert(words.end(), {"--streams", found->streams});
    if (!found->configuration.empty()) words.insert(words.end(), {"--config", found->configuration});
    if (const std::string disks = periplex::machine::format_disk_settings(found->remote_disks); !disks.empty()) {
      words.insert(words.end(), {"--remote-disks", disks});
    }
    return words;
  };
  plan.find = [socket = fmt::format("{}/{}", directory, kControlSocketName)] { return find_listener(socket); };
  auto& child = running_[machine.name];
  child = std::make_unique<Child>(loop_, std::move(plan));
  // Its arguments are asked for when it starts, and `apply` has not ended.
  loop_.defer([this, name = machine.name] {
    if (const auto found = running_.find(name); found != running_.end()) found->second->start();
  });
}

void Workers::let_go(const std::string& name) {
  auto node = running_.extract(name);
  log::info("apps", fmt::format("the worker of {} is to end", name));
  ending_.push_back(std::move(node.mapped()));
  Child* const child = ending_.back().get();
  child->stop([this, child] { one_has_ended(child); });
}

void Workers::one_has_ended(const Child* child) {
  const auto found = std::ranges::find(ending_, child, &std::unique_ptr<Child>::get);
  if (found == ending_.end()) return;
  loop_.defer([old = std::move(*found)] {});  // it is the one that is calling
  ending_.erase(found);
  if (ended_ && ending_.empty()) std::exchange(ended_, nullptr)();
}

void Workers::stop(std::function<void()> ended) {
  std::vector<std::string> names;
  for (const auto& [name, child] : running_) names.push_back(name);
  for (const std::string& name : names) let_go(name);
  if (ending_.empty()) return ended();
  ended_ = std::move(ended);
}

UniqueFd Workers::connect(std::string_view machine) const {
  const auto found = std::ranges::find(machines_, machine, &ManagedMachine::name);
  if (found == machines_.end()) return {};
  auto socket = connect_messages(found->streams);
  return socket ? std::move(*socket) : UniqueFd();
}

}  // namespace periplex::apps
