# libtrama.so holds base, ir, passes, the plan's protobuf code, codegen, the frontend and the reference
# interpreter: a second copy of registered passes or generated protobuf code would abort the process.
set(trama_parts trama_base trama_ir trama_api trama_passes trama_codegen trama_frontend
                trama_interpreter)
set(trama_part_objects)
foreach(part IN LISTS trama_parts)
  list(APPEND trama_part_objects $<TARGET_OBJECTS:${part}>)
endforeach()
add_library(trama SHARED ${trama_part_objects})
add_library(Trama::trama ALIAS trama)
target_include_directories(trama PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_link_libraries(trama
  PUBLIC absl::status absl::statusor absl::strings absl::span protobuf::libprotobuf
  PRIVATE trama_mlir Threads::Threads)
