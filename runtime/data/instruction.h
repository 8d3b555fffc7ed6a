// Instructions with their responses, and the text that a model reads of them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace trama {

struct Instruction {
  std::string instruction, input, output;
  std::string place;  // "file.json: record 3", or "file.jsonl:3": for messages
};

// A .json file with an array of objects, or a .jsonl file with one a line: "instruction" and
// "output", strings, and "input", which may be absent. Without `responses` "output" may be absent
// too. InvalidArgument names the record and the field. `limit` > 0 takes the first records.
absl::StatusOr<std::vector<Instruction>> ReadInstructions(const std::string& path, bool responses,
                                                          int64_t limit = 0);

// Alpaca's prompt as in Raschka, "Build a Large Language Model", 2024: the request, the instruction
// and, where there is any, the input. The response's heading and the response follow it.
std::string InstructionText(const Instruction& record);
inline constexpr char kResponseHeading[] = "\n\n### Response:\n";

}  // namespace trama
