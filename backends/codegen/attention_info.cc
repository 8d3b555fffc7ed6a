#include "backends/codegen/attention_info.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama::codegen {
namespace {

absl::StatusOr<std::optional<Access>> ReadOptional(Value value) {
  if (!value) return std::optional<Access>();
  TRAMA_ASSIGN_OR_RETURN(Access access, ReadAccess(value));
  return std::optional<Access>(std::move(access));
}

template <typename Op>
absl::StatusOr<AttentionInfo> MakeInfo(Op op) {
  for (Value value : {op.getQ(), op.getK(), op.getV()})
    if (!mlir::getElementTypeOrSelf(value).isF32())
      return absl::UnimplementedError(
          absl::StrCat(op->getName().getStringRef().str(), ": element types other than f32"));
  AttentionInfo info;
  ArrayRef<int64_t> q = ShapeOf(op.getQ()), v = ShapeOf(op.getV());
  info.B = q[0], info.H = q[1], info.T = q[2], info.D = q[3], info.S = v[2], info.E = v[3];
  info.scale = op.getScale().convertToDouble();
  info.dropout = op.getDropoutP().convertToDouble();
  info.op_id = op.getOpId();
  info.causal = op.getCausal();
  TRAMA_ASSIGN_OR_RETURN(info.q, ReadAccess(op.getQ()));
  TRAMA_ASSIGN_OR_RETURN(info.k, ReadAccess(op.getK()));
  TRAMA_ASSIGN_OR_RETURN(info.v, ReadAccess(op.getV()));
  TRAMA_ASSIGN_OR_RETURN(info.key_mask, ReadOptional(op.getKeyMask()));
  TRAMA_ASSIGN_OR_RETURN(info.bias, ReadOptional(op.getBias()));
  TRAMA_ASSIGN_OR_RETURN(info.position, ReadOptional(op.getPosition()));
  TRAMA_ASSIGN_OR_RETURN(info.rng, ReadOptional(op.getRng()));
  if (info.bias) {
    ArrayRef<int64_t> shape = ShapeOf(op.getBias());
    SmallVector<int64_t> strides(4, 0);
    for (size_t d = 0; d < shape.size(); ++d)
      if (shape[d] != 1) strides[4 - shape.size() + d] = info.bias->strides[d];
    info.bias->strides = strides;
  }
  return info;
}

}  // namespace

absl::StatusOr<AttentionInfo> InfoOf(AttentionOp op) { return MakeInfo(op); }
absl::StatusOr<AttentionInfo> InfoOf(AttentionGradOp op) { return MakeInfo(op); }

}  // namespace trama::codegen
