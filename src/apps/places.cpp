// SPDX-License-Identifier: Apache-2.0
#include "apps/places.hpp"

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <system_error>
#include <unistd.h>

namespace periplex::apps {

std::string runtime_root() {
  if (::geteuid() == 0) return "/run/periplex";
  const char* directory = std::getenv("XDG_RUNTIME_DIR");
  if (directory != nullptr && *directory != '\0') return fmt::format("{}/periplex", directory);
  return fmt::format("/run/user/{}/periplex", ::geteuid());
}

std::string runtime_directory(std::string_view name) {
  return fmt::format("{}/{}", runtime_root(), name);
}

std::string absolute_path(std::string_view path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(std::filesystem::path(path), error);
  return error ? std::string(path) : absolute.lexically_normal().string();
}

}  // namespace periplex::apps
