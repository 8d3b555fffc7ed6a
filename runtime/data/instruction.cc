#include "runtime/data/instruction.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json_lines.h"
#include "runtime/formats/json_places.h"

namespace trama {
namespace {

absl::StatusOr<Instruction> RecordOf(const Json& json, std::string place, bool responses) {
  const auto fail = [&place](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat(place, ": ", what...));
  };
  if (!json.is_object()) return fail("not an object but ", std::string(json.KindName()));
  Instruction record;
  record.place = place;
  absl::StatusOr<std::string> text = json.Get<std::string>("instruction");
  if (!text.ok()) return fail(text.status().message());
  record.instruction = *std::move(text);
  text = json.GetOr<std::string>("input", "");
  if (!text.ok()) return fail(text.status().message());
  record.input = *std::move(text);
  text = responses ? json.Get<std::string>("output") : json.GetOr<std::string>("output", "");
  if (!text.ok()) return fail(text.status().message());
  record.output = *std::move(text);
  return record;
}

absl::StatusOr<std::vector<Instruction>> ReadArray(const std::string& path, bool responses,
                                                   int64_t limit) {
  TRAMA_ASSIGN_OR_RETURN(const JsonWithLines file, ParseFileWithLines(path, {}));
  if (!file.json.is_array())
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": not an array of records but ", std::string(file.json.KindName())));
  std::vector<Instruction> records;
  for (const Json& item : file.json.array()) {
    if (limit > 0 && static_cast<int64_t>(records.size()) == limit) break;
    const size_t number = records.size();
    TRAMA_ASSIGN_OR_RETURN(
        Instruction record,
        RecordOf(item, absl::StrCat(PlaceOf(path, file.lines, number), ": record ", number + 1),
                 responses));
    records.push_back(std::move(record));
  }
  return records;
}

absl::StatusOr<std::vector<Instruction>> ReadLines(const std::string& path, bool responses,
                                                   int64_t limit) {
  std::vector<Instruction> records;
  TRAMA_RETURN_IF_ERROR(
      ForEachJsonLine(path, limit, [&](const Json& line, const std::string& place) {
        absl::StatusOr<Instruction> record = RecordOf(line, place, responses);
        if (record.ok()) records.push_back(*std::move(record));
        return record.status();
      }));
  return records;
}

}  // namespace

absl::StatusOr<std::vector<Instruction>> ReadInstructions(const std::string& path, bool responses,
                                                          int64_t limit) {
  TRAMA_ASSIGN_OR_RETURN(std::vector<Instruction> records, ExtensionOf(path) == ".jsonl"
                                                               ? ReadLines(path, responses, limit)
                                                               : ReadArray(path, responses, limit));
  if (records.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": no record, the data is empty"));
  return records;
}

std::string InstructionText(const Instruction& record) {
  return absl::StrCat(
      "Below is an instruction that describes a task. Write a response that appropriately "
      "completes the request.\n\n### Instruction:\n",
      record.instruction, record.input.empty() ? "" : "\n\n### Input:\n", record.input);
}

}  // namespace trama
