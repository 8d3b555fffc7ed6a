// Safetensors files; every tensor is read and narrowed to f32.
#include "runtime/formats/safetensors.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = trama::SafetensorsFile::Parse(trama::fuzz::Text(data, size), "file");
  if (!file.ok()) return 0;
  for (const auto& entry : file->entries()) {
    if (file->Raw(entry).size() != entry.end - entry.begin) __builtin_trap();
    const trama::HostTensor tensor = file->Read(entry);
    if (tensor.bytes.size() != entry.end - entry.begin) __builtin_trap();
    (void)tensor.Cast(trama::DType::kF32);
    if (!file->Find(entry.name)) __builtin_trap();
  }
  return 0;
}
