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
  let description = [{
    Any axis, with keepdim, reshape or broadcast in between, as a quotient or a product with the
    reciprocal; x - log(sum(exp(x))) and log(softmax(x)) become trama.log_softmax. The raised ops
    subtract the maximum: where exp(x) overflowed they give the true value.
  }];
}
def RaiseLayerNorm : Trama_Pass<"raise-layer-norm"> {
  let summary = "(x - mean) * rsqrt(var + eps) * w + b becomes trama.layer_norm";
  let description = [{
    Means as trama.mean or as sums; rsqrt, 1 / sqrt or a power; weight and bias in any order or
    absent. The variance must be the biased one of the centered values: E[x^2] - E[x]^2 computes
    something else in floating point and is refused.
  }];
}
def RaiseGelu : Trama_Pass<"raise-gelu"> {
  let summary = "gelu written with erf or tanh becomes trama.gelu";
  let description = [{
    x/2 (1 + erf(x / sqrt 2)), its approximation with tanh, and x sigmoid(..), which is the same as
    that: whatever is one of these as a polynomial around erf, tanh or sigmoid.
  }];
}
def RaiseCrossEntropy : Trama_Pass<"raise-cross-entropy"> {
  let summary = "log-softmax and pick becomes trama.cross_entropy";
  let description = [{
    The pick is a gather or a sum with a one-hot mask; -log(softmax(x)[target]) counts too. Run after
    raise-softmax. A mean that follows stays, signs cancel.
  }];
}

// ---- fuse
def FuseAttention : Trama_Pass<"fuse-attention"> {
  let summary = "matmul, scale, mask, softmax, dropout, matmul becomes trama.attention";
  let description = [{
    Sees primitives alone: a scale on queries, keys or scores; masks by select, by addition or of
    bools; causal or not; key padding; dropout; heads by chunk, reshape and transpose. What is not a
    causal or a key mask becomes `bias`, if no gradient of it is wanted. Rows that see no key give
    zeros. Refused where scores or weights are used otherwise. Run after raise-softmax.
  }];
}
def FuseLinear : Trama_Pass<"fuse-linear"> {
  let summary = "matmul + bias + activation becomes trama.linear; products of slices of one weight join";
  let description = [{
    The activation is taken in only where the program is not differentiated. Linears of one input
    join where their weights are adjacent slices of one parameter and so nothing is copied; those of
    separate parameters stay separate, with a remark: concatenating weights costs a copy of them in
    every step, and so does splitting their gradient.
  }];
}
def FuseHead : Trama_Pass<"fuse-head"> {
  let summary = "a projection to the vocabulary and its cross entropy become one op";
  let description = [{
    Where the logits feed the cross entropy alone; views of rows in between move in front of the
    projection.
  }];
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

// ---- what numbers are kept in
def Precision : Trama_Pass<"precision"> {
  let summary = "mixed precision: products of f32 operands multiply them rounded to bf16";
  let description = [{
    Micikevicius et al., "Mixed Precision Training", 2018, with bf16, whose range is f32's, so that
    no loss is scaled. Operands of matmul, linear, linear_cross_entropy and its gradient are cast,
    each value once; sums, and all that is no product, stay f32. A parameter that no program of the
    module writes, and that all of them read rounded alone, becomes bf16 itself: memory of half the
    size. In a module that trains, every parameter stays f32 and is cast in each step. Run after
    autodiff, train-step and derive-decode, and before decompose: attention stays f32.
  }];
}

// ---- kernels and plan
def Simplify : Trama_Pass<"simplify"> {
  let summary = "canonicalisation, constant folding, common subexpressions, dead code";
  let description = [{
    Beside the ops' own canonicalisations: sums of pads that lie side by side become a concat, sums
    of broadcasts a product, factors merge, transposes meet, broadcasts and splat constants shrink to
    what pointwise ops broadcast by themselves. Never makes a program larger.
  }];
}
def Decompose : Trama_Pass<"decompose"> {
  let summary = "composites become simpler ops: all, or those not in `keep`";
  let options = [ListOption<"keep", "keep", "std::string", "op names that stay">];
}
def WidenProducts : Trama_Pass<"widen-products"> {
  let summary = "products of bf16 and f16 operands become those of f32 ones, but for types in `keep`";
  let description = [{
    For devices without kernels of such operands. Every bf16 and f16 number is one of f32 and the
    sums are f32 in both, so the results are the same.
  }];
  let options = [ListOption<"keep", "keep", "std::string", "element types that stay: bf16, f16">];
}
def OutlineKernels : Trama_Pass<"outline-kernels"> {
  let summary = "groups ops into fused kernels, each one func.func and one trama.dispatch";
  let options = [Option<"compiles_bodies", "compiles-bodies", "bool", "true",
                        "kernels may hold more than one op">,
                 Option<"small_program", "small-program", "int64_t", "131072",
                        "elements computed up to which a program's dispatches cost more than its "
                        "work, so that all that may share a kernel does">];
}
def Recompute : Trama_Pass<"recompute"> {
  let summary = "the backward pass runs kernels of the forward pass again instead of keeping results";
  let description = [{
    Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, on level "kernels". The
    dispatches that the loss depends on are cut into segments where little crosses, as between two
    blocks of a transformer. What crosses is kept; what else the backward pass reads of a segment is
    made again, by copies of the segment's dispatches, in front of the first that reads it. The last
    segment is kept whole. Cuts are those with the least bytes at once. The copies run the same
    kernels: results keep their bits. Run after outline-kernels.
  }];
}
def PlanBuffers : Trama_Pass<"plan-buffers"> {
  let summary = "says where every value of level \"kernels\" lives";
  let description = [{
    `trama.blocks` of the module: the blocks that the host allocates; `trama.buffer` of an argument
    and `trama.buffers` of a dispatch, one a result: the block, offset and bytes, and the operand
    whose place it takes. Run after outline-kernels, which copies what cannot be written where it
    belongs. emit-plan plans for itself.
  }];
  let options = [Option<"alignment", "alignment", "uint64_t", "64", "of buffers in a block, bytes">,
                 Option<"max_block_bytes", "max-block-bytes", "uint64_t", "UINT64_MAX",
                        "the largest block">];
}
def EmitPlan : Trama_Pass<"emit-plan"> {
  let summary = "prints the plan, checked, in protobuf's text format, without bodies and hashes";
  let description = [{
    In front of the module, to standard output. Run after outline-kernels.
  }];
  let options = [Option<"alignment", "alignment", "uint64_t", "64", "of buffers in a block, bytes">,
                 Option<"max_block_bytes", "max-block-bytes", "uint64_t", "UINT64_MAX",
                        "the largest block">];
}
#endif
