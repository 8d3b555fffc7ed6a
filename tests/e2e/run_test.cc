// trama run as a user calls it.
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

}  // namespace
}  // namespace trama
