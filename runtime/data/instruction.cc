#include "runtime/data/instruction.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/json_lines.h"

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
  TRAMA_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  std::vector<Instruction> records;
  std::string_view rest = content;
  for (int64_t line = 1; !rest.empty(); ++line) {
    if (limit > 0 && static_cast<int64_t>(records.size()) == limit) break;
    const size_t end = rest.find('\n');
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (absl::StripAsciiWhitespace({text.data(), text.size()}).empty()) continue;
    const std::string place = absl::StrCat(path, ":", line);
    const absl::StatusOr<Json> json = Json::Parse(text);
    if (!json.ok())
      return absl::InvalidArgumentError(absl::StrCat(place, ": ", json.status().message()));
    TRAMA_ASSIGN_OR_RETURN(Instruction record, RecordOf(*json, place, responses));
    records.push_back(std::move(record));
  }
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
      "completes "
      "the request.\n\n### Instruction:\n",
      record.instruction, record.input.empty() ? "" : "\n\n### Input:\n", record.input);
}

}  // namespace trama
