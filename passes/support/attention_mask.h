// What masks of attention scores mean, however they are spelled: comparisons of indices, boolean
// algebra, tensors of 0 and -inf.
#pragma once

#include <optional>

#include "ir/dialect.h"

namespace trama {

// A bool tensor, or its negation.
struct Literal {
  mlir::Value condition;
  bool positive = true;
};

// A tensor of two values: `yes` where all literals hold (always, where there is none), else `no`.
// The literals broadcast to its shape.
struct TwoValued {
  llvm::SmallVector<Literal, 2> all;
  double yes = 1, no = 0;
};

// A bool tensor as a conjunction of literals, or the negation of one: its values are 0 and 1. Looks
// through and, or, not, broadcast and comparisons of two-valued numbers with a constant; whatever
// else is one literal. Reshapes it has to move are built at `b`.
TwoValued ReadCondition(mlir::Value v, mlir::OpBuilder& b);
// Numbers made by select, casts from bool and arithmetic; nullopt where there are other values.
std::optional<TwoValued> ReadTwoValued(mlir::Value v, mlir::OpBuilder& b);

// A mask that depends on indices alone, over scores [.., T, S].
enum class IndexMask {
  kUnknown,  // it depends on something else
  kAlways,   // true everywhere
  kCausal,   // query i sees key j where j <= i + S - T
  kOther,    // another set of pairs
};
// `literal` broadcasts to [.., queries, keys] by NumPy's rule.
IndexMask ReadIndexMask(const Literal& literal, int64_t queries, int64_t keys);

}  // namespace trama
