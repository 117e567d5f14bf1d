// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace periplex {

/// An integer that belongs to one number space (slot ids, port numbers …) and cannot be mistaken for another.
template <typename Tag, typename T>
struct StrongId {
  T value{};

  constexpr StrongId() = default;
  constexpr explicit StrongId(T v) : value(v) {}
  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
};

}  // namespace periplex

template <typename Tag, typename T>
struct std::hash<periplex::StrongId<Tag, T>> {
  std::size_t operator()(const periplex::StrongId<Tag, T>& id) const noexcept { return std::hash<T>{}(id.value); }
};
