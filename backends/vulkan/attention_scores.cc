#include "backends/vulkan/attention_scores.h"

#include <limits>

#include "backends/codegen/vector_math.h"

namespace trama::vulkan {
namespace arith = mlir::arith;

void AttentionScores::Start(Value head) {
  batch_ = Divide(b_, head, info_.H);
  head_ = Remainder(b_, head, info_.H);
  offset_ = info_.position ? b_.ToIndex(LoadElement(b_, body_, *info_.position, batch_))
                           : b_.Index(info_.S - info_.T);
}

Value AttentionScores::Limit(Value row) {
  Value all = b_.Index(info_.S);
  if (!info_.causal) return all;
  return b_.Max(b_.Min(b_.Add(b_.Add(row, offset_), 1), all), b_.Index(0));
}

Value AttentionScores::FirstQuery(Value key) {
  return info_.causal ? b_.Max(b_.Sub(key, offset_), b_.Index(0)) : b_.Index(0);
}

Value AttentionScores::Masked(Value score, Value row, Value key, Value limit) {
  Value seen = b_.Less(key, limit);
  if (info_.HasMaskOrBias()) key = b_.Min(key, b_.Index(info_.S - 1));
  if (info_.key_mask) seen = b_.And(seen, LoadElement(b_, body_, *info_.key_mask, {batch_, key}));
  if (info_.bias)
    score = b_.Add(score, LoadElement(b_, body_, *info_.bias, {batch_, head_, row, key}));
  return b_.Select(seen, score, b_.Constant(b_.F32(), -std::numeric_limits<double>::infinity()));
}

// Row-major in 64 bits: [B, H, T, S] counts from the first example of all.
codegen::WideIndex AttentionScores::DropoutRow(Value row) {
  auto next = [&](codegen::WideIndex element, Value index, int64_t size) {
    element = codegen::AddWide(b_, element, Word(index));
    codegen::WideIndex product = codegen::MultiplyWide(b_, element.low, size);
    return codegen::WideIndex{product.low, b_.Add(product.high, b_.Mul(element.high, size))};
  };
  codegen::WideIndex element{LoadElement(b_, body_, *info_.rng, b_.Index(3)),
                             b_.IntConstant(b_.Int(32), 0)};
  return next(next(next(element, batch_, info_.H), head_, info_.T), row, info_.S);
}

SmallVector<Value> AttentionScores::DropoutFactors(const codegen::WideIndex& row, Value key,
                                                   int64_t count) {
  auto word = [&](int64_t i) { return LoadElement(b_, body_, *info_.rng, b_.Index(i)); };
  const codegen::PhiloxKey philox{word(0), word(1), word(2),
                                  b_.IntConstant(b_.Int(32), info_.op_id)};
  SmallVector<Value> numbers;
  if (info_.S % 4 == 0 && count % 4 == 0) {
    auto shift = [&](Value x, int64_t by) -> Value {
      return arith::ShRUIOp::create(b_, x, b_.IntConstant(x.getType(), by));
    };
    for (int64_t i = 0; i < count; i += 4) {
      const codegen::WideIndex at = codegen::AddWide(b_, row, Word(b_.Add(key, i)));
      Value carried = arith::ShLIOp::create(b_, at.high, b_.IntConstant(b_.Int(32), 30));
      llvm::append_range(numbers, codegen::FourUniformsAt(b_, b_.Or(shift(at.low, 2), carried),
                                                          shift(at.high, 2), philox));
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      const codegen::WideIndex at = codegen::AddWide(b_, row, Word(b_.Add(key, i)));
      numbers.push_back(codegen::UniformAt(b_, at.low, at.high, philox));
    }
  }
  Value p = b_.Constant(b_.F32(), info_.dropout), zero = b_.Constant(b_.F32(), 0);
  Value factor = b_.Constant(b_.F32(), 1 / (1 - info_.dropout));
  for (Value& x : numbers) x = b_.Select(b_.Compare(arith::CmpFPredicate::OGE, x, p), factor, zero);
  return numbers;
}

}  // namespace trama::vulkan
