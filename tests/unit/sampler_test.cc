#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/formats/json.h"
#include "tests/paths.h"

namespace trama {
namespace {

using absl::StatusCode::kInvalidArgument;

// The nine-word vocabulary of Raschka, "Build a Large Language Model", section 5.3:
// closer every effort forward inches moves pizza toward you.
const std::vector<float> kToy = {4.51f, 0.89f, -1.90f, 6.75f, 1.63f, -1.62f, -1.89f, 6.28f, 1.79f};

std::vector<double> DistributionOf(SamplingOptions options, const std::vector<float>& logits = kToy,
                                   const std::vector<int32_t>& history = {}) {
  Sampler sampler(options);
  EXPECT_OK(options.Validate());
  EXPECT_OK(sampler.Next(logits, history, 0));
  return sampler.distribution().Dense(static_cast<int64_t>(logits.size()));
}

void ExpectNear(const std::vector<double>& got, const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance) << i;
}

TEST(SamplerTest, MatchesTheBooksDistributions) {
  ExpectNear(DistributionOf({}), {.0609, .0016, .0001, .5721, .0034, .0001, .0001, .3576, .0040},
             6e-5);
  ExpectNear(DistributionOf({.top_k = 3}), {.0615, 0, 0, .5775, 0, 0, 0, .3610, 0}, 6e-5);
  EXPECT_NEAR(DistributionOf({.temperature = 0.1})[3], 0.991, 5e-4);
  EXPECT_NEAR(DistributionOf({.temperature = 5})[6], 0.0430, 5e-4);
}

TEST(SamplerTest, MatchesPyTorchOnAModelsLogits) {
  ASSERT_OK_AND_ASSIGN(const Json golden,
                       Json::ParseFile(TRAMA_SOURCE_DIR "/tests/golden/sampling.json"));
  ASSERT_OK_AND_ASSIGN(const auto values, golden.Get<std::vector<double>>("logits"));
  const std::vector<float> logits(values.begin(), values.end());
  ASSERT_EQ(golden.Find("cases")->array().size(), 5u);
  for (const Json& test : golden.Find("cases")->array()) {
    SamplingOptions options;
    ASSERT_OK_AND_ASSIGN(options.temperature, test.Get<double>("temperature"));
    ASSERT_OK_AND_ASSIGN(options.top_k, test.Get<int64_t>("top_k"));
    ASSERT_OK_AND_ASSIGN(options.top_p, test.Get<double>("top_p"));
    ASSERT_OK_AND_ASSIGN(const auto want, test.Get<std::vector<double>>("probabilities"));
    ExpectNear(DistributionOf(options, logits), want, 2e-6);
  }
}

TEST(SamplerTest, DrawsAsOftenAsTheDistributionSays) {
  constexpr int kDraws = 20'000;
  for (const double temperature : {0.5, 1.0, 5.0}) {
    SamplingOptions options{.temperature = temperature, .seed = 7};
    Sampler sampler(options);
    std::vector<int> counts(kToy.size());
    for (int i = 0; i < kDraws; ++i) ++counts[*sampler.Next(kToy, {}, i)];
    const std::vector<double> p = sampler.distribution().Dense(kToy.size());
    for (size_t id = 0; id < p.size(); ++id)
      EXPECT_NEAR(counts[id], kDraws * p[id], 5 * std::sqrt(kDraws * p[id] * (1 - p[id])) + 1);
  }
}

TEST(SamplerTest, KeepsTiesAndCutsByMass) {
  const std::vector<float> tied = {1, 3, 3, 3, 0};
  ExpectNear(DistributionOf({.top_k = 2}, tied), {0, 1 / 3., 1 / 3., 1 / 3., 0}, 1e-12);
  // Probabilities 1/2, 1/4, 1/8, 1/8: a token stays while the mass before it is at most p.
  const std::vector<float> halves = {std::log(.5f), std::log(.25f), std::log(.125f),
                                     std::log(.125f)};
  ExpectNear(DistributionOf({.top_p = 0.4}, halves), {1, 0, 0, 0}, 1e-6);
  ExpectNear(DistributionOf({.top_p = 0.6}, halves), {2 / 3., 1 / 3., 0, 0}, 1e-6);
  ExpectNear(DistributionOf({.top_p = 0.8}, halves), {4 / 7., 2 / 7., 1 / 7., 0}, 1e-6);
  ExpectNear(DistributionOf({.top_p = 0}, halves), {1, 0, 0, 0}, 1e-12);
  const std::vector<float> equal = {0, 0};  // mass 0.5 exactly before the second
  ExpectNear(DistributionOf({.top_p = 0.5}, equal), {0.5, 0.5}, 1e-12);
  // top-p counts the mass after top-k renormalised.
  ExpectNear(DistributionOf({.top_k = 2, .top_p = 0.65}, halves), {1, 0, 0, 0}, 1e-6);
}

TEST(SamplerTest, PenalizesEachIdOfTheHistoryOnce) {
  const std::vector<float> logits = {2, -2, 0, 2};
  SamplingOptions options{.repetition_penalty = 2};
  const std::vector<double> p = DistributionOf(options, logits, {0, 1, 0, 0});
  // 2 -> 1, -2 -> -4.
  const double total = std::exp(1) + std::exp(-4) + 1 + std::exp(2);
  ExpectNear(p, {std::exp(1) / total, std::exp(-4) / total, 1 / total, std::exp(2) / total}, 1e-12);
  options.greedy = true;
  Sampler sampler(options);
  EXPECT_EQ(*sampler.Next(logits, {0}, 0), 3);
  EXPECT_EQ(*sampler.Next(logits, {}, 0), 0);
}

TEST(SamplerTest, GreedyTakesTheLowestIdOnATie) {
  const std::vector<float> tied = {1, 3, 3};
  EXPECT_EQ(*Sampler({.greedy = true}).Next(tied, {}, 0), 1);
  EXPECT_EQ(*Sampler({.temperature = 0}).Next(tied, {}, 0), 1);
  Sampler sampler({.greedy = true});
  ASSERT_OK(sampler.Next(tied, {}, 0));
  EXPECT_EQ(sampler.distribution().Dense(3), (std::vector<double>{0, 1, 0}));
}

TEST(SamplerTest, RepeatsByItsNumbersAlone) {
  const auto draws = [](uint64_t seed, uint32_t sample) {
    Sampler sampler({.temperature = 5, .seed = seed}, sample);
    std::vector<int32_t> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(*sampler.Next(kToy, {}, i));
    return ids;
  };
  EXPECT_EQ(draws(1, 0), draws(1, 0));
  EXPECT_NE(draws(1, 0), draws(2, 0));
  EXPECT_NE(draws(1, 0), draws(1, 1));
  Sampler late({.temperature = 5, .seed = 1});
  EXPECT_EQ(*late.Next(kToy, {}, 49), draws(1, 0)[49]);
}

TEST(SamplerTest, CandidatesOfADeviceGiveTheSameDraws) {
  const std::vector<int32_t> ids = {3, 7, 0, 8};
  const std::vector<float> logits = {6.75f, 6.28f, 4.51f, 1.79f};
  for (const double top_p : {1.0, 0.9}) {
    Sampler full({.top_k = 3, .top_p = top_p}), partial({.top_k = 3, .top_p = top_p});
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(*full.Next(kToy, {}, i), *partial.NextOf(ids, logits, {}, i));
    EXPECT_EQ(full.distribution().ids, partial.distribution().ids);
    EXPECT_EQ(full.distribution().probabilities, partial.distribution().probabilities);
  }
}

// Where the largest decide, they give the same draws, distributions and errors as all, to the bit.
TEST(SamplerTest, TheLargestDecideOrSayThatTheyDoNot) {
  std::mt19937 random(3);
  constexpr int64_t kVocab = 500;
  int decided = 0, undecided = 0;
  for (int trial = 0; trial < 400; ++trial) {
    SamplingOptions options{.temperature = trial % 7 ? 0.8 : 0,
                            .top_k = static_cast<int64_t>(random() % 30),
                            .top_p = trial % 2 ? 0.7 : 1,
                            .greedy = trial % 11 == 0,
                            .seed = random()};
    // Few values tie, now and then one is none.
    const int values = trial % 3 ? 1 << 20 : 40;
    std::vector<float> logits(kVocab);
    for (float& x : logits) x = static_cast<float>(random() % values) / static_cast<float>(values);
    if (trial % 13 == 0) logits[random() % kVocab] = trial % 2 ? NAN : INFINITY;
    if (trial % 17 == 0) std::fill(logits.begin() + 20, logits.end(), -INFINITY);
    std::vector<int32_t> ids(kVocab);
    std::iota(ids.begin(), ids.end(), 0);
    const auto before = [&](int32_t a, int32_t b) {
      return !std::isnan(logits[b]) && (std::isnan(logits[a]) || logits[a] > logits[b]);
    };
    std::sort(ids.begin(), ids.end(),
              [&](int32_t a, int32_t b) { return before(a, b) || (!before(b, a) && a < b); });
    ids.resize(std::min(kVocab, options.Candidates()));
    std::vector<float> largest;
    for (int32_t id : ids) largest.push_back(logits[id]);
    if (!options.DecidedBy(largest)) {
      ++undecided;
      continue;
    }
    ++decided;
    Sampler all(options), some(options);
    EXPECT_EQ(all.Next(logits, {}, trial), some.NextOf(ids, largest, {}, trial)) << trial;
    EXPECT_EQ(all.distribution().ids, some.distribution().ids) << trial;
    EXPECT_EQ(all.distribution().probabilities, some.distribution().probabilities) << trial;
  }
  EXPECT_GT(decided, 200);
  EXPECT_GT(undecided, 40);
}

TEST(SamplerTest, AllLogitsAreNeededWhereAFewDoNotDecide) {
  EXPECT_EQ(SamplingOptions{}.Candidates(), 0);
  EXPECT_EQ((SamplingOptions{.top_p = 0.9}).Candidates(), 0);
  EXPECT_EQ((SamplingOptions{.top_k = 5, .repetition_penalty = 1.1}).Candidates(), 0);
  EXPECT_EQ((SamplingOptions{.top_k = 5000}).Candidates(), 0);
  EXPECT_EQ((SamplingOptions{.greedy = true}).Candidates(), 1);
  EXPECT_EQ((SamplingOptions{.temperature = 0}).Candidates(), 1);
  EXPECT_GT((SamplingOptions{.top_k = 5}).Candidates(), 5);
  const SamplingOptions two{.top_k = 2};
  EXPECT_TRUE(two.DecidedBy({3.f, 2.f, 1.f}));
  EXPECT_FALSE(two.DecidedBy({3.f, 2.f, 2.f}));
  EXPECT_FALSE(two.DecidedBy({3.f, 2.f}));
  EXPECT_FALSE(two.DecidedBy({NAN, 2.f, 1.f}));
  EXPECT_FALSE(two.DecidedBy({INFINITY, 2.f, 1.f}));
  EXPECT_FALSE(two.DecidedBy({}));
  EXPECT_FALSE(SamplingOptions{}.DecidedBy({3.f, 2.f, 1.f}));
}

TEST(SamplerTest, RefusesWhatIsNoDistribution) {
  const std::vector<float> nan = {0, NAN}, infinite = {INFINITY, 0}, none = {-INFINITY, -INFINITY},
                           masked = {-INFINITY, 0};
  EXPECT_THAT(Sampler({}).Next(nan, {}, 0), StatusIs(kInvalidArgument, "the logit of id 1 is nan"));
  EXPECT_THAT(Sampler({}).Next(infinite, {}, 0), StatusIs(kInvalidArgument, "id 0 is inf"));
  EXPECT_THAT(Sampler({}).Next(none, {}, 0), StatusIs(kInvalidArgument, "no token"));
  EXPECT_EQ(*Sampler({}).Next(masked, {}, 0), 1);
  EXPECT_THAT(SamplingOptions{.temperature = -1}.Validate(),
              StatusIs(kInvalidArgument, "temperature is -1"));
  EXPECT_THAT(SamplingOptions{.temperature = NAN}.Validate(),
              StatusIs(kInvalidArgument, "temperature"));
  EXPECT_THAT(SamplingOptions{.top_k = -1}.Validate(), StatusIs(kInvalidArgument, "top_k"));
  EXPECT_THAT(SamplingOptions{.top_p = 1.5}.Validate(), StatusIs(kInvalidArgument, "top_p"));
  EXPECT_THAT(SamplingOptions{.repetition_penalty = 0}.Validate(),
              StatusIs(kInvalidArgument, "repetition_penalty"));
}

}  // namespace
}  // namespace trama
