// The table of ops with loops of their own; each eval_*.cc registers its family.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/reference/tensor.h"
#include "ir/dialect.h"
#include "llvm/ADT/ArrayRef.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama::reference {

using Results = llvm::MutableArrayRef<Tensor>;  // of the op's result types, zero-filled
using Evaluator =
    std::function<void(mlir::Operation*, llvm::ArrayRef<const Tensor*> operands, Results)>;

bool RegisterEvaluator(llvm::StringRef op_name, Evaluator evaluator);
const Evaluator* FindEvaluator(llvm::StringRef op_name);  // null where there is none

// An op's operands and attributes by their names in ops.td: in.getX() is a `const Tensor*`, null
// where an optional operand is absent.
template <typename Op>
using Inputs = typename Op::template GenericAdaptor<llvm::ArrayRef<const Tensor*>>;

// Registers `f(Inputs<Op>, Results)`. The op is verified, so shapes and types fit.
template <typename Op, typename F>
bool Register(F f) {
  return RegisterEvaluator(
      Op::getOperationName(),
      [f](mlir::Operation* op, llvm::ArrayRef<const Tensor*> operands, Results results) {
        f(Inputs<Op>(operands, mlir::cast<Op>(op)), results);
      });
}

// Builds the decomposition of `op` in `block`, whose arguments become the op's operands in order;
// one value a result.
absl::StatusOr<llvm::SmallVector<mlir::Value>> BuildDecomposition(mlir::Operation& op,
                                                                  mlir::Block& block);

// The function's arguments from `inputs`. InvalidArgument where they do not fit; f64 does for any
// float where `float64`.
absl::StatusOr<std::vector<Tensor>> ArgumentsOf(mlir::func::FuncOp function,
                                                absl::Span<const HostTensor> inputs,
                                                bool float64 = false);

// Element i of random_uniform(rng, op_id) over a tensor whose examples have `example_size`
// elements.
double UniformAt(const Tensor& rng, int64_t op_id, int64_t example_size, int64_t i);
// x Phi(x), exactly or by tanh.
double Gelu(double x, bool with_tanh);

}  // namespace trama::reference
