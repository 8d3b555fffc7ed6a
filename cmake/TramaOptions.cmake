# Language level, warnings, sanitizers and output folders.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_LINK_DEPENDS_NO_SHARED ON)  # or each change of libtrama.so links every program again
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")  # asserts stay on: they cost little and say where

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(TRAMA_PLUGIN_DIRECTORY "${CMAKE_BINARY_DIR}/lib/trama/plugins")

add_compile_options(-Wall -Wextra -Wno-unused-parameter)

set(TRAMA_SANITIZE "" CACHE STRING "address,undefined or thread")
if(TRAMA_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1")
  # Every finding ends the program, so that a test cannot pass with one.
  add_compile_options(-fsanitize=${TRAMA_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${TRAMA_SANITIZE})
  # What every program adds.
  add_library(trama_sanitizer_options OBJECT "${CMAKE_CURRENT_LIST_DIR}/../base/sanitizer_options.cc")
  link_libraries($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:trama_sanitizer_options>)
endif()

option(TRAMA_FUZZ "the fuzz targets are libFuzzer's" OFF)

find_program(CCACHE ccache)
if(CCACHE)
  # A precompiled header is keyed by the sum beside it (see trama_pch), as its own bytes hold paths;
  # clang's must not carry its time stamp.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1 ${CCACHE})
endif()
find_program(LLD NAMES ld.lld ld.lld-22 PATHS /usr/lib/llvm-22/bin)
if(LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()
