// Another model's opinion of an answer: an OpenAI-compatible chat endpoint scores it.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/data/instruction.h"

namespace trama {

struct JudgeOptions {
  // "http://localhost:11434/v1", to which /chat/completions is added, or the whole address.
  std::string url;
  std::string model;  // as the endpoint names it
  std::string key;    // of the endpoint, sent as a bearer token; "" sends none
};

// A score from 0 (worst) to 100 of `response` beside the record's own output, asked for as in
// Raschka, "Build a Large Language Model", 2024, section 7.8; none where the judge's reply has no
// such number. Unavailable where the endpoint cannot be reached or answers with an error.
absl::StatusOr<std::optional<int>> Judge(const JudgeOptions& options, const Instruction& record,
                                         const std::string& response);

// The first whole number of a judge's reply that is in 0 .. 100.
std::optional<int> ScoreIn(std::string_view reply);

}  // namespace trama
