#include "passes/outline/fusion_graph.h"

#include "llvm/ADT/BitVector.h"

namespace trama {
using llvm::SetVector;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

bool IsCopied(Operation* op) {
  return op->hasTrait<OpTrait::View>() || mlir::isa<ConstantOp, IotaOp>(op);
}

bool IsSplat(Operation* op) {
  auto constant = mlir::dyn_cast_or_null<ConstantOp>(op);
  return constant && mlir::cast<mlir::ElementsAttr>(constant.getValue()).isSplat();
}

void Sources(Value value, SetVector<Value>& sources) {
  Operation* op = value.getDefiningOp();
  if (!op || !IsCopied(op)) {
    sources.insert(value);
    return;
  }
  for (Value operand : op->getOperands()) Sources(operand, sources);
}

FusionGraph::FusionGraph(mlir::func::FuncOp program) {
  for (Operation& op : program.front().without_terminator()) {
    if (IsCopied(&op)) continue;
    const int index = size();
    group_of_[&op] = index;
    Group& group = groups_.emplace_back();
    group.ops.insert(&op);
    SetVector<Value> sources;
    for (Value operand : op.getOperands()) Sources(operand, sources);
    for (Value source : sources)
      if (Operation* maker = source.getDefiningOp()) group.inputs.insert(group_of_.at(maker));
    for (int input : group.inputs) groups_[input].readers.insert(index);
  }
}

int FusionGraph::GroupOf(Operation* op) const {
  auto it = group_of_.find(op);
  return it == group_of_.end() ? -1 : it->second;
}

bool FusionGraph::Reaches(int from, int to) const {
  llvm::BitVector seen(groups_.size());
  SmallVector<int> work;
  for (int reader : groups_[from].readers)
    if (reader != to) work.push_back(reader);
  while (!work.empty()) {
    const int group = work.pop_back_val();
    if (group == to) return true;
    if (seen.test(group)) continue;
    seen.set(group);
    work.append(groups_[group].readers.begin(), groups_[group].readers.end());
  }
  return false;
}

bool FusionGraph::CanMerge(int a, int b) const {
  return a != b && !Reaches(a, b) && !Reaches(b, a);
}

void FusionGraph::Merge(int into, int from) {
  Group &target = groups_[into], &source = groups_[from];
  for (Operation* op : source.ops) group_of_[op] = into;
  target.ops.insert(source.ops.begin(), source.ops.end());
  for (int input : source.inputs) {
    groups_[input].readers.remove(from);
    if (input == into) continue;
    groups_[input].readers.insert(into);
    target.inputs.insert(input);
  }
  for (int reader : source.readers) {
    groups_[reader].inputs.remove(from);
    if (reader == into) continue;
    groups_[reader].inputs.insert(into);
    target.readers.insert(reader);
  }
  target.inputs.remove(from);
  target.readers.remove(from);
  source = Group();
  source.alive = false;
}

SmallVector<Value> FusionGraph::Outputs(int group) const {
  SmallVector<Value> outputs;
  for (Operation* op : groups_[group].ops)
    for (Value result : op->getResults()) {
      SmallVector<Value> names{result};
      bool needed = false;
      while (!names.empty() && !needed) {
        for (Operation* user : names.pop_back_val().getUsers()) {
          if (IsCopied(user))
            names.push_back(user->getResult(0));
          else if (GroupOf(user) != group)
            needed = true;
        }
      }
      if (needed) outputs.push_back(result);
    }
  return outputs;
}

SetVector<Value> FusionGraph::Inputs(int group) const {
  SetVector<Value> sources, inputs;
  for (Operation* op : groups_[group].ops)
    for (Value operand : op->getOperands()) Sources(operand, sources);
  for (Value source : sources)
    if (Operation* maker = source.getDefiningOp(); !maker || GroupOf(maker) != group)
      inputs.insert(source);
  return inputs;
}

}  // namespace trama
