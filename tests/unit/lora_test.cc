// Adapters: their files, merging them, and models that get a head.
#include "runtime/lora.h"

#include "base/status_matchers.h"
#include "frontend/init.h"
#include "gtest/gtest.h"
#include "runtime/fine_tune.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

LoadedModel SmallModel() {
  Config config;
  for (auto [key, value] : {std::pair("n_layer", 1), std::pair("n_embd", 8), std::pair("n_head", 2),
                            std::pair("vocab_size", 11), std::pair("n_positions", 4)})
    config.Set(key, int64_t{value});
  return *NewModel("gpt", config, /*seed=*/1);
}

// The model with adapters of rank 2, whose B are not zero.
LoadedModel Adapted() {
  LoadedModel model = SmallModel();
  Config changes;
  changes.Set("lora_rank", int64_t{2});
  changes.Set("lora_alpha", 3.0);
  EXPECT_OK(Reconfigure(changes, /*seed=*/2, &model));
  for (auto& [name, tensor] : model.parameters)
    for (int64_t i = 0; name.ends_with(".lora_B") && i < tensor.num_elements(); ++i)
      tensor.set(i, 0.01 * static_cast<double>(i + 1));
  return model;
}

double At(const HostTensor& matrix, int64_t row, int64_t column) {
  return matrix.at(row * matrix.shape[1] + column);
}

TEST(LoraTest, StartsAsTheBaseAndAdaptsTheTargets) {
  LoadedModel model = SmallModel();
  const TensorMap base = model.parameters;
  Config changes;
  changes.Set("lora_rank", int64_t{2});
  ASSERT_OK(Reconfigure(changes, /*seed=*/2, &model));
  std::vector<std::string> added;
  for (const auto& [name, tensor] : model.parameters) {
    if (base.contains(name)) {
      EXPECT_EQ(tensor.bytes, base.at(name).bytes) << name;
      EXPECT_FALSE(IsAdapterParameter(name));
    } else {
      added.push_back(name);
      EXPECT_TRUE(IsAdapterParameter(name));
    }
  }
  EXPECT_EQ(added, (std::vector<std::string>{"h.0.attn.c_attn.lora_A", "h.0.attn.c_attn.lora_B",
                                             "h.0.mlp.c_fc.lora_A", "h.0.mlp.c_fc.lora_B"}));
  ASSERT_OK(MergeLora(&model));  // B is zero
  for (const auto& [name, tensor] : model.parameters) EXPECT_EQ(tensor.bytes, base.at(name).bytes);
}

TEST(LoraTest, MergesTheScaledProduct) {
  const LoadedModel before = Adapted();
  LoadedModel model = Adapted();
  ASSERT_OK(MergeLora(&model));
  EXPECT_FALSE(HasLora(model));
  EXPECT_FALSE(model.parameters.contains("h.0.mlp.c_fc.lora_A"));
  const HostTensor &w = before.parameters.at("h.0.mlp.c_fc.weight"),
                   &a = before.parameters.at("h.0.mlp.c_fc.lora_A"),
                   &b = before.parameters.at("h.0.mlp.c_fc.lora_B"),
                   &merged = model.parameters.at("h.0.mlp.c_fc.weight");
  for (int64_t i = 0; i < 8; ++i)
    for (int64_t o = 0; o < 32; ++o)
      EXPECT_NEAR(At(merged, i, o),
                  At(w, i, o) + 1.5 * (At(a, i, 0) * At(b, 0, o) + At(a, i, 1) * At(b, 1, o)),
                  1e-7);
  EXPECT_EQ(model.parameters.at("h.0.mlp.c_proj.weight").bytes,
            before.parameters.at("h.0.mlp.c_proj.weight").bytes);
}

TEST(LoraTest, WritesPeftFilesThatLoadBesideTheirBase) {
  const TempDir dir;
  const std::string base = dir.path() + "/base", adapter = dir.path() + "/adapter";
  ASSERT_OK(MakeDirectories(base));
  ASSERT_OK(MakeDirectories(adapter));
  LoadedModel model = Adapted();
  ASSERT_OK(WriteModelFiles(SmallModel(), base));
  ASSERT_OK(WriteAdapter(model, model.parameters, base, adapter));
  ASSERT_OK_AND_ASSIGN(const TensorMap stored,
                       ReadSafetensors(adapter + "/adapter_model.safetensors"));
  EXPECT_EQ(stored.size(), 4);
  const HostTensor& a = stored.at("base_model.model.transformer.h.0.mlp.c_fc.lora_A.weight");
  EXPECT_EQ(a.shape, (Shape{2, 8}));  // PEFT's [r, in]
  EXPECT_EQ(At(a, 1, 3), At(model.parameters.at("h.0.mlp.c_fc.lora_A"), 3, 1));
  ASSERT_OK_AND_ASSIGN(const Json config, Json::ParseFile(adapter + "/adapter_config.json"));
  EXPECT_EQ(*config.Get<int64_t>("r"), 2);
  EXPECT_EQ(*config.Get<double>("lora_alpha"), 3);
  EXPECT_EQ(*config.Get<std::vector<std::string>>("target_modules"),
            (std::vector<std::string>{"attn.c_attn", "mlp.c_fc"}));

  ASSERT_OK_AND_ASSIGN(const LoadedModel loaded, LoadModelDirectory(adapter));
  ASSERT_OK(MergeLora(&model));
  EXPECT_EQ(loaded.parameters.size(), model.parameters.size());
  for (const auto& [name, tensor] : model.parameters)
    EXPECT_EQ(loaded.parameters.at(name).bytes, tensor.bytes) << name;
}

TEST(LoraTest, LoadsWhatTrainingWroteMerged) {
  const TempDir dir;
  LoadedModel model = Adapted();
  ASSERT_OK(WriteModelFiles(model, dir.path()));
  ASSERT_OK_AND_ASSIGN(const LoadedModel loaded, LoadModelDirectory(dir.path()));
  EXPECT_FALSE(HasLora(loaded));
  ASSERT_OK(MergeLora(&model));
  for (const auto& [name, tensor] : model.parameters)
    EXPECT_EQ(loaded.parameters.at(name).bytes, tensor.bytes) << name;
}

TEST(LoraTest, NamesWhatIsWrong) {
  const TempDir dir;
  LoadedModel model = Adapted();
  ASSERT_OK(WriteAdapter(model, model.parameters, "nowhere", dir.path()));
  EXPECT_NE(std::string(LoadModelDirectory(dir.path()).status().message()).find("'nowhere'"),
            std::string::npos);
  ASSERT_OK(WriteAdapter(model, model.parameters, dir.path(), dir.path()));  // on itself
  EXPECT_THAT(LoadModelDirectory(dir.path()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "is no model: it has no config.json"));
  TensorMap some = model.parameters;
  some.erase("h.0.mlp.c_fc.lora_B");
  some["h.7.mlp.c_fc.lora_A"] = some.at("h.0.mlp.c_fc.lora_A");
  ASSERT_OK(WriteAdapter(model, some, "", dir.path()));
  LoadedModel base = SmallModel();
  EXPECT_EQ(ApplyAdapter(dir.path(), &base).message(),
            dir.path() +
                "/adapter_model.safetensors: extra "
                "base_model.model.transformer.h.7.mlp.c_fc.lora_A.weight; missing "
                "base_model.model.transformer.h.0.mlp.c_fc.lora_B.weight");
  dir.Write("adapter_config.json",
            R"({"r": 2, "lora_alpha": 3, "target_modules": ["c_fc"], "bias": "all"})");
  base = SmallModel();
  EXPECT_EQ(ApplyAdapter(dir.path(), &base).message(),
            dir.path() + "/adapter_config.json: bias all is not supported");
  dir.Write("adapter_config.json", R"({"r": 2, "lora_alpha": 3, "target_modules": ["q_proj"]})");
  EXPECT_EQ(ApplyAdapter(dir.path(), &base).message(),
            dir.path() +
                "/adapter_config.json: lora_targets: no layer ends in 'q_proj'; there are "
                "attn.c_attn, attn.c_proj, mlp.c_fc, mlp.c_proj");
}

// PEFT also takes a regular expression for the whole path of a layer, and a word for all of them.
TEST(LoraTest, FindsTargetsByARegularExpression) {
  const TempDir dir;
  LoadedModel model = Adapted(), merged = Adapted();
  ASSERT_OK(WriteAdapter(model, model.parameters, "", dir.path()));
  ASSERT_OK(MergeLora(&merged));
  const auto with = [&](const std::string& modules) {
    dir.Write("adapter_config.json",
              R"({"r": 2, "lora_alpha": 3, "target_modules": ")" + modules + "\"}");
    LoadedModel base = SmallModel();
    const absl::Status status = ApplyAdapter(dir.path(), &base);
    if (status.ok())
      EXPECT_EQ(base.parameters.at("h.0.mlp.c_fc.weight").bytes,
                merged.parameters.at("h.0.mlp.c_fc.weight").bytes);
    return status;
  };
  EXPECT_OK(with(".*\\\\.(c_attn|c_fc)"));
  EXPECT_OK(with("transformer\\\\.h\\\\.\\\\d+\\\\.(attn\\\\.c_attn|mlp\\\\.c_fc)"));
  EXPECT_THAT(with("all-linear"), StatusIs(absl::StatusCode::kInvalidArgument,
                                           "missing base_model.model.transformer.h.0.attn.c_proj"));
  EXPECT_THAT(with("c_attn"),
              StatusIs(absl::StatusCode::kInvalidArgument, "'c_attn' matches no layer"));
  EXPECT_THAT(with("(c_attn"), StatusIs(absl::StatusCode::kInvalidArgument, "target_modules: '("));
}

// PEFT's files have no place for the names of classes, and the base has none.
TEST(LoraTest, KeepsTheNamesOfClasses) {
  const TempDir dir;
  const std::string base = dir.path() + "/base", adapter = dir.path() + "/adapter";
  ASSERT_OK(MakeDirectories(base));
  ASSERT_OK(MakeDirectories(adapter));
  ASSERT_OK(WriteModelFiles(SmallModel(), base));
  LoadedModel model = Adapted();
  ASSERT_OK(EnsureHead(2, /*seed=*/0, &model));
  Config pool;
  pool.Set("pool", std::string("last"));
  ASSERT_OK(Reconfigure(pool, /*seed=*/0, &model));
  const std::vector<std::string> names = {"ham", "spam"};
  model.config.Set("class_names", names);
  ASSERT_OK(WriteAdapter(model, model.parameters, base, adapter));
  ASSERT_OK_AND_ASSIGN(const LoadedModel loaded, LoadModelDirectory(adapter));
  EXPECT_EQ(loaded.config.values().find("class_names")->second, ConfigValue(names));
  EXPECT_EQ(*loaded.config.String("pool", ""), "last");
  ASSERT_OK(RemoveAdapter(adapter));
  EXPECT_TRUE(ListDirectory(adapter)->empty());
}

TEST(HeadTest, KeepsTheBody) {
  LoadedModel model = SmallModel();
  const TensorMap base = model.parameters;
  EXPECT_FALSE(Classifies(model));
  ASSERT_OK(EnsureHead(3, /*seed=*/0, &model));
  EXPECT_TRUE(Classifies(model));
  EXPECT_EQ(model.parameters.at("score.weight").shape, (Shape{3, 8}));
  for (const auto& [name, tensor] : base) EXPECT_EQ(model.parameters.at(name).bytes, tensor.bytes);
  const TensorMap trained = model.parameters;
  ASSERT_OK(EnsureHead(3, /*seed=*/9, &model));  // it has one
  EXPECT_EQ(model.parameters.at("score.weight").bytes, trained.at("score.weight").bytes);
  ASSERT_OK(EnsureHead(2, /*seed=*/9, &model));
  EXPECT_EQ(model.parameters.at("score.weight").shape, (Shape{2, 8}));
}

}  // namespace
}  // namespace trama
