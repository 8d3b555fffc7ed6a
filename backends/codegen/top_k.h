// The k largest of a row, in order, as processors find them: the row is cut into segments whose
// best elements stand in a list; k times the best of the list goes out, and its segment gives the
// next one. That takes n + 2 k sqrt(n) comparisons whatever the row holds, where keeping a sorted
// list of k takes n k for a rising one.
#pragma once

#include "backends/codegen/builder.h"

namespace trama::codegen {

// Elements are compared as integers, which no device rounds or flushes: their order is the op's,
// NaN highest, -0 with 0.
Type TopKKeyType(Builder& b, Type element);
// The key of an element or of a vector of them.
Value TopKKey(Builder& b, Value x);

// A key and an i32 index. One comes before another by (key falling, index rising).
struct TopKEntry {
  Value key, index;
};
// i1: whether `a` comes before `b`.
Value ComesBefore(Builder& b, TopKEntry a, TopKEntry other);

class TopKRow {
 public:
  // load(column, mask): elements of the row from `column` on, of which those off the mask do not
  // exist: a vector of `lanes`, or where that is 1 a scalar, which always exists (mask is null).
  using Load = llvm::function_ref<Value(Value column, Value mask)>;

  TopKRow(Builder& b, Type element, int64_t columns, int64_t lanes);

  int64_t segments() const;
  // That Take goes through for one rank.
  int64_t iterations() const { return segments() + segment_ / lanes_ + 1; }
  // The first of `segment`.
  TopKEntry First(Value segment, Load load);
  // keys, indices: memrefs with the first of each segment from `base` (index) on. Calls
  // write(rank, index) with ranks `from` to `to`, which it takes from the lists.
  void Take(int64_t from, int64_t to, Value keys, Value indices, Value base, Load load,
            llvm::function_ref<void(Value rank, Value index)> write);

 private:
  // The first of those of `segment` that come after `last`.
  TopKEntry After(Value segment, TopKEntry last, Load load);

  Builder& b_;
  const Type key_;
  const int64_t columns_, lanes_, segment_;
};

}  // namespace trama::codegen
