// Tensors without an element, which no kernel is made for.
#include "base/status_matchers.h"
#include "runtime/formats/safetensors.h"
#include "tests/e2e/bad_input.h"

namespace trama {
namespace {

using testing::BadInput;

class EmptyInput : public BadInput {
 protected:
  void Write(const TensorMap& tensors) {
    ASSERT_OK(WriteSafetensors(place_ / "in.safetensors", tensors));
  }
  void Run(const std::string& model, const std::string& function, const std::string& message) {
    Expect({"run", model, "--function=" + function, "--inputs=in.safetensors",
            "--outputs=o.safetensors"},
           1, "in.safetensors: tensor " + message + " is empty");
  }
};

TEST_F(EmptyInput, Run) {
  MakeModel("m");
  Write({{"x", HostTensor(DType::kF32, {0, 4})}});
  Run("logistic-regression", "forward", "x of shape 0x4");
  Write({{"x", HostTensor(DType::kF32, {0, 4})}, {"labels", HostTensor(DType::kI32, {0})}});
  Run("logistic-regression", "gradients", "labels of shape 0");
  for (const Shape& shape : {Shape{0, 5}, Shape{2, 0}}) {
    Write({{"input_ids", HostTensor(DType::kI32, shape)}});
    Run("m", "forward", "input_ids of shape " + ToString(shape));
  }
  const HostTensor whole(DType::kF32, {2, 3, 4}), none(DType::kF32, {2, 0, 4});
  Write({{"query", none}, {"key", whole}, {"value", whole}});
  Run("attention", "forward", "query of shape 2x0x4");
  Write({{"query", whole}, {"key", none}, {"value", none}});
  Run("attention", "gradients", "key of shape 2x0x4");
}

TEST_F(EmptyInput, TrainAndEvaluate) {
  MakeModel("m");
  Write({{"input_ids", HostTensor(DType::kI32, {2, 0})},
         {"labels", HostTensor(DType::kI32, {2, 0})}});
  const char* message = "in.safetensors: tensor input_ids of shape 2x0 is empty";
  Expect({"train", "m", "--data=in.safetensors", "--steps=1", "--out=t", "--quiet"}, 1, message);
  Expect({"eval", "m", "--data=in.safetensors"}, 1, message);
}

}  // namespace
}  // namespace trama
