# SPDX-License-Identifier: Apache-2.0
# The compiler, its warnings and the sanitizer sets of the presets.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "gcc ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines; use clang 19 (preset `release`) or gcc >= 13.")
endif()

option(PERIPLEX_FUZZ "Build the libFuzzer targets" OFF)
option(PERIPLEX_BENCH "Build the benchmarks" ON)
set(PERIPLEX_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

add_library(periplex_options INTERFACE)
target_compile_options(periplex_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wswitch -Wno-missing-designated-field-initializers -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough -Werror)
target_include_directories(periplex_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(PERIPLEX_SANITIZE)
  add_compile_options(-fsanitize=${PERIPLEX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PERIPLEX_SANITIZE})
endif()
if(PERIPLEX_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(PERIPLEX_CCACHE ccache)
if(PERIPLEX_CCACHE)
  # Paths below the source directory count as relative ones, so that another checkout finds what this one has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${PERIPLEX_CCACHE})
endif()
