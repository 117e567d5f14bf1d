// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attachment/instance_id.hpp"

namespace periplex::attachment {

/// An `InstanceSource` of the kernel's random numbers: what programs use, and tests do not.
[[nodiscard]] InstanceId random_instance();

}  // namespace periplex::attachment
