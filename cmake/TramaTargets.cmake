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
    if(NOT TARGET trama_pch)
      trama_pch()
    endif()
    trama_use_pch(${name} "${sources}")
  endif()
endfunction()

# CMake passes clang's header behind -Xclang, where ccache does not see a path of this checkout.
function(trama_use_pch name sources)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_precompile_headers(${name} REUSE_FROM trama_pch)
    return()
  endif()
  get_target_property(folder trama_pch BINARY_DIR)
  set(pch "${folder}/CMakeFiles/trama_pch.dir/cmake_pch.hxx.pch")
  target_compile_options(${name} PRIVATE "SHELL:-include-pch ${pch}"
                                         "SHELL:-Xclang -fno-pch-timestamp")
  set_source_files_properties(${sources} PROPERTIES OBJECT_DEPENDS "${pch}")
  add_dependencies(${name} trama_pch)
endfunction()

function(trama_pch)
  file(WRITE "${CMAKE_BINARY_DIR}/trama_pch.cc" "")
  add_library(trama_pch OBJECT "${CMAKE_BINARY_DIR}/trama_pch.cc")
  target_link_libraries(trama_pch PUBLIC trama_mlir absl::status absl::statusor absl::strings)
  target_compile_options(trama_pch PRIVATE -fno-exceptions)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(trama_pch PUBLIC "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  target_precompile_headers(trama_pch PRIVATE "${CMAKE_SOURCE_DIR}/ir/pch.h")
  # What ccache keys the header by, so that checkouts in other folders share objects.
  file(SHA256 "${CMAKE_SOURCE_DIR}/ir/pch.h" sum)
  set(pch "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/trama_pch.dir/cmake_pch.hxx.pch")
  file(CONFIGURE OUTPUT "${pch}.sum"
       CONTENT "${sum} ${MLIR_VERSION} ${CMAKE_CXX_COMPILER_VERSION} ${CMAKE_BUILD_TYPE} ${TRAMA_SANITIZE}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/ir/pch.h")
endfunction()

# trama_test(FILE [target...]): one GoogleTest program, named like its file.
function(trama_test file)
  get_filename_component(name "${file}" NAME_WE)
  add_executable(${name} "${file}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  target_compile_definitions(${name} PRIVATE TRAMA_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             TRAMA_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE ${ARGN} GTest::gmock GTest::gtest_main Threads::Threads)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 900)
endfunction()
