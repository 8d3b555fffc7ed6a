#include "backends/reference/interpreter.h"

#include <cmath>
#include <map>

#include "absl/strings/str_join.h"
#include "backends/reference/evaluators.h"
#include "base/status_macros.h"
#include "ir/source_line.h"
#include "mlir/IR/IRMapping.h"

namespace trama::reference {
namespace {

std::map<std::string, Evaluator, std::less<>>& Table() {
  static auto* table = new std::map<std::string, Evaluator, std::less<>>();
  return *table;
}

bool IsClose(double got, double want, double atol, double rtol) {
  if (std::isnan(want)) return std::isnan(got);
  return got == want || std::abs(got - want) <= atol + rtol * std::abs(want);
}

// One activation of a function.
class Frame {
 public:
  explicit Frame(const EvaluateOptions& options) : options_(options) {}

  // Runs `block` on `arguments`; the values of its terminator, or of `yields` where it has none.
  absl::StatusOr<std::vector<Tensor>> Run(mlir::Block& block, std::vector<Tensor> arguments,
                                          mlir::ValueRange yields = {}) {
    for (auto [argument, tensor] : llvm::zip(block.getArguments(), arguments))
      values_[argument] = std::move(tensor);
    for (mlir::Operation& op : block) {
      if (op.hasTrait<mlir::OpTrait::IsTerminator>()) {
        yields = op.getOperands();
        break;
      }
      TRAMA_RETURN_IF_ERROR(Step(op));
    }
    std::vector<Tensor> results;
    for (mlir::Value value : yields) results.push_back(values_[value]);
    return results;
  }

 private:
  absl::Status Step(mlir::Operation& op) {
    std::vector<const Tensor*> operands;
    for (mlir::Value operand : op.getOperands()) operands.push_back(&values_[operand]);
    if (auto check = mlir::dyn_cast<CheckCloseOp>(op))
      return Check(check, *operands[0], *operands[1]);

    TRAMA_ASSIGN_OR_RETURN(std::vector<Tensor> results, Compute(op, operands));
    for (auto [value, tensor] : llvm::zip(op.getResults(), results)) {
      tensor.Round(options_.float64 || options_.round_results_only);
      values_[value] = std::move(tensor);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Tensor>> Compute(mlir::Operation& op,
                                              absl::Span<const Tensor* const> operands) {
    if (auto dispatch = mlir::dyn_cast<DispatchOp>(op)) return Call(dispatch, operands);
    auto composite = mlir::dyn_cast<DecomposeInterface>(op);
    const Evaluator* evaluator = FindEvaluator(op.getName().getStringRef());
    if (composite && (!evaluator || options_.prefer_decomposition)) return Decompose(op, operands);
    if (!evaluator)
      return absl::UnimplementedError(
          absl::StrCat("reference: no meaning for ", op.getName().getStringRef().str(), " (",
                       LocationText(op.getLoc()), "): neither loops nor a decomposition"));
    std::vector<Tensor> results;
    for (mlir::Type type : op.getResultTypes()) results.push_back(ZerosOf(type));
    (*evaluator)(&op, {operands.data(), operands.size()}, results);
    return results;
  }

  absl::StatusOr<std::vector<Tensor>> Call(DispatchOp dispatch,
                                           absl::Span<const Tensor* const> operands) {
    auto callee = mlir::SymbolTable::lookupNearestSymbolFrom<mlir::func::FuncOp>(
        dispatch, dispatch.getKernelAttr());
    if (!callee || callee.isExternal())
      return absl::NotFoundError(
          absl::StrCat("reference: no kernel @", dispatch.getKernel().str()));
    return Frame(options_).Run(callee.front(), Copies(operands));
  }

  absl::StatusOr<std::vector<Tensor>> Decompose(mlir::Operation& op,
                                                absl::Span<const Tensor* const> operands) {
    mlir::Block block;
    TRAMA_ASSIGN_OR_RETURN(const auto yields, BuildDecomposition(op, block));
    return Frame(options_).Run(block, Copies(operands), yields);
  }

  absl::Status Check(CheckCloseOp op, const Tensor& got, const Tensor& want) {
    const double atol = op.getAtol().convertToDouble(), rtol = op.getRtol().convertToDouble();
    for (int64_t i = 0; i < want.size(); ++i) {
      if (IsClose(got.at(i), want.at(i), atol, rtol)) continue;
      Mismatch mismatch{LocationText(op.getLoc()), IndexOf(i, want.shape), got.at(i), want.at(i)};
      if (!options_.mismatches)
        return absl::FailedPreconditionError(absl::StrCat(
            mismatch.location, ": check_close: element [", absl::StrJoin(mismatch.index, ","),
            "] is ", mismatch.got, ", want ", mismatch.want));
      options_.mismatches->push_back(std::move(mismatch));
    }
    return absl::OkStatus();
  }

  static std::vector<Tensor> Copies(absl::Span<const Tensor* const> tensors) {
    std::vector<Tensor> copies;
    for (const Tensor* tensor : tensors) copies.push_back(*tensor);
    return copies;
  }

  const EvaluateOptions& options_;
  llvm::DenseMap<mlir::Value, Tensor> values_;
};

absl::Status Fits(const HostTensor& input, mlir::Type type, size_t i, bool float64) {
  const Tensor want = ZerosOf(type);
  const bool same_dtype =
      input.dtype == want.dtype || (float64 && want.is_float() && input.dtype == DType::kF64);
  if (same_dtype && input.shape == want.shape) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("argument ", i, " is ", ToString(want.shape), " ", std::string(Name(want.dtype)),
                   ", not ", ToString(input.shape), " ", std::string(Name(input.dtype))));
}

}  // namespace

bool RegisterEvaluator(llvm::StringRef op_name, Evaluator evaluator) {
  return Table().emplace(op_name.str(), std::move(evaluator)).second;
}

const Evaluator* FindEvaluator(llvm::StringRef op_name) {
  const auto it = Table().find(std::string_view(op_name));
  return it == Table().end() ? nullptr : &it->second;
}

absl::StatusOr<llvm::SmallVector<mlir::Value>> BuildDecomposition(mlir::Operation& op,
                                                                  mlir::Block& block) {
  mlir::IRMapping mapping;
  for (mlir::Value operand : op.getOperands())
    mapping.map(operand, block.addArgument(operand.getType(), op.getLoc()));
  // A value used as several operands maps to its last argument; all of them hold the same.
  mlir::OpBuilder builder(op.getContext());
  builder.setInsertionPointToEnd(&block);
  mlir::Operation* copy = builder.clone(op, mapping);
  llvm::SmallVector<mlir::Value> values = mlir::cast<DecomposeInterface>(copy).decompose(builder);
  copy->erase();
  if (values.size() != op.getNumResults())
    return absl::InternalError(absl::StrCat(op.getName().getStringRef().str(),
                                            ": its decomposition gives ", values.size(),
                                            " values for ", op.getNumResults(), " results"));
  return values;
}

absl::StatusOr<std::vector<Tensor>> ArgumentsOf(mlir::func::FuncOp function,
                                                absl::Span<const HostTensor> inputs, bool float64) {
  if (function.isExternal())
    return absl::InvalidArgumentError(absl::StrCat("@", function.getName().str(), " has no body"));
  if (inputs.size() != function.getNumArguments())
    return absl::InvalidArgumentError(absl::StrCat("@", function.getName().str(), " takes ",
                                                   function.getNumArguments(), " arguments, not ",
                                                   inputs.size()));
  std::vector<Tensor> arguments;
  for (size_t i = 0; i < inputs.size(); ++i) {
    TRAMA_RETURN_IF_ERROR(Fits(inputs[i], function.getArgumentTypes()[i], i, float64));
    Tensor& argument = arguments.emplace_back(inputs[i]);
    argument.dtype = ZerosOf(function.getArgumentTypes()[i]).dtype;
  }
  return arguments;
}

absl::StatusOr<std::vector<HostTensor>> Evaluate(mlir::func::FuncOp function,
                                                 absl::Span<const HostTensor> inputs,
                                                 const EvaluateOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(std::vector<Tensor> arguments,
                         ArgumentsOf(function, inputs, options.float64));
  TRAMA_ASSIGN_OR_RETURN(std::vector<Tensor> results,
                         Frame(options).Run(function.front(), std::move(arguments)));
  std::vector<HostTensor> host;
  for (Tensor& result : results) {
    result.Round(options.float64);
    host.push_back(result.ToHost(options.float64));
  }
  return host;
}

}  // namespace trama::reference
