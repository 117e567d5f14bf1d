// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <cstdlib>

/// Aborts this machine's process when one of *our own* assumptions is broken.
///
/// Never write a check that bytes of a guest, a peer or a file can reach: what they get wrong is answered as the
/// specification says. The fuzz targets are there to prove it.
#define PERIPLEX_CHECK(condition)                                                                         \
  do {                                                                                                    \
    if (!(condition)) [[unlikely]] {                                                                      \
      std::fprintf(stderr, "periplex: broken assumption at %s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                                       \
    }                                                                                                     \
  } while (false)
