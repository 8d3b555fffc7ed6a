#include "backends/codegen/fused_prepare.h"

#include "backends/codegen/coordinates.h"
#include "backends/codegen/pointwise.h"
#include "ir/dialect.h"

namespace trama::codegen {
namespace {
using mlir::Operation;
using mlir::RankedTensorType;

bool DecomposeOne(mlir::Block& block) {
  for (Operation& op : block.without_terminator()) {
    auto composite = mlir::dyn_cast<DecomposeInterface>(&op);
    if (!composite || HasPointwiseLowering(&op)) continue;
    mlir::OpBuilder b(&op);
    SmallVector<Value> values = composite.decompose(b);
    if (values.size() != op.getNumResults()) continue;
    op.replaceAllUsesWith(values);
    op.erase();
    return true;
  }
  return false;
}

void EraseDead(mlir::Block& block) {
  SmallVector<Operation*> ops;
  for (Operation& op : block.without_terminator()) ops.push_back(&op);
  for (Operation* op : llvm::reverse(ops))
    if (op->use_empty()) op->erase();
}

Value Reshape(mlir::OpBuilder& b, mlir::Location loc, Value x, ArrayRef<int64_t> shape) {
  auto type = mlir::cast<RankedTensorType>(x.getType()).clone(shape);
  return type == x.getType() ? x : ReshapeOp::create(b, loc, type, x).getY();
}

// `like`'s reduction of `x` over `dims`, which go.
Value Reduce(mlir::OpBuilder& b, Operation* like, Value x, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> shape;
  for (auto [d, size] : llvm::enumerate(ShapeOf(x)))
    if (!llvm::is_contained(dims, static_cast<int64_t>(d))) shape.push_back(size);
  auto type = mlir::cast<RankedTensorType>(x.getType()).clone(shape);
  mlir::OperationState state(like->getLoc(), like->getName());
  state.addOperands(x);
  state.addTypes(type);
  state.addAttribute("dims", b.getDenseI64ArrayAttr(dims));
  state.addAttribute("keepdim", b.getBoolAttr(false));
  return b.create(state)->getResult(0);
}

void Replace(mlir::OpBuilder& b, Operation* op, Value value) {
  op->getResult(0).replaceAllUsesWith(Reshape(b, op->getLoc(), value, ShapeOf(op->getResult(0))));
  op->erase();
}

// Sums over blocks of dimensions that are apart go one block after the other, the last first.
bool SplitApart(Operation* op) {
  ArrayRef<int64_t> shape = ShapeOf(op->getOperand(0));
  const SmallVector<int64_t> dims = ReducedDims(op);
  SmallVector<int64_t> last;
  for (int64_t d = shape.size(); d-- > 0;) {
    const bool reduced = llvm::is_contained(dims, d);
    if (reduced) last.insert(last.begin(), d);
    if (!reduced && shape[d] > 1 && llvm::any_of(last, [&](int64_t l) { return shape[l] > 1; }))
      break;
  }
  if (last.size() == dims.size()) return false;
  SmallVector<int64_t> first;
  for (int64_t d : dims)
    if (!llvm::is_contained(last, d)) first.push_back(d);
  mlir::OpBuilder b(op);
  // Those before keep their numbers.
  Replace(b, op, Reduce(b, op, Reduce(b, op, op->getOperand(0), last), first));
  return true;
}

// The largest divisor of n that is at most `limit`.
int64_t DivisorUpTo(int64_t n, int64_t limit) {
  int64_t best = 1;
  for (int64_t d = 1; d * d <= n; ++d) {
    if (n % d) continue;
    if (d <= limit) best = std::max(best, d);
    if (n / d <= limit) best = std::max(best, n / d);
  }
  return best;
}

bool SplitLarge(Operation* op, const ReductionSplit& split) {
  const auto [outer, reduced, inner] = SizesOf(op);
  if (outer * reduced * inner < split.least_elements) return false;
  const int64_t tasks = inner == 1 ? outer : outer * ((inner + split.columns - 1) / split.columns);
  const bool too_long = inner > 1 && reduced > split.longest_columns;
  if (tasks >= split.enough_tasks && !too_long) return false;
  const int64_t chunk = DivisorUpTo(reduced, std::max<int64_t>(split.chunk_elements / inner, 32));
  const int64_t least = inner == 1 ? 1024 : 16;
  if (chunk < least || reduced / chunk < 2) return false;
  mlir::OpBuilder b(op);
  Value x = Reshape(b, op->getLoc(), op->getOperand(0), {outer, reduced / chunk, chunk, inner});
  Replace(b, op, Reduce(b, op, Reduce(b, op, x, {2}), {1}));
  return true;
}
}  // namespace

bool IsReduction(Operation* op) { return op && mlir::isa<SumOp, ReduceMaxOp, ArgmaxOp>(op); }

SmallVector<int64_t> ReducedDims(Operation* op) {
  if (auto argmax = mlir::dyn_cast<ArgmaxOp>(op)) return {static_cast<int64_t>(argmax.getDim())};
  if (auto sum = mlir::dyn_cast<SumOp>(op)) return SmallVector<int64_t>(sum.getDims());
  return SmallVector<int64_t>(mlir::cast<ReduceMaxOp>(op).getDims());
}

ReductionSizes SizesOf(Operation* op) {
  ReductionSizes sizes;
  const SmallVector<int64_t> dims = ReducedDims(op);
  bool seen = false;
  for (auto [d, size] : llvm::enumerate(ShapeOf(op->getOperand(0)))) {
    if (llvm::is_contained(dims, static_cast<int64_t>(d))) {
      sizes.reduced *= size;
      seen |= size > 1;
    } else {
      (seen ? sizes.inner : sizes.outer) *= size;
    }
  }
  return sizes;
}

mlir::OwningOpRef<mlir::ModuleOp> PrepareFusedBody(mlir::func::FuncOp body,
                                                   const ReductionSplit& split) {
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(body.getLoc());
  auto copy = mlir::cast<mlir::func::FuncOp>(body->clone());
  module->push_back(copy);
  mlir::Block& block = copy.front();
  EraseDead(block);
  while (DecomposeOne(block)) EraseDead(block);
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation& op : block.without_terminator()) {
      if (!IsReduction(&op) || mlir::isa<ArgmaxOp>(&op)) continue;
      if ((changed = SplitApart(&op) || SplitLarge(&op, split))) break;
    }
  }
  return module;
}

}  // namespace trama::codegen
