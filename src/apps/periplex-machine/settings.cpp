// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-machine/settings.hpp"

#include <charconv>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <utility>

#include "apps/places.hpp"

namespace periplex::apps {
namespace {

constexpr unsigned kMaxSpin = 10'000;
constexpr mode_t kSharedSocketMode = 0660;

std::unexpected<SettingsError> wrong(std::string text, std::string advice) {
  return std::unexpected(SettingsError{std::move(text), std::move(advice)});
}

template <typename T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::expected<void, SettingsError> set_owner(std::string_view text, Plan& plan) {
  const std::size_t colon = text.find(':');
  const std::string user(text.substr(0, colon));
  if (!user.empty()) {
    if (const passwd* entry = ::getpwnam(user.c_str())) {
      plan.socket_owner = entry->pw_uid;
    } else if (const auto id = parse_number<uid_t>(user)) {
      plan.socket_owner = *id;
    } else {
      return wrong(fmt::format("there is no user \"{}\"", user),
                   "name a user or a uid: --socket-owner libvirt-qemu:kvm");
    }
  }
  if (colon == std::string_view::npos) return {};
  const std::string group_name(text.substr(colon + 1));
  if (const group* entry = ::getgrnam(group_name.c_str())) {
    plan.socket_group = entry->gr_gid;
  } else if (const auto id = parse_number<gid_t>(group_name)) {
    plan.socket_group = *id;
  } else {
    return wrong(fmt::format("there is no group \"{}\"", group_name),
                 "name a group or a gid: --socket-owner libvirt-qemu:kvm");
  }
  return {};
}

std::expected<void, SettingsError> set_controllers(const Settings& settings, Plan& plan) {
  auto controllers = settings.controllers;
  if (controllers.empty()) controllers.push_back({{}, machine::Xhci{}});
  auto named = machine::with_names(std::move(controllers));
  if (!named) return wrong(std::move(named.error().text), std::move(named.error().advice));
  plan.controllers = std::move(*named);
  return {};
}

std::expected<void, SettingsError> set_log_level(std::string_view text, Plan& plan) {
  if (text == "debug") {
    plan.log_level = log::Level::debug;
  } else if (text == "info") {
    plan.log_level = log::Level::info;
  } else if (text == "warning") {
    plan.log_level = log::Level::warning;
  } else if (text == "error") {
    plan.log_level = log::Level::error;
  } else {
    return wrong(fmt::format("there is no log level \"{}\"", text), "use debug, info, warning or error");
  }
  return {};
}

std::expected<void, SettingsError> set_sockets(const Settings& settings, Plan& plan) {
  plan.runtime_directory = absolute_path(settings.runtime_directory.value_or(runtime_directory(plan.name)));
  plan.control_socket = settings.control ? absolute_path(*settings.control)
                                         : fmt::format("{}/{}", plan.runtime_directory, kControlSocketName);
  if (settings.streams) plan.streams = absolute_path(*settings.streams);
  if (settings.socket_owner) {
    plan.socket_mode = kSharedSocketMode;
    if (auto set = set_owner(*settings.socket_owner, plan); !set) return set;
  }
  if (settings.socket_mode) {
    const auto mode = parse_number<mode_t>(*settings.socket_mode, 8);
    if (!mode || *mode > 0777) {
      return wrong(fmt::format("\"{}\" is no file mode", *settings.socket_mode), "write it like 0660");
    }
    plan.socket_mode = *mode;
  }
  return {};
}

}  // namespace

Settings merge(Settings first, Settings second) {
  const auto take = [](auto& into, auto& from) {
    if (!into) into = std::move(from);
  };
  take(first.name, second.name);
  take(first.runtime_directory, second.runtime_directory);
  take(first.control, second.control);
  take(first.streams, second.streams);
  take(first.socket_owner, second.socket_owner);
  take(first.socket_mode, second.socket_mode);
  take(first.capture, second.capture);
  take(first.log_level, second.log_level);
  take(first.spin_us, second.spin_us);
  take(first.low_latency, second.low_latency);
  first.remote_disks = first.remote_disks.or_else(second.remote_disks);
  if (first.controllers.empty()) first.controllers = std::move(second.controllers);
  first.peripherals.insert(first.peripherals.begin(), std::make_move_iterator(second.peripherals.begin()),
                           std::make_move_iterator(second.peripherals.end()));
  first.presets.insert(first.presets.begin(), std::make_move_iterator(second.presets.begin()),
                       std::make_move_iterator(second.presets.end()));
  return first;
}

std::expected<Plan, SettingsError> make_plan(const Settings& settings) {
  Plan plan;
  plan.name = settings.name.value_or(std::string(kDefaultMachineName));
  if (!machine::is_valid_id(plan.name)) {
    return wrong(fmt::format("\"{}\" cannot be a machine's name", plan.name),
                 "use up to 63 letters, digits, dots, dashes and underscores, with a letter or digit first");
  }
  plan.capture = settings.capture;
  plan.peripherals = settings.peripherals;
  plan.remote_disks = settings.remote_disks;
  plan.presets = settings.presets;
  const unsigned spin = settings.spin_us.value_or(static_cast<unsigned>(plan.spin.count()));
  if (spin > kMaxSpin) return wrong("the loop cannot spin that long", fmt::format("use 0 to {} µs", kMaxSpin));
  plan.spin = Microseconds(spin);
  plan.low_latency = settings.low_latency.value_or(false);
  auto done = set_sockets(settings, plan);
  if (done) done = set_controllers(settings, plan);
  if (done && settings.log_level) done = set_log_level(*settings.log_level, plan);
  if (!done) return std::unexpected(std::move(done.error()));
  return plan;
}

std::string function_socket(const Plan& plan, std::string_view name) {
  return fmt::format("{}/{}{}", plan.runtime_directory, name, kSocketSuffix);
}

}  // namespace periplex::apps
