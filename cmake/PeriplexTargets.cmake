# SPDX-License-Identifier: Apache-2.0
# Folder = layer = target. A target's LINKS are the only rooms it may use.

find_package(GTest REQUIRED)
find_package(Threads REQUIRED)

# periplex_library(NAME SOURCES ... [LINKS ...] [PRIVATE_LINKS ...])
# The library is periplex_NAME, with the alias periplex::NAME.
function(periplex_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(periplex_${name} STATIC ${arg_SOURCES})
  add_library(periplex::${name} ALIAS periplex_${name})
  target_link_libraries(periplex_${name} PUBLIC ${arg_LINKS} PRIVATE periplex_options ${arg_PRIVATE_LINKS})
endfunction()

# periplex_test(NAME SOURCES ... LINKS ...): one test program per room, run by ctest.
function(periplex_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  if(PERIPLEX_FUZZ)
    return()
  endif()
  add_executable(${name}_test ${arg_SOURCES})
  target_link_libraries(${name}_test PRIVATE periplex_options ${arg_LINKS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)  # sanitizers on a busy machine take their time
endfunction()

# periplex_fuzz(NAME SOURCES ... LINKS ...): a libFuzzer target; its kept corpus is beside it in corpus/NAME.
function(periplex_fuzz name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  if(NOT PERIPLEX_FUZZ)
    return()
  endif()
  add_executable(${name}_fuzz ${arg_SOURCES})
  target_link_libraries(${name}_fuzz PRIVATE periplex_options ${arg_LINKS})
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
endfunction()
