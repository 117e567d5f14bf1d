// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <span>
#include <string>
#include <sys/types.h>

/// What a process can give up of its own rights. Errors are texts for a person.
namespace periplex::sandbox {

using Done = std::expected<void, std::string>;

/// Closes all descriptors above standard error but `kept`.
[[nodiscard]] Done close_others(std::span<const int> kept);
/// No program that it starts gets rights that it has not (prctl(2), PR_SET_NO_NEW_PRIVS).
[[nodiscard]] Done forbid_new_privileges();
/// No core files, which would hold keys and a guest's memory; nobody of the same user looks inside, or traces it.
[[nodiscard]] Done forbid_inspection();
/// No process and no thread any more beside those that are there; no locked memory, no message queues.
[[nodiscard]] Done forbid_resources();

struct User {
  uid_t user = 0;
  gid_t group = 0;
  friend bool operator==(const User&, const User&) = default;
};
/// A user of this system, with its main group.
[[nodiscard]] std::expected<User, std::string> find_user(const std::string& name);
/// Becomes that user, without any other group, and cannot come back. Needs root, or nothing to change.
[[nodiscard]] Done become(const User& user);
/// The directory that is open becomes all there is of the file system. Needs root.
[[nodiscard]] Done confine_to(int directory);

}  // namespace periplex::sandbox
