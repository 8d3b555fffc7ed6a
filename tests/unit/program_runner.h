// Runs a program on the reference with its arguments and results by name; tests only.
#pragma once

#include <string>
#include <vector>

#include "backends/reference/interpreter.h"
#include "base/status_macros.h"
#include "ir/dialect.h"

namespace trama {

inline std::string NameOfArgument(mlir::func::FuncOp func, unsigned i) {
  return func.getArgAttrOfType<mlir::StringAttr>(i, kNameAttr).str();
}

// `values` with the results of a run in it, donated ones under their argument's name. Arguments
// that are missing are zeros, as state is at first.
inline absl::StatusOr<TensorMap> RunByName(mlir::func::FuncOp func, TensorMap values,
                                           const reference::EvaluateOptions& options) {
  std::vector<HostTensor> inputs;
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    HostTensor& value = values[NameOfArgument(func, i)];
    if (value.bytes.empty()) {
      auto type = mlir::cast<mlir::RankedTensorType>(func.getArgumentTypes()[i]);
      value = HostTensor(options.float64 ? DType::kF64 : DType::kF32,
                         Shape(type.getShape().begin(), type.getShape().end()));
    }
    inputs.push_back(value);
  }
  TRAMA_ASSIGN_OR_RETURN(std::vector<HostTensor> results,
                         reference::Evaluate(func, inputs, options));
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    values[func.getResultAttrOfType<mlir::StringAttr>(i, kNameAttr).str()] = results[i];
  return values;
}

}  // namespace trama
