#include "runtime/batch_program.h"

#include <numeric>

#include "absl/strings/str_cat.h"

namespace trama {

std::vector<int64_t> Range(int64_t begin, int64_t end) {
  std::vector<int64_t> indices(static_cast<size_t>(end - begin));
  std::iota(indices.begin(), indices.end(), begin);
  return indices;
}

std::string BatchProgramName(const char* kind, const TensorMap& batch, int64_t size) {
  const auto ids = batch.find("input_ids");
  return ids == batch.end() ? absl::StrCat(kind, ".b", size)
                            : absl::StrCat(kind, ".b", size, "t", ids->second.shape[1]);
}

Program BatchProgram(std::string name, ProgramKind kind, const TensorMap& example, int64_t size) {
  Program program;
  program.name = std::move(name);
  program.kind = kind;
  for (const auto& [input, tensor] : example) {
    program.inputs.push_back({input, tensor.dtype, tensor.shape});
    program.inputs.back().shape[0] = size;
  }
  return program;
}

void AddProgram(Program program, std::vector<Program>* programs) {
  for (const Program& known : *programs)
    if (known.name == program.name) return;
  programs->push_back(std::move(program));
}

}  // namespace trama
