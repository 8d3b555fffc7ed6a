// tokenizer.json: what changes ids and is not there is refused by name, Hugging Face's own files
// and their added tokens are read as they mean it.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/formats/json.h"
#include "runtime/tokenizer/byte_alphabet.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using testing::ElementsAre;

constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

// The members of one object over those of another, objects in it too.
Json Merged(Json base, const Json& changes) {
  for (const auto& [key, value] : changes.object()) {
    const Json* old = base.Find(key);
    base.Set(key, old && old->is_object() && value.is_object() ? Merged(*old, value) : value);
  }
  return base;
}

Json Parsed(const std::string& text) {
  const absl::StatusOr<Json> json = Json::Parse(text);
  EXPECT_OK(json.status()) << text;
  return json.value_or(Json());
}

// Laid out as Hugging Face's gpt2/tokenizer.json, whose model names no type.
Json Gpt2Json() {
  Json vocabulary = Json::MakeObject();
  for (int byte = 0; byte < 256; ++byte)
    vocabulary.Set(ToByteAlphabet(std::string(1, static_cast<char>(byte))), byte);
  vocabulary.Set("he", 256).Set("<|endoftext|>", 257);
  Json json = Parsed(R"({"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 257, "special": true, "content": "<|endoftext|>", "single_word": false,
                      "lstrip": false, "rstrip": false, "normalized": true}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
    "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false},
    "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true},
    "model": {"dropout": null, "unk_token": "", "continuing_subword_prefix": "",
              "end_of_word_suffix": "", "fuse_unk": false, "merges": ["h e"]}})");
  return Merged(std::move(json),
                Json::MakeObject({{"model", Json::MakeObject({{"vocab", vocabulary}})}}));
}

// And as its bert-base-uncased/tokenizer.json.
Json BertJson() {
  return Parsed(R"({"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 0, "special": true, "content": "[UNK]", "single_word": false,
                      "lstrip": false, "rstrip": false, "normalized": false}],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                   "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
      "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
      "special_tokens": {}},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "new": 4}}})");
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const Json& json) {
  const TempDir dir;
  dir.Write("tokenizer.json", json.Dump(1));
  return Tokenizer::Load(dir.path());
}

TEST(TokenizerJsonTest, ReadsHuggingFacesOwnFiles) {
  ASSERT_OK_AND_ASSIGN(const auto gpt2, Load(Gpt2Json()));
  EXPECT_THAT(*gpt2->EncodeWithSpecial("he<|endoftext|>"), ElementsAre(256, 257));
  ASSERT_OK_AND_ASSIGN(const auto bert, Load(BertJson()));
  EXPECT_THAT(bert->ForModel(*bert->Encode("A")).ids, ElementsAre(1, 3, 2));
  const char* harmless[] = {
      R"({"post_processor": null, "decoder": null})",
      R"({"padding": {"strategy": "BatchLongest", "pad_to_multiple_of": null}})",
      R"({"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"}]}})",
      R"({"model": {"dropout": 0.0, "ignore_merges": false, "byte_fallback": false,
                    "continuing_subword_prefix": null, "type": "BPE"}})",
      R"({"post_processor": {"type": "TemplateProcessing",
          "single": [{"Sequence": {"id": "A", "type_id": 0}}],
          "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]}})"};
  for (const char* changes : harmless)
    EXPECT_OK(Load(Merged(Gpt2Json(), Parsed(changes))).status()) << changes;
  EXPECT_OK(Load(Merged(BertJson(), Parsed(R"({"post_processor":
      {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}})")))
                .status());
}

TEST(TokenizerJsonTest, RefusesByNameWhatChangesIds) {
  constexpr char kBos[] = R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]})";
  const std::pair<std::string, const char*> bpe[] = {
      {absl::StrCat(R"({"post_processor": )", kBos, "}"),
       "BPE with the post_processor \"TemplateProcessing\" (<s> $A)"},
      {absl::StrCat(R"({"post_processor": {"type": "Sequence", "processors": [)", kBos, "]}}"),
       "BPE with the post_processor \"TemplateProcessing\" (<s> $A)"},
      {R"({"post_processor": {"type": "RobertaProcessing"}})",
       "BPE with the post_processor \"RobertaProcessing\""},
      {R"({"model": {"continuing_subword_prefix": "##"}})",
       "BPE with \"continuing_subword_prefix\": \"##\""},
      {R"({"model": {"end_of_word_suffix": "</w>"}})", "BPE with \"end_of_word_suffix\": \"</w>\""},
      {R"({"model": {"ignore_merges": true}})", "BPE with \"ignore_merges\": true"},
      {R"({"model": {"byte_fallback": true}})", "BPE with \"byte_fallback\": true"},
      {R"({"model": {"dropout": 0.1}})", "BPE with \"dropout\": 0.1"},
      {R"({"truncation": {"max_length": 8}})", "\"truncation\""},
      {R"({"padding": {"strategy": {"Fixed": 8}}})", "\"padding\" to a length"},
      {R"({"padding": {"strategy": "BatchLongest", "pad_to_multiple_of": 8}})",
       "\"padding\" to a length"},
      {R"({"decoder": {"type": "Metaspace"}})", "BPE with the decoder \"Metaspace\""},
      {R"({"added_tokens": [{"id": 257, "content": "<|endoftext|>", "single_word": true}]})",
       "\"single_word\" of the added token \"<|endoftext|>\""}};
  for (const auto& [changes, message] : bpe)
    EXPECT_THAT(Load(Merged(Gpt2Json(), Parsed(changes))),
                StatusIs(kUnimplemented, absl::StrCat("tokenizer.json: ", message)))
        << changes;
  const std::pair<const char*, const char*> bert[] = {
      {R"({"post_processor": {"single": []}})",
       "WordPiece with the post_processor \"TemplateProcessing\" ()"},
      {R"({"post_processor": {"type": "BertProcessing", "sep": ["a", 3], "cls": ["[CLS]", 1]}})",
       "post_processor \"BertProcessing\""},
      {R"({"model": {"max_input_chars_per_word": 5}})", "\"max_input_chars_per_word\": 5"},
      {R"({"decoder": {"prefix": "@@"}})", "decoder \"WordPiece\""},
      {R"({"truncation": {"max_length": 8}})", "\"truncation\""}};
  for (const auto& [changes, message] : bert)
    EXPECT_THAT(Load(Merged(BertJson(), Parsed(changes))), StatusIs(kUnimplemented, message))
        << changes;
  EXPECT_THAT(
      Load(Merged(BertJson(), Parsed(R"({"added_tokens": [{"id": 4, "content": "new",
                                         "special": false, "normalized": true}]})"))),
      StatusIs(kUnimplemented, "the added token \"new\" is not special but \"normalized\""));
  const TempDir dir;
  dir.Write("tokenizer.json", Gpt2Json().Dump());
  dir.Write("tokenizer_config.json",
            R"({"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true})");
  EXPECT_THAT(Tokenizer::Load(dir.path()),
              StatusIs(kUnimplemented, "tokenizer_config.json: \"add_bos_token\": true"));
}

TEST(TokenizerJsonTest, NamesTheLineOfAMerge) {
  const TempDir dir;
  Json json = Gpt2Json();
  json = Merged(std::move(json), Parsed(R"({"model": {"merges": ["h e", "h x"]}})"));
  const std::string text = json.Dump(1);
  dir.Write("tokenizer.json", text);
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<int64_t>(text.find("\"h x\"")), '\n');
  EXPECT_THAT(Tokenizer::Load(dir.path()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("tokenizer.json:", line, ": merge 2: \"hx\" is not in")));
}

// As Hugging Face's: an added token takes the white space that it strips, and one that is not
// special is found in every text.
TEST(TokenizerJsonTest, AddedTokensStripAndAreFoundInEveryText) {
  Json json = Gpt2Json();
  json.Set("added_tokens", Parsed(R"([
      {"id": 257, "content": "<|endoftext|>", "special": true},
      {"id": 258, "content": "<l>", "special": true, "lstrip": true},
      {"id": 259, "content": "<r>", "special": true, "rstrip": true},
      {"id": 260, "content": "<new>", "special": false},
      {"id": 261, "content": "<new>er", "special": false, "lstrip": true, "rstrip": true}])"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Tokenizer> read, Load(json));
  const TempDir saved;
  ASSERT_OK(read->Save(saved.path()));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Tokenizer> again, Tokenizer::Load(saved.path()));
  ASSERT_OK(RemoveAll(saved / "vocab.json"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Tokenizer> fast, Tokenizer::Load(saved.path()));
  EXPECT_EQ(again->Fingerprint(), read->Fingerprint());
  for (const Tokenizer* tokenizer : {read.get(), again.get(), fast.get()}) {
    EXPECT_EQ(tokenizer->added_tokens(), read->added_tokens());
    EXPECT_THAT(*tokenizer->Encode("a<new> b"), ElementsAre('a', 260, ' ', 'b'));
    EXPECT_THAT(*tokenizer->Encode("a \u00A0<new>er \u2003 b<new>e"),
                ElementsAre('a', 261, 'b', 260, 'e'));
    EXPECT_EQ(tokenizer->Encode("<l>")->size(), 3u);  // special: plain text
    EXPECT_THAT(*tokenizer->EncodeWithSpecial("a \n<l> b"), ElementsAre('a', 258, ' ', 'b'));
    EXPECT_THAT(*tokenizer->EncodeWithSpecial(" <r> \t<l>  <r>"),
                ElementsAre(' ', 259, 258, ' ', ' ', 259));
  }
  json.Set("added_tokens", Parsed(R"([{"id": 257, "content": "<|endoftext|>"},
      {"id": 258, "content": "<l>"}, {"id": 259, "content": "<r>"}, {"id": 260, "content": "<new>"},
      {"id": 261, "content": "<new>er"}])"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Tokenizer> plain, Load(json));
  EXPECT_NE(plain->Fingerprint(), read->Fingerprint());
}

TEST(TokenizerJsonTest, AddedTokensOfTheOldFiles) {
  const TempDir dir;
  const Json json = Gpt2Json();
  dir.Write("vocab.json", json.Find("model")->Find("vocab")->Dump());
  dir.Write("merges.txt", "h e\n");
  dir.Write("added_tokens.json", R"({"<mask>": 258, "<new>": 259})");
  dir.Write("special_tokens_map.json", R"({"mask_token": {"content": "<mask>", "lstrip": true}})");
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, Tokenizer::Load(dir.path()));
  EXPECT_THAT(*tokenizer->Encode("a<new>"), ElementsAre('a', 259));
  EXPECT_EQ(tokenizer->Encode("<mask>")->size(), 6u);
  EXPECT_THAT(*tokenizer->EncodeWithSpecial("a  <mask>"), ElementsAre('a', 258));
  dir.Write("added_tokens.json", R"({"": 258})");
  EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(absl::StatusCode::kInvalidArgument,
                                                    "added_tokens.json: an added token is empty"));
}

TEST(TokenizerJsonTest, HalfAPairOfFilesNamesTheOther) {
  for (const auto& [there, missing] :
       {std::pair("vocab.json", "merges.txt"), std::pair("merges.txt", "vocab.json"),
        std::pair("encoder.json", "vocab.bpe")}) {
    const TempDir dir;
    dir.Write(there, "{\"a\": 0}");
    EXPECT_THAT(Tokenizer::Load(dir.path()),
                StatusIs(absl::StatusCode::kNotFound, absl::StrCat(missing, ": is missing")));
  }
}

}  // namespace
}  // namespace trama
