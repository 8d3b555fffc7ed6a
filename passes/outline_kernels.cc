// Cuts programs into kernels: each group of ops becomes a private function and a dispatch.
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "mlir/IR/IRMapping.h"
#include "passes/outline/fuse_epilogues.h"
#include "passes/outline/kernel_groups.h"
#include "passes/passes.h"
#include "passes/plan/kernel_info.h"
#include "passes/plan/own_results.h"
#include "passes/support/program_util.h"

namespace trama {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "passes/passes.h.inc"
namespace {
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;
using mlir::func::FuncOp;

// Outlined functions by their text, so that equal ones exist once.
class KernelTable {
 public:
  explicit KernelTable(mlir::ModuleOp module) : module_(module) {}

  FuncOp Insert(FuncOp kernel, llvm::StringRef kind) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    kernel.print(stream);
    auto [entry, inserted] = by_text_.try_emplace(text, kernel);
    if (!inserted) {
      kernel.erase();
      return entry->second;
    }
    std::string name;
    do {
      name = (kind + "_" + llvm::Twine(count_[kind]++)).str();
    } while (module_.lookupSymbol(name));
    kernel.setName(name);
    module_.push_back(kernel);
    return kernel;
  }

 private:
  mlir::ModuleOp module_;
  llvm::StringMap<FuncOp> by_text_;
  llvm::StringMap<int> count_;
};

class Outliner {
 public:
  Outliner(FuncOp program, KernelTable& kernels, bool compiles_bodies, bool small)
      : program_(program),
        kernels_(kernels),
        compiles_bodies_(compiles_bodies),
        groups_(GroupKernels(program, compiles_bodies, small)) {
    for (auto [i, op] : llvm::enumerate(program.front())) index_[&op] = i;
    for (auto [i, group] : llvm::enumerate(groups_))
      for (Operation* op : group.ops) owner_[op] = i;
  }

  mlir::LogicalResult Run() {
    FindNeeded();
    const std::vector<Node> order = Order();
    if (order.size() != groups_.size() + aliases_.size())
      return program_.emitError("the kernels of this program depend on each other in a cycle");
    Operation* terminator = program_.front().getTerminator();
    mlir::OpBuilder b(terminator);
    for (const Node& node : order) {
      if (node.alias)
        b.clone(*node.alias, mapping_);
      else
        Dispatch(groups_[node.group], b);
    }
    for (mlir::OpOperand& result : terminator->getOpOperands())
      result.set(mapping_.lookupOrDefault(result.get()));
    // What was outlined goes, last first so that nothing erased has uses.
    SmallVector<Operation*> old;
    for (Operation& op : program_.front())
      if (index_.contains(&op) && &op != terminator) old.push_back(&op);
    for (Operation* op : llvm::reverse(old)) op->erase();
    return mlir::success();
  }

 private:
  struct Node {
    int group;
    Operation* alias;  // a reshape, where not null
  };

  SmallVector<Operation*> Body(const KernelGroup& group) const {
    SmallVector<Operation*> body(group.ops.begin(), group.ops.end());
    body.append(group.copies.begin(), group.copies.end());
    llvm::sort(body, [&](Operation* a, Operation* b) { return index_.at(a) < index_.at(b); });
    return body;
  }
  llvm::SetVector<Value> Inputs(const KernelGroup& group) const {
    llvm::SetVector<Value> inputs;
    for (Operation* op : Body(group))
      for (Value operand : op->getOperands())
        if (Operation* source = operand.getDefiningOp(); !source || !group.Contains(source))
          inputs.insert(operand);
    return inputs;
  }

  // Marks the values that must exist in memory. One that no group computes, because it is otherwise
  // only copied into kernels, gets a group, or an alias where it is a reshape.
  void FindNeeded() {
    llvm::DenseSet<Operation*> owned;
    for (auto [op, group] : owner_) owned.insert(op);
    SmallVector<Value> work(program_.front().getTerminator()->getOperands());
    for (const KernelGroup& group : groups_) llvm::append_range(work, Inputs(group));
    while (!work.empty()) {
      const Value value = work.pop_back_val();
      if (!needed_.insert(value).second) continue;
      Operation* op = value.getDefiningOp();
      if (!op || owner_.contains(op)) continue;
      if (mlir::isa<ReshapeOp>(op)) {
        aliases_.insert(op);
        work.push_back(op->getOperand(0));
        continue;
      }
      KernelGroup group = GroupOne(op, compiles_bodies_, owned);
      owner_[op] = groups_.size();
      llvm::append_range(work, Inputs(group));
      groups_.push_back(std::move(group));
    }
  }

  // Groups and aliases so that each comes after what it reads, otherwise by their last op's place.
  std::vector<Node> Order() {
    std::vector<Node> nodes;
    std::vector<int64_t> place;
    std::vector<llvm::SetVector<Value>> inputs;
    llvm::DenseMap<Value, int> maker;
    for (auto [i, group] : llvm::enumerate(groups_)) {
      int64_t last = 0;
      for (Operation* op : group.ops) {
        last = std::max(last, index_.at(op));
        for (Value result : op->getResults()) maker[result] = nodes.size();
      }
      nodes.push_back({static_cast<int>(i), nullptr});
      place.push_back(last);
      inputs.push_back(Inputs(group));
    }
    for (Operation* alias : aliases_) {
      maker[alias->getResult(0)] = nodes.size();
      nodes.push_back({-1, alias});
      place.push_back(index_.at(alias));
      inputs.emplace_back();
      inputs.back().insert(alias->getOperand(0));
    }
    std::vector<int> missing(nodes.size(), 0);
    std::vector<SmallVector<int>> readers(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i)
      for (Value input : inputs[i])
        if (auto it = maker.find(input); it != maker.end()) {
          ++missing[i];
          readers[it->second].push_back(i);
        }
    std::set<std::pair<int64_t, int>> ready;
    for (size_t i = 0; i < nodes.size(); ++i)
      if (!missing[i]) ready.insert({place[i], i});
    std::vector<Node> order;
    while (!ready.empty()) {
      const int node = ready.begin()->second;
      ready.erase(ready.begin());
      order.push_back(nodes[node]);
      for (int reader : readers[node])
        if (--missing[reader] == 0) ready.insert({place[reader], reader});
    }
    return order;
  }

  void Dispatch(const KernelGroup& group, mlir::OpBuilder& b) {
    const SmallVector<Operation*> body = Body(group);
    SmallVector<Value> inputs = Inputs(group).takeVector();
    SmallVector<Value> results;
    for (Operation* op : body)
      if (group.ops.contains(op))
        for (Value result : op->getResults())
          if (needed_.contains(result)) results.push_back(result);
    if (results.empty()) return;
    if (!compiles_bodies_) {  // the device reads no body: the kernel has the op's own signature
      inputs.assign(body[0]->operand_begin(), body[0]->operand_end());
      results.assign(body[0]->result_begin(), body[0]->result_end());
    }

    mlir::OpBuilder detached(b.getContext());
    auto type = b.getFunctionType(mlir::TypeRange(mlir::ValueRange(inputs)),
                                  mlir::TypeRange(mlir::ValueRange(results)));
    FuncOp kernel = FuncOp::create(detached, b.getUnknownLoc(), "kernel", type);
    kernel.setPrivate();
    kernel->setAttr(kKindAttr, b.getStringAttr(group.kind));
    mlir::Block* entry = kernel.addEntryBlock();
    detached.setInsertionPointToStart(entry);
    mlir::IRMapping inside;
    for (auto [input, argument] : llvm::zip_equal(inputs, entry->getArguments()))
      inside.map(input, argument);
    for (Operation* op : body) detached.clone(*op, inside);
    if (!compiles_bodies_) entry->front().setOperands(entry->getArguments());
    SmallVector<Value> returned;
    for (Value result : results) returned.push_back(inside.lookup(result));
    mlir::func::ReturnOp::create(detached, b.getUnknownLoc(), returned);

    const mlir::Location loc = MainOp(kernel)->getLoc();
    kernel = kernels_.Insert(kernel, group.kind);
    SmallVector<Value> operands;
    for (Value input : inputs) operands.push_back(mapping_.lookupOrDefault(input));
    auto dispatch = DispatchOp::create(b, loc, mlir::TypeRange(mlir::ValueRange(results)),
                                       kernel.getName(), operands);
    for (auto [old, now] : llvm::zip_equal(results, dispatch.getResults())) mapping_.map(old, now);
  }

  FuncOp program_;
  KernelTable& kernels_;
  bool compiles_bodies_;
  std::vector<KernelGroup> groups_;
  llvm::DenseMap<Operation*, int64_t> index_;
  llvm::DenseMap<Operation*, int> owner_;
  llvm::DenseSet<Value> needed_;
  llvm::SetVector<Operation*> aliases_;
  mlir::IRMapping mapping_;
};

// A test's checks are no kernels. They stand beside the results while the program is outlined and
// come back behind the dispatches.
class Checks {
 public:
  explicit Checks(FuncOp program) : terminator_(program.front().getTerminator()) {
    first_ = terminator_->getNumOperands();
    for (CheckCloseOp check : llvm::make_early_inc_range(program.front().getOps<CheckCloseOp>())) {
      terminator_->insertOperands(terminator_->getNumOperands(), check->getOperands());
      checks_.push_back(check);
      check->remove();
      check->dropAllReferences();
    }
  }
  void PutBack() {
    mlir::OpBuilder b(terminator_);
    for (auto [i, check] : llvm::enumerate(checks_)) {
      const SmallVector<Value> operands(terminator_->getOperands().slice(first_ + 2 * i, 2));
      b.insert(check);
      check->setOperands(operands);
    }
    terminator_->eraseOperands(first_, terminator_->getNumOperands() - first_);
  }

 private:
  Operation* terminator_;
  unsigned first_;
  SmallVector<Operation*> checks_;
};

// A result that is a constant is written last, and by itself: it may go where others read before.
void MakeConstantsLast(FuncOp program) {
  Operation* terminator = program.front().getTerminator();
  mlir::OpBuilder b(terminator);
  for (mlir::OpOperand& result : terminator->getOpOperands())
    if (auto constant = result.get().getDefiningOp<ConstantOp>())
      result.set(b.clone(*constant)->getResult(0));
}

// Composites that are computed element by element and by reductions join other kernels so.
void DecomposeLoops(FuncOp program) {
  mlir::IRRewriter rewriter(program.getContext());
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation& op : llvm::make_early_inc_range(program.front().without_terminator())) {
      if (!mlir::isa<SoftmaxOp, LogSoftmaxOp, LayerNormOp, LayerNormGradOp, CrossEntropyOp,
                     CrossEntropyGradOp, WeightedMeanOp, MeanOp, DropoutOp, SquareSumOp, SgdOp,
                     AdamOp>(op))
        continue;
      rewriter.setInsertionPoint(&op);
      rewriter.replaceOp(&op, mlir::cast<DecomposeInterface>(&op).decompose(rewriter));
      changed = true;
    }
  }
}

struct OutlineKernels : impl::OutlineKernelsBase<OutlineKernels> {
  using OutlineKernelsBase::OutlineKernelsBase;

  void runOnOperation() override {
    KernelTable kernels(getOperation());
    SmallVector<FuncOp> programs;
    for (FuncOp func : getOperation().getOps<FuncOp>())
      if (!func.isPrivate() && !func.isExternal()) programs.push_back(func);
    for (FuncOp program : programs) {
      Checks checks(program);
      const bool small = ComputedElements(program) <= small_program;
      if (compiles_bodies) {
        if (small) DecomposeLoops(program);
        UniteLayouts(program);
        EraseDeadOps(program);
      }
      MakeConstantsLast(program);
      const auto outlined = Outliner(program, kernels, compiles_bodies, small).Run();
      checks.PutBack();
      if (failed(outlined)) return signalPassFailure();
      OwnResults(program);
    }
  }
};
}  // namespace
}  // namespace trama
