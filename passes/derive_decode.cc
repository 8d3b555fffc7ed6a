// A causal model's forward becomes a step over a chunk of new positions, with a key/value cache.
//
// The time axis of the arguments marked `trama.sequence` is followed through the program. Where
// attention looks back along it, keys and values come from a cache. Indices along it start at each
// row's position; what is computed from them gets a dimension for the rows ("lifted": the value
// [..] becomes [B, ..]) until it meets a value that has one. Of the result only the last valid
// position is computed, as far up as ops work position by position. Where `candidates` asks for
// them, the largest of it follow with their places, all of it where there are no more.
#include "ir/builder_util.h"
#include "passes/passes.h"
#include "passes/support/program_util.h"
#include "passes/support/sequence_axis.h"

namespace trama {
#define GEN_PASS_DEF_DERIVEDECODE
#include "passes/passes.h.inc"
namespace {
using llvm::ArrayRef;
using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::BlockArgument;
using mlir::Operation;
using mlir::RankedTensorType;
using mlir::Value;
using mlir::func::FuncOp;

int RankOf(Value value) { return static_cast<int>(TypeOf(value).getRank()); }

SmallVector<int64_t> Prepended(int64_t first, ArrayRef<int64_t> rest) {
  SmallVector<int64_t> all{first};
  all.append(rest.begin(), rest.end());
  return all;
}

class Decoder {
 public:
  Decoder(FuncOp func, int64_t capacity, int64_t candidates)
      : func_(func),
        capacity_(capacity),
        candidates_(candidates),
        b_(func.front().getTerminator()) {}

  LogicalResult Run() {
    if (failed(ReadArguments())) return mlir::failure();
    EraseDeadOps(func_);
    SmallVector<Operation*> ops;
    for (Operation& op : func_.front().without_terminator()) ops.push_back(&op);
    for (Operation* op : ops)
      if (failed(Rebuild(op))) return mlir::failure();
    return Finish();
  }

 private:
  // What is known of a value of the new program.
  struct Axes {
    int batch = -1, time = -1;
  };
  struct Step {
    Value value;
    bool lifted = false;  // has a leading dimension that the original has not
  };

  LogicalResult ReadArguments() {
    for (BlockArgument argument : func_.getArguments()) {
      auto dim = func_.getArgAttrOfType<mlir::IntegerAttr>(argument.getArgNumber(), kSequenceAttr);
      if (!dim) continue;
      if (RankOf(argument) < 2 || dim.getInt() == 0)
        return func_.emitError("decode: ")
               << ArgName(func_, argument.getArgNumber()) << " needs a batch before its time axis";
      axes_[argument] = {0, static_cast<int>(dim.getInt())};
      const int64_t batch = ShapeOf(argument)[0], length = ShapeOf(argument)[dim.getInt()];
      if ((batch_ && batch_ != batch) || (length_ && length_ != length))
        return func_.emitError("decode: the inputs differ in batch or length");
      batch_ = batch;
      length_ = length;
    }
    if (!batch_) return func_.emitError("decode: no input has a time axis");
    if (length_ > capacity_)
      return func_.emitError("decode: a chunk of ")
             << length_ << " positions does not fit in a cache of " << capacity_;
    for (BlockArgument argument : func_.getArguments())
      if (!axes_.contains(argument) && ArgRole(func_, argument.getArgNumber()) == "input" &&
          RankOf(argument) > 0 && ShapeOf(argument)[0] == batch_)
        axes_[argument] = {0, -1};
    auto rows = RankedTensorType::get({batch_}, b_.getI32Type());
    position_ = GetOrAddArgument(func_, "position", "input", rows);
    count_ = GetOrAddArgument(func_, "length", "input", rows);
    axes_[position_] = axes_[count_] = {0, -1};
    return llvm::success();
  }

  Step Map(Value value) const {
    auto it = steps_.find(value);
    return it == steps_.end() ? Step{value} : it->second;
  }

  LogicalResult Rebuild(Operation* op) {
    SmallVector<Step> operands;
    for (Value operand : op->getOperands()) operands.push_back(Map(operand));
    const bool lifted = llvm::any_of(operands, [](const Step& step) { return step.lifted; });
    if (auto iota = mlir::dyn_cast<IotaOp>(op); iota && iota.getSequence())
      return RebuildIota(iota);
    if (auto attention = mlir::dyn_cast<AttentionOp>(op); attention && !lifted) {
      const int k = axes_.lookup(operands[1].value).time, v = axes_.lookup(operands[2].value).time;
      if (k == 2 && v == 2) return RebuildAttention(attention, operands);
      // Reshapes are followed by sizes, and a single head has that of a single position.
      if (length_ == 1 && k >= 0 && attention.getCausal())
        return op->emitError("decode: attention: one position cannot be told from one head");
    }
    if (!lifted) {
      mlir::IRMapping mapping;
      for (auto [operand, step] : llvm::zip_equal(op->getOperands(), operands))
        mapping.map(operand, step.value);
      return Record(op, b_.clone(*op, mapping), false);
    }
    return op->hasTrait<OpTrait::Pointwise>() ? RebuildPointwise(op, operands)
                                              : RebuildLifted(op, operands);
  }

  // Notes the results of `made`, which stands for `op`, and their axes.
  LogicalResult Record(Operation* op, Operation* made, bool lifted) {
    SmallVector<int> time, batch;
    for (Value operand : made->getOperands()) {
      const Axes axes = axes_.lookup(operand);
      time.push_back(axes.time);
      batch.push_back(axes.batch);
    }
    for (auto [i, result] : llvm::enumerate(made->getResults())) {
      const Axis along = FollowAxis(made, time, i), rows = FollowAxis(made, batch, i);
      if (!along.why.empty()) {
        auto error = op->emitError("decode: ")
                     << op->getName().stripDialect() << ": the time axis " << along.why
                     << ", so that new positions cannot be computed from a cache: (";
        llvm::interleaveComma(op->getOperandTypes(), error);
        return error << ")";
      }
      axes_[result] = {rows.why.empty() ? rows.dim : -1, along.dim};
      steps_[op->getResult(i)] = {result, lifted};
    }
    return llvm::success();
  }

  // index + position of the row, for all rows.
  LogicalResult RebuildIota(IotaOp iota) {
    Emitter e(b_, iota.getLoc());
    auto type = iota.getY().getType();
    Value index = b_.clone(*iota)->getResult(0);
    SmallVector<int64_t> ones(type.getRank(), 1);
    Value start = e.Cast(e.Reshape(position_, Prepended(batch_, ones)), type.getElementType());
    Value y = e.Add(index, start);
    axes_[y] = {0, static_cast<int>(iota.getDim()) + 1};
    steps_[iota.getY()] = {y, true};
    return llvm::success();
  }

  LogicalResult RebuildAttention(AttentionOp op, ArrayRef<Step> operands) {
    auto refuse = [&](llvm::StringRef why) {
      return op.emitError("decode: attention ")
             << why << ": (" << op.getQ().getType() << ", " << op.getK().getType() << ")";
    };
    if (!op.getCausal()) return refuse("over time is not causal");
    if (op.getKeyMask() || op.getBias() || op.getPosition())
      return refuse("over time with a mask or bias of fixed length has no cache");
    if (!op.getDropoutP().isZero()) return refuse("drops weights, as in training");
    const Value q = operands[0].value, k = operands[1].value, v = operands[2].value;
    if (axes_.lookup(q).time != 2 || axes_.lookup(k).batch != 0)
      return refuse("is not over the queries' time, in rows");
    if (ShapeOf(op.getQ())[2] != ShapeOf(op.getK())[2]) return refuse("has more keys than queries");
    const std::string name = absl::StrCat("cache:", caches_.size() / 2, ".");
    auto updated = [&](Value chunk, const char* part) -> Value {
      SmallVector<int64_t> shape(ShapeOf(chunk));
      shape[2] = capacity_;
      BlockArgument cache = GetOrAddArgument(func_, name + part, "state",
                                             RankedTensorType::get(shape, ElementOf(chunk)));
      Value whole = CacheUpdateOp::create(b_, op.getLoc(), cache, chunk, position_, count_);
      axes_[whole] = {0, -1};
      caches_.push_back({cache, whole});
      return whole;
    };
    Value keys = updated(k, "k"), values = updated(v, "v");
    auto made = AttentionOp::create(b_, op.getLoc(), q, keys, values, /*key_mask=*/Value(),
                                    /*bias=*/Value(), position_, /*rng=*/Value(), op.getScaleAttr(),
                                    op.getCausalAttr(), op.getDropoutPAttr(), op.getOpIdAttr());
    axes_[made.getY()] = axes_[made.getLse()] = {0, 2};
    steps_[op.getY()] = {made.getY()};
    steps_[op.getLse()] = {made.getLse()};
    return llvm::success();
  }

  // Where some operand has rows of its own, lifted ones put theirs there; else the result is
  // lifted.
  LogicalResult RebuildPointwise(Operation* op, SmallVector<Step>& operands) {
    Emitter e(b_, op->getLoc());
    const int rank = RankOf(op->getResult(0));
    int rows = -1;
    for (auto [original, step] : llvm::zip_equal(op->getOperands(), operands))
      if (const int batch = axes_.lookup(step.value).batch; !step.lifted && batch >= 0)
        rows = rank - RankOf(original) + batch;
    mlir::IRMapping mapping;
    SmallVector<ArrayRef<int64_t>> shapes;
    for (auto [original, step] : llvm::zip_equal(op->getOperands(), operands)) {
      Value value = step.value;
      if (step.lifted) {
        const ArrayRef<int64_t> own = ShapeOf(original);
        const int time = axes_.lookup(value).time - 1;
        SmallVector<int64_t> shape(rank + (rows < 0 ? 1 : 0), 1);
        for (auto [d, size] : llvm::enumerate(own)) shape[shape.size() - own.size() + d] = size;
        const int at = rows < 0 ? 0 : rows;
        if (llvm::any_of(ArrayRef(shape).take_front(at + 1),
                         [](int64_t size) { return size != 1; }))
          return Refuse(op);
        shape[at] = batch_;
        value = e.Reshape(value, shape);
        axes_[value] = {at, time < 0 ? -1 : static_cast<int>(shape.size() - own.size()) + time};
      }
      mapping.map(original, value);
      shapes.push_back(ShapeOf(value));
    }
    // A value may be an operand twice.
    Operation* made = b_.clone(*op, mapping);
    auto shape = BroadcastShapes(shapes);
    if (!shape) return Refuse(op);
    made->getResult(0).setType(RankedTensorType::get(*shape, ElementOf(op->getResult(0))));
    return Record(op, made, rows < 0);
  }

  LogicalResult Refuse(Operation* op) {
    return op->emitError("decode: ")
           << op->getName().stripDialect() << " of an index along time is not followed";
  }

  // Ops on values [B, ..] in place of [..].
  LogicalResult RebuildLifted(Operation* op, ArrayRef<Step> operands) {
    Emitter e(b_, op->getLoc());
    Value x = operands[0].value;
    auto lifted = [&] {
      auto type = TypeOf(op->getResult(0));
      return RankedTensorType::get(Prepended(batch_, type.getShape()), type.getElementType());
    };
    auto shifted = [](ArrayRef<int64_t> dims) {
      SmallVector<int64_t> result;
      for (int64_t dim : dims) result.push_back(dim + 1);
      return result;
    };
    Operation* made = nullptr;
    if (mlir::isa<ReshapeOp>(op)) {
      made = ReshapeOp::create(b_, op->getLoc(), lifted(), x);
    } else if (auto transpose = mlir::dyn_cast<TransposeOp>(op)) {
      made = TransposeOp::create(b_, op->getLoc(), x,
                                 Prepended(0, shifted(transpose.getPermutation())));
    } else if (auto broadcast = mlir::dyn_cast<BroadcastOp>(op)) {
      SmallVector<int64_t> shape(RankOf(broadcast.getY()) + 1, 1);
      const ArrayRef<int64_t> own = ShapeOf(broadcast.getX());
      for (auto [d, size] : llvm::enumerate(own)) shape[shape.size() - own.size() + d] = size;
      shape[0] = batch_;
      const Axes before = axes_.lookup(x);
      Value aligned = e.Reshape(x, shape);
      if (aligned != x)
        axes_[aligned] = {0, before.time < 0
                                 ? -1
                                 : static_cast<int>(shape.size() - own.size()) + before.time - 1};
      made = BroadcastOp::create(b_, op->getLoc(), lifted(), aligned);
    } else if (auto slice = mlir::dyn_cast<SliceOp>(op)) {
      made = SliceOp::create(b_, op->getLoc(), lifted(), x, Prepended(0, slice.getStarts()),
                             Prepended(1, slice.getStrides()));
    } else if (auto embedding = mlir::dyn_cast<EmbeddingOp>(op); embedding && !operands[0].lifted) {
      made = EmbeddingOp::create(b_, op->getLoc(), x, operands[1].value);
    } else if (auto sum = mlir::dyn_cast<SumOp>(op)) {
      made = e.Sum(x, shifted(sum.getDims()), sum.getKeepdim()).getDefiningOp();
    } else {
      return Refuse(op);
    }
    return Record(op, made, true);
  }

  // ---- the last position alone

  // `value` [.., T, ..] at each row's last valid position, [.., 1, ..].
  Value Last(Value value) {
    const Axes axes = axes_.lookup(value);
    if (axes.time < 0 || length_ == 1) return value;
    if (auto it = last_.find(value); it != last_.end()) return it->second;
    Operation* op = value.getDefiningOp();
    const bool by_position =
        op && op->getNumResults() == 1 && !whole_.contains(value) &&
        (op->hasTrait<OpTrait::Pointwise>() || mlir::isa<LinearOp, LayerNormOp>(op) ||
         (mlir::isa<MatmulOp>(op) && !mlir::cast<MatmulOp>(op).getTransposeLhs() &&
          axes.time == RankOf(value) - 2 && axes_.lookup(op->getOperand(1)).time < 0));
    return last_[value] = by_position ? Again(op, axes) : Gathered(value, axes);
  }

  // What the caches need at all positions: the last one is read there, not computed again.
  void FindWhole() {
    SmallVector<Value> values;
    for (const auto& [cache, updated] : caches_) values.push_back(updated);
    while (!values.empty()) {
      const Value value = values.pop_back_val();
      if (Operation* op = value.getDefiningOp(); op && whole_.insert(value).second)
        llvm::append_range(values, op->getOperands());
    }
  }

  Value Again(Operation* op, Axes axes) {
    mlir::IRMapping mapping;
    for (Value operand : op->getOperands()) mapping.map(operand, Last(operand));
    Operation* made = b_.clone(*op, mapping);
    SmallVector<int64_t> shape(ShapeOf(op->getResult(0)));
    shape[axes.time] = 1;
    made->getResult(0).setType(RankedTensorType::get(shape, ElementOf(op->getResult(0))));
    return made->getResult(0);
  }

  Value Gathered(Value value, Axes axes) {
    Emitter e(b_, value.getLoc());
    SmallVector<int64_t> shape(ShapeOf(value)), rows(shape.size(), 1);
    shape[axes.time] = 1;
    rows[axes.batch] = batch_;
    Value index = e.Broadcast(e.Reshape(e.Sub(count_, 1), rows), shape);
    return GatherOp::create(b_, value.getLoc(), value, index, axes.time);
  }

  LogicalResult Finish() {
    const Value original = ResultOf(func_, 0);
    const Step step = Map(original);
    const Axes axes = axes_.lookup(step.value);
    if (step.lifted || axes.batch != 0 || axes.time != 1)
      return mlir::emitError(original.getLoc(), "decode: the first result is not [B, T, ..] but ")
             << original.getType();
    FindWhole();
    Emitter e(b_, original.getLoc());
    SmallVector<int64_t> shape(ShapeOf(step.value));
    shape.erase(shape.begin() + 1);
    Value logits = e.Reshape(Last(step.value), shape);
    EraseResults(func_);
    AddResult(func_, "logits", logits);
    if (candidates_ > 0) {
      auto top = TopKOp::create(b_, original.getLoc(), logits,
                                std::min(candidates_, ShapeOf(logits).back()));
      AddResult(func_, "candidates", top.getValues());
      AddResult(func_, "candidate_ids", top.getIndices());
    }
    for (auto [cache, value] : caches_) AddDonation(func_, cache, value);
    EraseDeadOps(func_);
    return llvm::success();
  }

  FuncOp func_;
  int64_t capacity_, candidates_;
  mlir::OpBuilder b_;
  int64_t batch_ = 0, length_ = 0;
  BlockArgument position_, count_;
  llvm::DenseMap<Value, Step> steps_;  // from the original's values
  llvm::DenseMap<Value, Axes> axes_;   // of the new ones
  llvm::DenseSet<Value> whole_;
  llvm::DenseMap<Value, Value> last_;
  SmallVector<std::pair<BlockArgument, Value>> caches_;
};

struct DeriveDecode : impl::DeriveDecodeBase<DeriveDecode> {
  void runOnOperation() override {
    for (FuncOp func : getOperation().getOps<FuncOp>()) {
      auto decode = func->getAttrOfType<mlir::DictionaryAttr>(kDecodeAttr);
      if (!decode) continue;
      auto capacity = decode.getAs<mlir::IntegerAttr>("capacity");
      if (!capacity || capacity.getInt() < 1) {
        func.emitError("decode: the cache has no capacity");
        return signalPassFailure();
      }
      auto candidates = decode.getAs<mlir::IntegerAttr>("candidates");
      Decoder decoder(func, capacity.getInt(), candidates ? candidates.getInt() : 0);
      if (failed(decoder.Run())) return signalPassFailure();
      func->removeAttr(kDecodeAttr);
    }
  }
};
}  // namespace
}  // namespace trama
