// linear_cross_entropy and its gradient: blocks of rows whose logits stand in the workspace, so the
// logits of a whole batch never exist. In the gradient a block's logits become their gradient in
// place and both products follow; nothing is computed twice.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/cpu/cross_entropy_rows.h"
#include "backends/cpu/product.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {
using codegen::PhaseArguments;

// A block's logits take at most 128 MiB, and no fewer than 256 rows make a block: packing the
// weights and adding to their gradient is paid once a block.
constexpr int64_t kBlockFloats = 32 << 20;
constexpr int64_t kLeastRows = 256;

class HeadEmitter {
 public:
  template <typename Op>
  static absl::StatusOr<HeadEmitter> Create(Op op, mlir::func::FuncOp body, mlir::ModuleOp module,
                                            const Target& target) {
    if (!mlir::getElementTypeOrSelf(op.getX()).isF32())
      return absl::UnimplementedError("linear_cross_entropy: element types other than f32");
    HeadEmitter head(body, module, target);
    TRAMA_ASSIGN_OR_RETURN(head.x_, ReadAccess(op.getX()));
    TRAMA_ASSIGN_OR_RETURN(head.weight_, ReadAccess(op.getWeight()));
    TRAMA_ASSIGN_OR_RETURN(head.targets_.access, ReadAccess(op.getTargets()));
    head.rows_ = ShapeOf(op.getX())[0];
    head.depth_ = ShapeOf(op.getX())[1];
    head.classes_ = ShapeOf(op.getWeight())[0];
    head.targets_.classes = head.classes_;
    head.targets_.ignore_index = static_cast<int64_t>(op.getIgnoreIndex());
    head.row_stride_ = (head.classes_ + target.lanes - 1) / target.lanes * target.lanes;
    const int64_t blocks_fit = kBlockFloats / head.row_stride_ / kLeastRows * kLeastRows;
    head.block_ = std::min(head.rows_, std::max(kLeastRows, blocks_fit));
    return head;
  }

  // The losses of all rows, to `losses`.
  Kernel EmitLosses(ArrayRef<Access> losses) {
    ForBlocks([&](int64_t first, int64_t rows) {
      AppendLogits(first, rows);
      AppendRows("loss", first, rows, [&](ArrayRef<Value> buffers, Value local, Value row) {
        EmitRowLoss(buffers, local, row, losses);
      });
    });
    return std::move(kernel_);
  }

  Kernel EmitGradients(const Access& grad, ArrayRef<SmallVector<Access>> outputs) {
    ForBlocks([&](int64_t first, int64_t rows) {
      AppendLogits(first, rows);
      AppendRows("logit_grad", first, rows, [&](ArrayRef<Value> buffers, Value local, Value row) {
        EmitRowGrad(buffers, local, row, grad, outputs[0]);
      });
      for (const Access& to : outputs[1]) AppendDx(first, rows, to);
      for (const Access& to : outputs[2]) AppendDweight(first, rows, to);
    });
    return std::move(kernel_);
  }

 private:
  HeadEmitter(mlir::func::FuncOp body, mlir::ModuleOp module, const Target& target)
      : body_(body), target_(target), b_(module, target.lanes) {}

  void ForBlocks(llvm::function_ref<void(int64_t, int64_t)> emit) {
    for (int64_t first = 0; first < rows_; first += block_)
      emit(first, std::min(block_, rows_ - first));
  }

  // The logits are one more buffer.
  int64_t logits() { return body_.getNumArguments() + body_.getNumResults(); }
  SmallVector<Value> Buffers(PhaseArguments& arguments) {
    SmallVector<Value> buffers = FlatBuffers(b_, arguments);
    buffers.push_back(arguments.workspace.Take(b_, {block_ * row_stride_}));
    return buffers;
  }
  Access Logits(int64_t row_stride, int64_t column_stride) {
    return {logits(), 0, {row_stride, column_stride}};
  }

  void Append(const std::string& name, int64_t first, Product product) {
    codegen::Normalize(product);
    AppendProduct(
        b_, body_, product, target_, absl::StrCat(name, first),
        [&](PhaseArguments& arguments) { return Buffers(arguments); }, kernel_);
  }

  // `access`, over rows and columns, from row `first` on, with the strides given.
  static Access From(const Access& access, int64_t first, SmallVector<int64_t> strides) {
    return {access.buffer, access.offset + first * access.strides[0], std::move(strides)};
  }

  void AppendLogits(int64_t first, int64_t rows) {
    Product p;
    p.sizes = {rows, classes_};
    p.depth = depth_;
    p.left = From(x_, first, {x_.strides[0], 0});
    p.left_depth_stride = x_.strides[1];
    p.right = From(weight_, 0, {0, weight_.strides[0]});
    p.right_depth_stride = weight_.strides[1];
    p.epilogue = Epilogue::StoreTo(Logits(row_stride_, 1));
    Append("logits", first, std::move(p));
  }

  void AppendDx(int64_t first, int64_t rows, const Access& to) {
    Product p;
    p.sizes = {rows, depth_};
    p.depth = classes_;
    p.left = Logits(row_stride_, 0);
    p.left_depth_stride = 1;
    p.right = From(weight_, 0, {0, weight_.strides[1]});
    p.right_depth_stride = weight_.strides[0];
    p.epilogue = Epilogue::StoreTo(From(to, first, to.strides));
    Append("dx", first, std::move(p));
  }

  void AppendDweight(int64_t first, int64_t rows, const Access& to) {
    Product p;
    p.sizes = {classes_, depth_};
    p.depth = rows;
    p.left = Logits(1, 0);
    p.left_depth_stride = row_stride_;
    p.right = From(x_, first, {0, x_.strides[1]});
    p.right_depth_stride = x_.strides[0];
    p.accumulate = first > 0;
    p.epilogue = Epilogue::StoreTo(to);
    Append("dweight", first, std::move(p));
  }

  // emit(buffers, row of the block, row of all).
  void AppendRows(const std::string& name, int64_t first, int64_t rows,
                  llvm::function_ref<void(ArrayRef<Value>, Value, Value)> emit) {
    AppendPhase(
        b_, body_, absl::StrCat(name, first), rows, 30.0 * rows * classes_,
        [&](PhaseArguments& arguments) {
          const SmallVector<Value> buffers = Buffers(arguments);
          b_.For(arguments.begin, arguments.end, 1,
                 [&](Value local) { emit(buffers, local, b_.Add(local, first)); });
        },
        kernel_);
  }

  RowTarget EmitRowLoss(ArrayRef<Value> buffers, Value local, Value row, ArrayRef<Access> losses,
                        Value* lse = nullptr) {
    const Access logits = Logits(row_stride_, 1);
    const RowLoss sums = EmitLogSumExp(b_, classes_, false, [&](Value column, int64_t live) {
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
    const Access logits = Logits(row_stride_, 1);
    ForLanes(b_, classes_, [&](Value column, int64_t live) {
      Value x = LoadLanes(b_, buffers, logits, {local, column}, live);
      StoreLanes(b_, EmitLogitGrad(b_, x, shift, scale, wanted, column, 0, classes_), buffers,
                 logits, {local, column}, live);
    });
  }

  mlir::func::FuncOp body_;
  Target target_;
  Builder b_;
  Kernel kernel_;
  Access x_, weight_;  // over [N, C] and [V, C]
  Targets targets_;
  int64_t rows_ = 0, depth_ = 0, classes_ = 0, row_stride_ = 0, block_ = 0;
};

absl::StatusOr<Kernel> EmitLinearCrossEntropy(mlir::func::FuncOp body, mlir::ModuleOp module,
                                              const Target& target) {
  auto op = FindAnchor<LinearCrossEntropyOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(const auto outputs, OutputsOf(body, op->getResults()));
  TRAMA_ASSIGN_OR_RETURN(HeadEmitter head, HeadEmitter::Create(op, body, module, target));
  return head.EmitLosses(outputs[0]);
}

absl::StatusOr<Kernel> EmitLinearCrossEntropyGrad(mlir::func::FuncOp body, mlir::ModuleOp module,
                                                  const Target& target) {
  auto op = FindAnchor<LinearCrossEntropyGradOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(const Access grad, ReadAccess(op.getGrad()));
  TRAMA_ASSIGN_OR_RETURN(const auto outputs, OutputsOf(body, op->getResults()));
  TRAMA_ASSIGN_OR_RETURN(HeadEmitter head, HeadEmitter::Create(op, body, module, target));
  return head.EmitGradients(grad, outputs);
}
}  // namespace

TRAMA_CPU_KERNEL("linear_cross_entropy", EmitLinearCrossEntropy);
TRAMA_CPU_KERNEL("linear_cross_entropy_grad", EmitLinearCrossEntropyGrad);

}  // namespace trama::cpu
