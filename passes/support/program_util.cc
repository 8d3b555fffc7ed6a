#include "passes/support/program_util.h"

#include "llvm/ADT/StringSet.h"

namespace trama {
using mlir::BlockArgument;
using mlir::Value;
using mlir::func::FuncOp;

namespace {
llvm::StringRef Text(mlir::Attribute attr) {
  auto text = mlir::dyn_cast_or_null<mlir::StringAttr>(attr);
  return text ? text.getValue() : "";
}
}  // namespace

llvm::StringRef ArgName(FuncOp func, unsigned i) { return Text(func.getArgAttr(i, kNameAttr)); }
llvm::StringRef ArgRole(FuncOp func, unsigned i) { return Text(func.getArgAttr(i, kRoleAttr)); }
llvm::StringRef ResultName(FuncOp func, unsigned i) {
  return Text(func.getResultAttr(i, kNameAttr));
}

llvm::SmallVector<BlockArgument> TrainedParameters(FuncOp func) {
  llvm::StringSet<> trainable;
  auto names = func->getAttrOfType<mlir::ArrayAttr>(kTrainableAttr);
  if (names)
    for (mlir::Attribute name : names) trainable.insert(Text(name));
  llvm::SmallVector<BlockArgument> parameters;
  for (BlockArgument argument : func.getArguments())
    if (ArgRole(func, argument.getArgNumber()) == "parameter" &&
        (!names || trainable.contains(ArgName(func, argument.getArgNumber()))))
      parameters.push_back(argument);
  return parameters;
}

BlockArgument GetOrAddArgument(FuncOp func, llvm::StringRef name, llvm::StringRef role,
                               mlir::Type type) {
  for (BlockArgument argument : func.getArguments())
    if (ArgName(func, argument.getArgNumber()) == name &&
        ArgRole(func, argument.getArgNumber()) == role)
      return argument;
  mlir::Builder b(func.getContext());
  auto attributes = b.getDictionaryAttr({b.getNamedAttr(kNameAttr, b.getStringAttr(name)),
                                         b.getNamedAttr(kRoleAttr, b.getStringAttr(role))});
  const unsigned i = func.getNumArguments();
  (void)func.insertArgument(i, type, attributes, func.getLoc());
  return func.getArgument(i);
}

static void AddResult(FuncOp func, Value value, mlir::DictionaryAttr attributes) {
  (void)func.insertResult(func.getNumResults(), value.getType(), attributes);
  mlir::Operation* terminator = func.front().getTerminator();
  terminator->insertOperands(terminator->getNumOperands(), value);
}

void AddResult(FuncOp func, llvm::StringRef name, Value value) {
  mlir::Builder b(func.getContext());
  AddResult(func, value, b.getDictionaryAttr(b.getNamedAttr(kNameAttr, b.getStringAttr(name))));
}

void AddDonation(FuncOp func, BlockArgument argument, Value value) {
  mlir::Builder b(func.getContext());
  const llvm::StringRef name = ArgName(func, argument.getArgNumber());
  AddResult(func, value,
            b.getDictionaryAttr(
                {b.getNamedAttr(kNameAttr, b.getStringAttr(name)),
                 b.getNamedAttr(kDonatesAttr, b.getI64IntegerAttr(argument.getArgNumber()))}));
}

Value ResultOf(FuncOp func, unsigned i) { return func.front().getTerminator()->getOperand(i); }

void EraseResult(FuncOp func, unsigned i) {
  (void)func.eraseResult(i);
  func.front().getTerminator()->eraseOperand(i);
}

void EraseResults(FuncOp func) {
  while (func.getNumResults() > 0) EraseResult(func, func.getNumResults() - 1);
}

void EraseDeadOps(FuncOp func) {
  for (mlir::Operation* op = func.front().getTerminator()->getPrevNode(); op;) {
    mlir::Operation* before = op->getPrevNode();
    if (op->use_empty() && mlir::isMemoryEffectFree(op)) op->erase();
    op = before;
  }
}

void EraseUnusedInputs(FuncOp func) {
  llvm::BitVector unused(func.getNumArguments());
  for (BlockArgument argument : func.getArguments()) {
    const llvm::StringRef role = ArgRole(func, argument.getArgNumber());
    if (argument.use_empty() && (role == "input" || role == "scalar"))
      unused.set(argument.getArgNumber());
  }
  (void)func.eraseArguments(unused);
}

}  // namespace trama
