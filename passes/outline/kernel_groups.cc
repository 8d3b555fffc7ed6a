#include "passes/outline/kernel_groups.h"

#include <map>

#include "ir/infer_util.h"
#include "ir/strided_view.h"
#include "passes/outline/fuse_epilogues.h"
#include "passes/outline/fuse_loops.h"
#include "passes/outline/fusion_graph.h"

namespace trama {
namespace {
using mlir::Operation;
using mlir::Value;
using Owned = llvm::DenseSet<Operation*>;

std::string KindOf(Operation* op, bool compiles_bodies) {
  const bool fused = IsAnchor(op) ? false : compiles_bodies || !mlir::isa<ConstantOp>(op);
  return fused ? "fused" : op->getName().stripDialect().str();
}

// The operand may be had from `value`'s buffer under another type.
bool IsAlias(Value value, const KernelGroup& group, const Owned& owned) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>()) {
    if (owned.contains(reshape)) break;
    value = reshape.getX();
  }
  Operation* op = value.getDefiningOp();
  return !op || (!group.ops.contains(op) && (owned.contains(op) || !IsCopied(op)));
}

// Copies what is between memory, or the group's own values, and an op computed element by element.
void CopyAll(Value value, KernelGroup& group, const Owned& owned) {
  Operation* op = value.getDefiningOp();
  if (IsAlias(value, group, owned) || group.Contains(op) || owned.contains(op) || !IsCopied(op))
    return;
  group.copies.insert(op);
  for (Value operand : op->getOperands()) CopyAll(operand, group, owned);
}

// The same for an op with code of its own, which reads memory by one stride a dimension.
void CopyView(Value value, KernelGroup& group, const Owned& owned) {
  if (IsAlias(value, group, owned)) return;
  Value root = ReadView(value).root;
  if (IsSplat(root.getDefiningOp())) group.copies.insert(root.getDefiningOp());
  while (value != root && !IsAlias(value, group, owned)) {
    Operation* op = value.getDefiningOp();
    if (group.Contains(op) || owned.contains(op)) return;
    group.copies.insert(op);
    value = op->getOperand(0);
  }
}

void AddCopies(KernelGroup& group, const Owned& owned) {
  const bool anchored = llvm::any_of(group.ops, IsAnchor);
  for (Operation* op : group.ops)
    for (Value operand : op->getOperands())
      anchored ? CopyView(operand, group, owned) : CopyAll(operand, group, owned);
}

std::vector<KernelGroup> OneEach(mlir::func::FuncOp program) {
  std::vector<KernelGroup> groups;
  for (Operation& op : program.front().without_terminator()) {
    if (mlir::isa<ReshapeOp>(op)) continue;
    KernelGroup& group = groups.emplace_back();
    group.ops.insert(&op);
    group.kind = KindOf(&op, false);
  }
  return groups;
}
}  // namespace

int64_t ComputedElements(mlir::func::FuncOp program) {
  int64_t elements = 0;
  for (Operation& op : program.front().without_terminator())
    if (!IsCopied(&op)) elements += TypeOf(op.getResult(0)).getNumElements();
  return elements;
}

std::vector<KernelGroup> GroupKernels(mlir::func::FuncOp program, bool compiles_bodies,
                                      bool small) {
  if (!compiles_bodies) return OneEach(program);
  FusionGraph graph(program);
  FuseEpilogues(graph);
  std::map<int, llvm::SetVector<Operation*>> moves;
  for (int i = 0; i < graph.size(); ++i)
    if (graph.alive(i) && IsAnchor(graph.ops(i).front())) FuseMoves(graph, i, moves[i]);
  FuseLoops(graph, small);
  std::vector<KernelGroup> groups;
  Owned owned;
  for (int i = 0; i < graph.size(); ++i) {
    if (!graph.alive(i)) continue;
    KernelGroup& group = groups.emplace_back();
    group.kind = KindOf(graph.ops(i).front(), true);
    group.ops.insert(graph.ops(i).begin(), graph.ops(i).end());
    group.ops.insert(moves[i].begin(), moves[i].end());
    owned.insert(group.ops.begin(), group.ops.end());
  }
  for (KernelGroup& group : groups) AddCopies(group, owned);
  return groups;
}

KernelGroup GroupOne(Operation* op, bool compiles_bodies, const Owned& owned) {
  KernelGroup group;
  group.ops.insert(op);
  group.kind = KindOf(op, compiles_bodies);
  if (compiles_bodies) AddCopies(group, owned);
  return group;
}

}  // namespace trama
