// A model made of a function, so that a test can trace and run a few lines of the DSL.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "frontend/program.h"

namespace trama {

using DslFunction = std::function<Tensor(const std::vector<Tensor>&)>;

class FunctionModel : public Model {
 public:
  FunctionModel(DslFunction function, std::vector<TensorSpec> inputs, int64_t time_dim = -1)
      : function_(std::move(function)), inputs_(std::move(inputs)), time_dim_(time_dim) {}
  const nn::Module& module() const override { return module_; }
  Tensors Forward(const Tensors& inputs, const ForwardOptions&) const override {
    std::vector<Tensor> arguments;
    for (const TensorSpec& spec : inputs_) arguments.push_back(Required(inputs, spec.name));
    return {{"y", function_(arguments)}};
  }
  std::vector<TensorSpec> Inputs(int64_t, int64_t) const override { return inputs_; }
  std::vector<std::string> Outputs() const override { return {"y"}; }
  int SequenceDim(const std::string&) const override { return static_cast<int>(time_dim_); }

 private:
  nn::Module module_;
  DslFunction function_;
  std::vector<TensorSpec> inputs_;
  int64_t time_dim_;
};

// `function` of inputs of these dtypes and shapes, named "0", "1", ..
inline absl::StatusOr<TracedModule> TraceFunction(
    DslFunction function, const std::vector<std::pair<DType, Shape>>& inputs,
    DType float_type = DType::kF32, bool training = false, int64_t time_dim = -1) {
  std::vector<TensorSpec> specs;
  for (const auto& [dtype, shape] : inputs)
    specs.push_back({std::to_string(specs.size()), dtype, shape});
  const FunctionModel model(std::move(function), specs, time_dim);
  return Trace(model, {Program{.name = "main", .inputs = specs, .training = training}}, float_type);
}

}  // namespace trama
