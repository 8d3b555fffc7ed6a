#include "tests/program_values.h"

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "backends/reference/interpreter.h"
#include "backends/reference/tensor.h"
#include "ir/dialect.h"
#include "ir/element_type.h"

namespace trama {

std::vector<HostTensor> RandomInputs(mlir::func::FuncOp function, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<HostTensor> inputs;
  for (mlir::BlockArgument argument : function.getArguments()) {
    auto type = mlir::cast<mlir::RankedTensorType>(argument.getType());
    const DType dtype = DTypeOf(type.getElementType());
    auto name = function.getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), kNameAttr);
    const bool pad = name && name == "pad";
    HostTensor tensor(IsFloat(dtype) ? DType::kF64 : dtype,
                      Shape(type.getShape().begin(), type.getShape().end()));
    const int64_t row = type.getRank() == 0 ? 1 : type.getShape().back();
    for (int64_t i = 0; i < tensor.num_elements(); ++i) {
      const uint64_t bits = random();
      const bool first = i % row == 0;
      if (IsFloat(dtype)) {
        tensor.set(i, 4 * (static_cast<double>(bits >> 11) * 0x1p-53) - 2);
      } else if (dtype == DType::kBool) {
        tensor.set(i, first || bits % 4 != 0 ? !pad : pad);
      } else {
        tensor.set(i, first ? 1 : static_cast<double>(bits % 3));
      }
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

absl::StatusOr<std::vector<HostTensor>> ValuesOf(mlir::func::FuncOp function,
                                                 const std::vector<HostTensor>& inputs) {
  return reference::Evaluate(function, inputs, {.float64 = true});
}

std::string FirstDifference(const std::vector<HostTensor>& got, const std::vector<HostTensor>& want,
                            double tolerance) {
  if (got.size() != want.size()) return "another number of results";
  for (size_t r = 0; r < want.size(); ++r) {
    if (got[r].shape != want[r].shape || got[r].dtype != want[r].dtype)
      return absl::StrCat("result ", r, " has another type");
    double largest = 1;
    for (int64_t i = 0; i < want[r].num_elements(); ++i)
      if (std::isfinite(want[r].at(i))) largest = std::max(largest, std::abs(want[r].at(i)));
    for (int64_t i = 0; i < want[r].num_elements(); ++i) {
      const double g = got[r].at(i), w = want[r].at(i);
      if (std::isfinite(w) && !(std::abs(g - w) <= tolerance * largest))
        return absl::StrCat("result ", r, ", element ", i, ": ", g, " instead of ", w);
    }
  }
  return "";
}

double ToleranceOf(mlir::func::FuncOp function) {
  bool rounded = false;
  function.walk([&](mlir::Operation* op) {
    for (mlir::Value v : op->getResults())
      rounded |= mlir::cast<mlir::RankedTensorType>(v.getType()).getElementType().isF32();
  });
  return rounded ? 1e-6 : 1e-9;
}

}  // namespace trama
