// linear_cross_entropy and its gradient: blocks of rows whose logits stand in a workspace, so the
// logits of a whole batch never exist. In the gradient a block's logits become their gradient in
// place and both products follow; nothing is computed twice.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/codegen/linear_cross_entropy.h"
#include "backends/vulkan/cross_entropy_rows.h"
#include "backends/vulkan/product.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
using codegen::Access;

class HeadEmitter {
 public:
  HeadEmitter(codegen::LinearCrossEntropy head, mlir::func::FuncOp body, mlir::ModuleOp module,
              const Target& target)
      : head_(std::move(head)),
        logits_(head_.PlanLogits(body.getNumArguments() + body.getNumResults(), /*lanes=*/4)),
        targets_{head_.targets, head_.classes, head_.ignore_index},
        body_(WithLogits(body)),
        module_(module),
        target_(target) {}
  ~HeadEmitter() { body_.erase(); }

  // The losses of all rows, to `losses`.
  absl::StatusOr<Kernel> EmitLosses(ArrayRef<Access> losses) {
    return EmitBlocks([&](int64_t first, int64_t rows) {
      return EmitRows("loss", first, rows, losses, /*grad=*/nullptr);
    });
  }

  absl::StatusOr<Kernel> EmitGradients(const Access& grad, ArrayRef<SmallVector<Access>> outputs) {
    return EmitBlocks([&](int64_t first, int64_t rows) -> absl::Status {
      TRAMA_RETURN_IF_ERROR(EmitRows("logit_grad", first, rows, outputs[0], &grad));
      for (const Access& to : outputs[1])
        TRAMA_RETURN_IF_ERROR(AtRow(first, {to}, [&](int64_t row) {
          return Append("dx", head_.DxProduct(logits_, row, rows, to));
        }));
      for (const Access& to : outputs[2])
        TRAMA_RETURN_IF_ERROR(AtRow(first, {head_.x}, [&](int64_t row) {
          codegen::Product product = head_.DweightProduct(logits_, row, rows, to);
          product.accumulate = first > 0;
          return Append("dweight", std::move(product));
        }));
      return absl::OkStatus();
    });
  }

 private:
  // A function of the same buffers and one result more, the logits.
  mlir::func::FuncOp WithLogits(mlir::func::FuncOp body) {
    mlir::OpBuilder b(body.getContext());
    SmallVector<mlir::Type> results(body.getResultTypes());
    results.push_back(
        mlir::RankedTensorType::get({logits_.block, logits_.row_stride}, b.getF32Type()));
    return mlir::func::FuncOp::create(b, body.getLoc(), body.getName(),
                                      b.getFunctionType(body.getArgumentTypes(), results));
  }

  // The logits of each block of rows, and what `emit` appends to them.
  absl::StatusOr<Kernel> EmitBlocks(llvm::function_ref<absl::Status(int64_t, int64_t)> emit) {
    for (int64_t first = 0; first < head_.rows; first += logits_.block) {
      const int64_t rows = std::min(logits_.block, head_.rows - first);
      TRAMA_RETURN_IF_ERROR(AtRow(first, {head_.x}, [&](int64_t row) {
        return Append("logits", head_.LogitsProduct(logits_, row, rows));
      }));
      TRAMA_RETURN_IF_ERROR(emit(first, rows));
    }
    // What was that result is the dispatch's own memory.
    const auto workspace = static_cast<uint32_t>(kernel_.workspaces.size());
    kernel_.workspaces.push_back(logits_.elements() * 4);
    kernel_.workspace_names.push_back("logits");
    for (Phase& phase : kernel_.phases)
      for (BufferUse& use : phase.buffers)
        if (use.kind == BufferUse::kResult && use.index + 1 == body_.getNumResults())
          use.kind = BufferUse::kWorkspace, use.index = workspace;
    return std::move(kernel_);
  }

  // Appends phases for the rows from `first` on: emits them for those from row 0 on and moves the
  // buffers of `over_rows`, so that all blocks share their pipelines, or where that cannot be, for
  // row `first`.
  absl::Status AtRow(int64_t first, ArrayRef<Access> over_rows,
                     llvm::function_ref<absl::Status(int64_t)> emit) {
    llvm::SmallDenseMap<int64_t, uint64_t> offsets;  // by buffer
    bool moves = true;
    for (const Access& access : over_rows) {
      const mlir::RankedTensorType type = TypeOf(body_, access);
      const uint64_t element = (type.getElementTypeBitWidth() + 7) / 8;
      const uint64_t bytes = first * access.strides[0] * element;
      const auto [found, is_new] = offsets.try_emplace(access.buffer, bytes);
      moves &= found->second == bytes && bytes % 256 == 0 &&
               type.getNumElements() * element <= target_.max_buffer_range;
    }
    if (!moves) return emit(first);
    const size_t begin = kernel_.phases.size();
    TRAMA_RETURN_IF_ERROR(emit(0));
    for (Phase& phase : llvm::drop_begin(llvm::MutableArrayRef(kernel_.phases), begin)) {
      for (BufferUse& use : phase.buffers) {
        if (use.kind != BufferUse::kOperand && use.kind != BufferUse::kResult) continue;
        const bool is_result = use.kind == BufferUse::kResult;
        use.offset = offsets.lookup(use.index + (is_result ? body_.getNumArguments() : 0));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Append(const std::string& name, codegen::Product product) {
    codegen::Normalize(product);
    return AppendProduct(module_, body_, product, target_, name, kernel_);
  }

  // The losses of a block's rows; with `grad`, the logits become their gradients.
  absl::Status EmitRows(const std::string& name, int64_t first, int64_t rows,
                        ArrayRef<Access> losses, const Access* grad) {
    SmallVector<Access> over_rows(losses);
    over_rows.push_back(head_.targets);
    if (grad) over_rows.push_back(*grad);
    return AtRow(first, over_rows,
                 [&](int64_t row) { return EmitRowsAt(name, row, rows, losses, grad); });
  }
  absl::Status EmitRowsAt(const std::string& name, int64_t first, int64_t rows,
                          ArrayRef<Access> losses, const Access* grad) {
    const uint32_t invocations = target_.is_cpu ? 32 : std::min(256u, target_.max_invocations);
    PhaseBuilder b(module_, body_, target_, kernel_, name, {invocations, 1, 1});
    Value local = b.LocalIndex(), row = b.Add(b.WorkgroupIndex(), first);
    const Access logits{logits_.buffer, 0, {logits_.row_stride, 1}};
    QuadRows quads(b, body_, logits, logits_.row_stride);
    Value at = quads.Row(b.WorkgroupIndex());
    auto load = [&](Value quad) { return quads.Load(at, quad, 4); };
    const RowTarget wanted = LoadTarget(b, body_, targets_, row);
    // Read before any invocation writes gradients: the sums' barriers are between.
    Value logit =
        LoadElement(b, body_, logits, {b.WorkgroupIndex(), b.Max(wanted.index, b.Index(0))});
    const RowLoss sums = EmitLogSumExp(b, head_.classes, load);
    b.If(b.Compare(mlir::arith::CmpIPredicate::eq, local, b.Index(0)), [&] {
      Value loss = EmitLoss(b, sums, wanted, logit);
      for (const Access& to : losses) StoreElement(b, body_, loss, to, row);
    });
    if (grad) {
      Value scale = LoadElement(b, body_, *grad, row);
      scale = b.Select(wanted.ignored, b.Constant(b.F32(), 0), scale);
      b.For(local, b.Index(CeilDiv(head_.classes, 4)), invocations, [&](Value quad) {
        Value dx = EmitLogitGrad(b, load(quad), sums.lse, scale, wanted, quad, head_.classes);
        quads.Store(dx, at, quad, 4);
      });
    }
    return b.Finish(rows);
  }

  const codegen::LinearCrossEntropy head_;
  const codegen::LinearCrossEntropy::Logits logits_;
  const Targets targets_;
  mlir::func::FuncOp body_;  // the kernel's, with the logits as one more result
  const mlir::ModuleOp module_;
  const Target& target_;
  Kernel kernel_;
};

absl::StatusOr<Kernel> EmitLinearCrossEntropy(mlir::func::FuncOp body, mlir::ModuleOp module,
                                              const Target& target) {
  auto op = codegen::FindAnchor<LinearCrossEntropyOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(const auto outputs, codegen::OutputsOf(body, op->getResults()));
  TRAMA_ASSIGN_OR_RETURN(auto head, codegen::HeadOf(op));
  return HeadEmitter(std::move(head), body, module, target).EmitLosses(outputs[0]);
}

absl::StatusOr<Kernel> EmitLinearCrossEntropyGrad(mlir::func::FuncOp body, mlir::ModuleOp module,
                                                  const Target& target) {
  auto op = codegen::FindAnchor<LinearCrossEntropyGradOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(const Access grad, codegen::ReadAccess(op.getGrad()));
  TRAMA_ASSIGN_OR_RETURN(const auto outputs, codegen::OutputsOf(body, op->getResults()));
  TRAMA_ASSIGN_OR_RETURN(auto head, codegen::HeadOf(op));
  return HeadEmitter(std::move(head), body, module, target).EmitGradients(grad, outputs);
}
}  // namespace

TRAMA_VULKAN_KERNEL("linear_cross_entropy", EmitLinearCrossEntropy);
TRAMA_VULKAN_KERNEL("linear_cross_entropy_grad", EmitLinearCrossEntropyGrad);

}  // namespace trama::vulkan
