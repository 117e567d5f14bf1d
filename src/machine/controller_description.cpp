// SPDX-License-Identifier: Apache-2.0
#include "machine/controller_description.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

namespace periplex::machine {
namespace {

constexpr std::array kNames = {"xhci", "uhci", "ehci"};  // in the order of ControllerDescription::options
/// Its socket stands beside those of the functions.
constexpr std::string_view kControlSocket = "control";

using Applied = std::expected<void, SpecificationError>;

std::unexpected<SpecificationError> wrong(std::string text, std::string advice) {
  return std::unexpected(SpecificationError{std::move(text), std::move(advice)});
}

Applied apply_ports(unsigned& ports, const Setting& setting, unsigned most) {
  const auto number = parse_number(setting.value);
  if (!number || *number < 1 || *number > most) {
    return wrong(fmt::format("a controller cannot have {}={}", setting.key, setting.value),
                 fmt::format("use 1 to {}", most));
  }
  ports = static_cast<unsigned>(*number);
  return {};
}

Applied apply_verify(usb::batching::Verification& verification, const Setting& setting) {
  const auto parsed = usb::batching::parse_verification(setting.value);
  if (!parsed) {
    return wrong(fmt::format("verify={} does not say by what to verify", setting.value),
                 "join addresses, descriptors and data with +, with at least one of the first two");
  }
  verification = *parsed;
  return {};
}

std::unexpected<SpecificationError> unknown(std::string_view kind, const Setting& setting, std::string_view known) {
  return wrong(fmt::format("{} has no setting \"{}\"", kind, setting.key), fmt::format("its settings are {}", known));
}

Applied apply(Xhci& xhci, const Setting& setting) {
  if (setting.key == "usb2-ports") return apply_ports(xhci.usb2_ports, setting, Xhci::kMostPorts);
  if (setting.key == "usb3-ports") return apply_ports(xhci.usb3_ports, setting, Xhci::kMostPorts);
  return unknown("xhci", setting, "name, usb2-ports and usb3-ports");
}

Applied apply(Uhci& uhci, const Setting& setting) {
  if (setting.key == "ports") return apply_ports(uhci.ports, setting, Uhci::kMostPorts);
  if (setting.key == "verify") return apply_verify(uhci.verification, setting);
  return unknown("uhci", setting, "name, ports and verify");
}

Applied apply(Ehci& ehci, const Setting& setting) {
  if (setting.key == "verify") return apply_verify(ehci.verification, setting);
  if (setting.key != "ports") return unknown("ehci", setting, "name, ports and verify");
  if (auto done = apply_ports(ehci.ports, setting, Ehci::kMostPorts); !done) return done;
  if (ehci.ports % Ehci::kPortsPerCompanion != 0) {
    return wrong(fmt::format("an EHCI cannot have {} ports", ehci.ports),
                 "use an even number: every two ports have a companion");
  }
  return {};
}

Applied apply_name(std::string& name, const Setting& setting) {
  if (!is_valid_id(setting.value)) {
    return wrong(fmt::format("\"{}\" cannot be a controller's name", setting.value), std::string(kIdAdvice));
  }
  name = setting.value;
  return {};
}

std::optional<ControllerDescription> with_defaults(std::string_view kind) {
  if (kind == "xhci") return ControllerDescription{{}, Xhci{}};
  if (kind == "uhci") return ControllerDescription{{}, Uhci{}};
  if (kind == "ehci") return ControllerDescription{{}, Ehci{}};
  return std::nullopt;
}

/// The kind, or the kind and the first number from 2 on that no other controller bears.
std::string unused_name(const std::vector<ControllerDescription>& controllers, std::string_view kind) {
  std::string name(kind);
  for (unsigned number = 2; std::ranges::count(controllers, name, &ControllerDescription::name) != 0; ++number) {
    name = fmt::format("{}{}", kind, number);
  }
  return name;
}

}  // namespace

std::string_view ControllerDescription::kind() const {
  return kNames[options.index()];
}

std::expected<ControllerDescription, SpecificationError> describe_controller(std::string_view kind,
                                                                             std::span<const Setting> settings) {
  auto description = with_defaults(kind);
  if (!description) {
    return wrong(fmt::format("there is no controller of kind \"{}\"", kind),
                 "use xhci, ehci or uhci, for example: xhci,usb3-ports=2");
  }
  for (auto setting = settings.begin(); setting != settings.end(); ++setting) {
    if (std::ranges::count(settings.begin(), setting, setting->key, &Setting::key) != 0) {
      return wrong(fmt::format("\"{}\" is given twice", setting->key), "give every setting once");
    }
    const Applied applied = setting->key == "name" ? apply_name(description->name, *setting)
                                                   : std::visit([&](auto& of_kind) { return apply(of_kind, *setting); },
                                                                description->options);
    if (!applied) return std::unexpected(applied.error());
  }
  return std::move(*description);
}

std::expected<ControllerDescription, SpecificationError> parse_controller(std::string_view text) {
  const auto specification = split_specification(text, "xhci,usb2-ports=4,usb3-ports=4");
  if (!specification) return std::unexpected(specification.error());
  return describe_controller(specification->kind, specification->settings);
}

std::vector<std::string> function_names(const ControllerDescription& controller) {
  std::vector<std::string> names;
  if (const Ehci* ehci = std::get_if<Ehci>(&controller.options)) {
    for (unsigned number = 1; number <= ehci->ports / Ehci::kPortsPerCompanion; ++number) {
      names.push_back(fmt::format("{}-companion{}", controller.name, number));
    }
  }
  names.push_back(controller.name);
  return names;
}

std::expected<std::vector<ControllerDescription>, SpecificationError> with_names(
    std::vector<ControllerDescription> controllers) {
  if (controllers.size() > kMostControllers) {
    return wrong(fmt::format("a machine cannot have {} controllers", controllers.size()),
                 fmt::format("use up to {}, with more ports each", kMostControllers));
  }
  std::vector<std::string> taken{std::string(kControlSocket)};
  for (ControllerDescription& controller : controllers) {
    if (controller.name.empty()) controller.name = unused_name(controllers, controller.kind());
  }
  for (const ControllerDescription& controller : controllers) {
    for (std::string& name : function_names(controller)) {
      if (std::ranges::find(taken, name) != taken.end()) {
        return wrong(fmt::format("no controller can be called \"{}\": that name is taken", name),
                     "give every controller a name of its own with name=NAME");
      }
      taken.push_back(std::move(name));
    }
  }
  return controllers;
}

}  // namespace periplex::machine
