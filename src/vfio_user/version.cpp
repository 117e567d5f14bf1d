// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/version.hpp"

#include <boost/json.hpp>
#include <optional>

namespace periplex::vfio_user {
namespace {

namespace json = boost::json;

// Both known clients take this one. Cloud Hypervisor needs the member `capabilities`; QEMU warns about names it does
// not know. The shorter ones are for clients whose own proposal is shorter than that.
constexpr std::string_view kAnswers[] = {
    R"({"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576}})",
    R"({"capabilities":{}})",
    R"({})",
};
static_assert(kMaxMessageFds == 16 && kMaxDataSize == 1048576, "as the answer says");

/// Reads member `key` into `value` if it is there; false if it is no whole number.
bool read_number(const json::object& object, std::string_view key, std::uint64_t& value) {
  const json::value* member = object.if_contains(key);
  if (member == nullptr) return true;
  boost::system::error_code error;
  value = member->to_number<std::uint64_t>(error);
  return !error;
}

std::optional<Capabilities> parse_capabilities(std::string_view text) {
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  if (error || !root.is_object()) return std::nullopt;
  Capabilities capabilities;
  const json::value* member = root.get_object().if_contains("capabilities");
  if (member == nullptr) return capabilities;
  if (!member->is_object()) return std::nullopt;
  const json::object& object = member->get_object();
  if (!read_number(object, "max_msg_fds", capabilities.max_msg_fds) ||
      !read_number(object, "max_data_xfer_size", capabilities.max_data_xfer_size)) {
    return std::nullopt;
  }
  return capabilities;
}

}  // namespace

std::expected<Proposal, std::errc> parse_proposal(ByteView payload) {
  ByteReader in(payload);
  Proposal proposal;
  proposal.version = {.major = in.le16(), .minor = in.le16()};
  if (!in.ok()) return std::unexpected(std::errc::invalid_argument);
  if (in.remaining() == 0) return proposal;
  // "variable (including terminating NUL)"
  const std::string_view text = as_text(in.rest());
  if (text.back() != '\0') return std::unexpected(std::errc::invalid_argument);
  const auto capabilities = parse_capabilities(text.substr(0, text.find('\0')));
  if (!capabilities) return std::unexpected(std::errc::invalid_argument);
  proposal.capabilities = *capabilities;
  return proposal;
}

std::expected<Bytes, std::errc> answer(const Proposal& proposal, std::size_t request_size) {
  if (proposal.version.major != kMajorVersion) return std::unexpected(std::errc::not_supported);
  const Version version{.major = kMajorVersion, .minor = std::min(proposal.version.minor, kMinorVersion)};
  for (const std::string_view text : kAnswers) {
    if (Version::kSize + text.size() + 1 <= request_size) return propose(version, text);
  }
  return propose(version, {});
}

Bytes propose(Version version, std::string_view json) {
  ByteWriter out;
  out.bytes(version.packed());
  if (!json.empty()) out.bytes(as_bytes(json)).u8(0);
  return out.take();
}

}  // namespace periplex::vfio_user
