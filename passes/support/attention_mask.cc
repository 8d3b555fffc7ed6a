#include "passes/support/attention_mask.h"

#include <cmath>

#include "ir/builder_util.h"
#include "ir/compare.h"
#include "passes/support/match.h"

namespace trama {
namespace {

using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

constexpr int kMaxDepth = 16;

// ---------------------------------------------------------------- two-valued tensors

// The same values with the roles of yes and no exchanged; false for a longer conjunction, whose
// negation is none.
bool Flip(TwoValued& t) {
  if (t.all.size() != 1) return false;
  t.all[0].positive = !t.all[0].positive;
  std::swap(t.yes, t.no);
  return true;
}

// Makes `no` the given value, by flipping where that helps.
bool MakeNo(TwoValued& t, double no) { return t.no == no || (t.yes == no && Flip(t)); }

std::optional<TwoValued> ReadNumbers(Value v, mlir::OpBuilder& b, int depth);

TwoValued ReadBool(Value v, mlir::OpBuilder& b, int depth) {
  const TwoValued leaf = {{{v, true}}, 1, 0};
  Operation* op = v.getDefiningOp();
  if (!op || depth > kMaxDepth) return leaf;
  auto read = [&](int i) { return ReadBool(op->getOperand(i), b, depth + 1); };
  if (mlir::isa<BroadcastOp>(op)) return read(0);
  if (mlir::isa<NotOp>(op)) {
    TwoValued t = read(0);
    std::swap(t.yes, t.no);
    return t;
  }
  if (mlir::isa<AndOp, OrOp>(op)) {
    // a or b = not (not a and not b)
    const double no = mlir::isa<AndOp>(op) ? 0 : 1;
    TwoValued l = read(0), r = read(1);
    if (!MakeNo(l, no) || !MakeNo(r, no)) return leaf;
    l.all.append(r.all);
    return l;
  }
  auto compare = mlir::dyn_cast<CompareOp>(op);
  if (!compare) return leaf;
  const std::optional<double> l = Splat(compare.getLhs()), r = Splat(compare.getRhs());
  if (l.has_value() == r.has_value()) return leaf;
  auto t = ReadNumbers(l ? compare.getRhs() : compare.getLhs(), b, depth + 1);
  if (!t) return leaf;
  for (double* value : {&t->yes, &t->no})
    *value = Holds(compare.getPredicate(), l ? *l : *value, l ? *value : *r);
  return *t;
}

// The values of a pointwise op of one varying operand.
std::optional<TwoValued> Map(TwoValued t, llvm::function_ref<double(double)> f) {
  t.yes = f(t.yes);
  t.no = f(t.no);
  return t;
}

std::optional<TwoValued> ReadSelect(SelectOp select, mlir::OpBuilder& b, int depth) {
  TwoValued condition = ReadBool(select.getCondition(), b, depth + 1);
  auto on_true = ReadNumbers(select.getOnTrue(), b, depth + 1);
  auto on_false = ReadNumbers(select.getOnFalse(), b, depth + 1);
  if (!on_true || !on_false) return std::nullopt;
  if (condition.yes == 0) std::swap(on_true, on_false);
  if (!on_true->all.empty() && on_false->all.empty()) {
    // Nested masks: both must hold.
  } else if (on_true->all.empty() && !on_false->all.empty()) {
    std::swap(on_true, on_false);
    if (!Flip(condition)) return std::nullopt;
  } else if (!on_true->all.empty()) {
    return std::nullopt;
  }
  const double no = on_false->yes;
  if (on_true->all.empty()) return TwoValued{condition.all, on_true->yes, no};
  if (!MakeNo(*on_true, no)) return std::nullopt;
  condition.all.append(on_true->all);
  return TwoValued{condition.all, on_true->yes, no};
}

std::optional<TwoValued> ReadReshape(ReshapeOp reshape, mlir::OpBuilder& b, int depth) {
  auto t = ReadNumbers(reshape.getX(), b, depth + 1);
  if (!t) return std::nullopt;
  for (Literal& literal : t->all) {
    if (ShapeOf(literal.condition) != ShapeOf(reshape.getX())) return std::nullopt;
    literal.condition =
        Emitter(b, reshape.getLoc()).Reshape(literal.condition, reshape.getType().getShape());
  }
  return t;
}

std::optional<TwoValued> ReadNumbers(Value v, mlir::OpBuilder& b, int depth) {
  if (std::optional<double> c = Splat(v)) return TwoValued{{}, *c, *c};
  Operation* op = v.getDefiningOp();
  if (!op || depth > kMaxDepth) return std::nullopt;
  if (auto select = mlir::dyn_cast<SelectOp>(op)) return ReadSelect(select, b, depth);
  if (auto reshape = mlir::dyn_cast<ReshapeOp>(op)) return ReadReshape(reshape, b, depth);
  if (auto cast = mlir::dyn_cast<CastOp>(op)) {
    if (ElementOf(v).isInteger(1)) return std::nullopt;
    if (ElementOf(cast.getX()).isInteger(1)) return ReadBool(cast.getX(), b, depth + 1);
    return ReadNumbers(cast.getX(), b, depth + 1);
  }
  if (!mlir::isa<BroadcastOp, NegOp, LogOp, AddOp, SubOp, MulOp, DivOp>(op)) return std::nullopt;
  auto l = ReadNumbers(op->getOperand(0), b, depth + 1);
  if (!l || mlir::isa<BroadcastOp>(op)) return l;
  if (mlir::isa<NegOp>(op)) return Map(*l, [](double x) { return -x; });
  if (mlir::isa<LogOp>(op)) return Map(*l, [](double x) { return std::log(x); });
  auto r = ReadNumbers(op->getOperand(1), b, depth + 1);
  if (!r) return std::nullopt;
  auto apply = [&](double x, double y) {
    return mlir::isa<AddOp>(op)   ? x + y
           : mlir::isa<SubOp>(op) ? x - y
           : mlir::isa<MulOp>(op) ? x * y
                                  : x / y;
  };
  if (r->all.empty()) return Map(*l, [&](double x) { return apply(x, r->yes); });
  if (l->all.empty()) return Map(*r, [&](double y) { return apply(l->yes, y); });
  // Both vary: a product of masks of 0 and 1 is their conjunction.
  if (!mlir::isa<MulOp>(op) || !MakeNo(*l, 0) || !MakeNo(*r, 0)) return std::nullopt;
  l->all.append(r->all);
  l->yes *= r->yes;
  return l;
}

// ---------------------------------------------------------------- comparisons of indices

// constant + sum of coefficients[d] * index along d of the value's shape.
struct Affine {
  SmallVector<double> coefficients;
  double constant = 0;
};

// Written for a tensor of `rank` dimensions; broadcasting adds dimensions in front.
void Align(Affine& a, size_t rank) {
  a.coefficients.insert(a.coefficients.begin(), rank - a.coefficients.size(), 0);
}

// Along a dimension of size 1 the index is 0, and stays 0 when the dimension is broadcast. Not so
// along the time axis: a step of one position stands for any position.
Affine WithoutOnes(Affine a, llvm::ArrayRef<int64_t> shape) {
  for (auto [c, size] : llvm::zip_equal(a.coefficients, shape))
    if (size == 1) c = 0;
  return a;
}

Affine Combine(const Affine& a, double p, const Affine& b, double q) {
  Affine result;
  result.coefficients.assign(std::max(a.coefficients.size(), b.coefficients.size()), 0);
  auto add = [&](const Affine& x, double factor) {
    const size_t shift = result.coefficients.size() - x.coefficients.size();
    for (auto [i, c] : llvm::enumerate(x.coefficients))
      result.coefficients[i + shift] += factor * c;
    result.constant += factor * x.constant;
  };
  add(a, p);
  add(b, q);
  return result;
}

// From the function of a view's operand that of its result; nullopt where the view mixes
// dimensions.
std::optional<Affine> Through(Operation* view, Affine a) {
  llvm::ArrayRef<int64_t> from = ShapeOf(view->getOperand(0)), to = ShapeOf(view->getResult(0));
  Align(a, from.size());
  Affine result{SmallVector<double>(to.size(), 0), a.constant};
  if (auto transpose = mlir::dyn_cast<TransposeOp>(view)) {
    for (auto [i, p] : llvm::enumerate(transpose.getPermutation()))
      result.coefficients[i] = a.coefficients[p];
  } else if (auto slice = mlir::dyn_cast<SliceOp>(view)) {
    for (size_t i = 0; i < to.size(); ++i) {
      const bool picks_one = from[i] > 1 && to[i] == 1;
      result.coefficients[i] = picks_one ? 0 : a.coefficients[i] * slice.getStrides()[i];
      result.constant += a.coefficients[i] * slice.getStarts()[i];
    }
  } else if (mlir::isa<ReshapeOp>(view)) {
    if (!SameButOnes(from, to)) return std::nullopt;
    const size_t n = std::min(from.size(), to.size());
    if (from.take_back(n) == to.take_back(n)) {  // ones in front
      std::copy_n(a.coefficients.end() - n, n, result.coefficients.end() - n);
      return result;
    }
    size_t i = 0;
    for (size_t j = 0; j < to.size(); ++j) {
      if (to[j] == 1) continue;
      while (from[i] == 1) ++i;
      result.coefficients[j] = a.coefficients[i++];
    }
  } else {
    const size_t front = to.size() - from.size();
    for (size_t i = 0; i < from.size(); ++i)
      result.coefficients[front + i] = from[i] == to[front + i] ? a.coefficients[i] : 0;
  }
  return result;
}

std::optional<Affine> ReadAffine(Value v, int depth) {
  if (std::optional<double> c = Splat(v)) return Affine{{}, *c};
  Operation* op = v.getDefiningOp();
  if (!op || depth > kMaxDepth) return std::nullopt;
  if (auto iota = mlir::dyn_cast<IotaOp>(op)) {
    Affine a{SmallVector<double>(iota.getType().getRank(), 0), 0};
    a.coefficients[iota.getDim()] = 1;
    return iota.getSequence() ? a : WithoutOnes(a, iota.getType().getShape());
  }
  if (op->getNumOperands() == 0) return std::nullopt;
  auto l = ReadAffine(op->getOperand(0), depth + 1);
  if (!l) return std::nullopt;
  if (op->hasTrait<OpTrait::View>()) return Through(op, *l);
  if (mlir::isa<CastOp>(op)) {
    const bool bools = ElementOf(v).isInteger(1) || ElementOf(op->getOperand(0)).isInteger(1);
    return bools ? std::nullopt : l;
  }
  if (mlir::isa<NegOp>(op)) return Combine(*l, -1, {}, 0);
  if (!mlir::isa<AddOp, SubOp, MulOp>(op)) return std::nullopt;
  auto r = ReadAffine(op->getOperand(1), depth + 1);
  if (!r) return std::nullopt;
  if (mlir::isa<AddOp>(op)) return Combine(*l, 1, *r, 1);
  if (mlir::isa<SubOp>(op)) return Combine(*l, 1, *r, -1);
  if (r->coefficients.empty()) return Combine(*l, r->constant, {}, 0);
  if (l->coefficients.empty()) return Combine(*r, l->constant, {}, 0);
  return std::nullopt;
}

// A function of integer values that is >= 0 exactly where the bool tensor v is true.
std::optional<Affine> ReadPredicate(Value v, int depth = 0) {
  Operation* op = v.getDefiningOp();
  if (!op || depth > kMaxDepth) return std::nullopt;
  if (mlir::isa<NotOp>(op)) {
    auto a = ReadPredicate(op->getOperand(0), depth + 1);
    if (!a) return std::nullopt;
    return Combine(*a, -1, Affine{{}, 1}, -1);
  }
  if (op->hasTrait<OpTrait::View>()) {
    auto a = ReadPredicate(op->getOperand(0), depth + 1);
    return a ? Through(op, *a) : std::nullopt;
  }
  auto compare = mlir::dyn_cast<CompareOp>(op);
  if (!compare) return std::nullopt;
  auto l = ReadAffine(compare.getLhs(), 0), r = ReadAffine(compare.getRhs(), 0);
  if (!l || !r) return std::nullopt;
  const ComparePredicate p = compare.getPredicate();
  if (p == ComparePredicate::eq || p == ComparePredicate::ne) return std::nullopt;
  const bool less = p == ComparePredicate::lt || p == ComparePredicate::le;
  const bool strict = p == ComparePredicate::lt || p == ComparePredicate::gt;
  Affine a = Combine(*l, less ? -1 : 1, *r, less ? 1 : -1);
  Align(a, compare.getType().getRank());
  for (double c : a.coefficients)
    if (c != std::floor(c)) return std::nullopt;
  a.constant = strict ? std::ceil(a.constant) - 1 : std::floor(a.constant);
  return a;
}

// Whether a literal constant is the causal mask.
bool IsCausalConstant(const Literal& literal, int64_t queries, int64_t keys) {
  Value v = PeelBroadcasts(literal.condition);
  auto constant = v.getDefiningOp<ConstantOp>();
  auto dense = constant ? mlir::dyn_cast<mlir::DenseElementsAttr>(constant.getValue())
                        : mlir::DenseElementsAttr();
  if (!dense || dense.getNumElements() != queries * keys || ShapeOf(v).size() < 2 ||
      ShapeOf(v).back() != keys)
    return false;
  for (auto [at, value] : llvm::enumerate(dense.getValues<bool>())) {
    const int64_t i = at / keys, j = at % keys;
    if ((value == literal.positive) != (j <= i + keys - queries)) return false;
  }
  return true;
}

}  // namespace

TwoValued ReadCondition(Value v, mlir::OpBuilder& b) { return ReadBool(v, b, 0); }

std::optional<TwoValued> ReadTwoValued(Value v, mlir::OpBuilder& b) { return ReadNumbers(v, b, 0); }

IndexMask ReadIndexMask(const Literal& literal, int64_t queries, int64_t keys) {
  auto a = ReadPredicate(literal.condition);
  if (!a) {
    return IsCausalConstant(literal, queries, keys) ? IndexMask::kCausal : IndexMask::kUnknown;
  }
  if (!literal.positive) *a = Combine(*a, -1, Affine{{}, 1}, -1);

  llvm::ArrayRef<int64_t> shape = ShapeOf(literal.condition);
  SmallVector<double> along = {0, 0};  // queries, keys
  for (size_t i = 0; i < shape.size(); ++i) {
    if (a->coefficients[i] == 0) continue;
    if (i + 2 < shape.size()) return IndexMask::kUnknown;
    along[i + 2 - shape.size()] = a->coefficients[i];
  }
  const bool causal =
      along[0] > 0 && along[1] == -along[0] && std::floor(a->constant / along[0]) == keys - queries;
  if (causal) return IndexMask::kCausal;
  const double least =
      a->constant + std::min(0.0, along[0] * (queries - 1)) + std::min(0.0, along[1] * (keys - 1));
  return least >= 0 ? IndexMask::kAlways : IndexMask::kOther;
}

}  // namespace trama
