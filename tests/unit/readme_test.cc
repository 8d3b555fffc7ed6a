// The model on README.md's first screen compiles as it stands there, learns, and generates the same
// with a cache as without.
#include <cmath>

#include "base/status_matchers.h"
#include "models/language_model.h"
#include "runtime/generator.h"
#include "runtime/session.h"

namespace trama::readme {
#include "tests/readme_model.h"
}  // namespace trama::readme

namespace trama {
namespace {

LoadedModel NewTinyLM() {
  static const ModelEntry* const entry = [] {
    ModelEntry made;
    made.name = "readme";
    made.task = "language-modeling";
    made.make = [](const Config&) -> absl::StatusOr<std::unique_ptr<Model>> {
      return std::make_unique<models::LanguageModel<readme::TinyLM>>(readme::Config());
    };
    RegisterModel(std::move(made));
    return *FindModel("readme");
  }();
  return *NewModel(entry->name, Config(), /*seed=*/1);
}

TEST(ReadmeTest, TheModelLearns) {
  const LoadedModel model = NewTinyLM();
  const Program step{.name = "step",
                     .kind = ProgramKind::kTrainStep,
                     .inputs = model.model->Inputs(/*batch=*/1, /*length=*/8)};
  SessionOptions options;
  options.backend = "reference";
  ASSERT_OK_AND_ASSIGN(auto session, Session::Create(*model.model, {step}, options));
  ASSERT_OK(session->LoadState(model.parameters, /*partial=*/true));
  TensorMap batch;
  for (const char* name : {"input_ids", "labels"}) {
    HostTensor ids(DType::kI32, {1, 8});
    for (int32_t i = 0; i < 8; ++i) ids.data<int32_t>()[i] = i + (name[0] == 'l');
    batch.emplace(name, std::move(ids));
  }
  std::vector<double> losses;
  for (int64_t k = 1; k <= 20; ++k) {
    ASSERT_OK_AND_ASSIGN(
        TensorMap results,
        session->Call("step", batch, {.lr = 0.01, .step = k, .beta1 = 0.9, .beta2 = 0.999}));
    losses.push_back(results.at("loss").data<float>()[0]);
  }
  EXPECT_GT(losses.front(), 2);
  EXPECT_LT(losses.back(), 0.5 * losses.front());
}

TEST(ReadmeTest, TheModelDecodesWithACache) {
  const LoadedModel model = NewTinyLM();
  SessionOptions options;
  options.backend = "reference";
  GenerateOptions generate;
  generate.max_tokens = 12;
  generate.sampling.greedy = true;
  std::vector<std::vector<int32_t>> ids;
  for (bool use_cache : {true, false}) {
    ASSERT_OK_AND_ASSIGN(auto generator,
                         Generator::Create(model, model.parameters, options, 1, use_cache));
    EXPECT_EQ(generator->uses_cache(), use_cache);
    ASSERT_OK_AND_ASSIGN(auto samples, generator->Generate({{3, 1, 4}}, generate));
    ids.push_back(samples[0].ids);
  }
  EXPECT_EQ(ids[0].size(), 12);
  EXPECT_EQ(ids[0], ids[1]);
}

}  // namespace
}  // namespace trama
