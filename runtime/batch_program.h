// The programs that run on batches of a dataset: one for each shape that its batches have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/host_tensor.h"
#include "frontend/program.h"

namespace trama {

// The numbers `begin` to `end` - 1.
std::vector<int64_t> Range(int64_t begin, int64_t end);

// "KIND.b8", or with a time axis "KIND.b8t64": that of `size` examples as long as those of `batch`.
std::string BatchProgramName(const char* kind, const TensorMap& batch, int64_t size);

// A program whose inputs are those of `example` with `size` rows.
Program BatchProgram(std::string name, ProgramKind kind, const TensorMap& example, int64_t size);

// Adds the program unless there is one of its name.
void AddProgram(Program program, std::vector<Program>* programs);

}  // namespace trama
