#include "runtime/responses.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/utf8.h"
#include "runtime/generator.h"

namespace trama {
namespace {

constexpr int64_t kBatch = 8;

std::string_view Stripped(std::string_view text) {
  const absl::string_view stripped = absl::StripAsciiWhitespace({text.data(), text.size()});
  return {stripped.data(), stripped.size()};
}

// Each character, or byte that belongs to none.
std::vector<std::string_view> Letters(std::string_view text) {
  std::vector<std::string_view> letters;
  while (!text.empty()) {
    const size_t length = std::max<size_t>(Utf8Length(text), 1);
    letters.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return letters;
}

double Share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> Respond(const LoadedModel& model, TensorMap parameters,
                                                 const std::vector<Instruction>& records,
                                                 const SessionOptions& options, int64_t max_tokens,
                                                 const std::function<void(int64_t done)>& done) {
  TRAMA_RETURN_IF_ERROR(CheckTokenizer(model));
  GenerateOptions generate;
  generate.max_tokens = max_tokens;
  generate.sampling.greedy = true;
  TRAMA_ASSIGN_OR_RETURN(generate.eos_ids, EndOfText(model));
  const auto count = static_cast<int64_t>(records.size());
  TRAMA_ASSIGN_OR_RETURN(
      std::unique_ptr<Generator> generator,
      Generator::Create(model, std::move(parameters), options, std::min(kBatch, count),
                        /*use_cache=*/true, generate.sampling.Candidates()));
  std::vector<std::string> responses;
  for (int64_t begin = 0; begin < count; begin += kBatch) {
    std::vector<std::vector<int32_t>> prompts;
    for (int64_t i = begin; i < std::min(begin + kBatch, count); ++i) {
      absl::StatusOr<std::vector<int32_t>> ids =
          model.tokenizer->Encode(InstructionText(records[i]) + kResponseHeading);
      if (!ids.ok())
        return absl::InvalidArgumentError(
            absl::StrCat(records[i].place, ": ", ids.status().message()));
      prompts.push_back(*std::move(ids));
    }
    TRAMA_ASSIGN_OR_RETURN(const std::vector<GeneratedSample> samples,
                           generator->Generate(prompts, generate));
    for (const GeneratedSample& sample : samples) responses.emplace_back(Stripped(sample.text));
    if (done) done(static_cast<int64_t>(responses.size()));
  }
  return responses;
}

void TextMatch::Add(std::string_view given, std::string_view wanted) {
  const std::vector<std::string_view> left = Letters(Stripped(given)),
                                      right = Letters(Stripped(wanted));
  ++texts_;
  equal_ += left == right;
  places_ += static_cast<int64_t>(std::max(left.size(), right.size()));
  for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) same_ += left[i] == right[i];
}

double TextMatch::exact() const { return Share(equal_, texts_); }

double TextMatch::letters() const { return Share(same_, places_); }

}  // namespace trama
