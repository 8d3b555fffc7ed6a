#include "runtime/tokenizer/train_tokenizer.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/utf8.h"
#include "runtime/tokenizer/bpe_trainer.h"
#include "runtime/tokenizer/byte_alphabet.h"
#include "runtime/tokenizer/gpt2_tokenizer.h"
#include "runtime/tokenizer/word_tokenizer.h"
#include "runtime/tokenizer/wordpiece_tokenizer.h"

namespace trama {
namespace {

// Progress is told after about so many bytes.
constexpr size_t kChunk = size_t{1} << 20;

absl::Status CheckTexts(absl::Span<const std::string_view> texts) {
  for (size_t i = 0; i < texts.size(); ++i)
    TRAMA_RETURN_IF_ERROR(CheckUtf8(texts[i], absl::StrCat("text ", i)));
  return absl::OkStatus();
}

class Counter {
 public:
  Counter(absl::Span<const std::string_view> texts, const TokenizerTraining& training)
      : training_(training) {
    for (const std::string_view text : texts) total_ += static_cast<int64_t>(text.size());
  }
  void Add(std::string_view word) { ++counts_[absl::string_view(word.data(), word.size())]; }
  void Read(size_t bytes) {
    done_ += static_cast<int64_t>(bytes);
    if (training_.progress) training_.progress("reading", done_, total_);
  }
  WordCounts Take() { return std::move(counts_); }

 private:
  const TokenizerTraining& training_;
  WordCounts counts_;
  int64_t done_ = 0, total_ = 0;
};

absl::StatusOr<WordCounts> CountMatches(const std::string& pattern,
                                        absl::Span<const std::string_view> texts,
                                        const TokenizerTraining& training) {
  TRAMA_ASSIGN_OR_RETURN(const Splitter splitter, Splitter::Compile(pattern));
  Counter counter(texts, training);
  for (const std::string_view text : texts) {
    Splitter::Pieces pieces(splitter, text);
    std::string_view word;
    const char* reported = text.data();
    while (pieces.Next(&word)) {
      counter.Add(word);
      if (const size_t read = static_cast<size_t>(word.data() - reported); read >= kChunk) {
        counter.Read(read);
        reported = word.data();
      }
    }
    TRAMA_RETURN_IF_ERROR(pieces.status());
    counter.Read(static_cast<size_t>(text.data() + text.size() - reported));
  }
  return counter.Take();
}

WordCounts CountBertWords(const BertNormalizer& normalizer,
                          absl::Span<const std::string_view> texts,
                          const TokenizerTraining& training) {
  Counter counter(texts, training);
  for (std::string_view text : texts) {
    while (!text.empty()) {
      // Whole lines: a line feed ends a word.
      const size_t end = text.size() <= kChunk ? text.size() : text.find('\n', kChunk);
      const std::string_view chunk = text.substr(0, end == std::string_view::npos ? end : end + 1);
      for (const std::string& word : normalizer.Words(chunk)) counter.Add(word);
      counter.Read(chunk.size());
      text.remove_prefix(chunk.size());
    }
  }
  return counter.Take();
}

AddedTokens Numbered(absl::Span<const std::string> contents) {
  AddedTokens tokens;
  for (const std::string& content : contents)
    tokens.push_back({content, static_cast<int32_t>(tokens.size())});
  return tokens;
}

absl::Status CheckSize(const TokenizerTraining& training, size_t needed, std::string_view what) {
  if (training.vocab_size >= static_cast<int64_t>(needed)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a vocabulary of ", training.vocab_size,
                                                 " does not hold the ", needed, " ",
                                                 std::string(what), " that it starts from"));
}

void Train(BpeTrainer& trainer, const TokenizerTraining& training, const std::string& continues) {
  BpeTrainer::Options options;
  options.vocab_size = training.vocab_size;
  options.min_frequency = training.min_frequency;
  options.continues = continues;
  if (training.progress)
    options.progress = [&](int64_t tokens) {
      training.progress("merging", tokens, training.vocab_size);
    };
  trainer.Train(options);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> TrainBpe(absl::Span<const std::string_view> texts,
                                                    const TokenizerTraining& training) {
  constexpr char kEndOfText[] = "<|endoftext|>";
  std::vector<std::string> tokens = {kEndOfText};
  std::vector<int> bytes(256);
  for (int byte = 0; byte < 256; ++byte) bytes[byte] = byte;
  std::sort(bytes.begin(), bytes.end(), [](int a, int b) {
    return ByteCharacter(static_cast<uint8_t>(a)) < ByteCharacter(static_cast<uint8_t>(b));
  });
  std::vector<int32_t> ids(256);
  for (const int byte : bytes) {
    ids[byte] = static_cast<int32_t>(tokens.size());
    tokens.emplace_back(1, static_cast<char>(byte));
  }
  TRAMA_RETURN_IF_ERROR(CheckSize(training, tokens.size(), "bytes and special tokens"));
  TRAMA_ASSIGN_OR_RETURN(const WordCounts counts,
                         CountMatches(Gpt2Tokenizer::Pattern(), texts, training));
  BpeTrainer trainer(std::move(tokens));
  for (const auto& [word, count] : counts) {
    std::vector<int32_t> symbols;
    for (const char byte : word) symbols.push_back(ids[static_cast<uint8_t>(byte)]);
    trainer.AddWord(std::move(symbols), count);
  }
  Train(trainer, training, "");
  TRAMA_ASSIGN_OR_RETURN(BpeModel model, BpeModel::Create(trainer.tokens(), trainer.merges()));
  Gpt2Tokenizer::Options options;
  options.added_tokens = {{kEndOfText, 0}};
  for (const char* role : {"bos_token", "eos_token", "unk_token"}) options.roles[role] = kEndOfText;
  return Gpt2Tokenizer::Create(std::move(model), std::move(options));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> TrainWordPiece(absl::Span<const std::string_view> texts,
                                                          const TokenizerTraining& training) {
  WordPieceTokenizer::Options options;
  options.normalizer.lowercase = options.normalizer.strip_accents = training.lowercase;
  const WordCounts counts = CountBertWords(options.normalizer, texts, training);
  if (counts.empty()) return absl::InvalidArgumentError("no words");
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  options.added_tokens = Numbered(tokens);
  // Each character alone, then those that go on a word. UTF-8 sorts as the code points do.
  std::set<std::string> characters, continuing;
  auto split = [](std::string_view word) {
    std::vector<std::string> parts;
    for (; !word.empty(); word.remove_prefix(parts.back().size()))
      parts.emplace_back(word.substr(0, Utf8Length(word)));
    for (size_t i = 1; i < parts.size(); ++i) parts[i].insert(0, "##");
    return parts;
  };
  for (const auto& [word, count] : counts) {
    for (std::string& part : split(word)) {
      characters.insert(part.size() > 2 && part.starts_with("##") ? part.substr(2) : part);
      if (part.size() > 2 && part.starts_with("##")) continuing.insert(std::move(part));
    }
  }
  tokens.insert(tokens.end(), characters.begin(), characters.end());
  tokens.insert(tokens.end(), continuing.begin(), continuing.end());
  TRAMA_RETURN_IF_ERROR(CheckSize(training, tokens.size(), "characters and special tokens"));
  absl::flat_hash_map<std::string, int32_t> ids;
  for (size_t id = 0; id < tokens.size(); ++id) ids.emplace(tokens[id], static_cast<int32_t>(id));
  BpeTrainer trainer(std::move(tokens));
  for (const auto& [word, count] : counts) {
    std::vector<int32_t> symbols;
    for (const std::string& part : split(word)) symbols.push_back(ids.at(part));
    trainer.AddWord(std::move(symbols), count);
  }
  Train(trainer, training, "##");
  return WordPieceTokenizer::Create(trainer.tokens(), std::move(options));
}

// The role of a special token by its name, "" where it tells none.
std::string RoleOf(const std::string& token) {
  constexpr std::pair<const char*, const char*> kRoles[] = {{"unk", "unk_token"},
                                                            {"pad", "pad_token"},
                                                            {"bos", "bos_token"},
                                                            {"eos", "eos_token"},
                                                            {"endoftext", "eos_token"}};
  for (const auto& [part, role] : kRoles)
    if (absl::StrContains(absl::AsciiStrToLower(token), part)) return role;
  return "";
}

absl::StatusOr<std::unique_ptr<Tokenizer>> TrainWords(absl::Span<const std::string_view> texts,
                                                      const TokenizerTraining& training) {
  std::vector<std::string> special = training.special_tokens;
  if (special.empty()) special = {"[PAD]", "[UNK]", "[BOS]", "[EOS]"};
  WordTokenizer::Options options;
  options.split =
      training.isolate.empty() ? WordTokenizer::Split::kWords : WordTokenizer::Split::kSpaces;
  options.isolate = training.isolate;
  TRAMA_RETURN_IF_ERROR(CheckSize(training, special.size(), "special tokens"));
  TRAMA_ASSIGN_OR_RETURN(
      WordCounts counts,
      CountMatches(WordTokenizer::Pattern(options.split, options.isolate), texts, training));
  for (const std::string& token : special) counts.erase(token);
  std::vector<std::pair<std::string, int64_t>> words;
  for (const auto& [word, count] : counts)
    if (count >= training.min_frequency) words.emplace_back(word, count);
  if (words.empty()) return absl::InvalidArgumentError("no words");
  std::sort(words.begin(), words.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  const size_t room = static_cast<size_t>(training.vocab_size) - special.size();
  words.resize(std::min(room, words.size()));
  if (training.sorted) std::sort(words.begin(), words.end());
  std::vector<std::string> tokens;
  for (auto& [word, count] : words) tokens.push_back(std::move(word));
  const size_t first = training.special_last ? tokens.size() : 0;
  tokens.insert(tokens.begin() + static_cast<int64_t>(first), special.begin(), special.end());
  for (size_t i = 0; i < special.size(); ++i) {
    options.added_tokens.push_back({special[i], static_cast<int32_t>(first + i)});
    if (const std::string role = RoleOf(special[i]); !role.empty())
      options.roles.emplace(role, special[i]);
  }
  return WordTokenizer::Create(std::move(tokens), std::move(options));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> TrainTokenizer(absl::Span<const std::string_view> texts,
                                                          const TokenizerTraining& training) {
  TRAMA_RETURN_IF_ERROR(CheckTexts(texts));
  switch (training.kind) {
    case TokenizerTraining::Kind::kBpe:
      return TrainBpe(texts, training);
    case TokenizerTraining::Kind::kWordPiece:
      return TrainWordPiece(texts, training);
    case TokenizerTraining::Kind::kWord:
      return TrainWords(texts, training);
  }
  return absl::InvalidArgumentError("no such kind of tokenizer");
}

}  // namespace trama
