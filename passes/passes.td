// Trama's passes, each its own trama-opt flag. One file a pass: --trama-fuse-attention is in
// fuse_attention.cc and tested by tests/passes/fuse_attention.mlir.
#ifndef TRAMA_PASSES_TD
#define TRAMA_PASSES_TD
include "mlir/Pass/PassBase.td"

class Trama_Pass<string flag, string op = "::mlir::ModuleOp"> : Pass<"trama-" # flag, op> {
  let dependentDialects = ["::trama::TramaDialect", "::mlir::func::FuncDialect"];
}

// ---- raise: composites that the user wrote out
def RaiseSoftmax : Trama_Pass<"raise-softmax"> {
  let summary = "exp(x)/sum(exp(x)), with or without the maximum subtracted, becomes trama.softmax";
}
def RaiseLayerNorm : Trama_Pass<"raise-layer-norm"> {
  let summary = "(x - mean) * rsqrt(var + eps) * w + b becomes trama.layer_norm";
}
def RaiseGelu : Trama_Pass<"raise-gelu"> {
  let summary = "gelu written with erf or tanh becomes trama.gelu";
}
def RaiseCrossEntropy : Trama_Pass<"raise-cross-entropy"> {
  let summary = "log-softmax and pick becomes trama.cross_entropy";
}

// ---- fuse
def FuseAttention : Trama_Pass<"fuse-attention"> {
  let summary = "matmul, scale, mask, softmax, dropout, matmul becomes trama.attention";
}
def FuseLinear : Trama_Pass<"fuse-linear"> {
  let summary = "matmul + bias + activation becomes trama.linear; parallel linears of one input join";
  let description = [{
    The activation is taken in only where the program is not differentiated. Linears of one input
    join where their weights are adjacent slices of one parameter and so nothing is copied; those of
    separate parameters stay separate: concatenating weights costs a copy of them in every step, and
    so does splitting their gradient.
  }];
}
def FuseHead : Trama_Pass<"fuse-head"> {
  let summary = "a projection to the vocabulary and its cross entropy become one op";
  let options = [Option<"vocabulary", "vocabulary", "int64_t", "4096",
                        "the smallest vocabulary that is worth it">];
}

// ---- differentiate and train
def Autodiff : Trama_Pass<"autodiff"> {
  let summary = "reverse mode: adds the gradients of a scalar result as results";
  let description = [{
    For every func.func with `trama.differentiate` (the loss's result index): appends one result
    `grad.NAME` for every parameter (and floating-point input where the attribute
    `trama.input_gradients` is set). Gradients of values used several times are added in order.
    Ops without a vjp are decomposed; an op with neither is an error with its name.
  }];
}
def TrainStep : Trama_Pass<"train-step"> {
  let summary = "clips the gradients and updates parameters and optimizer state, in one program";
}
def DeriveDecode : Trama_Pass<"derive-decode"> {
  let summary = "a causal model's forward becomes a step over a chunk with a key/value cache";
}

// ---- kernels and plan
def Simplify : Trama_Pass<"simplify"> {
  let summary = "canonicalisation, constant folding, common subexpressions, dead code";
}
def Decompose : Trama_Pass<"decompose"> {
  let summary = "composites become simpler ops: all, or those not in `keep`";
  let options = [ListOption<"keep", "keep", "std::string", "op names that stay">];
}
def OutlineKernels : Trama_Pass<"outline-kernels"> {
  let summary = "groups ops into fused kernels, each one func.func and one trama.dispatch";
  let options = [Option<"compiles_bodies", "compiles-bodies", "bool", "true",
                        "kernels may hold more than one op">,
                 Option<"small_program", "small-program", "int64_t", "131072",
                        "elements computed up to which a program's dispatches cost more than its "
                        "work, so that all that may share a kernel does">];
}
#endif
