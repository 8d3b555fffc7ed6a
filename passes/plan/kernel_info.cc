#include "passes/plan/kernel_info.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/TypeSwitch.h"

namespace trama {
namespace {
using mlir::Operation;
using mlir::RankedTensorType;
using mlir::Value;

RankedTensorType TypeOf(Value value) { return mlir::cast<RankedTensorType>(value.getType()); }
double Elements(Value value) { return static_cast<double>(TypeOf(value).getNumElements()); }
int64_t LastDim(Value value) { return TypeOf(value).getShape().back(); }

// Collects everything computed from `arg`; false where an element is used for another than itself.
bool ReadElementwise(mlir::BlockArgument arg, llvm::DenseSet<Value>& derived) {
  const llvm::ArrayRef<int64_t> shape = TypeOf(arg).getShape();
  llvm::SmallVector<Value> values{arg};
  while (!values.empty()) {
    for (Operation* user : values.pop_back_val().getUsers()) {
      if (mlir::isa<mlir::func::ReturnOp>(user)) continue;
      const Value result = user->getResult(0);
      if (!user->hasTrait<OpTrait::Pointwise>() || TypeOf(result).getShape() != shape) return false;
      if (derived.insert(result).second) values.push_back(result);
    }
  }
  return true;
}

// The reductions that `value` needs: a kernel has computed those before it gets to it.
llvm::DenseSet<Operation*> ReductionsOf(Value value) {
  llvm::DenseSet<Operation*> reductions, seen;
  llvm::SmallVector<Value> values{value};
  while (!values.empty()) {
    Operation* op = values.pop_back_val().getDefiningOp();
    if (!op || !seen.insert(op).second) continue;
    if (mlir::isa<SumOp, ReduceMaxOp, ArgmaxOp>(op)) reductions.insert(op);
    llvm::append_range(values, op->getOperands());
  }
  return reductions;
}
// More results than this are not computed in one go, whatever they share.
constexpr size_t kMostTogether = 16;

// An operand that a result of the fused kernel may take over, and all results that read it.
struct TakenOver {
  mlir::BlockArgument arg;
  llvm::SmallVector<unsigned> readers;
};

// All results that need such an operand are computed in one go, and read it first.
std::vector<TakenOver> OperandsTakenOver(mlir::func::FuncOp kernel) {
  mlir::Block& body = kernel.front();
  Operation* terminator = body.getTerminator();
  std::vector<TakenOver> found;
  llvm::EquivalenceClasses<unsigned> together;
  for (mlir::BlockArgument arg : body.getArguments()) {
    llvm::DenseSet<Value> derived;
    if (!ReadElementwise(arg, derived)) continue;
    TakenOver operand{arg, {}};
    for (auto [i, result] : llvm::enumerate(terminator->getOperands()))
      if (derived.contains(result)) operand.readers.push_back(i);
    if (operand.readers.empty() || llvm::is_contained(terminator->getOperands(), Value(arg)))
      continue;
    const auto reductions = [&](unsigned reader) {
      return ReductionsOf(terminator->getOperand(reader));
    };
    const auto first = reductions(operand.readers.front());
    if (llvm::any_of(operand.readers, [&](unsigned reader) { return reductions(reader) != first; }))
      continue;
    for (unsigned reader : operand.readers) together.unionSets(operand.readers.front(), reader);
    found.push_back(std::move(operand));
  }
  llvm::erase_if(found, [&](const TakenOver& operand) {
    const auto members = together.members(operand.readers.front());
    return static_cast<size_t>(std::distance(members.begin(), members.end())) > kMostTogether;
  });
  return found;
}
}  // namespace

uint64_t BytesOf(mlir::Type type) {
  const auto tensor = mlir::cast<RankedTensorType>(type);
  return static_cast<uint64_t>(tensor.getNumElements()) *
         std::max(1u, tensor.getElementTypeBitWidth() / 8);
}

double FlopsOf(Operation* op) {
  return llvm::TypeSwitch<Operation*, double>(op)
      .Case([](MatmulOp matmul) {
        const auto lhs = TypeOf(matmul.getLhs()).getShape();
        return 2 * Elements(matmul.getY()) * lhs[lhs.size() - (matmul.getTransposeLhs() ? 2 : 1)];
      })
      .Case([](LinearOp linear) {
        return Elements(linear.getY()) * (2 * LastDim(linear.getX()) + (linear.getBias() ? 1 : 0));
      })
      .Case([](AttentionOp attention) {
        // Causal: half of what a prompt's last query sees, its own keys if it starts the cache, or
        // half of the cache of one query.
        const int64_t queries = TypeOf(attention.getQ()).getShape()[2];
        const bool prompt = attention.getCausal() && attention.getPosition() && queries > 1;
        const double keys = prompt ? queries : TypeOf(attention.getK()).getShape()[2];
        return Elements(attention.getLse()) * keys *
               (2 * LastDim(attention.getQ()) + 2 * LastDim(attention.getV()) + 4) *
               (attention.getCausal() ? 0.5 : 1);
      })
      .Case([](AttentionGradOp grad) {
        const double scores = Elements(grad.getLse()) * TypeOf(grad.getK()).getShape()[2];
        return scores * (6 * LastDim(grad.getQ()) + 4 * LastDim(grad.getV()) + 6) *
               (grad.getCausal() ? 0.5 : 1);
      })
      .Case([](LinearCrossEntropyOp head) {
        return TypeOf(head.getWeight()).getShape()[0] * Elements(head.getX()) * 2;
      })
      .Case([](LinearCrossEntropyGradOp head) {
        return TypeOf(head.getWeight()).getShape()[0] * Elements(head.getX()) * 6;
      })
      .Case([](CrossEntropyOp loss) { return 3 * Elements(loss.getLogits()); })
      .Case([](CrossEntropyGradOp grad) { return 4 * Elements(grad.getY()); })
      .Case<SoftmaxOp, LogSoftmaxOp>(
          [](Operation* softmax) { return 4 * Elements(softmax->getResult(0)); })
      .Case([](LayerNormOp norm) { return 7 * Elements(norm.getY()); })
      .Case([](LayerNormGradOp grad) { return 14 * Elements(grad.getX()); })
      .Case([](WeightedMeanOp mean) { return 3 * Elements(mean.getX()); })
      .Case<GeluOp, GeluGradOp>([](Operation* gelu) { return 8 * Elements(gelu->getResult(0)); })
      .Case([](DropoutOp dropout) { return 2 * Elements(dropout.getY()); })
      .Case<SumOp, ReduceMaxOp, MeanOp, ArgmaxOp, TopKOp>(
          [](Operation* reduction) { return Elements(reduction->getOperand(0)); })
      .Case([](SquareSumOp sum) {
        double elements = 0;
        for (Value x : sum.getXs()) elements += Elements(x);
        return 2 * elements;
      })
      .Case([](EmbeddingGradOp grad) { return Elements(grad.getGrad()); })
      .Case([](SgdOp sgd) { return 6 * Elements(sgd.getParam()); })
      .Case([](AdamOp adam) { return 14 * Elements(adam.getParam()); })
      .Default([](Operation* other) {
        const bool computes = other->hasTrait<OpTrait::Pointwise>() && other->getNumOperands() > 0;
        return computes ? Elements(other->getResult(0)) : 0.0;
      });
}

double FlopsOf(mlir::func::FuncOp kernel) {
  double flops = 0;
  for (Operation& op : kernel.front().without_terminator()) flops += FlopsOf(&op);
  return flops;
}

Operation* MainOp(mlir::func::FuncOp kernel) {
  Operation* main = nullptr;
  auto computes = [](Operation* op) {
    return !mlir::isa<ConstantOp>(op) && !op->hasTrait<OpTrait::View>();
  };
  for (Operation& op : kernel.front().without_terminator())
    if (!main || FlopsOf(&op) > FlopsOf(main) || (FlopsOf(&op) == FlopsOf(main) && computes(&op)))
      main = &op;
  return main;
}

std::vector<llvm::SmallVector<unsigned>> ResultsTogether(mlir::func::FuncOp kernel) {
  llvm::EquivalenceClasses<unsigned> together;
  for (const TakenOver& operand : OperandsTakenOver(kernel))
    for (unsigned reader : operand.readers) together.unionSets(operand.readers.front(), reader);
  std::vector<llvm::SmallVector<unsigned>> groups;
  for (const auto* leader : together) {
    if (!leader->isLeader()) continue;
    llvm::SmallVector<unsigned> group(together.member_begin(*leader), together.member_end());
    llvm::sort(group);
    if (group.size() > 1) groups.push_back(std::move(group));
  }
  llvm::sort(groups);
  return groups;
}

std::vector<MayAlias> AliasesOf(mlir::func::FuncOp kernel) {
  mlir::Block& body = kernel.front();
  Operation* terminator = body.getTerminator();
  std::vector<MayAlias> aliases;
  auto position = [&](Value operand) {
    return mlir::cast<mlir::BlockArgument>(operand).getArgNumber();
  };
  // A kernel of one op that updates state, its constants, and views of what it reads beside that.
  Operation* main = MainOp(kernel);
  if (mlir::isa_and_nonnull<AdamOp, SgdOp, CacheUpdateOp>(main) &&
      llvm::all_of(body.without_terminator(), [&](Operation& op) {
        return &op == main || mlir::isa<ConstantOp>(op) || op.hasTrait<OpTrait::View>();
      })) {
    auto add = [&](Value result, Value operand) {
      if (!mlir::isa<mlir::BlockArgument>(operand) || !operand.hasOneUse()) return;
      for (auto [i, returned] : llvm::enumerate(terminator->getOperands()))
        if (returned == result) aliases.push_back({static_cast<unsigned>(i), position(operand)});
    };
    llvm::TypeSwitch<Operation*>(main)
        .Case([&](AdamOp adam) {
          add(adam.getNewParam(), adam.getParam());
          add(adam.getNewM(), adam.getM());
          add(adam.getNewV(), adam.getV());
        })
        .Case([&](SgdOp sgd) {
          add(sgd.getNewParam(), sgd.getParam());
          add(sgd.getNewBuffer(), sgd.getBuffer());
        })
        .Case([&](CacheUpdateOp update) { add(update.getY(), update.getCache()); });
    return aliases;
  }
  const llvm::StringRef kind = kernel->getAttrOfType<mlir::StringAttr>(kKindAttr).getValue();
  if (kind == "embedding_grad") {
    // Its sums may start where they are.
    for (auto [i, returned] : llvm::enumerate(terminator->getOperands())) {
      auto add = returned.getDefiningOp<AddOp>();
      if (!add || !returned.hasOneUse()) continue;
      for (Value operand : add->getOperands())
        if (mlir::isa<mlir::BlockArgument>(operand) && operand.hasOneUse() &&
            operand.getType() == returned.getType())
          aliases.push_back({static_cast<unsigned>(i), position(operand)});
    }
  }
  if (kind != "fused") return aliases;
  for (const TakenOver& operand : OperandsTakenOver(kernel))
    for (unsigned reader : operand.readers)
      if (BytesOf(terminator->getOperand(reader).getType()) == BytesOf(operand.arg.getType()))
        aliases.push_back({reader, operand.arg.getArgNumber()});
  return aliases;
}

}  // namespace trama
