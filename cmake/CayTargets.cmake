# Targets of the house: one library a folder, unit tests beside their source.
#
#   cay_library(NAME base SOURCES a.cc b.cc DEPENDS cay_x LINK ext::lib [GUEST])
#       makes cay_<name>. GUEST: the guest links it too; the guest is always static and never
#       sanitized (it runs in foreign root filesystems), so a sanitized build compiles such a library a
#       second time, plain, as cay_<name>_plain. Without sanitizers that is an alias.
#   cay_unit_tests(NAME base SOURCES a_test.cc DEPENDS cay_base [FILTER -Slow*])
#       makes the test program <name>_test, registered test by test with ctest: those that FILTER (of
#       gtest) takes. Tests that are not labelled unit look at the machine as a whole (cgroups, mounts,
#       load) and run alone.
#   cay_script_test(NAME stopped LABEL faults SCRIPT stopped_test.py [ARGUMENTS --rounds 5])
#       registers <label>.<name>: a Python program that drives cay (--cay PROGRAM), alone on the machine. Its
#       exit code 77 says that it cannot run here.
#   cay_fuzzer(NAME units DEPENDS cay_base)
#       makes the libFuzzer program <name>_fuzz of <name>_fuzz.cc, part of the target `fuzzers`, and the
#       test fuzz.<name>, which starts from corpus/<name>/.

find_package(Threads REQUIRED)

add_library(cay_warnings INTERFACE)
target_compile_options(cay_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror>)
# g++ 12 sees overlaps and overruns in std::string where there are none (GCC bugs 105651, 105329): a
# string's own buffer counts as all there is, and no longer as a system header's once it is precompiled.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(cay_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict -Wno-array-bounds
    -Wno-stringop-overflow -Wno-stringop-overread>)
endif()
# TRY as a statement drops the value, which std::expected marks [[nodiscard]]; g++ knows the difference.
target_compile_options(cay_warnings INTERFACE
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-unused-result>)
target_compile_options(cay_warnings INTERFACE -ffunction-sections -fdata-sections)
target_link_options(cay_warnings INTERFACE -Wl,--gc-sections -Wl,-z,relro,-z,now)

add_library(cay_sanitize INTERFACE)
if(CAY_SANITIZE)
  target_compile_options(cay_sanitize INTERFACE -fsanitize=${CAY_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(cay_sanitize INTERFACE -fsanitize=${CAY_SANITIZE})
  target_compile_definitions(cay_sanitize INTERFACE CAY_SANITIZED)
  # Instrumented code hides from g++ what was checked before (the manual of -fsanitize says so).
  target_compile_options(cay_sanitize INTERFACE
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
endif()
if(CAY_BUILD_FUZZERS)
  target_compile_options(cay_sanitize INTERFACE -fsanitize=fuzzer-no-link)
  add_custom_target(fuzzers)
endif()

# Precompiled headers: a good part of the time that a source takes is the standard library's and
# GoogleTest's. One set for each set of flags: g++ refuses a header that was compiled with others, and so
# those of the tests belong to a program (-fPIE), the others to a library (-fPIC).
file(CONFIGURE OUTPUT precompiled.cc CONTENT "int main() { return 0; }\n")
set(cay_standard_headers
  <algorithm> <array> <chrono> <cstdint> <expected> <functional> <map> <memory> <optional> <span> <string>
  <string_view> <utility> <vector>)
function(_cay_precompile target)
  cmake_parse_arguments(ARG "" "" "LINK;HEADERS" ${ARGN})
  target_link_libraries(${target} PRIVATE cay_warnings ${ARG_LINK})
  target_precompile_headers(${target} PRIVATE ${cay_standard_headers} ${ARG_HEADERS})
endfunction()
add_library(cay_precompiled OBJECT ${CMAKE_CURRENT_BINARY_DIR}/precompiled.cc)
_cay_precompile(cay_precompiled LINK cay_sanitize)
if(CAY_SANITIZE)
  add_library(cay_precompiled_plain OBJECT ${CMAKE_CURRENT_BINARY_DIR}/precompiled.cc)
  _cay_precompile(cay_precompiled_plain)
endif()
if(CAY_BUILD_TESTS)
  find_package(GTest REQUIRED)
  add_executable(cay_precompiled_tests ${CMAKE_CURRENT_BINARY_DIR}/precompiled.cc)
  _cay_precompile(cay_precompiled_tests LINK cay_sanitize GTest::gmock GTest::gtest Threads::Threads
    HEADERS <thread> <gmock/gmock.h> <gtest/gtest.h>)
  target_compile_options(cay_precompiled_tests PRIVATE $<$<CONFIG:Release>:-O1>)
endif()

function(_cay_make_library target)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LINK" ${ARGN})
  add_library(${target} STATIC ${ARG_SOURCES})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC ${ARG_DEPENDS} PRIVATE cay_warnings ${ARG_LINK})
  if(CAY_SANITIZE AND NOT cay_sanitize IN_LIST ARG_LINK)
    target_precompile_headers(${target} REUSE_FROM cay_precompiled_plain)
  else()
    target_precompile_headers(${target} REUSE_FROM cay_precompiled)
  endif()
endfunction()

function(cay_library)
  cmake_parse_arguments(ARG "GUEST" "NAME" "SOURCES;DEPENDS;LINK" ${ARGN})
  _cay_make_library(cay_${ARG_NAME} SOURCES ${ARG_SOURCES} DEPENDS ${ARG_DEPENDS}
                    LINK ${ARG_LINK} cay_sanitize)
  if(ARG_GUEST)
    if(CAY_SANITIZE)
      list(TRANSFORM ARG_DEPENDS APPEND _plain)
      _cay_make_library(cay_${ARG_NAME}_plain SOURCES ${ARG_SOURCES} DEPENDS ${ARG_DEPENDS}
                        LINK ${ARG_LINK})
    else()
      add_library(cay_${ARG_NAME}_plain ALIAS cay_${ARG_NAME})
    endif()
  endif()
endfunction()

function(cay_unit_tests)
  if(NOT CAY_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "NAME;LABEL;FILTER" "SOURCES;DEPENDS;LINK" ${ARGN})
  include(GoogleTest)
  add_executable(${ARG_NAME}_test ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME}_test PRIVATE ${ARG_DEPENDS} ${ARG_LINK} GTest::gmock
    GTest::gtest GTest::gtest_main cay_warnings cay_sanitize Threads::Threads)
  # What is tested is built as users get it; the tests themselves are a third quicker to compile so.
  target_compile_options(${ARG_NAME}_test PRIVATE $<$<CONFIG:Release>:-O1>)
  target_precompile_headers(${ARG_NAME}_test REUSE_FROM cay_precompiled_tests)
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  set(alone TRUE)
  if(ARG_LABEL STREQUAL unit)
    set(alone FALSE)
  endif()
  gtest_discover_tests(${ARG_NAME}_test TEST_PREFIX ${ARG_NAME}. DISCOVERY_TIMEOUT 60
    TEST_FILTER "${ARG_FILTER}"
    PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 120 RUN_SERIAL ${alone})
endfunction()

function(cay_script_test)
  cmake_parse_arguments(ARG "" "NAME;LABEL;SCRIPT" "ARGUMENTS" ${ARGN})
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_test(NAME ${ARG_LABEL}.${ARG_NAME}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT} --cay $<TARGET_FILE:cay> ${ARG_ARGUMENTS})
  set_tests_properties(${ARG_LABEL}.${ARG_NAME} PROPERTIES
    LABELS ${ARG_LABEL} RUN_SERIAL TRUE TIMEOUT 300 SKIP_RETURN_CODE 77)
endfunction()

function(cay_fuzzer)
  cmake_parse_arguments(ARG "" "NAME" "DEPENDS;LINK" ${ARGN})
  add_executable(${ARG_NAME}_fuzz ${ARG_NAME}_fuzz.cc)
  target_link_libraries(${ARG_NAME}_fuzz PRIVATE ${ARG_DEPENDS} ${ARG_LINK} cay_warnings cay_sanitize)
  target_link_options(${ARG_NAME}_fuzz PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers ${ARG_NAME}_fuzz)
  add_test(NAME fuzz.${ARG_NAME}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/fuzz/run_fuzzer.sh $<TARGET_FILE:${ARG_NAME}_fuzz>
      ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${ARG_NAME})
  set_tests_properties(fuzz.${ARG_NAME} PROPERTIES LABELS fuzz)
endfunction()
