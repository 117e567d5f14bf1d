// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/verification.hpp"

#include <algorithm>

namespace periplex::usb::batching {
namespace {

struct Word {
  std::string_view name;
  bool Verification::* flag;
};
constexpr Word kWords[] = {{"addresses", &Verification::addresses},
                           {"descriptors", &Verification::descriptors},
                           {"data", &Verification::data}};

}  // namespace

std::optional<Verification> parse_verification(std::string_view text) {
  Verification verification{.addresses = false, .descriptors = false, .data = false};
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find('+'));
    text.remove_prefix(std::min(text.size(), name.size() + 1));
    const auto* const word = std::ranges::find(kWords, name, &Word::name);
    if (word == std::end(kWords)) return std::nullopt;
    verification.*word->flag = true;
  }
  if (!verification.addresses && !verification.descriptors) return std::nullopt;
  return verification;
}

std::string format(const Verification& verification) {
  std::string text;
  for (const Word& word : kWords) {
    if (!(verification.*word.flag)) continue;
    if (!text.empty()) text += '+';
    text += word.name;
  }
  return text;
}

}  // namespace periplex::usb::batching
