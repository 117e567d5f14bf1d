// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>

/// Landlock, by which any process can give up rights to files for itself and those it starts (Linux,
/// Documentation/userspace-api/landlock.rst; versions of its ABI: 1 from Linux 5.13, 4 from 6.7, 6 from 6.12).
namespace periplex::sandbox {

/// What may still be done below a directory.
struct Permitted {
  std::string directory;
  std::uint64_t access = 0;  ///< kRemove …, or several
};
inline constexpr std::uint64_t kRemoveDirectory = std::uint64_t{1} << 4;
inline constexpr std::uint64_t kRemoveFile = std::uint64_t{1} << 5;

/// The version of the kernel's Landlock; 0: it has none, or has it switched off.
[[nodiscard]] int landlock_version();

/// From now on this thread, and all that it starts, open no file, read no directory, and make and remove nothing, but
/// for what is permitted; from ABI 4 on they also make no TCP connection and listen on no new port, and from ABI 6 on
/// they reach no abstract Unix socket and signal no process outside. What is open already stays usable, and so does the
/// connecting to Unix sockets by their paths.
///
/// Needs `forbid_new_privileges` before. A permitted directory that is not there is not permitted.
[[nodiscard]] std::expected<void, std::string> forbid_files(std::span<const Permitted> permitted = {});

}  // namespace periplex::sandbox
