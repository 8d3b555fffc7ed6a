#include "runtime/tokenizer/tokenizer.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/crc32c.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/tokenizer/byte_tokenizer.h"
#include "runtime/tokenizer/char_tokenizer.h"

namespace trama {
namespace {

constexpr char kConfigFile[] = "tokenizer_config.json";

std::map<std::string, TokenizerLoader>& Loaders() {
  static auto* const loaders = new std::map<std::string, TokenizerLoader>();
  return *loaders;
}

}  // namespace

bool RegisterTokenizer(const std::string& class_name, TokenizerLoader load) {
  return Loaders().emplace(class_name, std::move(load)).second;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Load(const std::string& directory) {
  const std::string path = JoinPath(directory, kConfigFile);
  TRAMA_ASSIGN_OR_RETURN(const Json config, Json::ParseFile(path));
  const absl::StatusOr<std::string> name = config.Get<std::string>("tokenizer_class");
  if (!name.ok())
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", name.status().message()));
  const auto loader = Loaders().find(*name);
  if (loader != Loaders().end()) return loader->second(directory);
  std::vector<std::string> known;
  for (const auto& [class_name, load] : Loaders()) known.push_back(class_name);
  return absl::UnimplementedError(
      absl::StrCat(path, ": no tokenizer of class ", *name, DidYouMean(*name, known)));
}

std::string Tokenizer::Fingerprint() const {
  return absl::StrCat(std::string(class_name()), "-", vocab_size(), "-", Crc32cHex(Vocabulary()));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const std::string& spec,
                                                         absl::Span<const std::string> texts) {
  if (spec == "chars") {
    TRAMA_ASSIGN_OR_RETURN(CharTokenizer tokenizer, CharTokenizer::FromTexts(texts));
    return std::make_unique<CharTokenizer>(std::move(tokenizer));
  }
  if (spec == "bytes") return std::make_unique<ByteTokenizer>();
  if (IsDirectory(spec)) return Tokenizer::Load(spec);
  return absl::NotFoundError(absl::StrCat("no tokenizer: ", spec,
                                          " (neither chars nor bytes nor a directory)",
                                          DidYouMean(spec, {"chars", "bytes"})));
}

absl::Status WriteTokenizerConfig(const std::string& directory, std::string_view class_name) {
  Json config;
  config.Set("tokenizer_class", class_name);
  return AtomicWriteFile(JoinPath(directory, kConfigFile), config.Dump(2) + "\n");
}

}  // namespace trama
