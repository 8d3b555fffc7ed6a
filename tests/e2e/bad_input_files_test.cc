// Files that lie about themselves, a row a case, on every command that reads them.
#include <cstring>

#include "base/status_matchers.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"
#include "tests/e2e/bad_input.h"
#include "tests/tensorflow_checkpoint_writer.h"

namespace trama {
namespace {

using testing::BadCase;
using testing::kTrainText;
using testing::With;
using Arguments = testing::Arguments;

class BadInputFiles : public testing::BadInputTable {
 protected:
  // A safetensors file with this header before the data of m's.
  std::string Lying(const std::string& header) const {
    const std::string bytes = place_.Read("m/model.safetensors");
    uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof(size));
    std::string lying(sizeof(size), '\0');
    const uint64_t now = header.size();
    std::memcpy(lying.data(), &now, sizeof(now));
    return lying + header + bytes.substr(sizeof(size) + size);
  }
  // m's own header with `key` of the tensor wpe.weight changed.
  std::string LyingAbout(const std::string& key, const Json& value) const {
    const std::string bytes = place_.Read("m/model.safetensors");
    uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof(size));
    Json header = *Json::Parse(bytes.substr(sizeof(size), size));
    Json entry = *header.Find("wpe.weight");
    entry.Set(key, value);
    header.Set("wpe.weight", entry);
    return Lying(header.Dump());
  }
};

TEST_F(BadInputFiles, Safetensors) {
  const std::string good = place_.Read("m/model.safetensors");
  const auto header_of = [&](uint64_t size) {
    std::string lying = good;
    std::memcpy(lying.data(), &size, sizeof(size));
    return lying;
  };
  const int64_t far = int64_t{1} << 62;
  struct Lie {
    std::string what, bytes, message;
  };
  const Lie lies[] = {
      {"truncated", good.substr(0, good.size() - 5), "go beyond the file's"},
      {"truncated", good.substr(0, 4), "byte 4: the file ends before its header"},
      {"truncated", "", "byte 0: the file ends before its header"},
      {"longer than it says", good + "zz", "2 bytes belong to no tensor"},
      {"header length", header_of(uint64_t{1} << 62), "byte 0: a header of 4611686018427387904"},
      {"header length", header_of(~uint64_t{0}), "byte 0: a header of 18446744073709551615"},
      {"header length", header_of(good.size()), "byte 0: a header of"},
      {"header length", header_of(0), "byte 8: the header"},
      {"header", Lying("hello"), "the header: byte 0"},
      {"header", Lying("[]"), "the header is an array"},
      {"header", Lying("{\"a\": 3}"), "tensor a: its entry is an integer"},
      {"offsets", LyingAbout("data_offsets", Json::ArrayOf(std::vector<int64_t>{far, far + 4})),
       "go beyond the file's"},
      {"offsets", LyingAbout("data_offsets", Json::ArrayOf(std::vector<int64_t>{512, 0})),
       "run backwards"},
      {"offsets", LyingAbout("data_offsets", Json::ArrayOf(std::vector<int64_t>{-4, 508})),
       "data_offsets"},
      {"offsets", LyingAbout("data_offsets", Json::ArrayOf(std::vector<double>{0.5, 512})),
       "data_offsets"},
      {"offsets", LyingAbout("data_offsets", Json::ArrayOf(std::vector<int64_t>{0, 4, 8})),
       "3 numbers"},
      {"overlaps", LyingAbout("data_offsets", Json::ArrayOf(std::vector<int64_t>{0, 512})),
       "wpe.weight"},
      {"huge sizes", LyingAbout("shape", Json::ArrayOf(std::vector<int64_t>{far, far})),
       "is not possible"},
      {"huge sizes", LyingAbout("shape", Json::ArrayOf(std::vector<int64_t>{1 << 20, 1 << 20})),
       "data_offsets give 512"},
      {"negative sizes", LyingAbout("shape", Json::ArrayOf(std::vector<int64_t>{-8, -16})),
       "is not possible"},
      {"types", LyingAbout("dtype", "F99"), "dtype F99 is not supported"},
      {"types", LyingAbout("dtype", 3), "dtype"},
  };
  std::vector<BadCase> cases;
  for (const Lie& lie : lies) {
    const auto add = [&](const std::string& file, const Arguments& arguments) {
      cases.push_back({lie.what + " safetensors", {{file, lie.bytes}}, arguments, lie.message});
    };
    add("m/model.safetensors", {"generate", "m", "--prompt=x", "--max_tokens=1"});
    add("d.safetensors", {"run", "m", "--inputs=d.safetensors", "--outputs=o.safetensors"});
  }
  for (const Arguments& arguments :
       {Arguments{"eval", "m", "--data=t.txt"}, Arguments{"explain", "m"}, Arguments{"bench", "m"},
        Arguments{"train", "m", "--data=t.txt", "--steps=1", "--seq_len=4", "--out=o"},
        Arguments{"export", "m", "--format=llmc", "--out=o"}, Arguments{"import", "m", "--out=o"},
        Arguments{"train", "m", "--data=m/model.safetensors", "--steps=1", "--out=o"},
        With(kTrainText, {"--data=t.txt", "--init=m/model.safetensors"})})
    cases.push_back({"truncated safetensors",
                     {{"m/model.safetensors", lies[0].bytes}},
                     arguments,
                     "m/model.safetensors: byte"});
  ExpectEach(cases);
}

TEST_F(BadInputFiles, Configs) {
  const std::string config = place_.Read("m/config.json");
  const auto with = [&](const std::string& key, const Json& value) {
    Json changed = *Json::Parse(config);
    changed.Set(key, value);
    return changed.Dump();
  };
  const Arguments generate{"generate", "m", "--prompt=x", "--max_tokens=1"};
  std::vector<BadCase> cases;
  for (const auto& [what, bytes, message] : std::vector<std::array<std::string, 3>>{
           {"a wrong type", with("n_layer", "two"), "m/config.json: n_layer is not an integer"},
           {"a wrong type", with("n_layer", 1.5), "m/config.json: n_layer is not an integer"},
           {"a wrong type", with("activation_function", 3), "activation_function is not a string"},
           {"a wrong type", with("n_head", Json::MakeObject()), "n_head is an object, not a value"},
           {"a wrong type", with("attn_pdrop", Json::ArrayOf(std::vector<double>{1.5})),
            "m/config.json: attn_pdrop is an array, not a value"},
           {"a wrong type", with("layer_norm_epsilon", "x"), "layer_norm_epsilon is not a number"},
           {"a wrong type", with("tie_word_embeddings", "x"), "tie_word_embeddings is not true or"},
           {"a wrong type", with("model_type", 3),
            "m/config.json: \"model_type\": expected a string"},
           {"a wrong value", with("n_head", 0), "m/config.json: n_head: 0 is not in"},
           {"a wrong value", with("activation_function", "zz"), "'zz' is unknown"},
           {"an unknown model", with("model_type", "gtp"), "m/config.json: no model 'gtp'"},
           {"no model", "{}", "m/config.json: missing \"model_type\""},
           {"no object", "[]", "m/config.json"},
           {"truncated", "{\"model_type\": ", "m/config.json: byte 15"},
           {"empty", "", "m/config.json: byte 0"},
           {"not UTF-8", "{\"model_type\": \"gpt\xff\"}", "m/config.json: byte 19: invalid UTF-8"},
           {"it contradicts the tensors", with("n_embd", 18), "wpe.weight is [8,16], not [8,18]"},
           {"it contradicts the tensors", with("n_layer", 2), "missing h.1.attn.c_attn.bias"},
           {"it contradicts the tensors", with("vocab_size", 255),
            "wte.weight is [256,16], not [255"},
           {"it contradicts the tensors", with("n_positions", 9),
            "wpe.weight is [8,16], not [9,16]"},
           {"it contradicts the tensors", with("num_labels", 2), "missing score.weight"}})
    cases.push_back({"a config.json: " + what, {{"m/config.json", bytes}}, generate, message});
  for (const Arguments& arguments :
       {Arguments{"eval", "m", "--data=t.txt"}, Arguments{"explain", "m"}, Arguments{"bench", "m"},
        Arguments{"train", "m", "--data=t.txt", "--steps=1", "--out=o"},
        Arguments{"export", "m", "--out=o"},
        Arguments{"run", "m", "--inputs=m/model.safetensors", "--outputs=o"},
        Arguments{"predict", "m", "--input=t.csv"}})
    cases.push_back({"a config.json with wrong types",
                     {{"m/config.json", with("n_layer", "two")}},
                     arguments,
                     "m/config.json: n_layer is not an integer"});
  ExpectEach(cases);
}

TEST_F(BadInputFiles, ShardsAndForeignFiles) {
  // m's tensors in two files.
  const std::string whole = place_.Read("m/model.safetensors");
  ASSERT_OK_AND_ASSIGN(const TensorMap tensors, ReadSafetensors(place_ / "m/model.safetensors"));
  TensorMap parts[2];
  Json map = Json::MakeObject();
  constexpr const char* kNames[] = {"model-00001-of-00002.safetensors",
                                    "model-00002-of-00002.safetensors"};
  for (const auto& [name, tensor] : tensors) {
    const int part = parts[0].size() > tensors.size() / 2;
    parts[part][name] = tensor;
    map.Set(name, kNames[part]);
  }
  place_.Write("s/config.json", place_.Read("m/config.json"));
  place_.Write("s/tokenizer_config.json", place_.Read("m/tokenizer_config.json"));
  for (int part = 0; part < 2; ++part)
    ASSERT_OK(WriteSafetensors(place_ / (std::string("s/") + kNames[part]), parts[part]));
  const auto index = [](const Json& weights) {
    return Json::MakeObject({{"weight_map", weights}}).Dump();
  };
  place_.Write("s/model.safetensors.index.json", index(map));
  const Arguments generate{"generate", "s", "--prompt=x", "--max_tokens=1"};
  ASSERT_EQ(place_.Trama(generate).status, 0);

  const std::string second = std::string("s/") + kNames[1], bytes = place_.Read(second);
  Json unknown = map, elsewhere = map;
  unknown.Set("foo", kNames[0]);
  elsewhere.Set(tensors.begin()->first, "../m/model.safetensors");
  const std::string table = WriteTable(MakeBundle(tensors).entries).bytes;
  std::string damaged = table;
  damaged[table.size() / 3] = static_cast<char>(damaged[table.size() / 3] ^ 1);
  const std::map<std::string, std::string> openai{
      {"a/hparams.json",
       R"({"n_vocab": 256, "n_ctx": 8, "n_embd": 16, "n_head": 2, "n_layer": 1})"},
      {"a/model.ckpt.index", table},
      {"a/model.ckpt.data-00000-of-00001", MakeBundle(tensors).data}};
  const auto changed = [&](const std::string& name, const std::string& content) {
    std::map<std::string, std::string> files = openai;
    files[name] = content;
    return files;
  };
  const Arguments import{"import", "a", "--from=openai", "--out=o"};
  const Arguments llmc{"import", "x.bin", "--from=llmc", "--out=o"};
  const std::string list = "s/model.safetensors.index.json";
  place_.Write("a/keep", "");
  ExpectEach({
      {"truncated shards",
       {{second, bytes.substr(0, bytes.size() - 7)}},
       generate,
       second + ": byte"},
      {"truncated shards", {{second, ""}}, generate, second + ": byte 0"},
      {"another shard",
       {{second, place_.Read(std::string("s/") + kNames[0])}},
       generate,
       "no tensor"},
      {"the shards' index", {{list, ""}}, generate, list + ": byte 0"},
      {"the shards' index", {{list, "{}"}}, generate, list + ": no \"weight_map\""},
      {"the shards' index", {{list, "{\"weight_map\": {\"a\": 3}}"}}, generate, "a names no file"},
      {"the shards' index", {{list, index(unknown)}}, generate, "no tensor foo"},
      {"the shards' index", {{list, index(elsewhere)}}, generate, "names no file"},
      {"wrong checksums", changed("a/model.ckpt.index", damaged), import, "a/model.ckpt.index: "},
      {"wrong checksums", changed("a/model.ckpt.index", "garbage"), import, "a/model.ckpt.index: "},
      {"a truncated checkpoint", changed("a/model.ckpt.data-00000-of-00001", "short"), import,
       "a/model"},
      {"its own config", changed("a/hparams.json", "{\"n_vocab\": \"5\"}"), import,
       "a/hparams.json: "},
      {"its own config", changed("a/hparams.json", "["), import, "a/hparams.json: byte 1"},
      {"tensors it has not", openai, import, "missing"},
      {"llm.c's file",
       {{"x.bin", "not one"}},
       llmc,
       "x.bin: byte 7: the file ends before its header"},
      {"llm.c's file", {{"x.bin", std::string(1024, 'x')}}, llmc, "x.bin: byte 0: not the magic"},
      {"adapters of no model",
       {{"p/adapter_config.json", "{}"}},
       {"generate", "p", "--prompt=x"},
       "p"},
  });
}

TEST_F(BadInputFiles, Tokenizers) {
  const std::string vocab = R"({"l": 0, "o": 1, "w": 2, "lo": 3, "low": 4})";
  const Arguments tokenize{"tokenize", "--tokenizer=k", "--text=low"};
  const auto bpe = [](const std::string& vocab, const std::string& merges) {
    return std::map<std::string, std::string>{{"k/vocab.json", vocab}, {"k/merges.txt", merges}};
  };
  place_.Write("k/keep", "");
  ExpectEach({
      {"a merge that is not in the vocabulary", bpe(vocab, "#version: 0.2\nl o\nlo w\no w\n"),
       tokenize, "k/merges.txt:4: \"ow\" is not in the vocabulary"},
      {"a merge that is not in the vocabulary", bpe(vocab, "l o\nz q\n"), tokenize,
       "k/merges.txt:2: \"z\" is not in the vocabulary"},
      {"a merge that is not in the vocabulary",
       {{"k/tokenizer.json",
         R"({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},)"
         R"( "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": )" +
             vocab + R"(, "merges": ["l o", "z q"]}})"}},
       tokenize,
       "\"z\" is not in the vocabulary"},
      {"a merge of one", bpe(vocab, "l o\nlow\n"), tokenize, "k/merges.txt:2: expected two tokens"},
      {"a merge twice", bpe(vocab, "l o\nl o\n"), tokenize,
       "k/merges.txt:2: \"l o\" is there twice"},
      {"ids", bpe(R"({"l": 0, "o": 0})", ""), tokenize, "k/vocab.json: the id of \"o\" (0)"},
      {"ids", bpe(R"({"l": -1, "o": 0})", ""), tokenize, "k/vocab.json: the id of \"l\" (-1)"},
      {"ids", bpe(R"({"l": "a"})", ""), tokenize, "k/vocab.json: the id of \"l\" is no integer"},
      {"no vocabulary", bpe("[]", ""), tokenize, "k/vocab.json: no tokens"},
      {"truncated", bpe("{\"l\":", ""), tokenize, "k/vocab.json: byte 5"},
      {"not UTF-8", bpe("{\"l\xff\": 0}", ""), tokenize, "k/vocab.json: byte 3: invalid UTF-8"},
      {"a word twice", {{"k/vocab.txt", "[UNK]\na\na\n"}}, tokenize, "k/vocab.txt:3: \"a\""},
      {"no unknown word", {{"k/vocab.txt", "a\nb\n"}}, tokenize, "k/vocab.txt: no token [UNK]"},
      {"a class",
       {{"k/tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer"})"}},
       tokenize,
       "no tokenizer of class T5Tokenizer"},
      {"no files", {}, tokenize, "k/tokenizer_config.json"},
      {"none there", {}, {"tokenize", "--tokenizer=byte", "--text=x"}, "did you mean bytes?", 2},
      {"a vocabulary too small",
       {},
       {"tokenizer", "train", "--kind=bpe", "--data=t.txt", "--vocab_size=3", "--out=o"},
       "of 3"},
      {"an unknown kind",
       {},
       {"tokenizer", "train", "--kind=x", "--data=t.txt", "--out=o"},
       "'x'",
       2},
      // What the model does not know.
      {"vocabulary mismatch",
       {},
       With(kTrainText, {"--data=t.txt", "--tokenizer=bytes", "--set=vocab_size=10"}),
       "the tokenizer has 256 ids, the model's vocabulary only 10"},
      {"vocabulary mismatch",
       {{"m/tokenizer_config.json", R"({"tokenizer_class": "TramaCharTokenizer"})"},
        {"m/vocab.json", R"({"a": 0})"}},
       {"eval", "m", "--data=t.txt"},
       "t.txt: byte 0: the character"},
      {"vocabulary mismatch",
       {{"m/tokenizer_config.json", R"({"tokenizer_class": "TramaCharTokenizer"})"},
        {"m/vocab.json", R"({"a": 0})"}},
       {"generate", "m", "--prompt=b"},
       "--prompt: byte 0"},
      {"vocabulary mismatch",
       {{"d.bin", "\xff\xff\xff\xff"}},
       {"eval", "m", "--data=d.bin"},
       "d.bin: byte 0: id 65535 is outside the model's vocabulary of 256"},
      {"another tokenizer",
       {{"k/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nlow\n"}},
       {"eval", "m", "--data=t.txt", "--tokenizer=k"},
       "m has a tokenizer of its own"},
      {"another tokenizer",
       {{"k/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nlow\n"}},
       {"train", "m", "--data=t.txt", "--steps=1", "--out=o", "--tokenizer=k"},
       "of its own"},
      // Prompts and ids.
      {"an empty prompt", {}, {"generate", "m", "--prompt="}, "the prompt is empty"},
      {"no prompt", {}, {"generate", "m"}, "--prompt", 2},
      {"ids out of range", {}, {"generate", "m", "--prompt_ids=1,256"}, "256"},
      {"ids out of range", {}, {"generate", "m", "--prompt_ids=-1"}, "-1"},
      {"ids that are none", {}, {"generate", "m", "--prompt_ids=1,x"}, "'x' is not an integer", 2},
      {"ids out of range", {}, {"tokenize", "m", "--decode", "--text=300"}, "--text: id 300"},
      {"ids out of range",
       {},
       {"tokenize", "m", "--decode", "--text=99999999999999"},
       "--text: id 9"},
      {"ids that are none", {}, {"tokenize", "m", "--decode", "--text=1 x"}, "--text: 'x'"},
      {"prompts with invalid UTF-8",
       {{"m/tokenizer_config.json", R"({"tokenizer_class": "TramaCharTokenizer"})"},
        {"m/vocab.json", R"({"a": 0})"}},
       {"generate", "m", "--prompt=a\xff"},
       "--prompt: byte 1: invalid UTF-8"},
      {"texts with invalid UTF-8",
       {{"k/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nlow\n"}},
       {"tokenize", "--tokenizer=k", "--text=a\xff"},
       "--text: byte 1: invalid UTF-8"},
      {"texts with invalid UTF-8",
       {{"k/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nlow\n"}, {"d", "\xff"}},
       {"tokenize", "--tokenizer=k", "--file=d"},
       "d: byte 0: invalid UTF-8"},
      // The context.
      {"a sequence longer than the context",
       {},
       {"train", "m", "--data=t.txt", "--seq_len=9", "--steps=1", "--out=o"},
       "n_positions: 8"},
      {"a sequence longer than the context",
       {},
       {"eval", "m", "--data=t.txt", "--seq_len=9"},
       "longer than n_positions: 8"},
      {"a sequence longer than the context",
       {},
       {"bench", "m", "--seq_len=9"},
       "beyond the model's 8",
       2},
      {"a sequence longer than the context", {}, {"explain", "m", "--seq_len=9"}, "n_positions: 8"},
  });
}

}  // namespace
}  // namespace trama
