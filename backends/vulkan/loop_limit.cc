#include "backends/vulkan/loop_limit.h"

#include <algorithm>
#include <optional>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace trama::vulkan {
namespace {
using mlir::Value;
namespace arith = mlir::arith;

// Whether `part` is a summand of `sum`.
bool Contains(Value sum, Value part) {
  if (sum == part) return true;
  auto add = sum.getDefiningOp<arith::AddIOp>();
  return add && (Contains(add.getLhs(), part) || Contains(add.getRhs(), part));
}

// No less than end - begin, for begin >= 0.
std::optional<int64_t> Distance(Value begin, Value end) {
  if (auto constant = mlir::getConstantIntValue(end))
    return *constant - mlir::getConstantIntValue(begin).value_or(0);
  auto least = [&](Value a, Value b) -> std::optional<int64_t> {
    const auto x = Distance(begin, a), y = Distance(begin, b);
    if (x && y) return std::min(*x, *y);
    return x ? x : y;
  };
  if (auto op = end.getDefiningOp<arith::MinSIOp>()) return least(op.getLhs(), op.getRhs());
  if (auto op = end.getDefiningOp<arith::MinUIOp>()) return least(op.getLhs(), op.getRhs());
  if (auto op = end.getDefiningOp<arith::MaxSIOp>()) {
    const auto x = Distance(begin, op.getLhs()), y = Distance(begin, op.getRhs());
    if (x && y) return std::max(*x, *y);
  }
  if (auto add = end.getDefiningOp<arith::AddIOp>()) {
    if (Contains(begin, add.getLhs())) return mlir::getConstantIntValue(add.getRhs());
    if (Contains(begin, add.getRhs())) return mlir::getConstantIntValue(add.getLhs());
  }
  return std::nullopt;
}

int64_t Iterations(mlir::Region& region) {
  int64_t total = 0;
  for (mlir::Block& block : region) {
    for (mlir::Operation& op : block) {
      int64_t inner = 0;
      for (mlir::Region& nested : op.getRegions()) inner = std::max(inner, Iterations(nested));
      auto loop = mlir::dyn_cast<mlir::scf::ForOp>(&op);
      if (!loop) {
        total += inner;
        continue;
      }
      const auto distance = Distance(loop.getLowerBound(), loop.getUpperBound());
      const auto step = mlir::getConstantIntValue(loop.getStep());
      const int64_t trips = distance && step && *step > 0
                                ? std::max<int64_t>((*distance + *step - 1) / *step, 0)
                                : kMostIterations + 1;
      total += trips * (1 + inner);
    }
  }
  return std::min(total, kMostIterations + 1);  // nested, they would soon leave 64 bits
}
}  // namespace

int64_t IterationsOf(mlir::gpu::GPUModuleOp phase) {
  int64_t most = 0;
  for (auto function : phase.getOps<mlir::gpu::GPUFuncOp>())
    most = std::max(most, Iterations(function.getBody()));
  return most;
}

}  // namespace trama::vulkan
