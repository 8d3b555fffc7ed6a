#include "passes/outline/fuse_loops.h"

#include "ir/infer_util.h"
#include "passes/outline/fuse_epilogues.h"

namespace trama {
namespace {
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

constexpr size_t kMaxOps = 64, kMaxOpsSmall = 160;
constexpr size_t kMaxInputs = 24, kMaxInputsSmall = 64;
constexpr size_t kMaxOutputs = 8, kMaxOutputsSmall = 48;
// A reduction to one row has one task; a larger one must not hold up what follows.
constexpr int64_t kMaxOneRow = 16384;
// Ops that may be repeated for each element that a value is broadcast to.
constexpr size_t kMaxRepeatedOps = 4;

int64_t Elements(Value value) { return TypeOf(value).getNumElements(); }

// A reduction's operand as [outer, reduced, inner] in row-major order.
struct Reduced {
  int64_t outer = 1, reduced = 1, inner = 1;
  bool operator==(const Reduced&) const = default;
};

// What a group goes over.
struct Domain {
  int64_t elements = 0;  // of the largest tensor that is computed or reduced
  std::optional<Reduced> rows, columns;
  bool mixed = false;  // reductions that do not share their loops
  bool anchor = false, expensive = false;
};

bool IsExpensive(Operation* op) {
  return mlir::isa<ExpOp, LogOp, TanhOp, SigmoidOp, ErfOp, SinOp, CosOp, PowOp, GeluOp, GeluGradOp,
                   RandomUniformOp, DivOp, SqrtOp, RsqrtOp>(op);
}

std::optional<Reduced> ReductionOf(Operation* op, bool& mixed) {
  SmallVector<int64_t> dims;
  if (auto sum = mlir::dyn_cast<SumOp>(op))
    dims.assign(sum.getDims().begin(), sum.getDims().end());
  else if (auto max = mlir::dyn_cast<ReduceMaxOp>(op))
    dims.assign(max.getDims().begin(), max.getDims().end());
  else if (auto argmax = mlir::dyn_cast<ArgmaxOp>(op))
    dims = {static_cast<int64_t>(argmax.getDim())};
  else
    return std::nullopt;
  Reduced sizes;
  bool seen = false, ended = false;
  for (auto [d, size] : llvm::enumerate(ShapeOf(op->getOperand(0)))) {
    if (size == 1) continue;
    if (llvm::is_contained(dims, static_cast<int64_t>(d))) {
      mixed |= ended;
      seen = true;
      sizes.reduced *= size;
    } else {
      ended |= seen;
      (seen ? sizes.inner : sizes.outer) *= size;
    }
  }
  return sizes;
}

Domain DomainOf(const FusionGraph& graph, int group) {
  Domain domain;
  for (Operation* op : graph.ops(group)) {
    domain.anchor |= IsAnchor(op);
    domain.expensive |= IsExpensive(op);
    domain.elements = std::max(domain.elements, Elements(op->getResult(0)));
    std::optional<Reduced> reduced = ReductionOf(op, domain.mixed);
    if (!reduced) continue;
    domain.elements = std::max(domain.elements, Elements(op->getOperand(0)));
    std::optional<Reduced>& kind = reduced->inner == 1 ? domain.rows : domain.columns;
    if (kind && *kind != *reduced) domain.mixed = true;
    kind = reduced;
  }
  if (domain.rows && domain.columns) domain.mixed = true;
  return domain;
}

// How a value of one group is read by an op of another.
struct Link {
  Value value;
  mlir::OpOperand* use;
  bool moved = false;  // through a transpose, a slice or a broadcast
};

void FindLinks(const FusionGraph& graph, int from, int to, SmallVector<Link>& links) {
  for (Operation* op : graph.ops(to))
    for (mlir::OpOperand& use : op->getOpOperands()) {
      SmallVector<Link> work{{use.get(), &use, false}};
      while (!work.empty()) {
        Link link = work.pop_back_val();
        Operation* maker = link.value.getDefiningOp();
        if (!maker) continue;
        if (!IsCopied(maker)) {
          if (graph.GroupOf(maker) == from) links.push_back(link);
          continue;
        }
        for (Value operand : maker->getOperands())
          work.push_back({operand, &use, link.moved || !mlir::isa<ReshapeOp>(maker)});
      }
    }
}

class Fuser {
 public:
  Fuser(FusionGraph& graph, bool small) : graph_(graph), small_(small) {
    for (int group = 0; group < graph.size(); ++group)
      domains_.push_back(graph.alive(group) ? DomainOf(graph, group) : Domain());
  }

  void Run() {
    for (bool changed = true; changed;) {
      changed = false;
      for (int group = 0; group < graph_.size(); ++group)
        if (Usable(group)) changed |= TakeInputs(group);
    }
    for (int group = 0; group < graph_.size(); ++group)
      if (Usable(group)) TakeSiblings(group);
    if (small_) TakeAnything();
  }

 private:
  bool Usable(int group) const { return graph_.alive(group) && !domains_[group].anchor; }

  bool TakeInputs(int group) {
    SmallVector<int> inputs(graph_.inputs(group));
    llvm::sort(inputs, std::greater<int>());
    bool changed = false;
    for (int input : inputs)
      if (Usable(input) && Follows(input, group)) changed |= TryMerge(group, input);
    return changed;
  }

  // Others that read what this group reads, over the same elements.
  void TakeSiblings(int group) {
    for (Value input : graph_.Inputs(group)) {
      if (Elements(input) != domains_[group].elements) continue;
      SmallVector<int> others;
      CollectReaders(input, others);
      for (int other : others)
        if (other > group && Usable(other) && !Depend(group, other) &&
            SameLoops(domains_[group], domains_[other]) &&
            Elements(input) == domains_[other].elements)
          TryMerge(group, other);
    }
  }

  bool Depend(int a, int b) const {
    return llvm::is_contained(graph_.readers(a), b) || llvm::is_contained(graph_.readers(b), a);
  }

  bool ReadOnlyBy(Value value, int group) const {
    return llvm::all_of(value.getUsers(), [&](Operation* user) {
      return IsCopied(user) ? ReadOnlyBy(user->getResult(0), group) : graph_.GroupOf(user) == group;
    });
  }

  void CollectReaders(Value value, SmallVector<int>& readers) const {
    for (Operation* user : value.getUsers()) {
      if (IsCopied(user))
        CollectReaders(user->getResult(0), readers);
      else if (const int group = graph_.GroupOf(user);
               group >= 0 && !llvm::is_contained(readers, group))
        readers.push_back(group);
    }
  }

  void TakeAnything() {
    for (int group = 0; group < graph_.size(); ++group)
      for (int other = group + 1; Usable(group) && other < graph_.size(); ++other)
        if (Usable(other)) TryMerge(group, other);
  }

  static bool SameLoops(const Domain& a, const Domain& b) {
    if (a.mixed || b.mixed || a.elements != b.elements) return false;
    if (a.rows && b.rows && *a.rows != *b.rows) return false;
    if (a.columns && b.columns && *a.columns != *b.columns) return false;
    return !(a.rows && b.columns) && !(a.columns && b.rows);
  }

  bool TryMerge(int into, int from) {
    if (graph_.ops(into).size() + graph_.ops(from).size() > (small_ ? kMaxOpsSmall : kMaxOps))
      return false;
    llvm::SetVector<Value> inputs = graph_.Inputs(into), more = graph_.Inputs(from);
    inputs.insert(more.begin(), more.end());
    if (inputs.size() > (small_ ? kMaxInputsSmall : kMaxInputs)) return false;
    if (graph_.Outputs(into).size() + graph_.Outputs(from).size() >
        (small_ ? kMaxOutputsSmall : kMaxOutputs))
      return false;
    if (!graph_.CanMerge(into, from)) return false;
    graph_.Merge(into, from);
    domains_[into] = DomainOf(graph_, into);
    return true;
  }

  // Whether `b`, which reads `a`, may compute a's values itself as it goes.
  bool Follows(int a, int b) const {
    const Domain &from = domains_[a], &to = domains_[b];
    SmallVector<Link> links;
    FindLinks(graph_, a, b, links);
    // A table is looked up by index: it must be in memory.
    if (llvm::any_of(links, [](const Link& link) {
          return mlir::isa<GatherOp, EmbeddingOp>(link.use->getOwner()) &&
                 link.use->getOperandNumber() == 0;
        }))
      return false;
    if (small_) return true;
    if (from.mixed || to.mixed || from.columns) return false;
    const bool cheap = !from.rows && !from.expensive && graph_.ops(a).size() <= kMaxRepeatedOps;
    if (from.rows) {
      const auto [outer, reduced, inner] = *from.rows;
      if (to.columns || (to.rows && *to.rows != *from.rows)) return false;
      if (outer == 1 && from.elements > kMaxOneRow) return false;
      if (to.elements != from.elements && to.elements != outer) return false;
    } else if (to.rows) {
      if (from.elements != to.elements && from.elements != to.rows->outer &&
          !(cheap && from.elements <= to.rows->reduced))
        return false;
    } else if (to.columns) {
      if (from.elements != to.elements && !(cheap && from.elements < to.elements)) return false;
    }
    const bool only_reader =
        llvm::all_of(graph_.Outputs(a), [&](Value value) { return ReadOnlyBy(value, b); });
    for (const Link& link : links) {
      const int64_t read = Elements(link.use->getOwner()->getResult(0));
      const int64_t over = std::max(read, Elements(link.use->get()));
      const bool row_result = from.rows && Elements(link.value) == from.rows->outer;
      const bool row_value = to.rows && Elements(link.value) == to.rows->outer;
      const bool in_place = !link.moved && Elements(link.value) == over;
      if (in_place || row_result || (row_value && !from.rows)) continue;
      // Through a view or a broadcast: computed where it is read, and nowhere else.
      if (from.rows || !only_reader) return false;
      if (over > Elements(link.value) && !cheap &&
          !mlir::isa<ConcatOp, PadOp>(link.use->getOwner()))
        return false;
      if (mlir::isa<ConcatOp>(link.use->getOwner()) && graph_.ops(b).size() > 1) return false;
    }
    return true;
  }

  FusionGraph& graph_;
  bool small_;
  std::vector<Domain> domains_;
};
}  // namespace

void FuseLoops(FusionGraph& graph, bool small) { Fuser(graph, small).Run(); }

}  // namespace trama
