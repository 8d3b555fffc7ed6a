// Mixed precision: what products multiply is rounded to bf16, all else stays as it is.
//
// A value is rounded once, where it is made, and views of it are views of what was rounded, so that
// the products of the forward and the backward pass share it and the cast joins the kernel that
// computes the value. Parameters that no program writes and that are read rounded alone are kept
// so: half the memory, and half the bytes of every token that is generated.
#include "ir/builder_util.h"
#include "passes/passes.h"
#include "passes/support/products.h"
#include "passes/support/program_util.h"

namespace trama {
#define GEN_PASS_DEF_PRECISION
#include "passes/passes.h.inc"
namespace {
using llvm::SmallVector;
using mlir::BlockArgument;
using mlir::Operation;
using mlir::Value;
using mlir::func::FuncOp;

mlir::Type Narrow(mlir::MLIRContext* context) { return mlir::BFloat16Type::get(context); }

mlir::RankedTensorType Narrow(Value value) {
  return TypeOf(value).clone(Narrow(value.getContext()));
}

// Makes each value's rounding once: of a computed value where it is computed, of an argument in
// front of the product that reads it first, so that the rounded weights of all layers need not be
// in memory at once.
class Rounder {
 public:
  Value Rounded(Value value, Operation* product) {
    if (Value known = rounded_.lookup(value)) return known;
    const Value made = Make(value, product);  // which may insert others
    return rounded_[value] = made;
  }

 private:
  Value Make(Value value, Operation* product) {
    mlir::OpBuilder b(product);
    if (!mlir::isa<BlockArgument>(SkipViews(value))) b.setInsertionPointAfterValue(value);
    Operation* op = value.getDefiningOp();
    if (!op || !op->hasTrait<OpTrait::View>() || IsMadeWide(op))
      return CastOp::create(b, value.getLoc(), Narrow(value), value);
    Value from = Rounded(op->getOperand(0), product);
    Operation* view = b.clone(*op);
    view->setOperand(0, from);
    view->getResult(0).setType(Narrow(value));
    return view->getResult(0);
  }

  static Value SkipViews(Value value) {
    while (Operation* op = value.getDefiningOp()) {
      if (!op->hasTrait<OpTrait::View>()) break;
      value = op->getOperand(0);
    }
    return value;
  }

  // A slice of something computed: the rest of it need not be rounded. A transpose: who computes
  // the value, attention for one, writes it there at once.
  static bool IsMadeWide(Operation* view) {
    if (mlir::isa<BlockArgument>(SkipViews(view->getResult(0)))) return false;
    for (Operation* op = view; op && op->hasTrait<OpTrait::View>();
         op = op->getOperand(0).getDefiningOp())
      if (mlir::isa<SliceOp, TransposeOp>(op)) return true;
    return false;
  }

  llvm::DenseMap<Value, Value> rounded_;
};

void RoundFactors(FuncOp program) {
  Rounder rounder;
  program.walk([&](Operation* op) {
    for (mlir::OpOperand* factor : FactorsOf(op))
      if (ElementOf(factor->get()).isF32()) factor->set(rounder.Rounded(factor->get(), op));
  });
}

// ---------------------------------------------------------------- state

bool IsRounding(Operation* user) {
  auto cast = mlir::dyn_cast<CastOp>(user);
  return cast && ElementOf(cast.getY()).isBF16();
}

// Whether the argument is read rounded alone. Rows of a table are as good as multiplied: the table
// of a language model is its head too.
bool ReadRounded(BlockArgument argument) {
  return llvm::all_of(argument.getUses(), [](mlir::OpOperand& use) {
    return IsRounding(use.getOwner()) ||
           (mlir::isa<EmbeddingOp>(use.getOwner()) && use.getOperandNumber() == 0);
  });
}

bool IsWritten(FuncOp program, BlockArgument argument) {
  for (unsigned i = 0; i < program.getNumResults(); ++i) {
    auto donates = program.getResultAttrOfType<mlir::IntegerAttr>(i, kDonatesAttr);
    if (donates && donates.getInt() == argument.getArgNumber()) return true;
  }
  return false;
}

// One parameter's arguments, in all programs.
using Parameters = llvm::MapVector<llvm::StringRef, SmallVector<BlockArgument>>;

// The parameters of programs that write none of them.
Parameters ConstantParameters(mlir::ModuleOp module) {
  Parameters parameters;
  for (FuncOp program : module.getOps<FuncOp>()) {
    if (program.isExternal()) continue;
    for (BlockArgument argument : program.getArguments()) {
      if (ArgRole(program, argument.getArgNumber()) != "parameter") continue;
      // What is trained is kept whole, and so is what is saved beside it.
      if (IsWritten(program, argument)) return {};
      parameters[ArgName(program, argument.getArgNumber())].push_back(argument);
    }
  }
  return parameters;
}

void KeepRounded(BlockArgument argument) {
  const mlir::Type wide = argument.getType();
  argument.setType(Narrow(argument));
  mlir::OpBuilder b(argument.getContext());
  for (Operation* user : llvm::make_early_inc_range(argument.getUsers())) {
    b.setInsertionPoint(user);
    if (IsRounding(user)) {
      user->getResult(0).replaceAllUsesWith(argument);
    } else {
      auto rows = mlir::cast<EmbeddingOp>(user);
      Emitter e(b, rows.getLoc());
      Value narrow = EmbeddingOp::create(b, rows.getLoc(), argument, rows.getIds());
      rows.replaceAllUsesWith(e.Cast(narrow, mlir::cast<mlir::ShapedType>(wide).getElementType()));
    }
    user->erase();
  }
  auto program = mlir::cast<FuncOp>(argument.getOwner()->getParentOp());
  program.setType(mlir::FunctionType::get(
      program.getContext(), program.getBody().getArgumentTypes(), program.getResultTypes()));
}

struct Precision : impl::PrecisionBase<Precision> {
  void runOnOperation() override {
    for (FuncOp program : getOperation().getOps<FuncOp>())
      if (!program.isExternal()) RoundFactors(program);
    for (auto& [name, arguments] : ConstantParameters(getOperation())) {
      const bool multiplied = llvm::any_of(
          arguments, [](BlockArgument a) { return llvm::any_of(a.getUsers(), IsRounding); });
      if (!multiplied || !llvm::all_of(arguments, ReadRounded)) continue;
      for (BlockArgument argument : arguments) KeepRounded(argument);
    }
  }
};

}  // namespace
}  // namespace trama
