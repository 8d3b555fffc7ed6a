#include "runtime/tokenizer/bpe_files.h"

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json_places.h"
#include "runtime/formats/utf8.h"
#include "runtime/tokenizer/byte_alphabet.h"
#include "runtime/tokenizer/hf_parts.h"

namespace trama {
namespace {

using TextMerge = std::pair<std::string, std::string>;

struct MergeList {
  std::vector<TextMerge> merges;
  std::vector<std::string> places;  // of each merge, for messages
};

absl::Status Wrong(const std::string& place, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(place, ": ", what));
}

absl::Status AddMerge(absl::string_view text, const std::string& place, MergeList& list) {
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty())
    return Wrong(place, absl::StrCat("expected two tokens and one space, not \"", text, "\""));
  list.merges.emplace_back(parts[0], parts[1]);
  list.places.push_back(place);
  return absl::OkStatus();
}

absl::StatusOr<MergeList> ReadMergeLines(const std::string& path) {
  TRAMA_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  TRAMA_RETURN_IF_ERROR(CheckUtf8(content, path));
  MergeList list;
  int64_t number = 0;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    ++number;
    if (absl::EndsWith(line, "\r")) line.remove_suffix(1);
    if (line.empty() || (number == 1 && absl::StartsWith(line, "#version"))) continue;
    TRAMA_RETURN_IF_ERROR(AddMerge(line, absl::StrCat(path, ":", number), list));
  }
  return list;
}

// lines: on which each stands.
absl::StatusOr<MergeList> MergesOf(const Json& merges, const std::string& path,
                                   const std::vector<int64_t>& lines) {
  MergeList list;
  for (const Json& merge : merges.array()) {
    const size_t number = list.merges.size();
    const std::string place = absl::StrCat(PlaceOf(path, lines, number), ": merge ", number + 1);
    if (const std::string* text = merge.if_string()) {
      TRAMA_RETURN_IF_ERROR(AddMerge(*text, place, list));
      continue;
    }
    absl::StatusOr<std::vector<std::string>> pair = merge.As<std::vector<std::string>>();
    if (!pair.ok() || pair->size() != 2) return Wrong(place, "is no pair of tokens");
    list.merges.emplace_back((*pair)[0], (*pair)[1]);
    list.places.push_back(place);
  }
  return list;
}

absl::StatusOr<BpeFiles> Assemble(const Json& vocabulary, const std::string& path,
                                  const MergeList& list, TokenizerSettings settings) {
  BpeFiles files;
  TRAMA_ASSIGN_OR_RETURN(files.strings, ReadVocabulary(vocabulary, path, settings));
  absl::flat_hash_map<std::string_view, int32_t> ids;
  absl::flat_hash_set<std::string_view> added;
  for (const DeclaredToken& token : settings.added) added.insert(token.content);
  std::vector<std::string> tokens;
  for (size_t id = 0; id < files.strings.size(); ++id) {
    ids.emplace(files.strings[id], static_cast<int32_t>(id));
    // An added token is written as it is.
    std::optional<std::string> bytes = FromByteAlphabet(files.strings[id]);
    tokens.push_back(bytes && !added.contains(files.strings[id]) ? *std::move(bytes)
                                                                 : files.strings[id]);
  }
  absl::flat_hash_map<BpeModel::Merge, size_t> seen;
  std::vector<BpeModel::Merge> merges;
  for (size_t i = 0; i < list.merges.size(); ++i) {
    const auto& [left, right] = list.merges[i];
    for (const std::string& token : {left, right, left + right})
      if (!ids.contains(token))
        return Wrong(list.places[i], absl::StrCat("\"", token, "\" is not in the vocabulary"));
    merges.emplace_back(ids.at(left), ids.at(right));
    if (!seen.emplace(merges.back(), i).second)
      return Wrong(list.places[i], absl::StrCat("\"", left, " ", right, "\" is there twice"));
  }
  absl::StatusOr<BpeModel> model = BpeModel::Create(std::move(tokens), std::move(merges));
  if (!model.ok()) return Wrong(path, std::string(model.status().message()));
  files.model = *std::move(model);
  files.settings = std::move(settings);
  return files;
}

absl::Status CheckByteLevel(const Json& json, const std::string& path,
                            TokenizerSettings& settings) {
  auto unsupported = [&](const std::string& what) {
    return absl::UnimplementedError(absl::StrCat(path, ": ", what, " is not supported"));
  };
  const Json* normalizer = json.Find("normalizer");
  if (normalizer && !normalizer->is_null()) return unsupported("a normalizer with BPE");
  const Json* split = json.Find("pre_tokenizer");
  const std::string type =
      split ? split->GetOr<std::string>("type", "").value_or("") : std::string();
  if (type != "ByteLevel")
    return unsupported(absl::StrCat("BPE with the pre_tokenizer \"", type, "\""));
  absl::StatusOr<bool> regex = split->GetOr<bool>("use_regex", true);
  absl::StatusOr<bool> prefix = split->GetOr<bool>("add_prefix_space", true);
  if (!regex.ok() || !prefix.ok()) return Wrong(path, "\"pre_tokenizer\": expected bools");
  if (!*regex) return unsupported("ByteLevel without its regular expression");
  settings.add_prefix_space = *prefix;
  return absl::OkStatus();
}

absl::StatusOr<BpeFiles> ReadTokenizerJson(const std::string& path, TokenizerSettings settings) {
  TRAMA_ASSIGN_OR_RETURN(const JsonWithLines file, ParseFileWithLines(path, {"model", "merges"}));
  const Json& json = file.json;
  TRAMA_RETURN_IF_ERROR(CheckByteLevel(json, path, settings));
  TRAMA_RETURN_IF_ERROR(CheckParts(json, path, "BPE", settings));
  TRAMA_RETURN_IF_ERROR(ReadAddedTokens(json, path, settings));
  const Json* model = json.Find("model");
  const Json* vocabulary = model ? model->Find("vocab") : nullptr;
  const Json* merges = model ? model->Find("merges") : nullptr;
  if (!vocabulary || !merges) return Wrong(path, "\"model\" has no \"vocab\" and \"merges\"");
  TRAMA_ASSIGN_OR_RETURN(const MergeList list, MergesOf(*merges, path, file.lines));
  return Assemble(*vocabulary, path, list, std::move(settings));
}

}  // namespace

absl::StatusOr<BpeFiles> ReadBpeFiles(const std::string& directory, VocabularySource source) {
  TRAMA_ASSIGN_OR_RETURN(TokenizerSettings settings, ReadTokenizerSettings(directory));
  const std::string whole = JoinPath(directory, "tokenizer.json");
  if (source == VocabularySource::kTokenizerJson)
    return ReadTokenizerJson(whole, std::move(settings));
  for (const auto& [vocabulary_name, merges_name] : kBpeFileNames) {
    const std::string path = JoinPath(directory, vocabulary_name),
                      merges_path = JoinPath(directory, merges_name);
    const bool has_vocabulary = FileExists(path), has_merges = FileExists(merges_path);
    if (!has_vocabulary && !has_merges) continue;
    if (!has_vocabulary || !has_merges) {
      if (FileExists(whole)) continue;
      return absl::NotFoundError(absl::StrCat(has_merges ? path : merges_path, ": is missing, and ",
                                              has_merges ? merges_name : vocabulary_name,
                                              " alone is no tokenizer"));
    }
    TRAMA_ASSIGN_OR_RETURN(const Json vocabulary, Json::ParseFile(path));
    TRAMA_ASSIGN_OR_RETURN(const MergeList list, ReadMergeLines(merges_path));
    return Assemble(vocabulary, path, list, std::move(settings));
  }
  if (FileExists(whole)) return ReadTokenizerJson(whole, std::move(settings));
  return absl::NotFoundError(
      absl::StrCat(directory,
                   ": neither vocab.json and merges.txt nor encoder.json and vocab.bpe nor "
                   "tokenizer.json is there"));
}

absl::Status WriteBpeFiles(const std::string& directory, const BpeModel& model,
                           const AddedTokens& added_tokens, bool add_prefix_space) {
  std::vector<std::string> strings;
  for (const std::string& token : model.tokens()) strings.push_back(ToByteAlphabet(token));
  for (const AddedToken& token : added_tokens) strings[token.id] = token.content;
  const Json vocabulary = VocabularyJson(strings);
  std::string lines = "#version: 0.2\n";
  Json merges = Json::EmptyArray();
  for (const auto& [left, right] : model.merges()) {
    const std::string line = absl::StrCat(strings[left], " ", strings[right]);
    absl::StrAppend(&lines, line, "\n");
    merges.Append(line);
  }
  TRAMA_RETURN_IF_ERROR(
      AtomicWriteFile(JoinPath(directory, "vocab.json"), vocabulary.Dump() + "\n"));
  TRAMA_RETURN_IF_ERROR(AtomicWriteFile(JoinPath(directory, "merges.txt"), lines));
  Json byte_level;
  byte_level.Set("type", "ByteLevel").Set("add_prefix_space", add_prefix_space);
  byte_level.Set("trim_offsets", true).Set("use_regex", true);
  Json json;
  json.Set("type", "BPE").Set("dropout", Json()).Set("unk_token", Json());
  json.Set("continuing_subword_prefix", Json()).Set("end_of_word_suffix", Json());
  json.Set("fuse_unk", false).Set("byte_fallback", false);
  json.Set("vocab", vocabulary).Set("merges", std::move(merges));
  return WriteTokenizerJson(directory, added_tokens, Json(), byte_level, byte_level, byte_level,
                            json);
}

}  // namespace trama
