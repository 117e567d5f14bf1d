// SPDX-License-Identifier: Apache-2.0
// Boost.JSON's own code, compiled once for all programs (Debian's header package is enough to build Periplex).
#include <boost/json/src.hpp>
