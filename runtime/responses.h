// What a model that was tuned on instructions answers, and how near that is to what was wanted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/instruction.h"
#include "runtime/model_directory.h"
#include "runtime/session.h"

namespace trama {

// The model's greedy response to each record, without white space around it, up to its end of text
// or `max_tokens`; `done` gets how many there are. FailedPrecondition where the model has no
// tokenizer. `parameters` as for Generator::Create.
absl::StatusOr<std::vector<std::string>> Respond(const LoadedModel& model, TensorMap parameters,
                                                 const std::vector<Instruction>& records,
                                                 const SessionOptions& options, int64_t max_tokens,
                                                 const std::function<void(int64_t done)>& done);

// How texts agree with the wanted ones, over all that were added.
class TextMatch {
 public:
  // White space around either does not count. Letters are characters of UTF-8; those at the same
  // place are held against each other.
  void Add(std::string_view given, std::string_view wanted);
  double exact() const;    // the share of texts that are equal
  double letters() const;  // the share of places, of the longer text's, with the same letter

 private:
  int64_t texts_ = 0, equal_ = 0, places_ = 0, same_ = 0;
};

}  // namespace trama
