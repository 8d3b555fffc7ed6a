// The backward pass runs parts of the forward pass again instead of keeping what they made: Chen et
// al., "Training Deep Nets with Sublinear Memory Cost", 2016, on the dispatches of level "kernels",
// so that the copies run the same compiled kernels and give the same bits.
#include <algorithm>
#include <limits>

#include "llvm/Support/FormatVariadic.h"
#include "mlir/IR/IRMapping.h"
#include "passes/passes.h"
#include "passes/plan/kernel_info.h"
#include "passes/plan/own_results.h"
#include "passes/support/program_util.h"
#include "passes/support/remarks.h"

namespace trama {
#define GEN_PASS_DEF_RECOMPUTE
#include "passes/passes.h.inc"
namespace {
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;
using mlir::func::FuncOp;

// Where the forward pass is cut: after so many of its dispatches each, the last after all of them.
struct Cuts {
  SmallVector<int> ends;
  // What crosses, and the largest segment's.
  uint64_t bytes = std::numeric_limits<uint64_t>::max();
};

// Appends what this result of a dispatch depends on; others of the same kernel may depend on more.
void OperandsOf(mlir::OpResult result, SmallVector<Value>& operands) {
  auto dispatch = mlir::cast<DispatchOp>(result.getOwner());
  auto kernel =
      mlir::SymbolTable::lookupNearestSymbolFrom<FuncOp>(dispatch, dispatch.getKernelAttr());
  SmallVector<Value> work{ResultOf(kernel, result.getResultNumber())};
  llvm::DenseSet<Value> seen;
  while (!work.empty()) {
    const Value value = work.pop_back_val();
    if (!seen.insert(value).second) continue;
    if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value))
      operands.push_back(dispatch->getOperand(argument.getArgNumber()));
    else
      llvm::append_range(work, value.getDefiningOp()->getOperands());
  }
}

// The dispatches that the loss depends on, and what crosses from one to the others.
class Forward {
 public:
  Forward(FuncOp program, Value loss) {
    SmallVector<Value> work{loss};
    llvm::DenseSet<Value> seen;
    llvm::DenseSet<Operation*> ancestors;
    while (!work.empty()) {
      const Value value = StorageRoot(work.pop_back_val());
      auto dispatch = value.getDefiningOp<DispatchOp>();
      if (!dispatch || !seen.insert(value).second) continue;
      ancestors.insert(dispatch);
      OperandsOf(mlir::cast<mlir::OpResult>(value), work);
    }
    for (DispatchOp dispatch : program.front().getOps<DispatchOp>()) {
      if (!ancestors.contains(dispatch)) continue;
      place_[dispatch] = dispatches_.size();
      dispatches_.push_back(dispatch);
    }
    FindUpdate(program);
    for (auto [i, op] : llvm::enumerate(program.front())) order_[&op] = i;
    SmallVector<int64_t> read_until;  // of each dispatch's results, in the backward pass
    for (DispatchOp dispatch : dispatches_) {
      read_until.push_back(-1);
      for (Value result : dispatch->getResults())
        read_until.back() = std::max(read_until.back(), FindReaders(result));
    }
    PinGradients(read_until);
    for (auto [value, until] : until_)
      if (until >= 0 && !IsPinned(value)) kept_bytes_ += BytesOf(value.getType());
  }

  int size() const { return static_cast<int>(dispatches_.size()); }
  Operation* at(int place) const { return dispatches_[place]; }
  // -1 for what is no dispatch of the forward pass.
  int PlaceOf(Operation* op) const {
    auto it = place_.find(op);
    return it == place_.end() ? -1 : it->second;
  }
  // The first dispatch that writes over an argument which the forward pass reads: from there on it
  // cannot run again. Null where there is none.
  Operation* update() const { return update_; }
  // A result of the program, or a gradient, which is read at the end.
  bool IsPinned(Value value) const { return pinned_.contains(value); }
  // Bytes that stay for the backward pass without this pass.
  uint64_t kept_bytes() const { return kept_bytes_; }

  // Values made by the first `end` dispatches that later ones read.
  SmallVector<Value> Crossing(int end) const {
    SmallVector<Value> values;
    for (int i = 0; i < end; ++i)
      for (Value result : dispatches_[i]->getResults())
        if (last_use_.at(result) >= end) values.push_back(result);
    return values;
  }

  // Cuts with the least bytes: for a limit on a segment's bytes, the least that crosses; over
  // limits a fifth apart.
  Cuts BestCuts() const {
    SmallVector<uint64_t> made{0}, crossing;  // by the first n dispatches; behind them
    for (int end = 0; end < size(); ++end) {
      crossing.push_back(Bytes(Crossing(end)));
      made.push_back(made.back() + Bytes(dispatches_[end]->getResults()));
    }
    Cuts best;
    constexpr uint64_t kFinest = 4096;
    for (uint64_t limit = made.back() / kFinest; limit < made.back(); limit += 1 + limit / 5) {
      Cuts cuts = CutsWithin(limit, made, crossing);
      if (cuts.bytes < best.bytes) best = std::move(cuts);
    }
    return best;
  }

 private:
  // Those of what is not pinned, which stays whatever this pass does.
  template <typename Values>
  uint64_t Bytes(const Values& values) const {
    uint64_t bytes = 0;
    for (Value value : values)
      if (!IsPinned(value)) bytes += BytesOf(value.getType());
    return bytes;
  }

  void FindUpdate(FuncOp program) {
    for (mlir::OpOperand& result : program.front().getTerminator()->getOpOperands()) {
      auto donates =
          program.getResultAttrOfType<mlir::IntegerAttr>(result.getOperandNumber(), kDonatesAttr);
      Operation* writer = StorageRoot(result.get()).getDefiningOp();
      if (donates && writer && Reads(program.getArgument(donates.getInt()), writer) &&
          (!update_ || writer->isBeforeInBlock(update_)))
        update_ = writer;
    }
  }

  // Whether a forward dispatch other than `writer` reads the argument.
  bool Reads(Value argument, Operation* writer) const {
    return llvm::any_of(dispatches_, [&](DispatchOp dispatch) {
      return dispatch != writer && llvm::any_of(dispatch->getOperands(), [&](Value operand) {
               return StorageRoot(operand) == argument;
             });
    });
  }

  // Returns the place of the last reader in the backward pass, -1 where there is none.
  int64_t FindReaders(Value value) {
    int& last = last_use_[value] = -1;
    int64_t& until = until_[value] = -1;
    SmallVector<Value> names{value};
    while (!names.empty())
      for (Operation* user : names.pop_back_val().getUsers()) {
        if (mlir::isa<ReshapeOp>(user))
          names.push_back(user->getResult(0));
        else if (const int place = PlaceOf(user); place >= 0)
          last = std::max(last, place);
        else if (!mlir::isa<DispatchOp>(user) || (update_ && !user->isBeforeInBlock(update_)))
          pinned_.insert(value);
        else
          until = std::max(until, order_.at(user));
      }
    return until;
  }

  // The backward pass reads in reverse. What outlives values that were made long before it is no
  // activation but a gradient that a forward kernel makes, as the vocabulary's.
  void PinGradients(llvm::ArrayRef<int64_t> read_until) {
    for (auto [value, until] : until_) {
      const int place = PlaceOf(value.getDefiningOp());
      for (int before = 0; before < place / 2 && last_use_.at(value) < 0; ++before)
        if (read_until[before] >= 0 && read_until[before] < until) pinned_.insert(value);
    }
  }

  // The last segment may be of any size.
  Cuts CutsWithin(uint64_t limit, llvm::ArrayRef<uint64_t> made,
                  llvm::ArrayRef<uint64_t> crossing) const {
    constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();
    SmallVector<uint64_t> kept(size() + 1, kNone);
    SmallVector<int> before(size() + 1, 0);
    kept[0] = 0;
    for (int end = 1; end <= size(); ++end)
      for (int begin = end - 1; begin >= 0; --begin) {
        const uint64_t segment = made[end] - made[begin];
        if (end < size() && segment > limit) break;
        if (kept[begin] == kNone) continue;
        const uint64_t bytes =
            kept[begin] + (end < size() ? crossing[end] : std::max(limit, segment));
        if (bytes < kept[end]) {
          kept[end] = bytes;
          before[end] = begin;
        }
      }
    Cuts cuts;
    for (int end = size(); end > 0; end = before[end]) cuts.ends.push_back(end);
    std::reverse(cuts.ends.begin(), cuts.ends.end());
    cuts.bytes = kept.back();
    return cuts;
  }

  SmallVector<DispatchOp> dispatches_;
  llvm::DenseMap<Operation*, int> place_;
  llvm::DenseMap<Operation*, int64_t> order_;  // in the program
  llvm::DenseMap<Value, int> last_use_;        // the last place in the forward pass, or -1
  llvm::DenseMap<Value, int64_t> until_;  // the last reader's order in the backward pass, or -1
  llvm::DenseSet<Value> pinned_;
  uint64_t kept_bytes_ = 0;
  Operation* update_ = nullptr;
};

class Recomputer {
 public:
  Recomputer(FuncOp program, const Forward& forward, const Cuts& cuts)
      : program_(program), forward_(forward) {
    for (int end : llvm::ArrayRef(cuts.ends).drop_back())
      for (Value value : forward.Crossing(end)) kept_.insert(value);
    last_segment_ = cuts.ends.size() > 1 ? cuts.ends[cuts.ends.size() - 2] : 0;
    int segment = 0;
    for (int place = 0; place < last_segment_; ++place) {
      if (place == cuts.ends[segment]) ++segment;
      segment_end_[forward.at(place)] = forward.at(cuts.ends[segment] - 1);
    }
  }

  // Returns how many dispatches were copied.
  int Run() {
    for (DispatchOp dispatch : program_.front().getOps<DispatchOp>()) {
      if (dispatch == forward_.update()) break;
      if (forward_.PlaceOf(dispatch) >= 0 || copies_.contains(dispatch)) continue;
      for (mlir::OpOperand& operand : dispatch->getOpOperands())
        if (Recomputed(operand.get(), dispatch)) operand.set(Again(operand.get(), dispatch));
    }
    EraseDeadOps(program_);
    return static_cast<int>(copies_.size());
  }

 private:
  bool IsKept(Value root) const {
    const int place = forward_.PlaceOf(root.getDefiningOp());
    return place < 0 || place >= last_segment_ || kept_.contains(root) || forward_.IsPinned(root);
  }

  // Whether `reader`, behind the segment that made `value`, gets it from a copy.
  bool Recomputed(Value value, Operation* reader) const {
    const Value root = StorageRoot(value);
    return !IsKept(root) && segment_end_.at(root.getDefiningOp())->isBeforeInBlock(reader);
  }

  // `value` made again in front of `reader`, or by a copy that is there already.
  Value Again(Value value, Operation* reader) {
    if (IsKept(StorageRoot(value))) return value;
    if (Value known = again_.lookup(value)) return known;
    Operation* maker = value.getDefiningOp();
    mlir::IRMapping mapping;
    for (Value operand : maker->getOperands()) mapping.map(operand, Again(operand, reader));
    Operation* copy = mlir::OpBuilder(reader).clone(*maker, mapping);
    if (mlir::isa<DispatchOp>(copy)) copies_.insert(copy);
    for (auto [old, now] : llvm::zip_equal(maker->getResults(), copy->getResults()))
      again_[old] = now;
    return again_.at(value);
  }

  FuncOp program_;
  const Forward& forward_;
  llvm::DenseSet<Value> kept_;
  int last_segment_;  // the first place of it: it is not recomputed, as its values are read at once
  llvm::DenseMap<Operation*, Operation*> segment_end_;  // a dispatch's segment's last
  llvm::DenseMap<Value, Value> again_;
  llvm::DenseSet<Operation*> copies_;
};

std::string Mebibytes(uint64_t bytes) {
  return llvm::formatv("{0:f1} MiB", static_cast<double>(bytes) / (1 << 20)).str();
}

Value LossOf(FuncOp program) {
  for (unsigned i = 0; i < program.getNumResults(); ++i)
    if (const llvm::StringRef name = ResultName(program, i);
        name == "loss" || name == "accumulated:loss")
      return ResultOf(program, i);
  return Value();
}

struct Recompute : impl::RecomputeBase<Recompute> {
  void runOnOperation() override {
    for (FuncOp program : getOperation().getOps<FuncOp>()) {
      Value loss = program.isPrivate() || program.isExternal() ? Value() : LossOf(program);
      if (!loss) continue;
      const Forward forward(program, loss);
      if (forward.kept_bytes() == 0) continue;  // there is no backward pass
      const Cuts cuts = forward.BestCuts();
      Operation* last = forward.at(forward.size() - 1);
      if (cuts.ends.size() < 2 || cuts.bytes >= forward.kept_bytes()) {
        Missed(last, "recompute",
               "not recomputed: the " + Mebibytes(forward.kept_bytes()) +
                   " that the backward pass reads are the least that it takes");
        continue;
      }
      const int copies = Recomputer(program, forward, cuts).Run();
      Made(last, "recompute",
           llvm::Twine(copies) + " of " + llvm::Twine(forward.size()) +
               " kernels run again; for the backward pass stand at most " + Mebibytes(cuts.bytes) +
               " at once, not " + Mebibytes(forward.kept_bytes()));
    }
  }
};
}  // namespace
}  // namespace trama
