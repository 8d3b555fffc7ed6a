// Directories of sequence classifiers, as `transformers` writes and reads them.
#include "runtime/class_labels.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/fine_tune.h"
#include "runtime/formats/safetensors.h"
#include "runtime/model_directory.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using Names = std::vector<std::string>;

constexpr char kSizes[] =
    R"("model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 11,
       "n_positions": 4)";

LoadedModel SmallModel(int64_t classes) {
  Config config;
  for (auto [key, value] : {std::pair("n_layer", int64_t{1}), std::pair("n_embd", int64_t{8}),
                            std::pair("n_head", int64_t{2}), std::pair("vocab_size", int64_t{11}),
                            std::pair("n_positions", int64_t{4}), std::pair("num_labels", classes)})
    config.Set(key, value);
  return *NewModel("gpt2", config, /*seed=*/1);
}

// The directory that `transformers` writes: no num_labels, no bias of the head, names with prefix.
void WriteHuggingFace(const TempDir& dir, int64_t classes, const std::string& more) {
  TensorMap stored;
  for (auto& [name, tensor] : SmallModel(classes).parameters)
    if (name.starts_with("score."))
      stored[name] = tensor;
    else
      stored["transformer." + name] = tensor;
  stored.erase("score.bias");
  ASSERT_OK(WriteSafetensors(dir.path() + "/model.safetensors", stored));
  dir.Write("config.json", std::string("{") + kSizes + more + "}");
}

Names ClassNames(const LoadedModel& model) {
  const auto found = model.config.values().find("class_names");
  const auto* names =
      found == model.config.values().end() ? nullptr : std::get_if<Names>(&found->second);
  return names ? *names : Names();
}

TEST(ClassLabels, OfADirectoryOfTransformers) {
  const TempDir dir;
  WriteHuggingFace(dir, 3,
                   R"(, "architectures": ["GPT2ForSequenceClassification"],
                       "id2label": {"0": "ham", "2": "other", "1": "spam"},
                       "label2id": {"ham": 0, "other": 2, "spam": 1})");
  ASSERT_OK_AND_ASSIGN(const LoadedModel model, LoadModelDirectory(dir.path()));
  EXPECT_TRUE(Classifies(model));
  EXPECT_EQ(model.parameters.at("score.weight").shape, (Shape{3, 8}));
  EXPECT_EQ(ClassNames(model), (Names{"ham", "spam", "other"}));

  // Written again, either way of saying it is there.
  const TempDir again;
  ASSERT_OK(WriteModelFiles(model, again.path()));
  ASSERT_OK_AND_ASSIGN(const Json json, Json::ParseFile(again.path() + "/config.json"));
  EXPECT_EQ(*json.Get<int64_t>("num_labels"), 3);
  EXPECT_EQ(*json.Get<Names>("architectures"), Names{"GPT2ForSequenceClassification"});
  EXPECT_EQ(*json.Find("id2label")->Get<std::string>("1"), "spam");
  EXPECT_EQ(*json.Find("label2id")->Get<int64_t>("other"), 2);
  ASSERT_OK_AND_ASSIGN(const LoadedModel reloaded, LoadModelDirectory(again.path()));
  EXPECT_EQ(ClassNames(reloaded), ClassNames(model));
}

TEST(ClassLabels, WithoutNames) {
  const TempDir dir;
  for (const char* more : {R"(, "architectures": ["GPT2ForSequenceClassification"])",
                           R"(, "id2label": {"0": "LABEL_0", "1": "LABEL_1"})"}) {
    WriteHuggingFace(dir, 2, more);
    ASSERT_OK_AND_ASSIGN(const LoadedModel model, LoadModelDirectory(dir.path()));
    EXPECT_TRUE(Classifies(model)) << more;
    EXPECT_EQ(ClassNames(model), Names()) << more;
  }
}

// distilgpt2's config names a class all the same.
TEST(ClassLabels, OfALanguageModelMeanNothing) {
  const TempDir dir;
  WriteHuggingFace(dir, 0,
                   R"(, "architectures": ["GPT2LMHeadModel"], "id2label": {"0": "LABEL_0"})");
  ASSERT_OK_AND_ASSIGN(LoadedModel model, LoadModelDirectory(dir.path()));
  EXPECT_FALSE(Classifies(model));
  // With a head it is written as what it became.
  ASSERT_OK(EnsureHead(2, /*seed=*/0, &model));
  ASSERT_OK(WriteModelFiles(model, dir.path()));
  ASSERT_OK_AND_ASSIGN(const LoadedModel classifier, LoadModelDirectory(dir.path()));
  EXPECT_TRUE(Classifies(classifier));
}

TEST(ClassLabels, ThatContradictThemselves) {
  const TempDir dir;
  for (const auto& [more, message] :
       {std::pair(R"(, "num_labels": 2, "id2label": {"0": "a", "1": "b", "2": "c"})",
                  "num_labels: 2, but id2label names 3 classes"),
        std::pair(R"(, "id2label": {"0": "a", "2": "b"})", "expected a name for each of 0 to 1"),
        std::pair(R"(, "id2label": {"0": "a", "x": "b"})", "expected a name for each of 0 to 1"),
        std::pair(R"(, "id2label": {"0": 7})", "expected a name for each of 0 to 0")}) {
    WriteHuggingFace(dir, 2, more);
    const absl::Status status = LoadModelDirectory(dir.path()).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, message));
    EXPECT_TRUE(std::string(status.message()).starts_with(dir.path() + "/config.json: "));
  }
}

}  // namespace
}  // namespace trama
