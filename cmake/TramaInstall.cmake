# `cmake --install build --prefix DIR`: tools, libraries, plugins, headers and find_package(Trama).
# The tree can be moved: everything is found beside itself, LLVM and MLIR where Debian has them.
include(CMakePackageConfigHelpers)

set(trama_tools trama-cli trama-opt trama-reduce trama-text)
set(trama_libraries trama trama_runtime trama_models trama_cli)
get_property(trama_backends GLOBAL PROPERTY TRAMA_BACKENDS)
add_custom_target(trama_tools DEPENDS ${trama_tools} ${trama_backends})  # without tests
set(trama_llvm_lib "${LLVM_LIBRARY_DIR}")

set_target_properties(${trama_tools} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib;${trama_llvm_lib}")
set_target_properties(${trama_libraries} PROPERTIES INSTALL_RPATH "$ORIGIN;${trama_llvm_lib}")
set_target_properties(${trama_backends} PROPERTIES INSTALL_RPATH "$ORIGIN/../..;${trama_llvm_lib}")
foreach(library IN LISTS trama_libraries)  # Trama::trama, Trama::runtime, Trama::models, Trama::cli
  string(REGEX REPLACE "^trama_" "" name "${library}")
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${name})
endforeach()

install(TARGETS ${trama_tools} RUNTIME DESTINATION bin)
install(TARGETS ${trama_libraries} EXPORT TramaTargets LIBRARY DESTINATION lib)
install(TARGETS ${trama_backends} LIBRARY DESTINATION lib/trama/plugins)

# The public headers, without the two that see MLIR; all that a plugin needs is among them.
foreach(folder base frontend runtime models tools/trama backends/api)
  file(GLOB_RECURSE headers RELATIVE "${CMAKE_SOURCE_DIR}" CONFIGURE_DEPENDS "${folder}/*.h")
  list(FILTER headers EXCLUDE REGEX "/(emit|call)\\.h$")
  foreach(header IN LISTS headers)
    get_filename_component(beside "${header}" DIRECTORY)
    install(FILES "${header}" DESTINATION "include/trama/${beside}")
  endforeach()
endforeach()
install(FILES backends/api/plan.proto DESTINATION include/trama/backends/api)
install(FILES "${CMAKE_BINARY_DIR}/backends/api/plan.pb.h" DESTINATION include/trama/backends/api)
install(FILES LICENSE README.md DESTINATION share/doc/trama)

set(trama_cmake_dir lib/cmake/Trama)
install(EXPORT TramaTargets NAMESPACE Trama:: DESTINATION ${trama_cmake_dir})
set(TRAMA_INCLUDE_DIR include/trama)
configure_package_config_file(cmake/TramaConfig.cmake.in "${CMAKE_BINARY_DIR}/TramaConfig.cmake"
  INSTALL_DESTINATION ${trama_cmake_dir} PATH_VARS TRAMA_INCLUDE_DIR)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/TramaConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/TramaConfig.cmake" "${CMAKE_BINARY_DIR}/TramaConfigVersion.cmake"
        DESTINATION ${trama_cmake_dir})
