// Attention in primitives, in many spellings and with a few mistakes.
#include <limits>

#include "tests/random_composites.h"

namespace trama {
namespace {

using llvm::SmallVector;
using mlir::Value;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What masks are made for: scores [.., T, S] of batch B.
struct Sizes {
  int64_t b, h, t, s, d;
};

Value Fill(RandomBuilder& r) {
  return r.e.Scalar(r.float_type, SmallVector<double>{-kInfinity, -1e9, -1e30}[r.Pick(3)]);
}

// [T, S] or what broadcasts to it: true where query i sees key j; now and then another comparison.
Value CausalMask(RandomBuilder& r, const Sizes& n) {
  Emitter& e = r.e;
  const bool columns = r.Pick(2) == 0, whole = n.t == n.s && r.Pick(4) == 0;
  const int64_t t = whole ? n.t + 3 : n.t, s = whole ? n.s + 3 : n.s;
  mlir::Type element = r.Pick(3) == 0 ? r.float_type : r.i32();
  Value i = columns ? e.Iota({t, 1}, 0, element) : e.Iota({t, s}, 0, element);
  Value j = columns ? e.Iota({s}, 0, element) : e.Iota({t, s}, 1, element);
  if (n.s != n.t || r.Pick(8) == 0)
    i = e.Add(i, e.Scalar(element, r.Pick(8) == 0 ? 1 : double(n.s - n.t)));
  Value mask;
  switch (r.Pick(6)) {
    case 0:
      mask = e.Compare(ComparePredicate::le, j, i);
      break;
    case 1:
      mask = e.Compare(ComparePredicate::ge, i, j);
      break;
    case 2:
      mask = e.Not(e.Compare(ComparePredicate::gt, j, i));
      break;
    case 3:
      mask = e.Compare(ComparePredicate::ge, e.Sub(i, j), 0.0);
      break;
    case 4:
      mask = e.Compare(ComparePredicate::lt, j, e.Add(i, e.Scalar(element, 1)));
      break;
    default:
      mask = r.Pick(3) == 0
                 ? e.Compare(ComparePredicate::ge, j, i)
                 : e.Compare(ComparePredicate::ne,
                             e.Cast(e.Compare(ComparePredicate::le, j, i), r.float_type), 0.0);
  }
  if (!whole) return mask;
  return SliceOp::create(e.builder(), e.loc(), mlir::RankedTensorType::get({n.t, n.s}, r.i1()),
                         mask, llvm::ArrayRef<int64_t>{0, 0}, llvm::ArrayRef<int64_t>{1, 1});
}

// `keep` as a float mask that is added.
Value Additive(RandomBuilder& r, Value keep) {
  Emitter& e = r.e;
  switch (r.Pick(3)) {
    case 0:
      return e.Select(keep, e.Scalar(r.float_type, 0), Fill(r));
    case 1:
      return e.Mul(e.Sub(1.0, e.Cast(keep, r.float_type)), -1e9);
    default:
      return e.Select(e.Not(keep), Fill(r), e.Scalar(r.float_type, 0));
  }
}

Value Masked(RandomBuilder& r, Value scores, Value keep) {
  switch (r.Pick(4)) {
    case 0:
      return r.e.Select(keep, scores, Fill(r));
    case 1:
      return r.e.Select(r.e.Not(keep), Fill(r), scores);
    case 2:
      return r.e.Add(scores, Additive(r, keep));
    default:
      return r.e.Add(Additive(r, keep), scores);
  }
}

}  // namespace

void RandomAttention(RandomBuilder& r) {
  Emitter& e = r.e;
  const Sizes n = {r.Size(), 1 + r.Pick(3), r.Size(), r.Size(), r.Size()};
  const int64_t t = n.t, s = r.Pick(3) != 0 ? n.t : n.s;
  const Sizes sizes = {n.b, n.h, t, s, n.d};
  auto heads = [&](int64_t length) {
    if (r.Pick(3) != 0) return r.Input({n.b, n.h, length, n.d}, r.float_type);
    Value x = r.Input({n.b, length, n.h * n.d}, r.float_type);
    return e.Transpose(e.Reshape(x, {n.b, length, n.h, n.d}), {0, 2, 1, 3});
  };
  Value q = heads(t), k = heads(s), v = heads(s);
  const double scale = SmallVector<double>{1, 0.5, 0.25}[r.Pick(3)];
  const bool causal = r.Pick(2) == 0 && s >= t, padded = r.Pick(3) == 0;
  if (r.Pick(5) == 0) {
    auto attention = AttentionOp::create(
        e.builder(), e.loc(), q, k, v, padded ? r.Input({n.b, s}, r.i1()) : Value(), Value(),
        Value(), Value(), llvm::APFloat(scale), causal, llvm::APFloat(0.0));
    return r.Keep(attention.getY(), 2);
  }
  const int64_t where = r.Pick(3);
  if (where == 0) q = e.Mul(q, scale);
  if (where == 1) k = e.Div(k, 1 / scale);
  Value scores =
      r.Pick(2) == 0 ? e.Matmul(q, k, false, true) : e.Matmul(q, e.Transpose(k, {0, 1, 3, 2}));
  if (where == 2) scores = e.Mul(scores, scale);
  Value keys = padded ? e.Reshape(r.Input({n.b, s}, r.i1()), {n.b, 1, 1, s}) : Value();
  if (causal && padded && r.Pick(2) == 0) {
    scores = Masked(r, scores, e.And(CausalMask(r, sizes), keys));
  } else {
    if (causal) scores = Masked(r, scores, CausalMask(r, sizes));
    if (padded) scores = Masked(r, scores, keys);
  }
  if (r.Pick(5) == 0) scores = e.Add(scores, r.Input({r.Pick(2) ? 1 : n.h, t, s}, r.float_type));
  const int64_t dim = r.Pick(12) == 0 ? 2 : 3;  // now and then over the queries
  Value weights = SoftmaxOp::create(e.builder(), e.loc(), scores, dim);
  if (r.Pick(4) == 0)
    weights =
        DropoutOp::create(e.builder(), e.loc(), weights, r.Rng(), llvm::APFloat(0.25), r.Pick(5));
  if (r.Pick(10) == 0) weights = e.Mul(weights, 0.5);
  if (r.Pick(10) == 0) r.Keep(weights, 2);  // used elsewhere too
  Value y = e.Matmul(weights, v);
  if (r.Pick(2) == 0) y = e.Reshape(e.Transpose(y, {0, 2, 1, 3}), {n.b, t, n.h * n.d});
  r.Keep(y, 40);
}

}  // namespace trama
