// Tokenizers: exact ids and bytes. A case is a folder of vocabularies or corpora; what is expected
// is named by what it is of, not "expected.json".
#include <functional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/wordpiece_tokenizer.h"
#include "tools/trama-oracles/oracle.h"
#include "tools/trama-oracles/tokenizer_items.h"

namespace trama::oracles {
namespace {

using Ids = std::vector<int32_t>;

absl::StatusOr<Ids> IdsAt(const Json& item, const char* key) {
  TRAMA_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, item.Get<std::vector<int64_t>>(key));
  return Ids(ids.begin(), ids.end());
}

using Encoder = std::function<absl::StatusOr<Ids>(const Json& item)>;

absl::Status CheckIds(const std::string& what, const Json& list, const char* key,
                      const Encoder& encode, Report* report) {
  Items items(what, report);
  for (const Json& item : list.array()) {
    if (!item.Find(key)) continue;
    TRAMA_ASSIGN_OR_RETURN(const Ids want, IdsAt(item, key));
    absl::StatusOr<Ids> got = encode(item);
    items.Add(got.ok() && *got == want,
              got.ok() ? "other ids" : std::string(got.status().message()));
  }
  return absl::OkStatus();
}

// A clean error, the ids of the text with U+FFFD, or ids that decode to the same bytes.
absl::Status CheckInvalid(const std::string& what, const Json& list, const Tokenizer& tokenizer,
                          Report* report) {
  Items items(what, report);
  for (const Json& item : list.array()) {
    TRAMA_ASSIGN_OR_RETURN(const std::string hex, item.Get<std::string>("bytes_hex"));
    TRAMA_ASSIGN_OR_RETURN(const Ids replaced, IdsAt(item, "ids_of_replaced_text"));
    const std::string bytes = absl::HexStringToBytes(hex);
    const absl::StatusOr<Ids> ids = tokenizer.Encode(bytes);
    items.Add(!ids.ok() || *ids == replaced || tokenizer.Decode(*ids) == bytes, hex);
  }
  return absl::OkStatus();
}

absl::Status CheckFile(const std::string& label, const Json& file, const std::string& root,
                       const Tokenizer& tokenizer, Report* report) {
  TRAMA_ASSIGN_OR_RETURN(const std::string name, file.Get<std::string>("file"));
  TRAMA_ASSIGN_OR_RETURN(const int64_t tokens, file.Get<int64_t>("tokens"));
  TRAMA_ASSIGN_OR_RETURN(const int64_t want_sum, file.Get<int64_t>("sum"));
  TRAMA_ASSIGN_OR_RETURN(const Ids first, IdsAt(file, "first_20"));
  TRAMA_ASSIGN_OR_RETURN(const Ids last, IdsAt(file, "last_20"));
  TRAMA_ASSIGN_OR_RETURN(const std::string text, ReadFile(JoinPath(root, name)));
  TRAMA_ASSIGN_OR_RETURN(const Ids ids, tokenizer.Encode(text));
  int64_t sum = 0;
  for (const int32_t id : ids) sum += id;
  const bool ends = ids.size() >= last.size() && ids.size() >= first.size() &&
                    std::equal(first.begin(), first.end(), ids.begin()) &&
                    std::equal(last.rbegin(), last.rend(), ids.rbegin());
  const std::string detail = absl::StrCat(ids.size(), " tokens, sum ", sum);
  if (static_cast<int64_t>(ids.size()) == tokens && sum == want_sum && ends &&
      tokenizer.Decode(ids) == text)
    report->Pass(absl::StrCat(label, " ", name), detail);
  else
    report->Fail(absl::StrCat(label, " ", name), absl::StrCat(detail, ", want ", tokens));
  return absl::OkStatus();
}

absl::Status RunGpt2(const std::string& directory, const std::string& label, Report* report) {
  TRAMA_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::Load(directory));
  const std::string root = DirectoryOf(directory);
  TRAMA_ASSIGN_OR_RETURN(const Json want, Json::ParseFile(JoinPath(root, "gpt2_expected.json")));
  const Json none = Json::EmptyArray();
  auto list = [&](const char* key) -> const Json& {
    const Json* found = want.Find(key);
    return found ? *found : none;
  };
  auto text = [](const Json& item) { return item.Get<std::string>("text"); };
  TRAMA_RETURN_IF_ERROR(CheckIds(
      absl::StrCat(label, " encode"), list("encode"), "ids",
      [&](const Json& item) -> absl::StatusOr<Ids> {
        TRAMA_ASSIGN_OR_RETURN(const std::string plain, text(item));
        return tokenizer->Encode(plain);
      },
      report));
  TRAMA_RETURN_IF_ERROR(CheckIds(
      absl::StrCat(label, " encode_special"), list("encode"), "ids_special_allowed",
      [&](const Json& item) -> absl::StatusOr<Ids> {
        TRAMA_ASSIGN_OR_RETURN(const std::string special, text(item));
        return tokenizer->EncodeWithSpecial(special);
      },
      report));
  {
    Items items(absl::StrCat(label, " decode"), report);
    for (const Json& item : list("decode").array()) {
      TRAMA_ASSIGN_OR_RETURN(const Ids ids, IdsAt(item, "ids"));
      TRAMA_ASSIGN_OR_RETURN(const std::string hex, item.Get<std::string>("bytes_hex"));
      const std::string got = tokenizer->Decode(ids);
      items.Add(absl::BytesToHexString({got.data(), got.size()}) == hex, hex);
    }
  }
  TRAMA_RETURN_IF_ERROR(CheckInvalid(absl::StrCat(label, " invalid_utf8_input"),
                                     list("invalid_utf8_input"), *tokenizer, report));
  for (const Json& file : list("files").array())
    TRAMA_RETURN_IF_ERROR(CheckFile(label, file, DirectoryOf(root), *tokenizer, report));
  return absl::OkStatus();
}

absl::Status RunWordPiece(const std::string& directory, const std::string& variant,
                          const std::string& label, Report* report) {
  TRAMA_ASSIGN_OR_RETURN(
      const Json want,
      Json::ParseFile(JoinPath(directory, absl::StrCat("expected_", variant, ".json"))));
  TRAMA_ASSIGN_OR_RETURN(const std::string vocabulary, want.Get<std::string>("vocab"));
  TRAMA_ASSIGN_OR_RETURN(const bool lowercase, want.Get<bool>("lowercase"));
  TRAMA_ASSIGN_OR_RETURN(std::vector<std::string> tokens,
                         WordPieceTokenizer::ReadVocabularyLines(JoinPath(directory, vocabulary)));
  WordPieceTokenizer::Options options;
  options.normalizer.lowercase = options.normalizer.strip_accents = lowercase;
  TRAMA_ASSIGN_OR_RETURN(const auto tokenizer,
                         WordPieceTokenizer::Create(std::move(tokens), std::move(options)));
  const Json none = Json::EmptyArray();
  const Json* encode = want.Find("encode");
  const Json* pairs = want.Find("pairs");
  TRAMA_RETURN_IF_ERROR(CheckIds(
      absl::StrCat(label, " ", variant, " encode"), encode ? *encode : none, "ids",
      [&](const Json& item) -> absl::StatusOr<Ids> {
        TRAMA_ASSIGN_OR_RETURN(const std::string text, item.Get<std::string>("text"));
        TRAMA_ASSIGN_OR_RETURN(const Ids ids, tokenizer->Encode(text));
        return tokenizer->ForModel(ids).ids;
      },
      report));
  auto pair_input = [&](const Json& item) -> absl::StatusOr<ModelInput> {
    TRAMA_ASSIGN_OR_RETURN(const std::string text, item.Get<std::string>("text"));
    TRAMA_ASSIGN_OR_RETURN(const std::string pair, item.Get<std::string>("pair"));
    TRAMA_ASSIGN_OR_RETURN(const Ids first, tokenizer->Encode(text));
    TRAMA_ASSIGN_OR_RETURN(const Ids second, tokenizer->Encode(pair));
    return tokenizer->ForModel(first, second);
  };
  TRAMA_RETURN_IF_ERROR(CheckIds(
      absl::StrCat(label, " ", variant, " pairs"), pairs ? *pairs : none, "ids",
      [&](const Json& item) -> absl::StatusOr<Ids> {
        TRAMA_ASSIGN_OR_RETURN(ModelInput input, pair_input(item));
        return input.ids;
      },
      report));
  return CheckIds(
      absl::StrCat(label, " ", variant, " token_type_ids"), pairs ? *pairs : none, "token_type_ids",
      [&](const Json& item) -> absl::StatusOr<Ids> {
        TRAMA_ASSIGN_OR_RETURN(ModelInput input, pair_input(item));
        return input.type_ids;
      },
      report);
}

absl::Status Run(const std::string& directory, const SessionOptions& options, Report* report) {
  const std::string name = FileNameOf(directory), label = LabelOf(directory, options);
  if (name == "gpt2") return RunGpt2(directory, label, report);
  if (name == "bpe_training") return RunTokenizerTraining(directory, label, report);
  if (name != "wordpiece") return absl::OkStatus();
  for (const char* variant : {"cased", "uncased"})
    TRAMA_RETURN_IF_ERROR(RunWordPiece(directory, variant, label, report));
  return absl::OkStatus();
}

TRAMA_ORACLE("tokenizers", Run);

}  // namespace
}  // namespace trama::oracles
