#include "backends/codegen/top_k.h"

#include <cmath>
#include <limits>

namespace trama::codegen {
namespace {
using IP = mlir::arith::CmpIPredicate;

constexpr int64_t kNone = std::numeric_limits<int32_t>::max();  // behind every index

int64_t Largest(Type key) {
  return std::numeric_limits<int64_t>::max() >> (64 - key.getIntOrFloatBitWidth());
}

// About sqrt(n) vectors each, so that a list is as long as a segment.
int64_t SegmentOf(int64_t columns, int64_t lanes) {
  const double vectors = static_cast<double>((columns + lanes - 1) / lanes);
  return lanes * static_cast<int64_t>(std::ceil(std::sqrt(vectors)));
}
}  // namespace

Type TopKKeyType(Builder& b, Type element) {
  return b.Int(element.getIntOrFloatBitWidth() > 32 ? 64 : 32);
}

Value TopKKey(Builder& b, Value x) {
  const Type element = mlir::getElementTypeOrSelf(x), key = TopKKeyType(b, element);
  const Type type = WithElement(x.getType(), key);
  auto real = mlir::dyn_cast<mlir::FloatType>(element);
  Value bits = real ? b.Bitcast(x, b.Int(real.getWidth())) : x;
  if (bits.getType() != type) bits = mlir::arith::ExtSIOp::create(b, type, bits);
  if (!real) return bits;
  const int64_t all = std::numeric_limits<int64_t>::max() >> (64 - real.getWidth());
  const auto infinity = llvm::APFloat::getInf(real.getFloatSemantics()).bitcastToAPInt();
  const Value magnitude = b.And(bits, b.IntConstant(type, all)), zero = b.IntConstant(type, 0);
  // Of negative numbers the larger magnitude is the smaller number; -0 becomes 0 so.
  const Value ordered = b.Select(b.Compare(IP::slt, bits, zero), b.Sub(zero, magnitude), magnitude);
  const Value is_nan = b.Compare(
      IP::sgt, magnitude, b.IntConstant(type, static_cast<int64_t>(infinity.getZExtValue())));
  return b.Select(is_nan, b.IntConstant(type, Largest(key)), ordered);
}

Value ComesBefore(Builder& b, TopKEntry a, TopKEntry other) {
  const Value tie = b.Compare(IP::eq, a.key, other.key);
  return b.Or(b.Compare(IP::sgt, a.key, other.key),
              b.And(tie, b.Compare(IP::slt, a.index, other.index)));
}

TopKRow::TopKRow(Builder& b, Type element, int64_t columns, int64_t lanes)
    : b_(b),
      key_(TopKKeyType(b, element)),
      columns_(columns),
      lanes_(lanes),
      segment_(SegmentOf(columns, lanes)) {}

int64_t TopKRow::segments() const { return (columns_ + segment_ - 1) / segment_; }

TopKEntry TopKRow::First(Value segment, Load load) {
  return After(segment, {b_.IntConstant(key_, Largest(key_)), b_.IntConstant(b_.Int(32), -1)},
               load);
}

TopKEntry TopKRow::After(Value segment, TopKEntry last, Load load) {
  const bool wide = lanes_ > 1;
  const Type index = b_.Int(32);
  const auto in_lanes = [&](Value x) { return wide ? b_.Broadcast(x, lanes_) : x; };
  const Value first = b_.Mul(segment, segment_);
  const Value end = b_.Min(b_.Add(first, segment_), b_.Index(columns_));
  const TopKEntry from = {in_lanes(last.key), in_lanes(last.index)};
  const Value none[] = {in_lanes(b_.IntConstant(key_, -Largest(key_) - 1)),
                        in_lanes(b_.IntConstant(index, kNone))};
  SmallVector<Value> best =
      b_.For(first, end, lanes_, none, [&](Value column, ValueRange best) -> SmallVector<Value> {
        const Value mask = wide ? b_.Mask(b_.Sub(end, column), lanes_) : Value();
        TopKEntry entry{TopKKey(b_, load(column, mask)), in_lanes(b_.FromIndex(column, index))};
        if (wide) entry.index = b_.Add(entry.index, b_.LaneIndices(index, lanes_));
        Value better = b_.And(ComesBefore(b_, from, entry),
                              ComesBefore(b_, entry, TopKEntry{best[0], best[1]}));
        if (wide) better = b_.And(better, mask);
        return {b_.Select(better, entry.key, best[0]), b_.Select(better, entry.index, best[1])};
      });
  if (!wide) return {best[0], best[1]};
  const Value key = b_.ReduceMax(best[0]);
  const Value among =
      b_.Select(b_.Compare(IP::eq, best[0], b_.Broadcast(key, lanes_)), best[1], none[1]);
  return {key, mlir::vector::ReductionOp::create(b_, mlir::vector::CombiningKind::MINSI, among)};
}

void TopKRow::Take(int64_t from, int64_t to, Value keys, Value indices, Value base, Load load,
                   llvm::function_ref<void(Value rank, Value index)> write) {
  const Value none[] = {b_.IntConstant(key_, -Largest(key_) - 1),
                        b_.IntConstant(b_.Int(32), kNone)};
  b_.For(from, to, 1, [&](Value rank) {
    const SmallVector<Value> best = b_.For(
        b_.Index(0), b_.Index(segments()), 1, none,
        [&](Value segment, ValueRange best) -> SmallVector<Value> {
          const Value at = b_.Add(base, segment);
          const TopKEntry entry{b_.Load(keys, at), b_.Load(indices, at)};
          const Value better = ComesBefore(b_, entry, TopKEntry{best[0], best[1]});
          return {b_.Select(better, entry.key, best[0]), b_.Select(better, entry.index, best[1])};
        });
    write(rank, best[1]);
    const Value segment = b_.Div(b_.ToIndex(best[1]), segment_);
    const TopKEntry next = After(segment, {best[0], best[1]}, load);
    const Value at = b_.Add(base, segment);
    b_.Store(next.key, keys, at);
    b_.Store(next.index, indices, at);
  });
}

}  // namespace trama::codegen
