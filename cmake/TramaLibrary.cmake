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
trama_public_headers(trama)
target_link_libraries(trama
  PUBLIC absl::status absl::statusor absl::strings absl::span protobuf::libprotobuf
  PRIVATE trama_mlir Threads::Threads)
target_compile_features(trama PUBLIC cxx_std_20)
