#include "passes/plan/own_results.h"

#include "llvm/ADT/DenseSet.h"
#include "passes/plan/kernel_info.h"

namespace trama {
namespace {
using mlir::Operation;
using mlir::OpResult;
using mlir::RankedTensorType;
using mlir::Value;
using mlir::func::FuncOp;

std::string CopyName(RankedTensorType type) {
  std::string name = "copy";
  for (int64_t size : type.getShape()) name += "_" + std::to_string(size);
  llvm::raw_string_ostream(name) << "_" << type.getElementType();
  return name;
}

// A pointwise kernel: a cast to the type that the value has already.
FuncOp CopyKernel(mlir::ModuleOp module, RankedTensorType type) {
  const std::string name = CopyName(type);
  if (auto existing = module.lookupSymbol<FuncOp>(name)) return existing;
  mlir::OpBuilder b = mlir::OpBuilder::atBlockEnd(module.getBody());
  const mlir::Location loc = b.getUnknownLoc();
  FuncOp kernel = FuncOp::create(b, loc, name, b.getFunctionType({type}, {type}));
  kernel.setPrivate();
  kernel->setAttr(kKindAttr, b.getStringAttr("fused"));
  b.setInsertionPointToStart(kernel.addEntryBlock());
  Value copy = CastOp::create(b, loc, type, kernel.getArgument(0));
  mlir::func::ReturnOp::create(b, loc, copy);
  return kernel;
}

Value Copy(mlir::OpBuilder& b, Value value, FuncOp program) {
  auto type = mlir::cast<RankedTensorType>(value.getType());
  FuncOp kernel = CopyKernel(program->getParentOfType<mlir::ModuleOp>(), type);
  Operation* source = value.getDefiningOp();
  const mlir::Location loc = source ? source->getLoc() : program.getLoc();
  return DispatchOp::create(b, loc, mlir::TypeRange{type}, kernel.getName(), value).getResult(0);
}

// Whether the dispatch behind `root` may write into the storage of `argument`: everyone else has
// read it by then, and the kernel itself reads each element before it writes it.
bool MayWriteInPlace(OpResult root, Value argument) {
  auto dispatch = mlir::cast<DispatchOp>(root.getOwner());
  if (BytesOf(root.getType()) != BytesOf(argument.getType())) return false;
  llvm::SmallVector<Value> names{argument};
  llvm::SmallVector<unsigned> read_at;
  while (!names.empty()) {
    for (mlir::OpOperand& use : names.pop_back_val().getUses()) {
      Operation* user = use.getOwner();
      if (mlir::isa<ReshapeOp>(user))
        names.push_back(user->getResult(0));
      else if (user == dispatch)
        read_at.push_back(use.getOperandNumber());
      else if (!user->isBeforeInBlock(dispatch))
        return false;
    }
  }
  if (read_at.empty()) return true;
  auto kernel =
      mlir::SymbolTable::lookupNearestSymbolFrom<FuncOp>(dispatch, dispatch.getKernelAttr());
  const std::vector<MayAlias> aliases = AliasesOf(kernel);
  return llvm::all_of(read_at, [&](unsigned operand) {
    return llvm::any_of(aliases, [&](const MayAlias& alias) {
      return alias.operand == operand && alias.result == root.getResultNumber();
    });
  });
}

// The last op that reads `argument` for the program's own work, or `at_least` if that comes later.
Operation* LastUse(Value argument, Operation* at_least) {
  llvm::SmallVector<Value> names{argument};
  Operation* last = at_least;
  while (!names.empty())
    for (Operation* user : names.pop_back_val().getUsers()) {
      if (user->hasTrait<mlir::OpTrait::IsTerminator>()) continue;
      if (last->isBeforeInBlock(user)) last = user;
      if (mlir::isa<ReshapeOp>(user)) names.push_back(user->getResult(0));
    }
  return last;
}
}  // namespace

Value StorageRoot(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>()) value = reshape.getX();
  return value;
}

void OwnResults(FuncOp program) {
  Operation* terminator = program.front().getTerminator();
  mlir::OpBuilder b(terminator);
  auto target = [&](unsigned i) -> Value {
    auto donates = program.getResultAttrOfType<mlir::IntegerAttr>(i, kDonatesAttr);
    return donates ? Value(program.getArgument(donates.getInt())) : Value();
  };
  // First what must not be written to: arguments, and values that have a place already.
  llvm::DenseSet<Value> owned;
  for (mlir::OpOperand& result : terminator->getOpOperands()) {
    const Value root = StorageRoot(result.get());
    const bool stays = root == target(result.getOperandNumber());
    if (stays && owned.insert(root).second) continue;
    if (mlir::isa<mlir::BlockArgument>(root) || !owned.insert(root).second) {
      result.set(Copy(b, result.get(), program));
      owned.insert(result.get());
    }
  }
  // Then, right after the last reader, what cannot be written to its place directly.
  for (mlir::OpOperand& result : terminator->getOpOperands()) {
    const Value argument = target(result.getOperandNumber());
    const Value root = StorageRoot(result.get());
    if (!argument || root == argument) continue;
    if (MayWriteInPlace(mlir::cast<OpResult>(root), argument)) continue;
    b.setInsertionPointAfter(LastUse(argument, result.get().getDefiningOp()));
    result.set(Copy(b, result.get(), program));
  }
}

}  // namespace trama
