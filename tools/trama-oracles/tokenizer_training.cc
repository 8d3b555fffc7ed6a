#include <functional>
#include <map>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/utf8.h"
#include "runtime/tokenizer/bpe_trainer.h"
#include "runtime/tokenizer/byte_alphabet.h"
#include "runtime/tokenizer/gpt2_tokenizer.h"
#include "runtime/tokenizer/train_tokenizer.h"
#include "runtime/tokenizer/word_tokenizer.h"
#include "tools/trama-oracles/tokenizer_items.h"

namespace trama::oracles {
namespace {

using Texts = std::vector<std::string>;

// Merges as "LEFT RIGHT", and a function from a text to its tokens.
struct Trained {
  Texts merges;
  std::function<absl::StatusOr<Texts>(const std::string& text)> encode;
};

absl::StatusOr<Trained> TrainBytes(const std::string& corpus, int64_t merges) {
  TokenizerTraining training;
  constexpr int64_t kInitial = 257;  // the bytes and the end of text
  training.vocab_size = kInitial + merges;
  TRAMA_ASSIGN_OR_RETURN(std::shared_ptr<Tokenizer> tokenizer, TrainTokenizer({corpus}, training));
  const BpeModel& model = static_cast<const Gpt2Tokenizer&>(*tokenizer).model();
  Trained trained;
  for (const auto& [left, right] : model.merges())
    trained.merges.push_back(absl::StrCat(ToByteAlphabet(model.tokens()[left]), " ",
                                          ToByteAlphabet(model.tokens()[right])));
  trained.encode = [tokenizer](const std::string& text) -> absl::StatusOr<Texts> {
    TRAMA_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, tokenizer->Encode(text));
    Texts tokens;
    for (const int32_t id : ids) tokens.push_back(ToByteAlphabet(tokenizer->Decode({&id, 1})));
    return tokens;
  };
  return trained;
}

Texts CharactersOf(std::string_view text) {
  Texts characters;
  for (; !text.empty(); text.remove_prefix(characters.back().size()))
    characters.emplace_back(text.substr(0, Utf8Length(text)));
  return characters;
}

absl::StatusOr<Texts> WordsOf(const std::string& text) {
  TRAMA_ASSIGN_OR_RETURN(const Splitter splitter, Splitter::Compile(WordTokenizer::Pattern()));
  Splitter::Pieces pieces(splitter, text);
  Texts words;
  std::string_view word;
  while (pieces.Next(&word)) words.emplace_back(word);
  return words;
}

// The same on characters of words, which the library trains with ## (WordPiece) only.
absl::StatusOr<Trained> TrainCharacters(const std::string& corpus, int64_t merges) {
  TRAMA_ASSIGN_OR_RETURN(const Texts words, WordsOf(corpus));
  std::set<std::string> alphabet;
  std::map<std::string, int64_t> counts;
  for (const std::string& word : words) {
    ++counts[word];
    for (std::string& character : CharactersOf(word)) alphabet.insert(std::move(character));
  }
  const Texts initial(alphabet.begin(), alphabet.end());
  std::map<std::string, int32_t> ids;
  for (const std::string& character : initial)
    ids.emplace(character, static_cast<int32_t>(ids.size()));
  BpeTrainer trainer(initial);
  for (const auto& [word, count] : counts) {
    std::vector<int32_t> symbols;
    for (const std::string& character : CharactersOf(word)) symbols.push_back(ids.at(character));
    trainer.AddWord(std::move(symbols), count);
  }
  BpeTrainer::Options options;
  options.vocab_size = static_cast<int64_t>(initial.size()) + merges;
  trainer.Train(options);
  Trained trained;
  for (const auto& [left, right] : trainer.merges())
    trained.merges.push_back(absl::StrCat(trainer.tokens()[left], " ", trainer.tokens()[right]));
  trained.encode = [ids, tokens = trainer.tokens(),
                    merges = trainer.merges()](const std::string& text) -> absl::StatusOr<Texts> {
    TRAMA_ASSIGN_OR_RETURN(const Texts parts, WordsOf(text));
    // A character that training has not seen stays one.
    Texts all = tokens;
    std::map<std::string, int32_t> known = ids;
    for (const std::string& character : CharactersOf(absl::StrJoin(parts, "")))
      if (known.emplace(character, static_cast<int32_t>(all.size())).second)
        all.push_back(character);
    TRAMA_ASSIGN_OR_RETURN(const BpeModel model, BpeModel::Create(all, merges));
    BpeModel::Scratch scratch;
    Texts result;
    for (const std::string& word : parts) {
      std::vector<int32_t> symbols, merged;
      for (const std::string& character : CharactersOf(word))
        symbols.push_back(known.at(character));
      model.MergeAll(symbols, scratch, merged);
      for (const int32_t id : merged) result.push_back(all[id]);
    }
    return result;
  };
  return trained;
}

absl::Status RunCase(const std::string& directory, const Json& item, const std::string& label,
                     Report* report) {
  TRAMA_ASSIGN_OR_RETURN(const std::string name, item.Get<std::string>("name"));
  TRAMA_ASSIGN_OR_RETURN(const std::string file, item.Get<std::string>("corpus"));
  TRAMA_ASSIGN_OR_RETURN(const std::string kind, item.Get<std::string>("pre_tokenizer"));
  TRAMA_ASSIGN_OR_RETURN(const std::string corpus, ReadFile(JoinPath(directory, file)));
  const Json* merges = item.Find("merges");
  const Json* encode = item.Find("encode");
  if (!merges || !encode) return absl::InvalidArgumentError("no merges, or no encode");
  const auto count = static_cast<int64_t>(merges->array().size());
  TRAMA_ASSIGN_OR_RETURN(const Trained trained, kind == "bytelevel"
                                                    ? TrainBytes(corpus, count)
                                                    : TrainCharacters(corpus, count));
  Items learnt(absl::StrCat(label, " ", name, " merges"), report);
  for (size_t i = 0; i < merges->array().size(); ++i) {
    TRAMA_ASSIGN_OR_RETURN(const std::string left, merges->array()[i].Get<std::string>("left"));
    TRAMA_ASSIGN_OR_RETURN(const std::string right, merges->array()[i].Get<std::string>("right"));
    const std::string want = absl::StrCat(left, " ", right);
    const std::string got = i < trained.merges.size() ? trained.merges[i] : "none";
    learnt.Add(got == want, absl::StrCat("want '", want, "', got '", got, "'"));
  }
  Items applied(absl::StrCat(label, " ", name, " encode"), report);
  for (const Json& text : encode->array()) {
    TRAMA_ASSIGN_OR_RETURN(const std::string plain, text.Get<std::string>("text"));
    TRAMA_ASSIGN_OR_RETURN(const Texts want, text.Get<Texts>("tokens"));
    TRAMA_ASSIGN_OR_RETURN(const Texts got, trained.encode(plain));
    applied.Add(got == want,
                absl::StrCat("want ", absl::StrJoin(want, "|"), ", got ", absl::StrJoin(got, "|")));
  }
  return absl::OkStatus();
}

absl::Status RunWordLevel(const std::string& directory, const Json& item, const std::string& label,
                          Report* report) {
  TRAMA_ASSIGN_OR_RETURN(const std::string file, item.Get<std::string>("corpus"));
  TRAMA_ASSIGN_OR_RETURN(const std::string corpus, ReadFile(JoinPath(directory, file)));
  TRAMA_ASSIGN_OR_RETURN(const Texts want, item.Get<Texts>("vocab"));
  TokenizerTraining training;
  training.kind = TokenizerTraining::Kind::kWord;
  TRAMA_ASSIGN_OR_RETURN(training.vocab_size, item.Get<int64_t>("vocab_size"));
  TRAMA_ASSIGN_OR_RETURN(const auto tokenizer, TrainTokenizer({corpus}, training));
  const Texts& got = static_cast<const WordTokenizer&>(*tokenizer).tokens();
  Items items(absl::StrCat(label, " wordlevel"), report);
  for (size_t i = 0; i < std::max(want.size(), got.size()); ++i) {
    const std::string wanted = i < want.size() ? want[i] : "none";
    const std::string given = i < got.size() ? got[i] : "none";
    items.Add(wanted == given, absl::StrCat("want '", wanted, "', got '", given, "'"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunTokenizerTraining(const std::string& directory, const std::string& label,
                                  Report* report) {
  TRAMA_ASSIGN_OR_RETURN(const Json want, Json::ParseFile(JoinPath(directory, "expected.json")));
  const Json* cases = want.Find("cases");
  const Json* words = want.Find("wordlevel");
  if (!cases || !words) return absl::InvalidArgumentError("no cases, or no wordlevel");
  for (const Json& item : cases->array())
    TRAMA_RETURN_IF_ERROR(RunCase(directory, item, label, report));
  return RunWordLevel(directory, *words, label, report);
}

}  // namespace trama::oracles
