// Every model of the zoo that trains takes a few steps, and a few that accumulate, with each kernel
// of `cpu` checked against `reference`.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/e2e/run_trama.h"
#include "tests/paths.h"

namespace trama {
namespace {

using testing::Outcome;
using testing::Workplace;

struct Training {
  std::string name;
  std::vector<std::string> arguments;  // after `trama train`
  bool accumulates = false;            // each update is of two batches
};
void PrintTo(const Training& training, std::ostream* os) { *os << training.name; }

const std::string kIris = "--data=" TRAMA_SOURCE_DIR "/tests/golden/tabular/iris.csv";
const std::vector<std::string> kSmall = {"--set=n_layer=2", "--set=n_embd=16", "--set=n_head=2",
                                         "--set=n_positions=16", "--batch_size=4"};

std::vector<std::string> Small(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), kSmall.begin(), kSmall.end());
  return arguments;
}

const std::vector<Training>& Trainings() {
  static const auto* trainings = [] {
    auto* all = new std::vector<Training>{
        {"logistic_regression",
         {"logistic-regression", kIris, "--target=species", "--positive=setosa"}},
        {"softmax_regression", {"logistic-regression", kIris, "--target=species"}},
        {"mlp", {"mlp", kIris, "--target=species", "--optimizer=adam"}},
        {"char_transformer",
         {"char-transformer", "--data=cats.txt", "--optimizer=sgd", "--lr=0.1"}},
        {"gpt_with_momentum", Small({"gpt", "--data=cats.txt", "--optimizer=momentum",
                                     "--label_smoothing=0.1", "--weight_decay=0.1"})},
        {"gpt_with_adapters", Small({"gpt", "--data=cats.txt", "--lora_rank=2"})},
        {"gpt_as_a_classifier", Small({"gpt", "--data=labelled.tsv", "--num_labels=2"})},
    };
    for (const char* size : {"gpt", "gpt2", "distilgpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"})
      all->push_back({absl::StrCat(size, "_small"),
                      Small({size, "--data=cats.txt", "--dropout=0.1", "--clip_norm=1"})});
    for (size_t i = 0, once = all->size(); i < once; ++i) {
      Training training = all->at(i);
      training.name += "_accumulating";
      training.accumulates = true;
      all->push_back(std::move(training));
    }
    for (Training& training : *all)
      for (char& c : training.name)
        if (c == '-') c = '_';
    return all;
  }();
  return *trainings;
}

class CheckModels : public ::testing::TestWithParam<Training> {};

TEST_P(CheckModels, TrainsWithoutADifference) {
  Workplace place;
  std::string cats, labelled;
  for (int i = 0; i < 60; ++i) {
    absl::StrAppend(&cats, i % 3 ? "the red cat " : "an old dog ", i, " sat on the mat.\n");
    absl::StrAppend(&labelled, i % 2 ? "cat\ta red " : "dog\tan old ", i, "\n");
  }
  place.Write("cats.txt", cats);
  place.Write("labelled.tsv", labelled);
  std::vector<std::string> arguments = {"train"};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  for (const char* more : {"--backend=check:reference,cpu", "--quiet", "--out=m"})
    arguments.push_back(more);
  if (GetParam().accumulates)
    arguments.insert(arguments.end(), {"--steps=2", "--grad_accumulation=2"});
  else
    arguments.push_back("--steps=4");
  const Outcome trained = place.Trama(arguments);
  EXPECT_EQ(trained.status, 0) << trained.err;
  EXPECT_TRUE(place.Has("m/model.safetensors"));
}

INSTANTIATE_TEST_SUITE_P(Zoo, CheckModels, ::testing::ValuesIn(Trainings()),
                         [](const auto& info) { return info.param.name; });

// Whoever adds a model adds it above.
TEST(CheckModels, NamesEveryModelThatTrains) {
  Workplace place;
  const Outcome models = place.Trama({"models"});
  ASSERT_EQ(models.status, 0);
  std::string name;
  int trained = 0;
  for (size_t at = 0; at < models.out.size();) {
    const size_t end = models.out.find('\n', at);
    const std::string line = models.out.substr(at, end - at);
    if (line.starts_with("    task attention")) {
      EXPECT_NE(name, "");  // given q, k and v or one input: nothing to learn from
    } else if (line.starts_with("    task")) {
      const bool there = std::any_of(Trainings().begin(), Trainings().end(),
                                     [&](const auto& t) { return t.arguments[0] == name; });
      EXPECT_TRUE(there) << name;
      ++trained;
    } else {
      name = line.substr(0, line.find(' '));
    }
    at = end + 1;
  }
  EXPECT_GE(trained, 9);
}

}  // namespace
}  // namespace trama
