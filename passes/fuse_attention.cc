// softmax(scale * q k^T + masks) v, seen as primitives only, becomes attention.
//
// Taken as masks: select, additions of 0 and a very negative number, and boolean algebra over them.
// Of these, the comparison of indices that is causal becomes `causal`, what varies over batch and
// key alone becomes `key_mask`, and the rest, like any addition that needs no gradient, `bias`.
// Rows that see no key are zeros in attention; written out they are NaN (-inf) or the mean of all
// values (a finite number): such rows stand for padding, whose values nothing may depend on.
//
// Refused, each with a remark: scores or weights that are used otherwise (they are in memory then,
// and attention would compute them again), and whatever is not attention although it looks like it.
#include <cmath>

#include "ir/builder_util.h"
#include "passes/passes.h"
#include "passes/support/attention_mask.h"
#include "passes/support/remarks.h"
#include "passes/support/rewrite.h"

namespace trama {
#define GEN_PASS_DEF_FUSEATTENTION
#include "passes/passes.h.inc"
namespace {

using llvm::ArrayRef;
using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

// Scores at or below this are taken as masked: the exponential of their distance to any score that
// a model computes is 0 in float32 and float64.
constexpr double kMasked = -1e4;
constexpr int kMaxDepth = 32;

// A product of scores by constants, additions and selects, down to a matmul.
bool LooksLikeScores(Value v, int depth = 0) {
  Operation* op = v.getDefiningOp();
  if (!op || depth > kMaxDepth) return false;
  if (mlir::isa<MatmulOp>(op)) return true;
  if (mlir::isa<ReshapeOp>(op)) return LooksLikeScores(op->getOperand(0), depth + 1);
  if (!mlir::isa<AddOp, SubOp, MulOp, DivOp, SelectOp>(op)) return false;
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return operand.getType() == v.getType() && LooksLikeScores(operand, depth + 1);
  });
}

// Whether autodiff will want the gradient of v: it depends on what the function's gradients are of.
bool NeedsGradient(Value v) {
  auto func = v.getParentRegion()->getParentOfType<mlir::func::FuncOp>();
  if (!func || !func->hasAttr(kDifferentiateAttr)) return false;
  const bool inputs = func->hasAttr(kInputGradientsAttr);
  llvm::SetVector<Value> seen;
  seen.insert(v);
  for (size_t i = 0; i < seen.size(); ++i) {
    if (!IsFloat(seen[i])) continue;
    if (Operation* op = seen[i].getDefiningOp()) {
      seen.insert_range(op->getOperands());
      continue;
    }
    auto argument = mlir::cast<mlir::BlockArgument>(seen[i]);
    auto role = func.getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), kRoleAttr);
    if (!role || role == "parameter" || (inputs && role == "input")) return true;
  }
  return false;
}

// v without a multiplication by a constant, which may lie under views and is multiplied to `scale`.
Value TakeScale(Value v, double& scale, mlir::OpBuilder& b) {
  Operation* op = v.getDefiningOp();
  if (!op) return v;
  if (mlir::isa<MulOp, DivOp>(op)) {
    for (int i : {0, 1}) {
      const std::optional<double> c = Splat(op->getOperand(1 - i));
      if (!c || (i == 1 && mlir::isa<DivOp>(op)) || op->getOperand(i).getType() != v.getType())
        continue;
      scale *= mlir::isa<MulOp>(op) ? *c : 1 / *c;
      return TakeScale(op->getOperand(i), scale, b);
    }
    return v;
  }
  if (!op->hasTrait<OpTrait::View>()) return v;
  Value x = TakeScale(op->getOperand(0), scale, b);
  if (x == op->getOperand(0)) return v;
  Operation* view = b.clone(*op);
  view->setOperand(0, x);
  return view->getResult(0);
}

// v with its last two dimensions exchanged.
Value SwapLastTwo(Value v, const Emitter& e) {
  SmallVector<int64_t> permutation = Range(TypeOf(v).getRank());
  if (auto transpose = v.getDefiningOp<TransposeOp>()) {
    permutation.assign(transpose.getPermutation().begin(), transpose.getPermutation().end());
    v = transpose.getX();
  }
  std::swap(permutation[permutation.size() - 1], permutation[permutation.size() - 2]);
  return e.Transpose(v, permutation);
}

// One try at the matmul of weights and values.
class Fuser {
 public:
  Fuser(MatmulOp root, mlir::IRRewriter& rw) : root_(root), rw_(rw), e_(rw, root.getLoc()) {}

  void Run() {
    SoftmaxOp softmax = FindSoftmax();
    if (!softmax && IsNormalisedLate())
      return (void)Refuse("the weights are normalised after the product with the values");
    if (!softmax || !LooksLikeScores(softmax.getX())) return;
    rw_.setInsertionPoint(root_);
    if (failed(CheckWeights(softmax)) || failed(ReadScores(softmax.getX())) ||
        failed(ChooseHeads()) || failed(PlaceMasks()) || failed(PlaceDropout()))
      return;
    Replace();
  }

 private:
  LogicalResult Refuse(const llvm::Twine& why) {
    NotFused(root_, "fuse-attention", why);
    return llvm::failure();
  }

  // The softmax that an operand is made from, whatever lies in between.
  SoftmaxOp FindSoftmax() {
    for (Value v : {root_.getLhs(), root_.getRhs()}) {
      on_the_left_ = v == root_.getLhs();
      for (int depth = 0; depth < kMaxDepth; ++depth) {
        Operation* op = v.getDefiningOp();
        if (auto softmax = mlir::dyn_cast_or_null<SoftmaxOp>(op)) return softmax;
        if (!op || !mlir::isa<DropoutOp, ReshapeOp, TransposeOp, MulOp, DivOp, AddOp, SelectOp>(op))
          break;
        v = op->getOperand(mlir::isa<SelectOp>(op) ? 1 : 0);
      }
    }
    return {};
  }

  // exp(scores) v, which is divided by a sum or multiplied by its reciprocal.
  bool IsNormalisedLate() {
    auto exp = SkipReshapes(root_.getLhs()).getDefiningOp<ExpOp>();
    if (!exp || !LooksLikeScores(exp.getX())) return false;
    SmallVector<Value> names{root_.getY()};
    while (!names.empty())
      for (Operation* user : names.pop_back_val().getUsers()) {
        if (mlir::isa<DivOp, MulOp>(user)) return true;
        if (mlir::isa<ReshapeOp, TransposeOp>(user)) names.push_back(user->getResult(0));
      }
    return false;
  }

  static Value SkipReshapes(Value v) {
    while (auto reshape = v.getDefiningOp<ReshapeOp>()) v = reshape.getX();
    return v;
  }

  // From the matmul to the softmax there may be dropout and reshapes of leading dimensions alone.
  LogicalResult CheckWeights(SoftmaxOp softmax) {
    if (!on_the_left_) return Refuse("the values are multiplied from the wrong side");
    if (root_.getTransposeLhs()) return Refuse("the weights are transposed");
    Value v = root_.getLhs();
    while (v != softmax.getY()) {
      Operation* op = v.getDefiningOp();
      if (failed(CheckLink(v))) return llvm::failure();
      if (auto dropout = mlir::dyn_cast<DropoutOp>(op)) {
        if (dropout_) return Refuse("the weights are dropped twice");
        dropout_ = dropout;
      } else if (mlir::isa<MulOp, DivOp>(op)) {
        return Refuse("the weights are scaled or masked after the softmax");
      } else if (!mlir::isa<ReshapeOp>(op)) {
        return Refuse(llvm::Twine(op->getName().stripDialect()) +
                      " lies between the softmax and the values");
      }
      v = op->getOperand(0);
    }
    if (failed(CheckLink(v))) return llvm::failure();
    if (static_cast<int64_t>(softmax.getDim()) != TypeOf(v).getRank() - 1)
      return Refuse("the softmax does not run over the keys");
    return llvm::success();
  }

  // A tensor of scores or weights on the way: [.., T, S] and used once.
  LogicalResult CheckLink(Value v) {
    ArrayRef<int64_t> shape = ShapeOf(v);
    if (shape.size() < 2 ||
        (!leads_.empty() && shape.take_back(2) != ShapeOf(root_.getLhs()).take_back(2)))
      return Refuse("a reshape mixes queries or keys with other dimensions");
    if (shape.size() > 4) return Refuse("more than two dimensions precede queries and keys");
    if (!v.hasOneUse()) return Refuse("the scores or the weights are used elsewhere too");
    leads_.push_back(shape.drop_back(2));
    return llvm::success();
  }

  LogicalResult ReadScores(Value v) {
    queries_ = ShapeOf(root_.getLhs())[ShapeOf(root_.getLhs()).size() - 2];
    keys_ = ShapeOf(root_.getLhs()).back();
    while (true) {
      if (failed(CheckLink(v))) return llvm::failure();
      Operation* op = v.getDefiningOp();
      if (auto matmul = mlir::dyn_cast_or_null<MatmulOp>(op)) return ReadProduct(matmul);
      Value next;
      if (mlir::isa_and_present<ReshapeOp>(op)) {
        next = op->getOperand(0);
      } else if (mlir::isa_and_present<MulOp, DivOp>(op)) {
        next = Scaled(op);
      } else if (mlir::isa_and_present<AddOp, SubOp>(op)) {
        next = Added(op);
      } else if (auto select = mlir::dyn_cast_or_null<SelectOp>(op)) {
        next = Selected(select);
      }
      if (!next)
        return refused_ ? llvm::failure() : Refuse("the scores are no masked and scaled product");
      v = next;
    }
  }

  Value Scaled(Operation* op) {
    const std::optional<double> l = Splat(op->getOperand(0)), r = Splat(op->getOperand(1));
    if (r) {
      scale_ *= mlir::isa<MulOp>(op) ? *r : 1 / *r;
      return op->getOperand(0).getType() == op->getResult(0).getType() ? op->getOperand(0)
                                                                       : Value();
    }
    if (!l || mlir::isa<DivOp>(op)) return Stop("the scores are scaled by a tensor");
    scale_ *= *l;
    return op->getOperand(1).getType() == op->getResult(0).getType() ? op->getOperand(1) : Value();
  }

  Value Stop(const llvm::Twine& why) {
    refused_ = true;
    (void)Refuse(why);
    return {};
  }

  Value Added(Operation* op) {
    const mlir::Type type = op->getResult(0).getType();
    auto is_scores = [&](Value v) { return v.getType() == type && LooksLikeScores(v); };
    const bool l = is_scores(op->getOperand(0)), r = is_scores(op->getOperand(1));
    if (l && r) return Stop("the sum of two products is not attention");
    if (!l && mlir::isa<SubOp>(op)) return Stop("the scores are subtracted from something");
    if (!l && !r) return {};
    return AddMask(op->getOperand(l ? 1 : 0), mlir::isa<SubOp>(op) ? -scale_ : scale_)
               ? op->getOperand(l ? 0 : 1)
               : Value();
  }

  // Takes factor * mask, which is added to the scores.
  bool AddMask(Value mask, double factor) {
    if (auto add = mask.getDefiningOp<AddOp>(); add && !ReadTwoValued(mask, rw_))
      return AddMask(add.getLhs(), factor) && AddMask(add.getRhs(), factor);
    if (auto mul = mask.getDefiningOp<MulOp>()) {
      for (int i : {0, 1})
        if (std::optional<double> c = Splat(mul->getOperand(1 - i));
            c && !ReadTwoValued(mask, rw_) && mul->getOperand(i).getType() == mask.getType())
          return AddMask(mul->getOperand(i), factor * *c);
    }
    if (auto t = ReadTwoValued(mask, rw_)) {
      double yes = t->yes * factor, no = t->no * factor;
      if (t->all.empty()) return true;  // the same number everywhere changes no softmax
      if (no == 0 && yes <= kMasked && t->all.size() == 1) {
        t->all[0].positive = !t->all[0].positive;
        std::swap(yes, no);
      }
      if (yes == 0 && no <= kMasked) {
        for (const Literal& literal : t->all) keep_.push_back({literal, no});
        return true;
      }
    }
    if (NeedsGradient(mask)) {
      Stop("what is added to the scores needs a gradient");
      return false;
    }
    biases_.push_back({mask, factor});
    return true;
  }

  Value Selected(SelectOp select) {
    const bool scores_on_true = LooksLikeScores(select.getOnTrue());
    if (scores_on_true && LooksLikeScores(select.getOnFalse()))
      return Stop("a select chooses between two products");
    Value scores = scores_on_true ? select.getOnTrue() : select.getOnFalse();
    Value fill = scores_on_true ? select.getOnFalse() : select.getOnTrue();
    if (scores.getType() != select.getType()) return {};
    const std::optional<double> c = Splat(fill);
    if (!c || !(*c * scale_ <= kMasked))
      return Stop("masked scores are not a constant of -1e4 or less");
    TwoValued t = ReadCondition(select.getCondition(), rw_);
    if (t.all.empty() || t.yes == t.no) return Stop("the mask is the same everywhere");
    if ((t.yes == 1) != scores_on_true) {
      if (t.all.size() > 1) {  // a disjunction is one literal
        t.all = {{select.getCondition(), scores_on_true}};
      } else {
        t.all[0].positive = !t.all[0].positive;
      }
    }
    for (const Literal& literal : t.all) keep_.push_back({literal, *c * scale_});
    return scores;
  }

  LogicalResult ReadProduct(MatmulOp matmul) {
    double scale = 1;
    q_ = TakeScale(matmul.getLhs(), scale, rw_);
    k_ = TakeScale(matmul.getRhs(), scale, rw_);
    if (matmul.getTransposeLhs()) q_ = SwapLastTwo(q_, e_);
    if (!matmul.getTransposeRhs()) k_ = SwapLastTwo(k_, e_);
    product_lead_.assign(leads_.back().begin(), leads_.back().end());
    scale_ *= scale;
    if (!std::isfinite(scale_)) return Refuse("the scale is not finite");
    return llvm::success();
  }

  // [B, H] in front of queries and keys.
  LogicalResult ChooseHeads() {
    ArrayRef<int64_t> result = ShapeOf(root_.getY()).drop_back(2);
    leads_.push_back(result);
    if (mlir::ShapedType::getNumElements(result) !=
        mlir::ShapedType::getNumElements(ShapeOf(root_.getLhs()).drop_back(2)))
      return Refuse("one row of weights meets values of several heads");
    for (ArrayRef<int64_t> lead : leads_) {
      if (lead.size() > 2) return Refuse("more than two dimensions precede queries and keys");
      if (lead.size() == 2) {
        if (heads_ && lead != ArrayRef<int64_t>(lead_))
          return Refuse("batch and heads change on the way");
        lead_.assign(lead.begin(), lead.end());
        heads_ = true;
      }
    }
    if (!heads_) lead_ = {mlir::ShapedType::getNumElements(result), 1};
    return llvm::success();
  }

  // [lead.., m, n], `lead` broadcast to `from`, as [B, H, m, n].
  Value ToHeads(Value v, ArrayRef<int64_t> from) {
    SmallVector<int64_t> shape(from);
    llvm::append_range(shape, ShapeOf(v).take_back(2));
    v = e_.Broadcast(v, shape);
    return e_.Reshape(v, {lead_[0], lead_[1], ShapeOf(v)[shape.size() - 2], ShapeOf(v).back()});
  }

  // A mask that broadcasts to scores in one of their shapes on the way, so that it broadcasts to
  // [B, H, T, S].
  Value MaskToHeads(Value v) {
    SmallVector<int64_t> shape(ShapeOf(v));
    while (shape.size() < 2) shape.insert(shape.begin(), 1);
    if (shape.size() == 3 && !heads_) {
      shape.insert(shape.begin() + 1, 1);
    } else if (shape.size() == 3) {
      // Scores of [B * H, T, S], or a mask [H, T, S] of scores with four dimensions: the same but
      // where both exist, which PlaceMasks refuses.
      const bool merged = llvm::any_of(leads_, [](ArrayRef<int64_t> l) { return l.size() == 1; });
      if (merged && shape[0] != 1) {
        const int64_t m = shape[1], n = shape[2];
        shape = {lead_[0], lead_[1], m, n};
      }
    }
    while (shape.size() < 4) shape.insert(shape.begin(), 1);
    return e_.Reshape(v, shape);
  }

  LogicalResult PlaceMasks() {
    for (const Mask& mask : keep_) {
      switch (ReadIndexMask(mask.literal, queries_, keys_)) {
        case IndexMask::kAlways:
          continue;
        case IndexMask::kCausal:
          causal_ = true;
          continue;
        case IndexMask::kOther:
          return Refuse("the mask compares queries and keys otherwise than causally");
        case IndexMask::kUnknown:
          break;
      }
      if (failed(CheckMergedMask(mask.literal.condition))) return llvm::failure();
      Value condition = MaskToHeads(PeelBroadcasts(mask.literal.condition));
      ArrayRef<int64_t> shape = ShapeOf(condition);
      if (shape[3] != keys_) return Refuse("the mask hides whole rows, whatever the key");
      if (shape[1] == 1 && shape[2] == 1) {
        if (!mask.literal.positive) condition = e_.Not(condition);
        condition = e_.Broadcast(e_.Reshape(condition, {shape[0], shape[3]}), {lead_[0], keys_});
        key_mask_ = key_mask_ ? e_.And(key_mask_, condition) : condition;
        continue;
      }
      Value zero = e_.Scalar(ElementOf(q_), 0), masked = e_.Scalar(ElementOf(q_), mask.masked);
      AddBias(mask.literal.positive ? e_.Select(condition, zero, masked)
                                    : e_.Select(condition, masked, zero));
    }
    for (const Bias& bias : biases_) {
      if (failed(CheckMergedMask(bias.value))) return llvm::failure();
      Value value = MaskToHeads(PeelBroadcasts(bias.value));
      AddBias(bias.factor == 1 ? value : e_.Mul(value, bias.factor));
    }
    return llvm::success();
  }

  void AddBias(Value bias) { bias_ = bias_ ? e_.Add(bias_, bias) : bias; }

  // A mask of three dimensions may belong to scores of three or of four dimensions.
  LogicalResult CheckMergedMask(Value mask) {
    const bool merged = llvm::any_of(leads_, [](ArrayRef<int64_t> l) { return l.size() == 1; });
    if (heads_ && merged && ShapeOf(mask).size() == 3 && ShapeOf(mask)[0] != 1)
      return Refuse("it is not clear which heads a mask of three dimensions belongs to");
    return llvm::success();
  }

  // Dropout's random numbers are counted over the shape it was written with.
  LogicalResult PlaceDropout() {
    if (!dropout_) return llvm::success();
    ArrayRef<int64_t> lead = dropout_.getType().getShape().drop_back(2);
    const bool same = lead.size() == 2 || (lead.size() == 1 && lead_[1] == 1);
    return same ? llvm::success() : Refuse("dropout on weights of another shape than [B, H, T, S]");
  }

  void Replace() {
    Value v = root_.getTransposeRhs() ? SwapLastTwo(root_.getRhs(), e_) : root_.getRhs();
    auto attention = AttentionOp::create(
        rw_, root_.getLoc(), ToHeads(q_, product_lead_), ToHeads(k_, product_lead_),
        ToHeads(v, ShapeOf(root_.getY()).drop_back(2)), key_mask_, bias_, /*position=*/Value(),
        dropout_ ? dropout_.getRng() : Value(), llvm::APFloat(scale_), causal_,
        dropout_ ? dropout_.getP() : llvm::APFloat(0.0), dropout_ ? dropout_.getOpId() : 0);
    rw_.replaceOp(root_, e_.Reshape(attention.getY(), root_.getType().getShape()));
  }

  struct Mask {
    Literal literal;  // true: keep
    double masked;    // what is added to or stands for the scores elsewhere
  };
  struct Bias {
    Value value;
    double factor;
  };

  MatmulOp root_;
  mlir::IRRewriter& rw_;
  Emitter e_;
  bool refused_ = false, on_the_left_ = true;
  DropoutOp dropout_;
  int64_t queries_ = 0, keys_ = 0;
  Value q_, k_;
  double scale_ = 1;
  SmallVector<ArrayRef<int64_t>> leads_;  // of all tensors on the way
  SmallVector<int64_t> product_lead_;     // of the product of queries and keys
  bool heads_ = false;                    // some tensor on the way has four dimensions
  SmallVector<int64_t> lead_;             // B, H
  SmallVector<Mask> keep_;
  SmallVector<Bias> biases_;
  bool causal_ = false;
  Value key_mask_, bias_;
};

struct FuseAttention : impl::FuseAttentionBase<FuseAttention> {
  void runOnOperation() override {
    Tidy(getOperation());
    mlir::IRRewriter rewriter(&getContext());
    SmallVector<MatmulOp> roots;
    getOperation().walk([&](MatmulOp op) { roots.push_back(op); });
    for (MatmulOp root : roots) Fuser(root, rewriter).Run();
    Tidy(getOperation());
  }
};

}  // namespace
}  // namespace trama
