#include "passes/outline/fuse_epilogues.h"

#include "ir/infer_util.h"
#include "ir/strided_view.h"
#include "llvm/ADT/MapVector.h"

namespace trama {
namespace {
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

// More would spill the registers that hold a tile of the product.
constexpr size_t kMaxEpilogueOps = 12;
constexpr size_t kMaxEpilogueInputs = 6;
constexpr size_t kMaxEpilogueOutputs = 3;

// Views of a constant or of memory, one stride a dimension.
bool IsReadable(Value value) {
  Operation* root = ReadView(value).root.getDefiningOp();
  return !root || IsSplat(root) || !IsCopied(root);
}

bool MayFollow(const FusionGraph& graph, int group, Operation* op, llvm::ArrayRef<int64_t> shape) {
  if (!op->hasTrait<OpTrait::Pointwise>() || IsCopied(op) || ShapeOf(op->getResult(0)) != shape)
    return false;
  for (Value operand : op->getOperands()) {
    Operation* maker = operand.getDefiningOp();
    if (maker && graph.GroupOf(maker) == group) {
      if (ShapeOf(operand) != shape) return false;
      continue;
    }
    llvm::SetVector<Value> sources;
    Sources(operand, sources);
    // A view of what the kernel computes is not in memory yet.
    if (llvm::any_of(sources, [&](Value source) {
          return source.getDefiningOp() && graph.GroupOf(source.getDefiningOp()) == group;
        }))
      return false;
    if (!IsReadable(operand)) return false;
  }
  return true;
}

// A layer_norm rounds its result for the products that follow. An embedding_grad takes over one
// addition to its table and no more: its sums start from what is added, often the gradient that the
// table has as a language model's head, in that one's buffer.
bool MayJoin(const FusionGraph& graph, int group, Operation* op) {
  Operation* anchor = graph.ops(group).front();
  if (mlir::isa<LayerNormOp>(anchor)) return mlir::isa<CastOp>(op);
  if (!mlir::isa<EmbeddingGradOp>(anchor)) return true;
  return mlir::isa<AddOp>(op) && anchor->hasOneUse() && *anchor->user_begin() == op &&
         op->getOperand(0).getType() == op->getOperand(1).getType();
}

void Grow(FusionGraph& graph, int group) {
  Operation* anchor = graph.ops(group).front();
  const llvm::ArrayRef<int64_t> shape = ShapeOf(anchor->getResult(0));
  const size_t inputs = graph.Inputs(group).size();
  for (bool grown = true; grown;) {
    grown = false;
    SmallVector<Operation*> users;
    for (Operation* op : graph.ops(group)) llvm::append_range(users, op->getUsers());
    llvm::sort(users, [](Operation* a, Operation* b) { return a->isBeforeInBlock(b); });
    for (Operation* user : users) {
      const int other = graph.GroupOf(user);
      if (other < 0 || other == group || graph.ops(other).size() != 1 ||
          graph.ops(group).size() > kMaxEpilogueOps || !MayJoin(graph, group, user) ||
          !MayFollow(graph, group, user, shape) || !graph.CanMerge(group, other))
        continue;
      llvm::SetVector<Value> joint = graph.Inputs(group);
      for (Value input : graph.Inputs(other))
        if (!input.getDefiningOp() || graph.GroupOf(input.getDefiningOp()) != group)
          joint.insert(input);
      SmallVector<Value> outputs = graph.Outputs(group);
      if (joint.size() > inputs + kMaxEpilogueInputs) continue;
      // The user's result is one more, and those it alone read go.
      const size_t gone = llvm::count_if(outputs, [&](Value output) {
        return llvm::all_of(output.getUsers(), [&](Operation* reader) {
          return reader == user || graph.GroupOf(reader) == group;
        });
      });
      if (outputs.size() - gone + 1 > kMaxEpilogueOutputs) continue;
      graph.Merge(group, other);
      grown = true;
      break;
    }
  }
}

// The ops from `value` to the root of its WriteView.
SmallVector<Operation*> MovesOf(Value value) {
  const Value root = WriteView(value).root;
  SmallVector<Operation*> chain;
  while (value != root) {
    chain.push_back(*value.user_begin());
    value = chain.back()->getResult(0);
  }
  return chain;
}
}  // namespace

bool IsAnchor(Operation* op) {
  return !op->hasTrait<OpTrait::Pointwise>() && !op->hasTrait<OpTrait::View>() &&
         !mlir::isa<ConstantOp, SumOp, ReduceMaxOp, ArgmaxOp, GatherOp, EmbeddingOp, PadOp,
                    ConcatOp, RandomUniformOp>(op);
}

void FuseEpilogues(FusionGraph& graph) {
  for (int group = graph.size(); group-- > 0;)
    if (graph.alive(group) &&
        mlir::isa<MatmulOp, LinearOp, LayerNormOp, EmbeddingGradOp>(graph.ops(group).front()))
      Grow(graph, group);
}

void FuseMoves(FusionGraph& graph, int group, llvm::SetVector<Operation*>& moves) {
  llvm::MapVector<Operation*, SmallVector<Value>> parts;  // of concats, that have come so far
  SmallVector<Value> work = graph.Outputs(group);
  while (!work.empty()) {
    Value value = work.pop_back_val();
    SmallVector<Operation*> chain = MovesOf(value), taken;
    for (Operation* op : chain) {
      if (auto concat = mlir::dyn_cast<ConcatOp>(op)) {
        SmallVector<Value>& have = parts[op];
        have.push_back(value);
        const int other = graph.GroupOf(op);
        if (have.size() == concat.getXs().size() && graph.ops(other).size() == 1 &&
            graph.CanMerge(group, other)) {
          // Every part is this kernel's: what leads to it is too.
          for (Value part : have)
            for (Operation* maker = part.getDefiningOp(); IsCopied(maker);
                 maker = maker->getOperand(0).getDefiningOp())
              moves.insert(maker);
          graph.Merge(group, other);
          work.push_back(concat.getY());
        }
        break;
      }
      taken.push_back(op);
      value = op->getResult(0);
    }
    // A reshape at the end is only a name.
    while (!taken.empty() && mlir::isa<ReshapeOp>(taken.back())) taken.pop_back();
    const bool joins_later =
        !chain.empty() && taken.size() < chain.size() &&
        llvm::any_of(chain, [](Operation* op) { return mlir::isa<ConcatOp>(op); });
    if (!joins_later) moves.insert(taken.begin(), taken.end());
  }
}

void UniteLayouts(mlir::func::FuncOp program) {
  for (AttentionOp attention : llvm::make_early_inc_range(program.front().getOps<AttentionOp>())) {
    Value y = attention.getY();
    if (y.hasOneUse()) continue;
    SmallVector<Operation*> chain;
    for (Operation* user : y.getUsers())
      if (mlir::isa<TransposeOp>(user)) chain = {user};
    if (chain.empty()) continue;
    while (chain.back()->hasOneUse() &&
           mlir::isa<TransposeOp, ReshapeOp>(*chain.back()->user_begin()))
      chain.push_back(*chain.back()->user_begin());
    Operation* last = attention;
    for (Operation* op : chain) {
      op->moveAfter(last);
      last = op;
    }
    mlir::OpBuilder b(program.getContext());
    b.setInsertionPointAfter(last);
    llvm::SmallPtrSet<Operation*, 8> inverse{chain.front()};
    Value value = last->getResult(0);
    for (Operation* op : llvm::reverse(chain)) {
      if (auto transpose = mlir::dyn_cast<TransposeOp>(op)) {
        SmallVector<int64_t> back(transpose.getPermutation().size());
        for (auto [i, dim] : llvm::enumerate(transpose.getPermutation())) back[dim] = i;
        value = TransposeOp::create(b, op->getLoc(), value, back);
      } else {
        value = ReshapeOp::create(b, op->getLoc(), op->getOperand(0).getType(), value);
      }
    }
    y.replaceAllUsesExcept(value, inverse);
  }
}

}  // namespace trama
