// linear_cross_entropy and its gradient: blocks of rows whose logits stand in the workspace, so the
// logits of a whole batch never exist. In the gradient a block's logits become their gradient in
// place, rounded to the elements that the products multiply, and both products follow; nothing is
// computed twice.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/codegen/linear_cross_entropy.h"
#include "backends/cpu/cross_entropy_rows.h"
#include "backends/cpu/product.h"
#include "backends/cpu/tiling.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {
using codegen::PhaseArguments;

class HeadEmitter {
 public:
  HeadEmitter(codegen::LinearCrossEntropy head, mlir::func::FuncOp body, mlir::ModuleOp module,
              const Target& target)
      : head_(std::move(head)),
        // One more buffer than the kernel's.
        logits_(head_.PlanLogits(body.getNumArguments() + body.getNumResults(), target.lanes)),
        lane_(LaneOf(head_.element, target)),
        targets_{head_.targets, head_.classes, head_.ignore_index},
        body_(body),
        target_(target),
        b_(module, target.lanes) {}

  // The losses of all rows, to `losses`.
  Kernel EmitLosses(ArrayRef<Access> losses) {
    ForBlocks(losses, [&](int64_t first, int64_t rows) {
      Append("logits", first, head_.LogitsProduct(logits_, first, rows));
      AppendRows("loss", first, rows, [&](ArrayRef<Value> buffers, Value local, Value row) {
        EmitRowLoss(buffers, local, row, losses);
      });
    });
    return std::move(kernel_);
  }

  Kernel EmitGradients(const Access& grad, ArrayRef<SmallVector<Access>> outputs) {
    codegen::LinearCrossEntropy::Logits grads = logits_;
    grads.row_stride *= DepthOf(lane_);
    SmallVector<Access> over_rows(outputs[0]);
    llvm::append_range(over_rows, outputs[1]);
    over_rows.push_back(grad);
    ForBlocks(over_rows, [&](int64_t first, int64_t rows) {
      Append("logits", first, head_.LogitsProduct(logits_, first, rows));
      AppendRows("logit_grad", first, rows, [&](ArrayRef<Value> buffers, Value local, Value row) {
        EmitRowGrad(buffers, local, row, grad, outputs[0]);
      });
      for (const Access& to : outputs[1])
        Append("dx", first, head_.DxProduct(grads, first, rows, to));
      for (const Access& to : outputs[2])
        Append("dweight", first, head_.DweightProduct(grads, first, rows, to));
    });
    return std::move(kernel_);
  }

 private:
  // Emits the first block, the second and a last one of fewer rows; those between are the second
  // again, with x, the targets and `over_rows` further on.
  void ForBlocks(ArrayRef<Access> over_rows, llvm::function_ref<void(int64_t, int64_t)> emit) {
    const int64_t block = logits_.block;
    size_t begin = 0, end = 0;  // the second's phases
    for (int64_t first = 0; first < head_.rows; first += block) {
      const int64_t rows = std::min(block, head_.rows - first);
      std::vector<int64_t> shifts;
      if (first >= 2 * block && rows == block) shifts = ShiftsOf(over_rows, first - block);
      if (shifts.empty()) {
        begin = kernel_.phases.size();
        emit(first, rows);
        end = kernel_.phases.size();
      }
      for (size_t i = begin; i < end && !shifts.empty(); ++i) {
        Phase again = kernel_.phases[i];
        again.shifts = shifts;
        kernel_.phases.push_back(std::move(again));
      }
    }
  }

  // Phase::shifts for `rows` rows; empty where a buffer would have to move in two ways.
  std::vector<int64_t> ShiftsOf(ArrayRef<Access> over_rows, int64_t rows) {
    SmallVector<mlir::Type> types(body_.getArgumentTypes());
    llvm::append_range(types, body_.getResultTypes());
    std::vector<int64_t> shifts(types.size(), 0);
    SmallVector<Access> moved = {head_.x, head_.targets};
    llvm::append_range(moved, over_rows);
    for (const Access& access : moved) {
      const auto type = mlir::cast<mlir::RankedTensorType>(types[access.buffer]);
      const int64_t element = (type.getElementTypeBitWidth() + 7) / 8;
      const int64_t bytes = rows * access.strides[0] * element;
      if (shifts[access.buffer] != 0 && shifts[access.buffer] != bytes) return {};
      shifts[access.buffer] = bytes;
    }
    if (shifts[head_.weight.buffer] != 0) return {};
    return shifts;
  }

  SmallVector<Value> Buffers(PhaseArguments& arguments) {
    SmallVector<Value> buffers = FlatBuffers(b_, arguments);
    buffers.push_back(arguments.workspace.Take(b_, {logits_.elements()}));
    return buffers;
  }
  Access Logits() const { return {logits_.buffer, 0, {logits_.row_stride, 1}}; }

  void Append(const std::string& name, int64_t first, Product product) {
    codegen::Normalize(product);
    AppendProduct(
        b_, body_, product, target_, absl::StrCat(name, first),
        [&](PhaseArguments& arguments) { return Buffers(arguments); }, kernel_);
  }

  // emit(buffers, row of the block, row of all).
  void AppendRows(const std::string& name, int64_t first, int64_t rows,
                  llvm::function_ref<void(ArrayRef<Value>, Value, Value)> emit) {
    AppendPhase(
        b_, body_, absl::StrCat(name, first), rows, 30.0 * rows * head_.classes,
        [&](PhaseArguments& arguments) {
          const SmallVector<Value> buffers = Buffers(arguments);
          b_.For(arguments.begin, arguments.end, 1,
                 [&](Value local) { emit(buffers, local, b_.Add(local, first)); });
        },
        kernel_);
  }

  RowTarget EmitRowLoss(ArrayRef<Value> buffers, Value local, Value row, ArrayRef<Access> losses,
                        Value* lse = nullptr) {
    const Access logits = Logits();
    const RowLoss sums = EmitLogSumExp(b_, head_.classes, false, [&](Value column, int64_t live) {
      return LoadLanes(b_, buffers, logits, {local, column}, live);
    });
    const RowTarget wanted = LoadTarget(b_, buffers, targets_, row);
    Value loss = EmitLoss(b_, sums, wanted, 0, [&](Value column) {
      return b_.Load(buffers[logits.buffer], ElementIndex(b_, logits, {local, column}));
    });
    for (const Access& to : losses) b_.Store(loss, buffers[to.buffer], ElementIndex(b_, to, row));
    if (lse) *lse = sums.lse;
    return wanted;
  }

  void EmitRowGrad(ArrayRef<Value> buffers, Value local, Value row, const Access& grad,
                   ArrayRef<Access> losses) {
    Value lse;
    const RowTarget wanted = EmitRowLoss(buffers, local, row, losses, &lse);
    Value scale = b_.Load(buffers[grad.buffer], ElementIndex(b_, grad, row));
    scale = b_.Broadcast(b_.Select(wanted.ignored, b_.Constant(b_.F32(), 0), scale));
    Value shift = b_.Broadcast(lse);
    const Access logits = Logits();
    ForLanes(b_, head_.classes, [&](Value column, int64_t live) {
      Value x = LoadLanes(b_, buffers, logits, {local, column}, live);
      x = EmitLogitGrad(b_, x, shift, scale, wanted, column, 0, head_.classes);
      if (head_.element.isF32())
        StoreLanes(b_, x, buffers, logits, {local, column}, live);
      else
        StoreRounded(KeepLive(b_, x, live, 0), buffers[logits.buffer], local, column);
    });
  }

  // In place of logits that have been read: pairs take the first half of their row.
  void StoreRounded(Value grad, Value buffer, Value local, Value column) {
    const mlir::Type narrow = codegen::WithElement(grad.getType(), head_.element);
    Value rounded = mlir::arith::TruncFOp::create(b_, narrow, grad);
    const bool pairs = lane_ == Lane::kPair;
    Value at = b_.Add(b_.Mul(local, logits_.row_stride), b_.Div(column, DepthOf(lane_)));
    b_.StoreVector(pairs ? PairsOf(b_, rounded) : Widen(b_, rounded), buffer, at);
  }

  const codegen::LinearCrossEntropy head_;
  const codegen::LinearCrossEntropy::Logits logits_;
  const Lane lane_;
  const Targets targets_;
  mlir::func::FuncOp body_;
  Target target_;
  Builder b_;
  Kernel kernel_;
};

absl::StatusOr<Kernel> EmitLinearCrossEntropy(mlir::func::FuncOp body, mlir::ModuleOp module,
                                              const Target& target) {
  auto op = FindAnchor<LinearCrossEntropyOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(const auto outputs, OutputsOf(body, op->getResults()));
  TRAMA_ASSIGN_OR_RETURN(auto head, codegen::HeadOf(op));
  return HeadEmitter(std::move(head), body, module, target).EmitLosses(outputs[0]);
}

absl::StatusOr<Kernel> EmitLinearCrossEntropyGrad(mlir::func::FuncOp body, mlir::ModuleOp module,
                                                  const Target& target) {
  auto op = FindAnchor<LinearCrossEntropyGradOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(const Access grad, ReadAccess(op.getGrad()));
  TRAMA_ASSIGN_OR_RETURN(const auto outputs, OutputsOf(body, op->getResults()));
  TRAMA_ASSIGN_OR_RETURN(auto head, codegen::HeadOf(op));
  return HeadEmitter(std::move(head), body, module, target).EmitGradients(grad, outputs);
}
}  // namespace

TRAMA_CPU_KERNEL("linear_cross_entropy", EmitLinearCrossEntropy);
TRAMA_CPU_KERNEL("linear_cross_entropy_grad", EmitLinearCrossEntropyGrad);

}  // namespace trama::cpu
