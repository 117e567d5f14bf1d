// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "control/http.hpp"
#include "loop/unique_fd.hpp"
#include "machine/operations.hpp"

namespace periplex::control {

/// One request as its handler sees it.
struct Call {
  machine::Operations& machine;
  const http::Request& request;
  std::string_view id;           ///< what stood for `{id}` in the path
  std::vector<UniqueFd>& files;  ///< descriptors that came with the request; those not taken are closed
};

/// Answers the control API's requests, one after the other.
///
///     GET    /v1/machine                     what it is, who is connected
///     GET    /v1/peripherals                 what is plugged in
///     POST   /v1/peripherals                 {"kind": "storage", "id": …} + the image's descriptor: plugs it in
///     GET    /v1/peripherals/{id}
///     DELETE /v1/peripherals/{id}            pulls it
///     POST   /v1/peripherals/{id}/eject      ?force=true: even if the guest has locked the medium
///     POST   /v1/peripherals/{id}/insert     {"image": "name"} + its descriptor
///     POST   /v1/peripherals/{id}/type       {"text": "…"}            without an id: /v1/type
///     POST   /v1/peripherals/{id}/keys       {"keys": ["ctrl+c"]}     without an id: /v1/keys
///     POST   /v1/peripherals/{id}/pointer    {"x": 1, "y": 2, …}      without an id: /v1/pointer
///     GET    /v1/statistics
///     GET    /v1/metrics                     the same for Prometheus
///     GET    /v1/arguments?vmm=qemu|libvirt|cloud-hypervisor[&memory=2G]
///     POST   /v1/capture/start               {"name": "…"} + the file's descriptor
///     POST   /v1/capture/stop
///
/// Errors are {"error": "what is wrong", "advice": "what to do"}.
class Router {
 public:
  explicit Router(machine::Operations& machine) : machine_(machine) {}

  [[nodiscard]] http::Response answer(const http::Request& request, std::vector<UniqueFd> files);

 private:
  machine::Operations& machine_;
};

}  // namespace periplex::control
