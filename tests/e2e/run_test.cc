// trama run as a user calls it.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "runtime/formats/safetensors.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {
using testing::Outcome;
using testing::Workplace;

class Run : public ::testing::Test {
 protected:
  // A logit of a logistic regression in float64, x[0] moved by `by`.
  double Logit(double by) {
    TensorMap inputs;
    inputs["x"] = HostTensor(DType::kF64, {1, 4});
    for (int i = 0; i < 4; ++i) inputs["x"].set(i, (i + 1) / 3.0);
    inputs["x"].set(0, inputs["x"].at(0) + by);
    EXPECT_OK(WriteSafetensors(place_ / "in.safetensors", inputs));
    const Outcome run =
        place_.Trama({"run", "logistic-regression", "--inputs=in.safetensors",
                      "--outputs=out.safetensors", "--backend=reference", "--precision=f64"});
    EXPECT_EQ(run.status, 0) << run.err;
    absl::StatusOr<TensorMap> outputs = ReadSafetensors(place_ / "out.safetensors");
    EXPECT_OK(outputs.status());
    if (!outputs.ok()) return 0;
    EXPECT_EQ((*outputs)["logits"].dtype, DType::kF64);
    return (*outputs)["logits"].at(0);
  }
  const Workplace place_;
};

// Logits are linear in x: any step finds the weight. One of 1e-7 is a few roundings of a float.
TEST_F(Run, Float64InputsAreNotRounded) {
  const auto slope = [&](double h) { return (Logit(h) - Logit(-h)) / (2 * h); };
  EXPECT_NE(slope(0.5), 0);
  EXPECT_NEAR(slope(1e-7), slope(0.5), 1e-7);
}

// Scores of the second block are halved, those of the first as they were.
TEST_F(Run, ScoresOfABlockAreDividedByItsNumber) {
  TensorMap inputs;
  inputs["input_ids"] = HostTensor(DType::kI32, {1, 2});
  inputs["input_ids"].set(1, 3);
  ASSERT_OK(WriteSafetensors(place_ / "in.safetensors", inputs));
  // log(w1 / w0) of the last query in block n, which is the difference of its two scores.
  const auto difference = [&](const std::string& by_number, int n) {
    const Outcome run = place_.Trama(
        {"run", "gpt", "--set=n_layer=2", "--set=n_embd=8", "--set=n_head=1",
         "--set=initializer_range=1", "--set=scale_attn_by_inverse_layer_idx=" + by_number,
         "--attentions", "--inputs=in.safetensors", "--outputs=out.safetensors",
         "--backend=reference", "--precision=f64"});
    EXPECT_EQ(run.status, 0) << run.err;
    const TensorMap outputs = ReadSafetensors(place_ / "out.safetensors").value();
    const HostTensor& weights = outputs.at(absl::StrCat("attentions.", n));
    return std::log(weights.at(3) / weights.at(2));
  };
  EXPECT_NE(difference("false", 1), 0);
  EXPECT_NEAR(difference("true", 0), difference("false", 0), 1e-12);
  EXPECT_NEAR(difference("true", 1), difference("false", 1) / 2, 1e-12);
}

}  // namespace
}  // namespace trama
