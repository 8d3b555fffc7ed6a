// Another model's opinion of an answer: an OpenAI-compatible chat endpoint scores it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/instruction.h"

namespace trama {

struct JudgeOptions {
  // "http://localhost:11434/v1", to which /chat/completions is added, or the whole address.
  std::string url;
  std::string model;  // as the endpoint names it
  std::string key;    // of the endpoint, sent as a bearer token; "" sends none
  // An endpoint that is overloaded or fails (429, 5xx) is asked again so often, after a second that
  // doubles each time, or what its Retry-After says, a minute at most.
  int retries = 4;
  std::function<void(double seconds)> sleep{};  // null: sleeps
};

// A score from 0 (worst) to 100 of `response` beside the record's own output, asked for as in
// Raschka, "Build a Large Language Model", 2024, section 7.8; none where the judge's reply has no
// such number. Unavailable where the endpoint cannot be reached or answers with an error; Aborted
// where it still fails after all retries.
absl::StatusOr<std::optional<int>> Judge(const JudgeOptions& options, const Instruction& record,
                                         const std::string& response);

struct Judgements {
  std::vector<std::optional<int>> scores;  // of each response; none where a reply has no number
  int64_t failed = 0;                      // those that the endpoint gave no reply to
  absl::Status failure;                    // the last of these
};

// Judges each response in turn. One that the endpoint fails at is left without a score; after
// several in a row the rest are too. An error where it never replied.
absl::StatusOr<Judgements> JudgeAll(const JudgeOptions& options,
                                    const std::vector<Instruction>& records,
                                    const std::vector<std::string>& responses,
                                    const std::function<void(int64_t done)>& done = nullptr);

// The first whole number of a judge's reply that is in 0 .. 100.
std::optional<int> ScoreIn(std::string_view reply);

}  // namespace trama
