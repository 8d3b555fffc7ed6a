// What an op says of itself beyond its types: its derivative and its meaning in simpler ops.
#ifndef TRAMA_INTERFACES_TD
#define TRAMA_INTERFACES_TD
include "mlir/IR/OpBase.td"

def VjpInterface : OpInterface<"VjpInterface"> {
  let cppNamespace = "::trama";
  let description = [{
    The vector-Jacobian product, written in the dialect's own ops so that it is fused, planned and
    compiled like everything else. See Griewank and Walther, "Evaluating Derivatives", chapter 3.
  }];
  let methods = [InterfaceMethod<[{
      `result_grads` has one value a result, null where nothing depends on it. Appends one value an
      operand to `operand_grads`, of the operand's type, null where the operand has no gradient
      (integers, masks). `needed[i]` is false where operand i's gradient will not be used.
    }],
    "::llvm::LogicalResult", "vjp",
    (ins "::mlir::OpBuilder &":$b, "::mlir::ValueRange":$result_grads,
         "::llvm::ArrayRef<bool>":$needed,
         "::llvm::SmallVectorImpl<::mlir::Value> &":$operand_grads)>];
}

def DecomposeInterface : OpInterface<"DecomposeInterface"> {
  let cppNamespace = "::trama";
  let description = [{
    The op in simpler ops: its reference meaning, its derivative where it has no vjp of its own, and
    the fallback of a backend without a kernel for it.
  }];
  let methods = [InterfaceMethod<
    "Builds the simpler ops at `b` and returns one value a result.",
    "::llvm::SmallVector<::mlir::Value>", "decompose", (ins "::mlir::OpBuilder &":$b)>];
}

// As an op's traits: the interface, with its method declared in the op's class.
def Vjp : DeclareOpInterfaceMethods<VjpInterface>;
def Decompose : DeclareOpInterfaceMethods<DecomposeInterface>;

// y[i] depends on operands at i only, with NumPy broadcasting.
def Pointwise : NativeOpTrait<"Pointwise"> { let cppNamespace = "::trama::OpTrait"; }
// Moves elements without computing: reshape, transpose, broadcast, slice.
def View : NativeOpTrait<"View"> { let cppNamespace = "::trama::OpTrait"; }

#endif
