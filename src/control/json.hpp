// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "machine/operations.hpp"

/// The control API's JSON: bodies of requests as values, values as bodies of answers. Boost.JSON stays behind this.
namespace periplex::control {

// Answers ---------------------------------------------------------------------------------------------------------

[[nodiscard]] std::string error_json(std::string_view text, std::string_view advice);
[[nodiscard]] std::string to_json(const machine::MachineView& machine);
[[nodiscard]] std::string to_json(const machine::PeripheralView& peripheral);
/// The body that `parse_description` understands.
[[nodiscard]] std::string to_json(const machine::Description& description);
/// {"keys": […]}
[[nodiscard]] std::string keys_json(const std::vector<std::string>& chords);
/// {"name": "value"}
[[nodiscard]] std::string text_json(std::string_view name, std::string_view value);
/// {"devices": […]}
[[nodiscard]] std::string to_json(const std::vector<machine::PeripheralView>& peripherals);
[[nodiscard]] std::string to_json(const machine::Statistics& statistics);
[[nodiscard]] std::string to_json(const machine::CaptureView& capture);
/// {"vmm": …, "arguments": […], "text": …}
[[nodiscard]] std::string arguments_json(std::string_view vmm, const std::vector<std::string>& arguments,
                                         std::string_view text);

// Requests --------------------------------------------------------------------------------------------------------
// A body that is no JSON object, lacks something, has an unknown member or a value of the wrong type is refused as
// `invalid`, by name.

/// {"kind": "storage", "id": "disk", "readonly": true, …}: the members are a specification's settings.
[[nodiscard]] machine::Outcome<machine::Description> parse_description(std::string_view body);
/// The one member `name` of an object, a text.
[[nodiscard]] machine::Outcome<std::string> parse_text(std::string_view body, std::string_view name);
/// {"keys": ["ctrl+alt+delete", …]}
[[nodiscard]] machine::Outcome<std::vector<std::string>> parse_keys(std::string_view body);
/// {"x": 0 … 32767, "y": …} | {"dx": …, "dy": …} | {"buttons": ["left", …]} | {"click": "left"} | {"wheel": …}, or
/// several of them at once; they take effect in this order.
[[nodiscard]] machine::Outcome<std::vector<machine::pointer::Action>> parse_pointer(std::string_view body);

}  // namespace periplex::control
