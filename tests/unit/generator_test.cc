// Generation on a small GPT with random weights: batches, the cache, the end of the context, stops.
#include "runtime/generator.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/formats/utf8.h"
#include "runtime/registry.h"

namespace trama {
namespace {

using Ids = std::vector<int32_t>;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kContext = 12;

LoadedModel SmallModel(int64_t context = kContext) {
  Config config;
  for (const auto& [key, value] : {std::pair("n_layer", 2), {"n_head", 2}, {"n_embd", 16}})
    config.Set(key, int64_t{value});
  config.Set("vocab_size", int64_t{256});
  config.Set("n_positions", context);
  config.Set("initializer_range", 0.3);  // sharp enough that ids vary
  LoadedModel model = NewModel("gpt", config, 5).value_or(LoadedModel());
  model.tokenizer = MakeTokenizer("bytes", {}).value_or(nullptr);
  return model;
}

const std::vector<Ids> kPrompts = {{1}, {7, 8, 9, 10, 11}, Ids(20, 3), {2, 250, 1}};

class GeneratorTest : public testing::TestWithParam<bool> {
 protected:
  GenerateOptions Options(int64_t tokens) const {
    GenerateOptions options;
    options.max_tokens = tokens;
    options.sampling.greedy = GetParam();
    options.sampling.seed = 3;
    return options;
  }
  std::vector<GeneratedSample> Generate(const std::vector<Ids>& prompts,
                                        const GenerateOptions& options, bool cache = true) {
    auto generator = Generator::Create(model_, model_.parameters, {},
                                       static_cast<int64_t>(prompts.size()), cache);
    EXPECT_OK(generator);
    if (!generator.ok()) return {};
    auto samples = (*generator)->Generate(prompts, options);
    EXPECT_OK(samples);
    return samples.ok() ? *std::move(samples) : std::vector<GeneratedSample>(prompts.size());
  }

  const LoadedModel model_ = SmallModel();
};

// Prompts of different lengths, one beyond the context, as far as three contexts.
TEST_P(GeneratorTest, ABatchGivesWhatEachPromptGivesAlone) {
  GenerateOptions options = Options(3 * kContext);
  options.samples_each = 1;
  const auto together = Generate(kPrompts, options);
  ASSERT_EQ(together.size(), kPrompts.size());
  for (size_t i = 0; i < kPrompts.size(); ++i) {
    EXPECT_EQ(together[i].ids.size(), 3u * kContext);
    EXPECT_EQ(together[i].ids, Generate({kPrompts[i]}, options)[0].ids) << "prompt " << i;
  }
  EXPECT_NE(together[0].ids, together[1].ids);
}

TEST_P(GeneratorTest, TheCacheChangesNothing) {
  const GenerateOptions options = Options(3 * kContext);
  const auto with = Generate(kPrompts, options), without = Generate(kPrompts, options, false);
  for (size_t i = 0; i < kPrompts.size(); ++i)
    EXPECT_EQ(with[i].ids, without[i].ids) << "prompt " << i;
}

// What is before the last kContext ids counts for nothing.
TEST_P(GeneratorTest, CropsBeyondTheContext) {
  Ids longer = {9, 8, 7}, last;
  for (int32_t i = 0; i < kContext; ++i) last.push_back(40 + i);
  longer.insert(longer.end(), last.begin(), last.end());
  GenerateOptions options = Options(1);
  options.samples_each = 1;
  options.keep_distributions = true;
  const auto samples = Generate({longer, last}, options);
  EXPECT_EQ(samples[0].distributions[0].probabilities, samples[1].distributions[0].probabilities);
}

TEST_P(GeneratorTest, PenalizesWhatThePromptHas) {
  GenerateOptions options = Options(1);
  options.keep_distributions = true;
  options.sampling.greedy = false;
  const auto probability = [&](double penalty) {
    options.sampling.repetition_penalty = penalty;
    const TokenDistribution given = Generate({{65, 66}}, options)[0].distributions[0];
    for (size_t i = 0; i < given.ids.size(); ++i)
      if (given.ids[i] == 66) return given.probabilities[i];
    return 0.0;
  };
  EXPECT_LT(probability(3), probability(1));
}

// A text of several ids ends the sample where it begins, in one piece or a byte at a time.
TEST_P(GeneratorTest, StopsBeforeATextAndStreamsWholeCharacters) {
  const GenerateOptions plain = Options(40);
  auto generator = Generator::Create(model_, model_.parameters, {}, 1);
  ASSERT_OK(generator);
  const auto run = [&](const GenerateOptions& options, std::string* streamed) {
    auto samples =
        (*generator)->Generate({{5, 6}}, options, 0, [&](int64_t, std::string_view text) {
          EXPECT_EQ(FindInvalidUtf8(text), std::nullopt);
          *streamed += text;
        });
    EXPECT_OK(samples);
    return samples.ok() ? (*samples)[0] : GeneratedSample();
  };
  std::string streamed;
  const GeneratedSample whole = run(plain, &streamed);
  EXPECT_EQ(streamed, whole.text);
  ASSERT_GT(whole.text.size(), 12u);
  // A stop that begins in the middle, at a character.
  size_t at = 6;
  while (Utf8Length(std::string_view(whole.text).substr(at)) == 0) ++at;
  size_t end = at + 4;
  while (end < whole.text.size() && Utf8Length(std::string_view(whole.text).substr(end)) == 0)
    ++end;
  GenerateOptions stopped = plain;
  stopped.stop = {"nothing of the kind", whole.text.substr(at, end - at)};
  streamed.clear();
  const GeneratedSample cut = run(stopped, &streamed);
  EXPECT_EQ(cut.text, whole.text.substr(0, whole.text.find(stopped.stop[1])));
  EXPECT_EQ(streamed, cut.text);
  EXPECT_THAT(streamed, Not(HasSubstr(stopped.stop[1])));
  EXPECT_LT(cut.ids.size(), whole.ids.size());
}

TEST_P(GeneratorTest, EndsAtTheEndOfText) {
  const auto whole = Generate({{5, 6}}, Options(20))[0];
  GenerateOptions options = Options(20);
  options.eos_ids = {-1, whole.ids[4]};
  const size_t first =
      std::find(whole.ids.begin(), whole.ids.end(), whole.ids[4]) - whole.ids.begin();
  EXPECT_EQ(Generate({{5, 6}}, options)[0].ids, Ids(whole.ids.begin(), whole.ids.begin() + first));
}

// With the device's candidates every backend gives what it gives with all logits, to the bit.
// `flat`: a model whose logits all tie, so that candidates decide greedy draws alone.
void ExpectCandidatesChangeNothing(const std::string& backend, bool flat) {
  Config config;
  for (const auto& [key, value] :
       {std::pair("n_layer", 1), {"n_head", 2}, {"n_embd", 16}, {"vocab_size", 256}})
    config.Set(key, int64_t{value});
  config.Set("n_positions", kContext);
  config.Set("initializer_range", flat ? 0.0 : 0.3);
  ASSERT_OK_AND_ASSIGN(const LoadedModel model, NewModel("gpt", config, 5));
  SessionOptions session;
  session.backend = backend;
  for (const SamplingOptions& sampling :
       {SamplingOptions{.greedy = true}, SamplingOptions{.top_k = 5, .seed = 9},
        SamplingOptions{.temperature = 2, .top_k = 40, .top_p = 0.8, .seed = 4}}) {
    GenerateOptions options;
    options.max_tokens = 2 * kContext;
    options.sampling = sampling;
    options.keep_distributions = true;
    std::vector<GeneratedSample> samples[2];
    for (int i = 0; i < 2; ++i) {
      auto generator =
          Generator::Create(model, model.parameters, session, static_cast<int64_t>(kPrompts.size()),
                            /*use_cache=*/true, i ? sampling.Candidates() : 0);
      ASSERT_OK(generator);
      ASSERT_OK_AND_ASSIGN(samples[i], (*generator)->Generate(kPrompts, options));
      // Where all tie, no candidates but one tell what top_k keeps.
      const bool decide = i == 1 && (sampling.greedy || !flat);
      EXPECT_EQ((*generator)->stats().from_candidates > 0, decide) << backend;
    }
    for (size_t r = 0; r < kPrompts.size(); ++r) {
      EXPECT_EQ(samples[0][r].ids, samples[1][r].ids) << backend << ", prompt " << r;
      for (size_t t = 0; t < samples[0][r].distributions.size(); ++t) {
        const TokenDistribution &all = samples[0][r].distributions[t],
                                &some = samples[1][r].distributions[t];
        ASSERT_EQ(all.ids, some.ids) << backend << ", prompt " << r << ", id " << t;
        ASSERT_EQ(all.probabilities, some.probabilities) << backend << ", prompt " << r;
      }
    }
  }
}

TEST(CandidatesTest, ChangeNothing) {
  for (const Registry::Found& plugin : Registry("").List()) {
    if (plugin.name != "cpu" && plugin.name != "reference" && plugin.name != "vulkan") continue;
    for (bool flat : {false, true}) ExpectCandidatesChangeNothing(plugin.name, flat);
  }
}

// Options that differ from what was asked for at the start.
TEST(CandidatesTest, ServeAnyOptions) {
  const LoadedModel model = SmallModel();
  GenerateOptions options;
  options.max_tokens = 20;
  for (int64_t candidates : {1, 3, 48, 1000}) {
    ASSERT_OK_AND_ASSIGN(auto with,
                         Generator::Create(model, model.parameters, {}, 1, true, candidates));
    ASSERT_OK_AND_ASSIGN(auto without, Generator::Create(model, model.parameters, {}, 1));
    for (const SamplingOptions& sampling :
         {SamplingOptions{.greedy = true}, SamplingOptions{.top_k = 20},
          SamplingOptions{.top_p = 0.5}, SamplingOptions{.repetition_penalty = 1.3, .greedy = true},
          SamplingOptions{.top_k = 300}}) {
      options.sampling = sampling;
      ASSERT_OK_AND_ASSIGN(const auto got, with->Generate({{1, 2}}, options));
      ASSERT_OK_AND_ASSIGN(const auto want, without->Generate({{1, 2}}, options));
      EXPECT_EQ(got[0].ids, want[0].ids) << candidates;
    }
  }
}

// A context that takes long chunks, of which some rows need none and others two and a rest.
TEST(LongPromptTest, ChunksGiveWhatTheWholeWindowGives) {
  const LoadedModel model = SmallModel(700);
  std::vector<Ids> prompts;
  for (const int32_t length : {5, 129, 300, 64, 577}) {
    Ids& prompt = prompts.emplace_back();
    for (int32_t i = 0; i < length; ++i) prompt.push_back((i * i + 3 * i) % 251);
  }
  GenerateOptions options;
  options.max_tokens = 3;
  options.sampling.greedy = true;
  ASSERT_OK_AND_ASSIGN(auto cached, Generator::Create(model, model.parameters, {},
                                                      static_cast<int64_t>(prompts.size())));
  ASSERT_OK_AND_ASSIGN(const auto together, cached->Generate(prompts, options));
  ASSERT_OK_AND_ASSIGN(auto whole, Generator::Create(model, model.parameters, {}, 1, false));
  for (size_t i = 0; i < prompts.size(); ++i) {
    ASSERT_OK_AND_ASSIGN(const auto alone, whole->Generate({prompts[i]}, options));
    EXPECT_EQ(together[i].ids, alone[0].ids) << prompts[i].size() << " ids";
  }
}

INSTANTIATE_TEST_SUITE_P(Draws, GeneratorTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Greedy" : "Sampled"; });

}  // namespace
}  // namespace trama
