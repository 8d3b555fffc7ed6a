# Functions that find files by name, so that adding an op, a pass or a test adds a file and no line.

# trama_objects(NAME [MLIR] DEPENDS target...): the folder's *.cc as one object library. With MLIR
# they share one precompiled header.
function(trama_objects name)
  cmake_parse_arguments(arg "MLIR" "" "DEPENDS;PATTERNS" ${ARGN})
  if(NOT arg_PATTERNS)
    set(arg_PATTERNS *.cc)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${arg_PATTERNS})
  if(NOT sources)
    set(sources "${CMAKE_BINARY_DIR}/empty.cc")  # a folder whose first file is still to come
    file(TOUCH "${sources}")
  endif()
  add_library(${name} OBJECT ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  target_link_libraries(${name} PUBLIC absl::status absl::statusor absl::strings absl::span
                                       ${arg_DEPENDS})
  target_compile_options(${name} PRIVATE -fno-exceptions)
  if(arg_MLIR)
    target_link_libraries(${name} PUBLIC trama_mlir)
    trama_use_pch(${name} trama_pch "${CMAKE_SOURCE_DIR}/ir/pch.h" "${sources}")
  endif()
endfunction()

# trama_use_pch(TARGET PCH HEADER SOURCES [library...]): the target's sources are compiled after
# `header`, once precompiled as the target `pch`, with the libraries whose headers that includes.
function(trama_use_pch name pch header sources)
  if(NOT TARGET ${pch})
    trama_add_pch(${pch} "${header}" ${ARGN})
  endif()
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_precompile_headers(${name} REUSE_FROM ${pch})
    return()
  endif()
  # CMake passes clang's header behind -Xclang, where ccache does not see a path of this checkout.
  get_target_property(folder ${pch} BINARY_DIR)
  set(file "${folder}/CMakeFiles/${pch}.dir/cmake_pch.hxx.pch")
  target_compile_options(${name} PRIVATE "SHELL:-include-pch \"${file}\""
                                         "SHELL:-Xclang -fno-pch-timestamp")
  set_source_files_properties(${sources} PROPERTIES OBJECT_DEPENDS "${file}")
  add_dependencies(${name} ${pch})
endfunction()

function(trama_add_pch pch header)
  file(WRITE "${CMAKE_BINARY_DIR}/${pch}.cc" "")
  add_library(${pch} OBJECT "${CMAKE_BINARY_DIR}/${pch}.cc")
  target_include_directories(${pch} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${pch} PUBLIC trama_mlir absl::status absl::statusor absl::strings ${ARGN})
  target_compile_options(${pch} PRIVATE -fno-exceptions)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${pch} PUBLIC "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  target_precompile_headers(${pch} PRIVATE "${header}")
  # What ccache keys the header by, so that checkouts in other folders share objects.
  set(parts "${MLIR_VERSION} ${CMAKE_CXX_COMPILER_VERSION} ${CMAKE_BUILD_TYPE} ${TRAMA_SANITIZE}"
            "${ARGN}")
  foreach(part "${CMAKE_SOURCE_DIR}/ir/pch.h" "${CMAKE_SOURCE_DIR}/base/status_matchers.h"
               "${CMAKE_SOURCE_DIR}/base/status_macros.h" "${header}")
    file(SHA256 "${part}" sum)
    string(APPEND parts " ${sum}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${part}")
  endforeach()
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${pch}.dir/cmake_pch.hxx.pch.sum"
       CONTENT "${parts}")
endfunction()

# trama_test(FILE [target...]): one GoogleTest program, named like its file.
function(trama_test file)
  get_filename_component(name "${file}" NAME_WE)
  # An object library first: it is compiled with the flags of the precompiled header.
  add_library(${name}_objects OBJECT "${file}")
  target_include_directories(${name}_objects PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  target_link_libraries(${name}_objects PUBLIC ${ARGN} GTest::gmock Threads::Threads)
  target_compile_options(${name}_objects PRIVATE -fno-exceptions)
  trama_use_pch(${name}_objects trama_test_pch "${CMAKE_SOURCE_DIR}/tests/pch.h" "${file}"
                GTest::gmock)
  add_executable(${name})
  target_link_libraries(${name} PRIVATE ${name}_objects GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  # Parameters that print as whole programs stay out of the tests' names.
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120
                         NO_PRETTY_VALUES PROPERTIES TIMEOUT 900)
endfunction()

# trama_public_headers(TARGET): who links the library includes "frontend/nn.h" and its like, here from
# the checkout and after an installation from include/trama.
function(trama_public_headers target)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}>
    $<INSTALL_INTERFACE:include/trama>)
endfunction()

# trama_backend(NAME SOURCES file... [MLIR] [LIBRARIES target...]): the plugin trama_backend_NAME.so,
# which is installed.
function(trama_backend name)
  trama_plugin(${name} "${TRAMA_PLUGIN_DIRECTORY}" ${ARGN})
  set_property(GLOBAL APPEND PROPERTY TRAMA_BACKENDS trama_backend_${name})
endfunction()

# trama_plugin(NAME FOLDER SOURCES ...): the same in a folder of its own, for tests alone.
function(trama_plugin name folder)
  cmake_parse_arguments(arg "MLIR" "" "SOURCES;LIBRARIES" ${ARGN})
  set(target trama_backend_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES
    PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${folder}"
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE -fno-exceptions)
  target_link_libraries(${target} PRIVATE trama ${arg_LIBRARIES})
  if(NOT TRAMA_SANITIZE)
    target_link_options(${target} PRIVATE LINKER:-z,defs)  # or it fails to load, much later
  endif()
  if(arg_MLIR)
    target_link_libraries(${target} PRIVATE trama_mlir)
  endif()
endfunction()
