// cross_entropy and cross_entropy_grad, a row of logits at a time.
#include "absl/strings/str_cat.h"
#include "backends/cpu/cross_entropy_rows.h"
#include "backends/cpu/product.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {
using codegen::PhaseArguments;

template <typename Op>
absl::StatusOr<Targets> TargetsOf(Op op) {
  if (!mlir::getElementTypeOrSelf(op.getLogits()).isF32())
    return absl::UnimplementedError("cross_entropy: element types other than f32");
  Targets targets;
  TRAMA_ASSIGN_OR_RETURN(targets.access, ReadAccess(op.getTargets()));
  targets.classes = ShapeOf(op.getLogits())[1];
  targets.ignore_index = static_cast<int64_t>(op.getIgnoreIndex());
  return targets;
}

absl::StatusOr<Kernel> EmitCrossEntropy(mlir::func::FuncOp body, mlir::ModuleOp module,
                                        const Target& target) {
  auto op = FindAnchor<CrossEntropyOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(const Targets targets, TargetsOf(op));
  TRAMA_ASSIGN_OR_RETURN(const Access logits, ReadAccess(op.getLogits()));
  TRAMA_ASSIGN_OR_RETURN(const auto outputs, OutputsOf(body, op->getResults()));
  const double smoothing = op.getLabelSmoothing().convertToDouble();
  const int64_t rows = ShapeOf(op.getLogits())[0], classes = targets.classes;

  Builder b(module, target.lanes);
  Kernel kernel;
  AppendPhase(
      b, body, "rows", rows, 20.0 * rows * classes,
      [&](PhaseArguments& arguments) {
        const SmallVector<Value> buffers = FlatBuffers(b, arguments);
        b.For(arguments.begin, arguments.end, 1, [&](Value row) {
          const RowLoss sums =
              EmitLogSumExp(b, classes, smoothing != 0, [&](Value column, int64_t live) {
                return LoadLanes(b, buffers, logits, {row, column}, live);
              });
          const RowTarget wanted = LoadTarget(b, buffers, targets, row);
          Value loss = EmitLoss(b, sums, wanted, smoothing, [&](Value column) {
            return b.Load(buffers[logits.buffer], ElementIndex(b, logits, {row, column}));
          });
          for (const Access& to : outputs[0])
            b.Store(loss, buffers[to.buffer], ElementIndex(b, to, row));
          for (const Access& to : outputs[1])
            b.Store(sums.lse, buffers[to.buffer], ElementIndex(b, to, row));
        });
      },
      kernel);
  return kernel;
}

absl::StatusOr<Kernel> EmitCrossEntropyGrad(mlir::func::FuncOp body, mlir::ModuleOp module,
                                            const Target& target) {
  auto op = FindAnchor<CrossEntropyGradOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(const Targets targets, TargetsOf(op));
  TRAMA_ASSIGN_OR_RETURN(const Access logits, ReadAccess(op.getLogits()));
  TRAMA_ASSIGN_OR_RETURN(const Access lse, ReadAccess(op.getLse()));
  TRAMA_ASSIGN_OR_RETURN(const Access grad, ReadAccess(op.getGrad()));
  TRAMA_ASSIGN_OR_RETURN(const Epilogue epilogue, Epilogue::Create(body, op.getY()));
  const double smoothing = op.getLabelSmoothing().convertToDouble();
  const int64_t rows = ShapeOf(op.getLogits())[0], classes = targets.classes;

  Builder b(module, target.lanes);
  Kernel kernel;
  AppendPhase(
      b, body, "rows", rows, 20.0 * rows * classes,
      [&](PhaseArguments& arguments) {
        const SmallVector<Value> buffers = FlatBuffers(b, arguments);
        b.For(arguments.begin, arguments.end, 1, [&](Value row) {
          auto load = [&](const Access& from) {
            return b.Load(buffers[from.buffer], ElementIndex(b, from, row));
          };
          const RowTarget wanted = LoadTarget(b, buffers, targets, row);
          Value scale = b.Select(wanted.ignored, b.Constant(b.F32(), 0), load(grad));
          Value scales = b.Broadcast(scale), shift = b.Broadcast(load(lse));
          ForLanes(b, classes, [&](Value column, int64_t live) {
            Value x = LoadLanes(b, buffers, logits, {row, column}, live);
            Value dx = EmitLogitGrad(b, x, shift, scales, wanted, column, smoothing, classes);
            EmitEpilogue(b, epilogue, buffers, {row, column}, dx, live);
          });
        });
      },
      kernel);
  return kernel;
}
}  // namespace

TRAMA_CPU_KERNEL("cross_entropy", EmitCrossEntropy);
TRAMA_CPU_KERNEL("cross_entropy_grad", EmitCrossEntropyGrad);

}  // namespace trama::cpu
