// llm.c's checkpoints.
#include "runtime/llmc_model.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string folder = trama::fuzz::FolderOf(
      {{"model.bin", std::string(trama::fuzz::Text(data, size))}}, {"model.bin"});
  (void)trama::ReadLlmcModel(folder + "/model.bin");
  return 0;
}
