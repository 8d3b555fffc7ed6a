#include "runtime/tokenizer/hf_parts.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"

namespace trama {
namespace {

// Neither null nor false, zero or empty.
bool IsSet(const Json* value) {
  if (!value || value->is_null()) return false;
  if (const bool* flag = value->if_bool()) return *flag;
  if (const int64_t* integer = value->if_int()) return *integer != 0;
  if (const double* number = value->if_double()) return *number != 0;
  if (const std::string* text = value->if_string()) return !text->empty();
  return true;
}

std::string TypeOf(const Json& part) { return part.GetOr<std::string>("type", "").value_or(""); }

class Checker {
 public:
  Checker(const std::string& path, const std::string& kind, const TokenizerSettings& settings)
      : path_(path),
        kind_(kind),
        cls_(settings.Role("cls_token", "[CLS]")),
        sep_(settings.Role("sep_token", "[SEP]")) {}

  absl::Status Lengths(const Json& tokenizer) const {
    if (IsSet(tokenizer.Find("truncation"))) return Unsupported("\"truncation\"");
    const Json* padding = tokenizer.Find("padding");
    if (!IsSet(padding)) return absl::OkStatus();
    // A text alone is its batch's longest.
    const Json* strategy = padding->Find("strategy");
    const std::string* longest = strategy ? strategy->if_string() : nullptr;
    if (!longest || *longest != "BatchLongest" || IsSet(padding->Find("pad_to_multiple_of")))
      return Unsupported("\"padding\" to a length");
    return absl::OkStatus();
  }

  absl::Status Model(const Json& model) const {
    if (kind_ == "BPE")
      for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix",
                              "ignore_merges", "byte_fallback"})
        if (const Json* value = model.Find(key); IsSet(value))
          return Unsupported(absl::StrCat("BPE with \"", key, "\": ", value->Dump()));
    constexpr char kLongest[] = "max_input_chars_per_word";
    if (const Json* value = model.Find(kLongest);
        kind_ == "WordPiece" && value && *value != Json(100))
      return Unsupported(absl::StrCat("\"", kLongest, "\": ", value->Dump()));
    return absl::OkStatus();
  }

  absl::Status PostProcessor(const Json& part) const {
    const std::string type = TypeOf(part);
    if (type == "Sequence") {
      const Json* parts = part.Find("processors");
      for (const Json& each : parts ? parts->array() : Json::Array())
        TRAMA_RETURN_IF_ERROR(PostProcessor(each));
      return absl::OkStatus();
    }
    if (type == "ByteLevel") return absl::OkStatus();  // it is about offsets
    const bool frames = kind_ == "WordPiece";
    if (type == "BertProcessing" && frames && IsToken(part, "cls", cls_) &&
        IsToken(part, "sep", sep_))
      return absl::OkStatus();
    const std::string single = frames ? absl::StrCat(cls_, " $A ", sep_) : "$A",
                      pair = frames ? absl::StrCat(single, " $B ", sep_) : "$A $B";
    if (type == "TemplateProcessing" && Template(part, "single") == single &&
        (!part.Find("pair") || Template(part, "pair") == pair))
      return absl::OkStatus();
    return Unsupported(absl::StrCat(
        kind_, " with the post_processor \"", type, "\" (",
        type == "TemplateProcessing" ? Template(part, "single") : "it adds tokens of its own",
        ")"));
  }

  absl::Status Decoder(const Json& part) const {
    const std::string type = TypeOf(part), wanted = kind_ == "BPE" ? "ByteLevel" : kind_;
    const std::string prefix = part.GetOr<std::string>("prefix", "##").value_or("");
    if (type != wanted || (type == "WordPiece" && prefix != "##"))
      return Unsupported(absl::StrCat(kind_, " with the decoder \"", type, "\""));
    return absl::OkStatus();
  }

 private:
  absl::Status Unsupported(const std::string& what) const {
    return absl::UnimplementedError(absl::StrCat(path_, ": ", what, " is not supported"));
  }
  // Whether a member is ["TOKEN", ID].
  static bool IsToken(const Json& part, const char* key, const std::string& token) {
    const Json* value = part.Find(key);
    return value && value->array().size() == 2 && value->array()[0] == Json(token);
  }
  // "[CLS] $A [SEP]"
  static std::string Template(const Json& part, const char* key) {
    const Json* pieces = part.Find(key);
    std::vector<std::string> names;
    for (const Json& piece : pieces ? pieces->array() : Json::Array())
      for (const auto& [kind, value] : piece.object())
        names.push_back(absl::StrCat(kind == "Sequence" ? "$" : "",
                                     value.GetOr<std::string>("id", "").value_or("")));
    return absl::StrJoin(names, " ");
  }

  const std::string &path_, &kind_;
  const std::string cls_, sep_;
};

}  // namespace

absl::Status CheckParts(const Json& tokenizer, const std::string& path, const std::string& kind,
                        const TokenizerSettings& settings) {
  const Checker checker(path, kind, settings);
  TRAMA_RETURN_IF_ERROR(checker.Lengths(tokenizer));
  if (const Json* model = tokenizer.Find("model")) TRAMA_RETURN_IF_ERROR(checker.Model(*model));
  if (const Json* part = tokenizer.Find("post_processor"); IsSet(part))
    TRAMA_RETURN_IF_ERROR(checker.PostProcessor(*part));
  if (const Json* part = tokenizer.Find("decoder"); IsSet(part))
    TRAMA_RETURN_IF_ERROR(checker.Decoder(*part));
  return absl::OkStatus();
}

}  // namespace trama
