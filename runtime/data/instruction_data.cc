// Instruction tuning: .json or .jsonl with "instruction", "input" and "output".
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/data/data.h"
#include "runtime/data/instruction.h"
#include "runtime/data/split.h"
#include "runtime/data/tokenize.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"

namespace trama {
namespace {

// A .json file is nothing else; a .jsonl file has documents unless its first line says instruction.
bool IsInstructions(const DataOptions& options) {
  const std::string extension = ExtensionOf(options.data);
  if (extension == ".json") return true;
  if (extension != ".jsonl") return false;
  std::ifstream file(options.data);
  std::string line;
  while (std::getline(file, line))
    if (line.find_first_not_of(" \t\r") != std::string::npos) break;
  const absl::StatusOr<Json> first = Json::Parse(line);
  return first.ok() && first->Find("instruction") && !first->Find("text");
}

std::vector<Document> Texts(const std::vector<Instruction>& records, bool whole) {
  std::vector<Document> texts;
  for (const Instruction& record : records) {
    texts.push_back({InstructionText(record), record.place});
    if (whole) absl::StrAppend(&texts.back().text, kResponseHeading, record.output);
  }
  return texts;
}

absl::StatusOr<std::shared_ptr<const std::vector<Sequence>>> Encode(
    const std::vector<Instruction>& records, const std::vector<Document>& texts,
    const Tokenizer& tokenizer, bool mask_instruction) {
  TRAMA_ASSIGN_OR_RETURN(std::vector<Sequence> sequences, EncodeEach(texts, tokenizer));
  if (mask_instruction) {
    TRAMA_ASSIGN_OR_RETURN(const std::vector<Sequence> prompts,
                           EncodeEach(Texts(records, /*whole=*/false), tokenizer));
    for (size_t i = 0; i < prompts.size(); ++i)
      sequences[i].num_hidden = static_cast<int64_t>(prompts[i].ids.size());
  }
  return std::make_shared<const std::vector<Sequence>>(std::move(sequences));
}

absl::StatusOr<LoadedData> LoadInstructions(const DataOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(std::vector<Instruction> records,
                         ReadInstructions(options.data, /*responses=*/true, options.limit));
  std::vector<Document> texts = Texts(records, /*whole=*/true);
  LoadedData loaded;
  TRAMA_ASSIGN_OR_RETURN(loaded.tokenizer, TokenizerOf(options, texts));
  const int32_t end_id = PaddingId(options, *loaded.tokenizer);
  if (end_id < 0)
    return absl::InvalidArgumentError(
        absl::StrCat(options.data,
                     ": nothing ends a response: the tokenizer has no end of text, and "
                     "the model's config no eos_token_id"));
  TRAMA_ASSIGN_OR_RETURN(auto sequences,
                         Encode(records, texts, *loaded.tokenizer, options.mask_instruction));
  std::shared_ptr<const std::vector<Sequence>> other;
  if (options.training && !options.val_data.empty()) {
    TRAMA_ASSIGN_OR_RETURN(records, ReadInstructions(options.val_data, /*responses=*/true));
    texts = Texts(records, /*whole=*/true);
    TRAMA_ASSIGN_OR_RETURN(other,
                           Encode(records, texts, *loaded.tokenizer, options.mask_instruction));
  }
  TRAMA_RETURN_IF_ERROR(SplitSequences(sequences, AllExamples(sequences->size()), other,
                                       SequenceTargets::kNextToken, end_id, options, loaded));
  if (!options.training) {
    TRAMA_ASSIGN_OR_RETURN(const std::vector<int64_t> read,
                           ExamplesToRead(AllExamples(records.size()), options));
    for (const int64_t example : read) loaded.records.push_back(std::move(records[example]));
  }
  return loaded;
}

TRAMA_DATA_KIND((DataKind{".json or .jsonl with instruction and output",
                          IsInstructions,
                          LoadInstructions,
                          /*priority=*/1,
                          {"splits", "mask_instruction"}}));

}  // namespace
}  // namespace trama
