#include "backends/cpu/attention_scores.h"

#include <limits>

namespace trama::cpu {
void AttentionScores::Start(Value batch, Value head) {
  batch_ = batch;
  head_ = head;
  offset_ = b_.Index(info_.S - info_.T);
  if (info_.position)
    offset_ = b_.ToIndex(
        b_.Load(buffers_[info_.position->buffer], ElementIndex(b_, *info_.position, batch)));
}

Value AttentionScores::Limit(Value row) {
  Value all = b_.Index(info_.S);
  if (!info_.causal) return all;
  return b_.Max(b_.Min(b_.Add(b_.Add(row, offset_), 1), all), b_.Index(0));
}

Value AttentionScores::Seen(Value limit, Value column) {
  Value seen = b_.Mask(b_.Sub(limit, column));
  if (!info_.key_mask) return seen;
  Value buffer = buffers_[info_.key_mask->buffer];
  const int64_t stride = info_.key_mask->strides[1];
  Value index = ElementIndex(b_, *info_.key_mask, {batch_, column});
  Value kept;
  if (stride == 1) {
    kept = b_.LoadMasked(buffer, index, seen);
  } else if (stride == 0) {
    kept = b_.Broadcast(b_.Load(buffer, index));
  } else {
    Value lanes = b_.Mul(b_.LaneIndices(b_.getIndexType()), stride);
    kept = b_.Gather(buffer, index, lanes, seen);
  }
  return b_.And(
      seen, b_.Compare(mlir::arith::CmpIPredicate::ne, kept, b_.IntConstant(kept.getType(), 0)));
}

Value AttentionScores::Masked(Value scores, Value row, Value column, Value seen) {
  if (info_.bias) {
    Value buffer = buffers_[info_.bias->buffer], bias;
    const int64_t stride = info_.bias->strides[3];
    Value index = ElementIndex(b_, *info_.bias, {batch_, head_, row, column});
    if (stride == 1) {
      bias = b_.LoadMasked(buffer, index, seen);
    } else if (stride == 0) {
      bias = b_.Broadcast(b_.Load(buffer, index));
    } else {
      Value lanes = b_.Mul(b_.LaneIndices(b_.getIndexType()), stride);
      bias = b_.Gather(buffer, index, lanes, seen);
    }
    scores = b_.Add(scores, bias);
  }
  return b_.Select(seen, scores, b_.Splat(-std::numeric_limits<double>::infinity()));
}

Value AttentionScores::Kept(Value row, Value column) {
  Value rng = buffers_[info_.rng->buffer];
  auto word = [&](int64_t i) { return b_.Load(rng, ElementIndex(b_, *info_.rng, b_.Index(i))); };
  codegen::PhiloxKey key{word(0), word(1), word(2), b_.IntConstant(b_.Int(32), info_.op_id)};
  // The element of [B, H, T, S], counted from the first example of all.
  Value element =
      b_.Add(b_.Mul(b_.ToIndex(word(3)), info_.H), b_.Add(b_.Mul(batch_, info_.H), head_));
  element = b_.Add(b_.Mul(b_.Add(b_.Mul(element, info_.T), row), info_.S), column);
  Value index = b_.Broadcast(b_.FromIndex(element, b_.Int(64)));
  index = b_.Add(index, b_.LaneIndices(b_.Int(64)));
  return b_.Compare(mlir::arith::CmpFPredicate::OGE, codegen::UniformAt(b_, index, key),
                    b_.Splat(info_.dropout));
}

}  // namespace trama::cpu
