// Models of OpenAI, llm.c and Hugging Face come in and go out bit for bit, or not at all.
#include "runtime/import.h"

#include <cstring>
#include <fstream>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"
#include "tests/temp_dir.h"
#include "tests/tensorflow_checkpoint_writer.h"

namespace trama {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int64_t kVocabulary = 300, kContext = 16, kWidth = 8, kLayers = 2;
constexpr char kHparams[] =
    R"({"n_vocab": 300, "n_ctx": 16, "n_embd": 8, "n_head": 2, "n_layer": 2})";

LoadedModel SmallModel(const std::vector<std::string>& settings = {}) {
  Config config;
  for (const std::string text :
       {"vocab_size=300", "n_positions=16", "n_embd=8", "n_head=2", "n_layer=2"})
    EXPECT_OK(config.SetFromText(text));
  for (const std::string& text : settings) EXPECT_OK(config.SetFromText(text));
  absl::StatusOr<LoadedModel> model = NewModel("gpt2", config, /*seed=*/1);
  EXPECT_OK(model);
  int salt = 0;  // so that no two tensors are alike
  for (auto& [name, tensor] : model->parameters)
    for (int64_t i = 0; i < tensor.num_elements(); ++i)
      tensor.set(i, tensor.at(i) + 0.001 * ++salt);
  return *std::move(model);
}

void ExpectEqual(const TensorMap& got, const TensorMap& want) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, tensor] : want) {
    ASSERT_TRUE(got.contains(name)) << name;
    EXPECT_EQ(got.at(name).dtype, tensor.dtype) << name;
    EXPECT_EQ(got.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(got.at(name).bytes, tensor.bytes) << name;
  }
}

TensorMap OpenAITensors(const LoadedModel& model) {
  TensorMap tensors;
  for (const auto& [name, tensor] : model.parameters) {
    const bool norm = absl::StrContains(name, "ln_");
    std::string theirs = absl::StrReplaceAll(
        name, {{"h.", "h"}, {".weight", norm ? "/g" : "/w"}, {".bias", "/b"}, {".", "/"}});
    if (name == "wte.weight" || name == "wpe.weight") theirs = name.substr(0, 3);
    HostTensor copy = tensor;
    if (absl::EndsWith(theirs, "/w")) copy.shape.insert(copy.shape.begin(), 1);
    tensors["model/" + theirs] = std::move(copy);
  }
  return tensors;
}

void WriteOpenAI(const TempDir& dir, const TensorMap& tensors) {
  const Bundle bundle = MakeBundle(tensors);
  dir.Write("model.ckpt.index", WriteTable(bundle.entries).bytes);
  dir.Write("model.ckpt.data-00000-of-00001", bundle.data);
  dir.Write("hparams.json", kHparams);
}

TEST(ImportTest, OpenAI) {
  const TempDir from, to;
  const LoadedModel model = SmallModel();
  WriteOpenAI(from, OpenAITensors(model));
  from.Write("encoder.json", R"({"a": 0, "<|endoftext|>": 299})");
  from.Write("vocab.bpe", "#version: 0.2\n");
  ASSERT_OK(ImportModel(ModelFormat::kOpenAI, from.path(), to / "m"));
  EXPECT_EQ(*ListDirectory(to / "m"),
            (std::vector<std::string>{"config.json", "merges.txt", "model.safetensors",
                                      "tokenizer_config.json", "vocab.json"}));
  ASSERT_OK_AND_ASSIGN(const TensorMap read, ReadSafetensors(to / "m"));
  ExpectEqual(read, model.parameters);
  EXPECT_EQ(read.at("h.1.mlp.c_fc.weight").shape, (Shape{kWidth, 4 * kWidth}));
  ASSERT_OK_AND_ASSIGN(const Json config, Json::ParseFile(to / "m/config.json"));
  EXPECT_EQ(*config.Get<std::string>("model_type"), "gpt2");
  EXPECT_EQ(*config.Get<int64_t>("n_positions"), kContext);
  EXPECT_EQ(*config.Get<int64_t>("eos_token_id"), 299);
  EXPECT_EQ(*ReadFile(to / "m/merges.txt"), "#version: 0.2\n");
  // Another model's tokenizer.
  from.Write("encoder.json", R"({"a": 0, "b": 300})");
  EXPECT_THAT(ImportModel(ModelFormat::kOpenAI, from.path(), to / "n"),
              StatusIs(kInvalid, "encoder.json: the id of \"b\" (300) is beyond n_vocab (300)"));
  from.Write("encoder.json", R"({"a": 0, "<|endoftext|>": 299})");
  // The file `checkpoint` names another one.
  from.Write("checkpoint", "model_checkpoint_path: \"model-7\"\n");
  EXPECT_THAT(ReadForeignModel(ModelFormat::kOpenAI, from.path()),
              StatusIs(absl::StatusCode::kNotFound, "model-7.index"));
}

TEST(ImportTest, OneReportNamesEveryTensorThatIsWrong) {
  const TempDir from, to;
  TensorMap tensors = OpenAITensors(SmallModel());
  tensors.erase("model/ln_f/b");
  tensors["model/h2/ln_1/g"] = HostTensor::F32({8}, std::vector<float>(8));
  tensors["beta1_power"] = HostTensor::F32({}, {1});
  tensors["model/h1/attn/c_proj/w"] = HostTensor::F32({1, 4, 8}, std::vector<float>(32));
  WriteOpenAI(from, tensors);
  const absl::Status status = ImportModel(ModelFormat::kOpenAI, from.path(), to / "m").status();
  for (const char* part : {"model.ckpt.index: ", "extra model/h2/ln_1/g", "extra beta1_power",
                           "missing ln_f.bias", "h.1.attn.c_proj.weight is [4,8], not [8,8]"})
    EXPECT_THAT(status, StatusIs(kInvalid, part));
  from.Write("hparams.json", R"({"n_vocab": 300, "n_ctx": 16, "n_embd": 9, "n_head": 2})");
  EXPECT_THAT(ImportModel(ModelFormat::kOpenAI, from.path(), to / "m"),
              StatusIs(kInvalid, "hparams.json: missing \"n_layer\""));
  EXPECT_THAT(ImportModel(ModelFormat::kOpenAI, from / "none", to / "m"),
              StatusIs(absl::StatusCode::kNotFound, "no such directory"));
  EXPECT_TRUE(ListDirectory(to.path())->empty());
}

TEST(ImportTest, AHeadThatIsNotTheTableIsInTheOneReport) {
  const TempDir from, to;
  LoadedModel model = SmallModel();
  ASSERT_OK(WriteModelFiles(model, from.path()));
  TensorMap tensors = model.parameters;
  tensors["lm_head.weight"] = tensors["wte.weight"];
  ASSERT_OK(WriteSafetensors(from / "model.safetensors", tensors, {}));
  EXPECT_OK(ImportModel(ModelFormat::kSafetensors, from.path(), to / "m").status());
  tensors["lm_head.weight"].set(3, 7);
  tensors.erase("ln_f.bias");
  ASSERT_OK(WriteSafetensors(from / "model.safetensors", tensors, {}));
  const absl::Status status =
      ImportModel(ModelFormat::kSafetensors, from.path(), to / "n").status();
  for (const char* part :
       {"lm_head.weight differs from wte.weight, but the config ties them", "missing ln_f.bias"})
    EXPECT_THAT(status, StatusIs(kInvalid, part));
}

TEST(ImportTest, LlmcBothWays) {
  const TempDir dir;
  const LoadedModel model = SmallModel();
  ASSERT_OK(MakeDirectories(dir / "m"));
  ASSERT_OK(WriteModelFiles(model, dir / "m"));
  for (const auto& [dtype, version] : {std::pair(DType::kF32, 3), std::pair(DType::kBF16, 5)}) {
    ASSERT_OK(ExportModel(dir / "m", ModelFormat::kLlmc, dtype, dir / "a.bin"));
    ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(dir / "a.bin"));
    const size_t element = SizeOf(dtype);
    const int64_t padded = 384, elements = model.model->module().num_parameters() +
                                           (padded - kVocabulary) * kWidth;
    ASSERT_EQ(bytes.size(), 1024 + static_cast<size_t>(elements) * element);
    const std::vector<int32_t> want = {20240326, version, kContext, kVocabulary,
                                       kLayers,  2,       kWidth,   padded};
    EXPECT_EQ(std::memcmp(bytes.data(), want.data(), want.size() * 4), 0);
    // Behind the embeddings and both ln_1: block 0's c_attn, [out, in] there and [in, out] here.
    const auto at =
        static_cast<size_t>((padded + kContext + 2 * kLayers) * kWidth + 3 * kWidth + 5);
    HostTensor attention = model.parameters.at("h.0.attn.c_attn.weight").Cast(dtype);
    EXPECT_EQ(std::memcmp(bytes.data() + 1024 + at * element,
                          attention.bytes.data() + (5 * 3 * kWidth + 3) * element, element),
              0);

    ASSERT_OK(ImportModel(ModelFormat::kLlmc, dir / "a.bin", dir / "back"));
    TensorMap cast = model.parameters;
    for (auto& [name, tensor] : cast) tensor = tensor.Cast(dtype);
    ASSERT_OK_AND_ASSIGN(const TensorMap read, ReadSafetensors(dir / "back"));
    ExpectEqual(read, cast);
    // Without --dtype the type stays: the same file again.
    ASSERT_OK(ExportModel(dir / "back", ModelFormat::kLlmc, std::nullopt, dir / "b.bin"));
    EXPECT_EQ(*ReadFile(dir / "b.bin"), bytes);
  }
}

TEST(ImportTest, LlmcVersionOneIsNotPadded) {
  const TempDir dir;
  const LoadedModel model = SmallModel({"vocab_size=256"});
  ASSERT_OK(MakeDirectories(dir / "m"));
  ASSERT_OK(WriteModelFiles(model, dir / "m"));
  ASSERT_OK(ExportModel(dir / "m", ModelFormat::kLlmc, std::nullopt, dir / "a.bin"));
  std::string bytes = *ReadFile(dir / "a.bin");  // 256 words need no padding
  bytes[4] = 1;
  std::fill(bytes.begin() + 28, bytes.begin() + 32, '\0');
  ASSERT_OK_AND_ASSIGN(const LoadedModel read,
                       ReadForeignModel(ModelFormat::kLlmc, dir.Write("v1.bin", bytes)));
  ExpectEqual(read.parameters, model.parameters);
}

TEST(ImportTest, FindsEveryLieOfLlmc) {
  const TempDir dir;
  ASSERT_OK(MakeDirectories(dir / "m"));
  ASSERT_OK(WriteModelFiles(SmallModel(), dir / "m"));
  ASSERT_OK(ExportModel(dir / "m", ModelFormat::kLlmc, std::nullopt, dir / "a.bin"));
  const std::string whole = *ReadFile(dir / "a.bin");
  const auto with = [&](size_t at, int32_t value) {
    std::string bytes = whole;
    std::memcpy(bytes.data() + at, &value, 4);
    return ImportModel(ModelFormat::kLlmc, dir.Write("x.bin", bytes), dir / "out").status();
  };
  ASSERT_OK(with(0, 20240326));
  ASSERT_OK(RemoveAll(dir / "out"));
  EXPECT_THAT(with(0, 7), StatusIs(kInvalid, "x.bin: byte 0: not the magic number"));
  EXPECT_THAT(with(4, 2), StatusIs(kInvalid, "byte 4: version 2 is none of"));
  EXPECT_THAT(with(8, -1), StatusIs(kInvalid, "byte 8: the context is -1"));
  EXPECT_THAT(with(28, 299), StatusIs(kInvalid, "byte 28: the padded vocabulary is 299"));
  EXPECT_THAT(with(16, 3), StatusIs(kInvalid, "the header speaks of"));
  EXPECT_THAT(with(20, 3), StatusIs(kInvalid, "n_embd: 8 is not a multiple of n_head: 3"));
  for (const size_t size : {size_t{0}, size_t{1000}, whole.size() - 1}) {
    dir.Write("x.bin", whole.substr(0, size));
    EXPECT_THAT(ImportModel(ModelFormat::kLlmc, dir / "x.bin", dir / "out"),
                StatusIs(kInvalid, "x.bin: byte "));
  }
  EXPECT_FALSE(FileExists(dir / "out"));
}

TEST(ImportTest, LlmcSurvivesMutations) {
  const TempDir dir;
  ASSERT_OK(MakeDirectories(dir / "m"));
  ASSERT_OK(WriteModelFiles(SmallModel(), dir / "m"));
  ASSERT_OK(ExportModel(dir / "m", ModelFormat::kLlmc, std::nullopt, dir / "a.bin"));
  const std::string whole = *ReadFile(dir / "a.bin");
  std::mt19937 random(1);
  int refused = 0;
  constexpr int kRuns = 500;
  for (int run = 0; run < kRuns; ++run) {
    std::string bytes = whole;
    for (uint32_t i = 0; i < 1 + random() % 3; ++i)
      bytes[random() % 32] = static_cast<char>(random() % 2 ? random() : 1 << random() % 8);
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    std::ofstream(dir / "x.bin", std::ios::binary) << bytes;
    refused += !ReadForeignModel(ModelFormat::kLlmc, dir / "x.bin").ok();
  }
  EXPECT_GT(refused, kRuns * 9 / 10);
}

TEST(ImportTest, LlmcRefusesWhatItCannotHold) {
  const TempDir dir;
  const std::pair<const char*, const char*> cases[] = {
      {"num_labels=2", "parameters beyond those of"},
      {"activation_function=relu", "activation_function is 'relu'"},
      {"layer_norm_epsilon=0.1", "layer_norm_epsilon is 0.1"},
      {"n_inner=12", "no h.0.mlp.c_fc.bias of shape 32"},
      {"tie_word_embeddings=false", "parameters beyond those of"}};
  for (const auto& [setting, message] : cases) {
    ASSERT_OK(MakeDirectories(dir / "m"));
    ASSERT_OK(WriteModelFiles(SmallModel({setting}), dir / "m"));
    EXPECT_THAT(ExportModel(dir / "m", ModelFormat::kLlmc, std::nullopt, dir / "a.bin"),
                StatusIs(kInvalid, message));
    EXPECT_FALSE(FileExists(dir / "a.bin"));
  }
}

TEST(ImportTest, SafetensorsLoseWhatIsNoParameterAndKeepTheirType) {
  const TempDir from, to;
  const LoadedModel model = SmallModel();
  TensorMap stored, want;
  for (const auto& [name, tensor] : model.parameters)
    stored["transformer." + name] = want[name] = tensor.Cast(DType::kF16);
  stored["transformer.h.0.attn.bias"] = HostTensor(DType::kU8, {1, 1, 16, 16});
  stored["lm_head.weight"] = want["wte.weight"];
  ASSERT_OK(WriteSafetensors(from / "model.safetensors", stored));
  ASSERT_OK(WriteModelConfig(model, from.path()));
  from.Write("generation_config.json", "{}");
  ASSERT_OK(ImportModel(ModelFormat::kSafetensors, from.path(), to / "m"));
  ASSERT_OK_AND_ASSIGN(const TensorMap read, ReadSafetensors(to / "m"));
  ExpectEqual(read, want);
  EXPECT_EQ(*ReadFile(to / "m/generation_config.json"), "{}");
  // What other programs read, as f32.
  ASSERT_OK(ExportModel(from.path(), ModelFormat::kSafetensors, DType::kF32, to / "x"));
  ASSERT_OK_AND_ASSIGN(const TensorMap exported, ReadSafetensors(to / "x"));
  for (auto& [name, tensor] : want) tensor = tensor.Cast(DType::kF32);
  ExpectEqual(exported, want);
  // A head that is not the embedding contradicts the config.
  stored["lm_head.weight"].set(0, 7);
  ASSERT_OK(WriteSafetensors(from / "model.safetensors", stored));
  EXPECT_THAT(LoadModelDirectory(from.path()),
              StatusIs(kInvalid, "lm_head.weight differs from transformer.wte.weight"));
}

}  // namespace
}  // namespace trama
