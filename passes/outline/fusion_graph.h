// Groups of ops and what depends on what, while groups are merged into kernels.
#pragma once

#include <vector>

#include "ir/dialect.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

// Ops that each kernel which reads them does again, as that costs nothing: constants, indices and
// views. They belong to no group of the graph.
bool IsCopied(mlir::Operation* op);

// Whether the op, which may be null, is a constant of one value.
bool IsSplat(mlir::Operation* op);

// Through copied ops to what has been computed: results of other ops and arguments.
void Sources(mlir::Value value, llvm::SetVector<mlir::Value>& sources);

class FusionGraph {
 public:
  // One group an op, in the program's order.
  explicit FusionGraph(mlir::func::FuncOp program);

  int size() const { return static_cast<int>(groups_.size()); }
  bool alive(int group) const { return groups_[group].alive; }
  const llvm::SetVector<mlir::Operation*>& ops(int group) const { return groups_[group].ops; }
  // -1 for copied ops.
  int GroupOf(mlir::Operation* op) const;
  llvm::ArrayRef<int> inputs(int group) const { return groups_[group].inputs.getArrayRef(); }
  llvm::ArrayRef<int> readers(int group) const { return groups_[group].readers.getArrayRef(); }

  // Whether one kernel can do both: neither needs the other through a third.
  bool CanMerge(int a, int b) const;
  void Merge(int into, int from);

  // Values of the group that others, or the program's results, need.
  llvm::SmallVector<mlir::Value> Outputs(int group) const;
  // Values computed elsewhere that the group reads.
  llvm::SetVector<mlir::Value> Inputs(int group) const;

 private:
  struct Group {
    llvm::SetVector<mlir::Operation*> ops;
    llvm::SetVector<int> inputs, readers;
    bool alive = true;
  };
  bool Reaches(int from, int to) const;  // by two steps or more

  std::vector<Group> groups_;
  llvm::DenseMap<mlir::Operation*, int> group_of_;
};

}  // namespace trama
