#include "backends/reference/rounding.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "backends/reference/evaluators.h"
#include "backends/reference/plan_runner.h"
#include "base/status_macros.h"
#include "passes/pipelines.h"

namespace trama::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A value and, in a tensor of its type, how far each element may be off (a bool: 1 where it may be
// the other).
struct Bounded {
  Tensor value, error;

  bool exact() const {
    return llvm::all_of(error.real, [](double e) { return e == 0; }) &&
           llvm::all_of(error.integer, [](int64_t e) { return e == 0; });
  }
};

// Half the distance of 1 to the next number.
double RoundingUnit(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return 0x1p-53;
    case DType::kBF16:
      return 0x1p-8;
    case DType::kF16:
      return 0x1p-11;
    default:
      return 0x1p-24;
  }
}

Tensor Moved(const Bounded& of, int direction) {
  Tensor moved = of.value;
  for (size_t i = 0; i < moved.real.size(); ++i)
    if (of.error.real[i] != 0) moved.real[i] += direction * of.error.real[i];
  for (size_t i = 0; i < moved.integer.size(); ++i) {
    if (moved.dtype == DType::kBool)
      moved.integer[i] ^= of.error.integer[i];
    else
      moved.integer[i] += direction * of.error.integer[i];
  }
  return moved;
}

Tensor Magnitudes(Tensor tensor) {
  for (double& x : tensor.real) x = std::abs(x);
  return tensor;
}

// change[i] = the larger of it and the distance of a[i] and b[i].
void Widen(const Tensor& a, const Tensor& b, Tensor& change) {
  for (size_t i = 0; i < change.real.size(); ++i) {
    if (a.real[i] == b.real[i] || (std::isnan(a.real[i]) && std::isnan(b.real[i]))) continue;
    const double distance = std::abs(a.real[i] - b.real[i]);
    change.real[i] = std::max(change.real[i], std::isnan(distance) ? kInfinity : distance);
  }
  for (size_t i = 0; i < change.integer.size(); ++i)
    change.integer[i] = std::max(change.integer[i], std::abs(a.integer[i] - b.integer[i]));
}

void Add(const Tensor& more, double factor, Tensor& error) {
  for (size_t i = 0; i < error.real.size(); ++i) {
    const double by = factor * more.real[i];
    error.real[i] += std::isnan(by) ? kInfinity : by;
  }
  for (size_t i = 0; i < error.integer.size(); ++i)
    error.integer[i] = error.dtype == DType::kBool ? error.integer[i] | more.integer[i]
                                                   : error.integer[i] + more.integer[i];
}

// Whether the op gives what is in its operands, so that nothing is rounded.
bool IsExact(mlir::Operation& op) {
  return op.hasTrait<OpTrait::View>() ||
         mlir::isa<NegOp, AbsOp, SignOp, FloorOp, MaxOp, MinOp, SelectOp, ReduceMaxOp, TopKOp,
                   PadOp, ConcatOp, EmbeddingOp, GatherOp, CacheUpdateOp, ConstantOp, IotaOp>(op);
}

// How many products or terms an element of a sum's result has, at most.
double NumTerms(mlir::Operation& op, absl::Span<const Bounded* const> operands, const Tensor& y) {
  const Tensor& x = operands[0]->value;
  if (auto matmul = mlir::dyn_cast<MatmulOp>(op))
    return static_cast<double>(x.shape.end()[matmul.getTransposeLhs() ? -2 : -1]);
  if (mlir::isa<EmbeddingGradOp>(op)) return static_cast<double>(operands[1]->value.size());
  return y.size() ? static_cast<double>(x.size()) / static_cast<double>(y.size()) : 0;
}

class Analysis {
 public:
  absl::StatusOr<std::vector<Bounded>> Run(mlir::Block& block, std::vector<Bounded> arguments,
                                           mlir::ValueRange yields = {}) {
    for (auto [argument, bounded] : llvm::zip(block.getArguments(), arguments))
      values_[argument] = std::move(bounded);
    for (mlir::Operation& op : block) {
      if (op.hasTrait<mlir::OpTrait::IsTerminator>()) {
        yields = op.getOperands();
        break;
      }
      std::vector<const Bounded*> operands;
      for (mlir::Value operand : op.getOperands()) operands.push_back(&values_[operand]);
      TRAMA_ASSIGN_OR_RETURN(std::vector<Bounded> results, Step(op, operands));
      for (auto [value, bounded] : llvm::zip(op.getResults(), results))
        values_[value] = std::move(bounded);
    }
    std::vector<Bounded> results;
    for (mlir::Value value : yields) results.push_back(values_[value]);
    return results;
  }

 private:
  using Operands = absl::Span<const Bounded* const>;

  static absl::StatusOr<std::vector<Bounded>> Step(mlir::Operation& op, Operands operands) {
    if (mlir::isa<DecomposeInterface>(op) && !IsExact(op)) {
      std::vector<Bounded> copies;
      for (const Bounded* operand : operands) copies.push_back(*operand);
      mlir::Block block;
      TRAMA_ASSIGN_OR_RETURN(const auto yields, BuildDecomposition(op, block));
      return Analysis().Run(block, std::move(copies), yields);
    }
    const Evaluator* evaluator = FindEvaluator(op.getName().getStringRef());
    if (!evaluator)
      return absl::UnimplementedError(
          absl::StrCat("reference: no meaning for ", op.getName().getStringRef().str()));
    std::vector<const Tensor*> values;
    for (const Bounded* operand : operands) values.push_back(&operand->value);
    std::vector<Bounded> results;
    for (Tensor& value : Evaluated(op, *evaluator, values))
      results.push_back({std::move(value), {}});
    for (Bounded& result : results) result.error = Tensor(result.value.dtype, result.value.shape);
    if (mlir::isa<SumOp, MatmulOp, EmbeddingGradOp>(op) && results[0].value.is_float())
      BoundSum(op, *evaluator, operands, values, results[0]);
    else
      BoundByMoving(op, *evaluator, operands, values, results);
    return results;
  }

  static std::vector<Tensor> Evaluated(mlir::Operation& op, const Evaluator& evaluator,
                                       llvm::ArrayRef<const Tensor*> operands) {
    std::vector<Tensor> results;
    for (mlir::Type type : op.getResultTypes()) results.push_back(ZerosOf(type));
    evaluator(&op, operands, results);
    for (Tensor& result : results) result.Round(/*keep_double=*/true);
    return results;
  }

  // Sums are linear in each operand: the magnitudes of one's errors among those of the others.
  static void BoundSum(mlir::Operation& op, const Evaluator& evaluator, Operands operands,
                       llvm::ArrayRef<const Tensor*> values, Bounded& result) {
    std::vector<Tensor> magnitudes;
    for (const Tensor* value : values) magnitudes.push_back(Magnitudes(*value));
    std::vector<const Tensor*> terms;
    for (const Tensor& magnitude : magnitudes) terms.push_back(&magnitude);
    const double units = std::sqrt(NumTerms(op, operands, result.value));
    Add(Evaluated(op, evaluator, terms)[0], units * RoundingUnit(result.value.dtype), result.error);
    for (size_t n = 0; n < operands.size(); ++n) {
      if (!operands[n]->value.is_float() || operands[n]->exact()) continue;
      std::vector<const Tensor*> with_error = terms;
      with_error[n] = &operands[n]->error;
      Add(Evaluated(op, evaluator, with_error)[0], 1, result.error);
    }
  }

  static void BoundByMoving(mlir::Operation& op, const Evaluator& evaluator, Operands operands,
                            llvm::ArrayRef<const Tensor*> values, std::vector<Bounded>& results) {
    for (Bounded& result : results)
      for (size_t i = 0; i < result.value.real.size() && !IsExact(op); ++i)
        if (std::isfinite(result.value.real[i]))
          result.error.real[i] = RoundingUnit(result.value.dtype) * std::abs(result.value.real[i]);
    for (size_t n = 0; n < operands.size(); ++n) {
      if (operands[n]->exact()) continue;
      std::vector<Tensor> changes;
      for (const Bounded& result : results)
        changes.emplace_back(result.value.dtype, result.value.shape);
      for (int direction : {1, -1}) {
        const Tensor moved = Moved(*operands[n], direction);
        std::vector<const Tensor*> with_moved(values);
        with_moved[n] = &moved;
        const std::vector<Tensor> others = Evaluated(op, evaluator, with_moved);
        for (size_t r = 0; r < results.size(); ++r) Widen(others[r], results[r].value, changes[r]);
      }
      for (size_t r = 0; r < results.size(); ++r) Add(changes[r], 1, results[r].error);
    }
  }

  llvm::DenseMap<mlir::Value, Bounded> values_;
};

}  // namespace

absl::StatusOr<std::vector<HostTensor>> RoundingErrors(std::string_view body,
                                                       absl::Span<const HostTensor> operands) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  LoadDialects(context);
  TRAMA_ASSIGN_OR_RETURN(auto module, ParseBody(body, context));
  mlir::func::FuncOp function = *module->getOps<mlir::func::FuncOp>().begin();
  TRAMA_ASSIGN_OR_RETURN(std::vector<Tensor> values, ArgumentsOf(function, operands));
  std::vector<Bounded> arguments;
  for (Tensor& value : values) {
    Tensor zero(value.dtype, value.shape);
    arguments.push_back({std::move(value), std::move(zero)});
  }
  TRAMA_ASSIGN_OR_RETURN(const std::vector<Bounded> results,
                         Analysis().Run(function.front(), std::move(arguments)));
  std::vector<HostTensor> errors;
  for (const Bounded& result : results) {
    HostTensor& error = errors.emplace_back(DType::kF64, result.value.shape);
    for (int64_t i = 0; i < result.error.size(); ++i) error.set(i, result.error.at(i));
  }
  return errors;
}

}  // namespace trama::reference
