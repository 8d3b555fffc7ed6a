// The trama dialect. Every op states its formula, its shapes and its constraints (C1..).
#ifndef TRAMA_OPS_TD
#define TRAMA_OPS_TD
include "ir/interfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Trama_Dialect : Dialect {
  let name = "trama";
  let cppNamespace = "::trama";
  let summary = "models of language and their smaller relatives, forward and backward";
  let description = [{
    Tensors are ranked and of static shape. Pointwise ops broadcast as NumPy does. A model is a
    `func.func` whose arguments carry `trama.name` and `trama.role` ("input", "parameter", "state",
    "scalar") and whose results carry `trama.name`.
  }];
  let hasConstantMaterializer = 1;
  let usePropertiesForAttributes = 1;
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    // The version written into bytecode; raise it when an op's meaning changes.
    static constexpr int64_t kBytecodeVersion = 1;
  }];
}

class Trama_TensorOf<string what, list<Type> elements>
    : Type<StaticShapeTensorOf<elements>.predicate, what # " tensor of static shape",
           "::mlir::RankedTensorType">;
def Trama_Float : Trama_TensorOf<"float (f32, f64, bf16, f16)", [F32, F64, BF16, F16]>;
def Trama_Int : Trama_TensorOf<"integer (i32, i64, i8)", [I32, I64, I8]>;
def Trama_Bool : Trama_TensorOf<"bool", [I1]>;
def Trama_Number : Trama_TensorOf<"float or integer", [F32, F64, BF16, F16, I32, I64, I8]>;
def Trama_Tensor : Trama_TensorOf<"float, integer or bool", [F32, F64, BF16, F16, I32, I64, I8, I1]>;

class Trama_Op<string mnemonic, list<Trait> traits = []>
    : Op<Trama_Dialect, mnemonic, !listconcat([Pure], traits)>;
// For ops whose result types follow from operands and attributes.
class Trama_InferOp<string mnemonic, list<Trait> traits = []>
    : Trama_Op<mnemonic, !listconcat([InferTypeOpAdaptor], traits)>;

// ---------------------------------------------------------------- constants and generators

def Trama_ConstantOp : Trama_Op<"constant", [ConstantLike, AllTypesMatch<["value", "y"]>]> {
  let summary = "a literal tensor";
  let description = "y = value. What folding makes and what the DSL's numbers become.";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Trama_Tensor:$y);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def Trama_IotaOp : Trama_Op<"iota", [Pointwise]> {
  let summary = "the index along one dimension";
  let description = [{
    y[i0, .., in] = i_dim. (C1) 0 <= dim < rank(y). `sequence` marks an index along the time axis of
    a model (the DSL sets it where the size came from that axis): decoding shifts it by the position.
  }];
  let arguments = (ins I64Attr:$dim, UnitAttr:$sequence);
  let results = (outs Trama_Number:$y);
  let assemblyFormat = "`dim` `=` $dim (`sequence` $sequence^)? attr-dict `:` type($y)";
  let hasVerifier = 1;
}

def Trama_RandomUniformOp : Trama_Op<"random_uniform", []> {
  let summary = "uniform numbers in [0, 1) from a counter";
  let description = [{
    Philox 4x32-10 with key = rng[0:2] (the seed) and counter = (element index / 4, op_id, rng[2]
    (the step), high half of the index): element i takes word i % 4. The index counts elements of y
    in row-major order plus rng[3] (the global index of the first example) times the elements of one
    example (all dimensions of y but the first). See base/philox.h.
    rng: i32 [4].
  }];
  let arguments = (ins Trama_Int:$rng, I64Attr:$op_id);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$rng `op_id` `=` $op_id attr-dict `:` type($rng) `->` type($y)";
  let hasVerifier = 1;
}

// ---------------------------------------------------------------- pointwise

class Trama_Unary<string mnemonic, string math, Type type = Trama_Float, list<Trait> traits = []>
    : Trama_Op<mnemonic, !listconcat([Pointwise, Vjp, SameOperandsAndResultType], traits)> {
  let summary = math;
  let description = "y = " # math # ". x, y: tensors of one shape and type.";
  let arguments = (ins type:$x);
  let results = (outs type:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let hasFolder = 1;
}
def Trama_NegOp : Trama_Unary<"neg", "-x", Trama_Number>;
def Trama_AbsOp : Trama_Unary<"abs", "|x|", Trama_Number>;
def Trama_SignOp : Trama_Unary<"sign", "-1, 0 or 1", Trama_Number>;
def Trama_ExpOp : Trama_Unary<"exp", "e^x">;
def Trama_LogOp : Trama_Unary<"log", "ln x">;
def Trama_SqrtOp : Trama_Unary<"sqrt", "x^(1/2)">;
def Trama_RsqrtOp : Trama_Unary<"rsqrt", "x^(-1/2)">;
def Trama_TanhOp : Trama_Unary<"tanh", "tanh x">;
def Trama_SigmoidOp : Trama_Unary<"sigmoid", "1 / (1 + e^-x)">;
def Trama_ErfOp : Trama_Unary<"erf", "2/sqrt(pi) * integral of e^(-t^2) from 0 to x">;
def Trama_SinOp : Trama_Unary<"sin", "sin x">;
def Trama_CosOp : Trama_Unary<"cos", "cos x">;
def Trama_FloorOp : Trama_Unary<"floor", "the largest integer not above x">;
// softplus, log1p and friends are written with these in frontend/functional.

class Trama_Binary<string mnemonic, string math, Type type = Trama_Number, list<Trait> traits = []>
    : Trama_InferOp<mnemonic, !listconcat([Pointwise, Vjp], traits)> {
  let summary = math;
  let description = "y = " # math # ", operands of one element type, broadcast to one shape.";
  let arguments = (ins type:$lhs, type:$rhs);
  let results = (outs type:$y);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}
def Trama_AddOp : Trama_Binary<"add", "lhs + rhs", Trama_Number, [Commutative]>;
def Trama_SubOp : Trama_Binary<"sub", "lhs - rhs">;
def Trama_MulOp : Trama_Binary<"mul", "lhs * rhs", Trama_Number, [Commutative]>;
def Trama_DivOp : Trama_Binary<"div", "lhs / rhs (integers: rounded towards zero, x / 0 = 0)">;
def Trama_PowOp : Trama_Binary<"pow", "lhs ^ rhs", Trama_Float>;
def Trama_MaxOp : Trama_Binary<"max", "the larger of lhs and rhs, NaN if one is; a tie's gradient is halved", Trama_Number, [Commutative]>;
def Trama_MinOp : Trama_Binary<"min", "the smaller of lhs and rhs, NaN if one is; a tie's gradient is halved", Trama_Number, [Commutative]>;

class Trama_Logic<string mnemonic, string math>
    : Trama_InferOp<mnemonic, [Pointwise, Commutative]> {
  let summary = math;
  let description = "y = " # math # ", broadcast to one shape.";
  let arguments = (ins Trama_Bool:$lhs, Trama_Bool:$rhs);
  let results = (outs Trama_Bool:$y);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
  let hasFolder = 1;
}
def Trama_AndOp : Trama_Logic<"and", "lhs and rhs">;
def Trama_OrOp : Trama_Logic<"or", "lhs or rhs">;
def Trama_NotOp : Trama_Op<"not", [Pointwise, SameOperandsAndResultType]> {
  let summary = "not x";
  let description = "y = true where x is false. x, y: tensors of one shape.";
  let arguments = (ins Trama_Bool:$x);
  let results = (outs Trama_Bool:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let hasFolder = 1;
}

def Trama_ComparePredicate : I32EnumAttr<"ComparePredicate", "an order relation", [
    I32EnumAttrCase<"eq", 0>, I32EnumAttrCase<"ne", 1>, I32EnumAttrCase<"lt", 2>,
    I32EnumAttrCase<"le", 3>, I32EnumAttrCase<"gt", 4>, I32EnumAttrCase<"ge", 5>]> {
  let cppNamespace = "::trama";
  let genSpecializedAttr = 0;
}
def Trama_ComparePredicateAttr : EnumAttr<Trama_Dialect, Trama_ComparePredicate, "predicate">;
def Trama_CompareOp : Trama_InferOp<"compare", [Pointwise]> {
  let summary = "an order relation of two numbers";
  let description = [{
    y = lhs `predicate` rhs, operands of one element type, broadcast to one shape. False where an
    operand is NaN, except ne, which is true there.
  }];
  let arguments = (ins Trama_ComparePredicateAttr:$predicate, Trama_Number:$lhs, Trama_Number:$rhs);
  let results = (outs Trama_Bool:$y);
  let assemblyFormat = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
  let hasFolder = 1;
}

def Trama_SelectOp : Trama_InferOp<"select", [Pointwise, Vjp]> {
  let summary = "on_true where condition, else on_false";
  let description = "torch.where: the three operands broadcast to one shape.";
  let arguments = (ins Trama_Bool:$condition, Trama_Number:$on_true, Trama_Number:$on_false);
  let results = (outs Trama_Number:$y);
  let assemblyFormat = "$condition `,` $on_true `,` $on_false attr-dict `:` type($condition) `,` type($on_true) `,` type($on_false)";
  let hasFolder = 1;
}

def Trama_CastOp : Trama_Op<"cast", [Pointwise, Vjp, SameOperandsAndResultShape]> {
  let summary = "the value in another element type";
  let description = "Float to integer truncates; to bool is x != 0; f32 to bf16 rounds to even.";
  let arguments = (ins Trama_Tensor:$x);
  let results = (outs Trama_Tensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasFolder = 1;
}

// ---------------------------------------------------------------- reductions

class Trama_Reduction<string mnemonic, string math, list<Trait> traits = []>
    : Trama_InferOp<mnemonic, !listconcat([Vjp], traits)> {
  let summary = math;
  let description = [{
    Reduces over `dims` (ascending); the reduced dimensions stay with size 1 if `keepdim`, else they
    go. (C1) 0 <= dims[i] < rank(x), no dim twice. (C2) No reduced dimension has size 0.
  }];
  let arguments = (ins Trama_Number:$x, DenseI64ArrayAttr:$dims, UnitAttr:$keepdim);
  let results = (outs Trama_Number:$y);
  let assemblyFormat = "$x `dims` `=` $dims (`keepdim` $keepdim^)? attr-dict `:` type($x)";
  let hasCanonicalizer = 1;
}
def Trama_SumOp : Trama_Reduction<"sum", "the sum over some dimensions">;
def Trama_ReduceMaxOp : Trama_Reduction<"reduce_max", "the largest over some dimensions; a tie's gradient is shared evenly">;
def Trama_MeanOp : Trama_Reduction<"mean", "sum(x) / count", [Decompose]>;

def Trama_ArgmaxOp : Trama_InferOp<"argmax"> {
  let summary = "the index of the largest along a dimension, the lowest on a tie";
  let description = [{
    x: [.., n, ..] -> i32 without `dim` (or of size 1 if keepdim). (C1) 0 <= dim < rank(x). (C2) n > 0.
  }];
  let arguments = (ins Trama_Number:$x, I64Attr:$dim, UnitAttr:$keepdim);
  let results = (outs Trama_Int:$y);
  let assemblyFormat = "$x `dim` `=` $dim (`keepdim` $keepdim^)? attr-dict `:` type($x)";
}

def Trama_TopKOp : Trama_InferOp<"top_k", [Vjp, Decompose]> {
  let summary = "the k largest along the last dimension, in order, and where they are";
  let description = [{
    values[.., j] = x[.., indices[.., j]] comes j-th by (value falling, index rising). NaN counts as
    larger than any number, as in torch.topk, and all NaN as equal; -0 and 0 are equal.
    x: [.., n]; values: [.., k] as x; indices: i32 [.., k]. (C1) rank(x) >= 1 and 1 <= k <= n.
    The derivative is that of the gather: the indices have none.
  }];
  let arguments = (ins Trama_Number:$x, I64Attr:$k);
  let results = (outs Trama_Number:$values, Trama_Int:$indices);
  let assemblyFormat = "$x `k` `=` $k attr-dict `:` type($x)";
}

// ---------------------------------------------------------------- moving elements

def Trama_ReshapeOp : Trama_Op<"reshape", [View, Vjp]> {
  let summary = "the same elements in row-major order under another shape";
  let description = "(C1) x and y have the same number of elements and the same element type.";
  let arguments = (ins Trama_Tensor:$x);
  let results = (outs Trama_Tensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Trama_TransposeOp : Trama_InferOp<"transpose", [View, Vjp]> {
  let summary = "permutes dimensions";
  let description = "shape(y)[i] = shape(x)[permutation[i]]. (C1) permutation is one of 0..rank-1.";
  let arguments = (ins Trama_Tensor:$x, DenseI64ArrayAttr:$permutation);
  let results = (outs Trama_Tensor:$y);
  let assemblyFormat = "$x `permutation` `=` $permutation attr-dict `:` type($x)";
  let hasFolder = 1;
}

def Trama_BroadcastOp : Trama_Op<"broadcast", [View, Vjp]> {
  let summary = "repeats x to the shape of y, by NumPy's rule";
  let description = "(C1) shape(x) broadcasts to shape(y).";
  let arguments = (ins Trama_Tensor:$x);
  let results = (outs Trama_Tensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Trama_SliceOp : Trama_Op<"slice", [View, Vjp]> {
  let summary = "a box of x: y[i] = x[starts + i * strides]";
  let description = [{
    The sizes of the box are those of y. (C1) One start and stride a dimension. (C2) strides >= 1 and
    the box lies inside x.
  }];
  let arguments = (ins Trama_Tensor:$x, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$strides);
  let results = (outs Trama_Tensor:$y);
  let assemblyFormat = "$x `starts` `=` $starts `strides` `=` $strides attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Trama_PadOp : Trama_Op<"pad", [Vjp]> {
  let summary = "the inverse of slice: x inside zeros";
  let description = [{
    y[starts + i * strides] = x[i], zero elsewhere. (C1, C2) As for slice with x and y exchanged.
  }];
  let arguments = (ins Trama_Number:$x, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$strides);
  let results = (outs Trama_Number:$y);
  let assemblyFormat = "$x `starts` `=` $starts `strides` `=` $strides attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Trama_ConcatOp : Trama_InferOp<"concat", [Vjp]> {
  let summary = "tensors one after another along a dimension";
  let description = "(C1) One operand at least, equal shapes but for `dim`, 0 <= dim < rank.";
  let arguments = (ins Variadic<Trama_Tensor>:$xs, I64Attr:$dim);
  let results = (outs Trama_Tensor:$y);
  let assemblyFormat = "$xs `dim` `=` $dim attr-dict `:` type($xs)";
  let hasFolder = 1;
}

// ---------------------------------------------------------------- indexing

def Trama_EmbeddingOp : Trama_InferOp<"embedding", [Vjp]> {
  let summary = "rows of a table by index";
  let description = [{
    y[i.., :] = table[ids[i..], :]. table: [V, D]; ids: integers of any shape; y: shape(ids) x D.
    An id outside [0, V) gives a row of zeros (the runtime refuses such ids before it runs). The
    gradient of the table is embedding_grad.
  }];
  let arguments = (ins Trama_Float:$table, Trama_Int:$ids);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$table `,` $ids attr-dict `:` type($table) `,` type($ids)";
}

def Trama_EmbeddingGradOp : Trama_InferOp<"embedding_grad"> {
  let summary = "sums rows by index: the gradient of a table";
  let description = [{
    y[v, :] = sum of grad[i.., :] over all i with ids[i] = v, in row-major order of i.
    grad: shape(ids) x D; y: [rows, D].
  }];
  let arguments = (ins Trama_Float:$grad, Trama_Int:$ids, I64Attr:$rows);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$grad `,` $ids `rows` `=` $rows attr-dict `:` type($grad) `,` type($ids)";
}

def Trama_GatherOp : Trama_InferOp<"gather", [Vjp]> {
  let summary = "torch.gather: picks along one dimension";
  let description = [{
    y[.., j, ..] = x[.., index[.., j, ..], ..] at `dim`. (C1) rank(index) = rank(x), sizes equal but
    for `dim`. shape(y) = shape(index). An index out of range gives 0.
  }];
  let arguments = (ins Trama_Number:$x, Trama_Int:$index, I64Attr:$dim);
  let results = (outs Trama_Number:$y);
  let assemblyFormat = "$x `,` $index `dim` `=` $dim attr-dict `:` type($x) `,` type($index)";
}

def Trama_CacheUpdateOp : Trama_InferOp<"cache_update"> {
  let summary = "writes a chunk of keys or values into a cache at each row's position";
  let description = [{
    y = cache, but y[b, h, position[b] + i, :] = x[b, h, i, :] for 0 <= i < length[b].
    cache: [B, H, S, D]; x: [B, H, C, D]; position, length: i32 [B]. Entries beyond S are dropped.
  }];
  let arguments = (ins Trama_Float:$cache, Trama_Float:$x, Trama_Int:$position, Trama_Int:$length);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$cache `,` $x `,` $position `,` $length attr-dict `:` type($cache) `,` type($x) `,` type($position) `,` type($length)";
}

// ---------------------------------------------------------------- contractions

def Trama_MatmulOp : Trama_InferOp<"matmul", [Vjp]> {
  let summary = "the matrix product, batched";
  let description = [{
    y = op(lhs) op(rhs), op(a) = a or its transpose in the last two dimensions.
    lhs: [.., M, K], rhs: [.., K, N] -> [.., M, N]; leading dimensions broadcast.
    Operands of bf16 or f16 are multiplied as they are, summed in f32 and give f32: a narrow result
    is cast. So do the other products: linear, linear_cross_entropy and its gradient.
    (C1) rank >= 2. (C2) The inner sizes agree. (C3) One element type.
  }];
  let arguments = (ins Trama_Float:$lhs, Trama_Float:$rhs, UnitAttr:$transpose_lhs, UnitAttr:$transpose_rhs);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$lhs (`transposed` $transpose_lhs^)? `,` $rhs (`transposed` $transpose_rhs^)? attr-dict `:` type($lhs) `,` type($rhs)";
  let hasCanonicalizer = 1;
}

// ---------------------------------------------------------------- composites

def Trama_SoftmaxOp : Trama_Op<"softmax", [Vjp, Decompose, SameOperandsAndResultType]> {
  let summary = "softmax along one dimension";
  let description = [{
    y = exp(x - max(x)) / sum(exp(x - max(x))), reduced along `dim`; a row of -inf alone gives zeros.
    (C1) 0 <= dim < rank(x). (C2) That dimension is not empty.
  }];
  let arguments = (ins Trama_Float:$x, I64Attr:$dim);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$x `dim` `=` $dim attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Trama_LogSoftmaxOp : Trama_Op<"log_softmax", [Vjp, Decompose, SameOperandsAndResultType]> {
  let summary = "log(softmax(x)), stable";
  let description = [{
    y = x - max(x) - log(sum(exp(x - max(x)))). (C1, C2) As for softmax.
  }];
  let arguments = (ins Trama_Float:$x, I64Attr:$dim);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$x `dim` `=` $dim attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Trama_LayerNormOp : Trama_Op<"layer_norm", [Vjp, Decompose, AllTypesMatch<["x", "y"]>]> {
  let summary = "layer normalisation over the last dimension";
  let description = [{
    y = (x - mean) / sqrt(var + eps) * weight + bias, var biased. Ba et al. 2016.
    x: [.., C], C > 0; weight, bias: [C].
  }];
  let arguments = (ins Trama_Float:$x, Trama_Float:$weight, Trama_Float:$bias, F64Attr:$eps);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$x `,` $weight `,` $bias `eps` `=` $eps attr-dict `:` type($x) `,` type($weight) `,` type($bias)";
  let hasVerifier = 1;
}

def Trama_LayerNormGradOp : Trama_InferOp<"layer_norm_grad", [Decompose]> {
  let summary = "the gradients of layer_norm with respect to x, weight and bias";
  let description = [{
    Recomputes mean and rstd = 1 / sqrt(var + eps) of each row. With n = (x - mean) rstd and
    h = grad * weight: dx = rstd (h - mean(h) - n mean(h n)); dweight = sum of grad * n and
    dbias = sum of grad over the leading dimensions.
    grad, x, dx: [.., C]; weight, dweight, dbias: [C].
  }];
  let arguments = (ins Trama_Float:$grad, Trama_Float:$x, Trama_Float:$weight, F64Attr:$eps);
  let results = (outs Trama_Float:$dx, Trama_Float:$dweight, Trama_Float:$dbias);
  let assemblyFormat = "$grad `,` $x `,` $weight `eps` `=` $eps attr-dict `:` type($grad) `,` type($x) `,` type($weight)";
}

def Trama_GeluOp : Trama_Op<"gelu", [Pointwise, Vjp, Decompose, SameOperandsAndResultType]> {
  let summary = "Gaussian error linear unit";
  let description = [{
    x * Phi(x) = x/2 (1 + erf(x / sqrt 2)), or with `tanh` x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    Hendrycks and Gimpel 2016.
  }];
  let arguments = (ins Trama_Float:$x, UnitAttr:$tanh);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$x (`tanh` $tanh^)? attr-dict `:` type($x)";
}

def Trama_GeluGradOp : Trama_InferOp<"gelu_grad", [Pointwise, Decompose]> {
  let summary = "grad * gelu'(x)";
  let description = "The gradient of gelu with respect to x. grad, x, y: tensors of one shape and type.";
  let arguments = (ins Trama_Float:$grad, Trama_Float:$x, UnitAttr:$tanh);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$grad `,` $x (`tanh` $tanh^)? attr-dict `:` type($grad) `,` type($x)";
}

def Trama_ReluOp : Trama_Op<"relu", [Pointwise, Vjp, Decompose, SameOperandsAndResultType]> {
  let summary = "max(x, 0)";
  let description = "y = max(x, 0), NaN stays NaN. Its derivative at 0 is 0. x, y: tensors of one shape and type.";
  let arguments = (ins Trama_Float:$x);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
}

def Trama_DropoutOp : Trama_Op<"dropout", [Vjp, Decompose, AllTypesMatch<["x", "y"]>]> {
  let summary = "x / (1 - p) with probability 1 - p, else 0";
  let description = [{
    Keeps element i where random_uniform(rng, op_id)[i] >= p. rng: i32 [4] as in random_uniform.
    (C1) 0 <= p < 1.
  }];
  let arguments = (ins Trama_Float:$x, Trama_Int:$rng, F64Attr:$p, I64Attr:$op_id);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$x `,` $rng `p` `=` $p `op_id` `=` $op_id attr-dict `:` type($x) `,` type($rng)";
  let hasVerifier = 1;
}

def Trama_CrossEntropyOp : Trama_InferOp<"cross_entropy", [Vjp, Decompose]> {
  let summary = "-log softmax(logits)[target] for each row";
  let description = [{
    y[n] = lse(logits[n]) - logits[n, targets[n]], or with label_smoothing e
    (1-e) of that + e (lse - mean(logits[n])); 0 where targets[n] = ignore_index.
    logits: [N, V], V > 0; targets: [N]; y, lse: [N], lse = max + log(sum(exp(x - max))).
  }];
  let arguments = (ins Trama_Float:$logits, Trama_Int:$targets,
                       DefaultValuedAttr<I64Attr, "-100">:$ignore_index,
                       DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing);
  let results = (outs Trama_Float:$y, Trama_Float:$lse);
  let assemblyFormat = "$logits `,` $targets attr-dict `:` type($logits) `,` type($targets)";
  let hasVerifier = 1;
}

def Trama_CrossEntropyGradOp : Trama_InferOp<"cross_entropy_grad", [Decompose]> {
  let summary = "the gradient of cross_entropy with respect to the logits";
  let description = [{
    y[n, v] = grad[n] (exp(logits[n, v] - lse[n]) - (1-e) [v = targets[n]] - e/V), 0 where ignored.
  }];
  let arguments = (ins Trama_Float:$grad, Trama_Float:$logits, Trama_Int:$targets, Trama_Float:$lse,
                       DefaultValuedAttr<I64Attr, "-100">:$ignore_index,
                       DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$grad `,` $logits `,` $targets `,` $lse attr-dict `:` type($grad) `,` type($logits) `,` type($targets) `,` type($lse)";
  let hasVerifier = 1;
}

def Trama_WeightedMeanOp : Trama_InferOp<"weighted_mean", [Vjp, Decompose]> {
  let summary = "sum(x * weights) / sum(weights), a scalar: how a loss ends";
  let description = [{
    x: [N], N > 0; weights: [N], not differentiated. 0 where the weights are all 0. Accumulation splits a
    training step here: sums of micro-batches are added and divided once.
  }];
  let arguments = (ins Trama_Float:$x, Trama_Float:$weights);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$x `,` $weights attr-dict `:` type($x) `,` type($weights)";
}

def Trama_Activation : I32EnumAttr<"Activation", "what follows an affine map", [
    I32EnumAttrCase<"none", 0>, I32EnumAttrCase<"relu", 1>, I32EnumAttrCase<"gelu", 2>,
    I32EnumAttrCase<"gelu_tanh", 3>, I32EnumAttrCase<"tanh", 4>, I32EnumAttrCase<"sigmoid", 5>]> {
  let cppNamespace = "::trama";
  let genSpecializedAttr = 0;
}
def Trama_ActivationAttr : EnumAttr<Trama_Dialect, Trama_Activation, "activation">;
def Trama_LinearOp : Trama_InferOp<"linear", [Vjp, Decompose]> {
  let summary = "activation(x W + bias)";
  let description = [{
    x: [.., K]; weight: [K, N], or [N, K] with transpose_weight (torch's nn.Linear), of one element
    type; bias: [N] or absent; y: [.., N]; bias and y are f32 where x is bf16 or f16.
    The decomposition takes off the activation first, then the bias. The derivative of an activation
    needs what it was applied to, which this op does not give: a linear with an activation has no
    vjp and autodiff decomposes it before it differentiates.
  }];
  let arguments = (ins Trama_Float:$x, Trama_Float:$weight, Optional<Trama_Float>:$bias,
                       UnitAttr:$transpose_weight,
                       DefaultValuedAttr<Trama_ActivationAttr, "::trama::Activation::none">:$activation);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$x `,` $weight (`transposed` $transpose_weight^)? (`,` $bias^)? (`activation` `=` $activation^)? attr-dict `:` type($x) `,` type($weight) (`,` type($bias)^)?";
}

def Trama_AttentionOp : Trama_InferOp<"attention", [Vjp, Decompose, AttrSizedOperandSegments]> {
  let summary = "softmax(scale * q k^T + mask) v, without the T x S matrix in memory";
  let description = [{
    q: [B, H, T, D]; k: [B, H, S, D], S > 0; v: [B, H, S, E]; y: [B, H, T, E]; lse: [B, H, T] (max +
    log of the sum of each row's scores, kept for the backward).
    key_mask: bool [B, S], true = keep. bias: float, broadcast to [B, H, T, S], added to the scores.
    position: i32 [B]. With `causal`, query i sees keys j <= position[b] + i + (S - T if position is
    absent, which for T = S is j <= i). A row that sees no key gives zeros.
    dropout_p > 0 needs rng and drops weights as dropout does on [B, H, T, S].
    Vaswani et al. 2017; Dao et al. 2022.
  }];
  let arguments = (ins Trama_Float:$q, Trama_Float:$k, Trama_Float:$v,
                       Optional<Trama_Bool>:$key_mask, Optional<Trama_Float>:$bias,
                       Optional<Trama_Int>:$position, Optional<Trama_Int>:$rng,
                       F64Attr:$scale, UnitAttr:$causal,
                       DefaultValuedAttr<F64Attr, "0.0">:$dropout_p,
                       DefaultValuedAttr<I64Attr, "0">:$op_id);
  let results = (outs Trama_Float:$y, Trama_Float:$lse);
  let assemblyFormat = "$q `,` $k `,` $v (`key_mask` $key_mask^ `:` type($key_mask))? (`bias` $bias^ `:` type($bias))? (`position` $position^ `:` type($position))? (`rng` $rng^ `:` type($rng))? `scale` `=` $scale (`causal` $causal^)? attr-dict `:` type($q) `,` type($k) `,` type($v)";
  let hasVerifier = 1;
}

def Trama_AttentionGradOp : Trama_InferOp<"attention_grad", [Decompose, AttrSizedOperandSegments]> {
  let summary = "the gradients of attention with respect to q, k and v";
  let description = [{
    From the forward's operands, its y and lse and the gradient of y; recomputes the weights block by
    block. The gradient of `bias` is not available: an attention that needs it is decomposed first.
  }];
  let arguments = (ins Trama_Float:$grad, Trama_Float:$y, Trama_Float:$lse,
                       Trama_Float:$q, Trama_Float:$k, Trama_Float:$v,
                       Optional<Trama_Bool>:$key_mask, Optional<Trama_Float>:$bias,
                       Optional<Trama_Int>:$position, Optional<Trama_Int>:$rng,
                       F64Attr:$scale, UnitAttr:$causal,
                       DefaultValuedAttr<F64Attr, "0.0">:$dropout_p,
                       DefaultValuedAttr<I64Attr, "0">:$op_id);
  let results = (outs Trama_Float:$dq, Trama_Float:$dk, Trama_Float:$dv);
  let assemblyFormat = "$grad `,` $y `,` $lse `,` $q `,` $k `,` $v (`key_mask` $key_mask^ `:` type($key_mask))? (`bias` $bias^ `:` type($bias))? (`position` $position^ `:` type($position))? (`rng` $rng^ `:` type($rng))? `scale` `=` $scale (`causal` $causal^)? attr-dict `:` type($grad) `,` type($y) `,` type($lse) `,` type($q) `,` type($k) `,` type($v)";
  let hasVerifier = 1;
}

def Trama_LinearCrossEntropyOp : Trama_InferOp<"linear_cross_entropy", [Vjp, Decompose]> {
  let summary = "cross_entropy(x W^T, targets) without the logits of the whole batch in memory";
  let description = [{
    x: [N, C]; weight: [V, C], V > 0; targets: [N]; y: [N], f32 where x is bf16 or f16. For large
    vocabularies.
  }];
  let arguments = (ins Trama_Float:$x, Trama_Float:$weight, Trama_Int:$targets,
                       DefaultValuedAttr<I64Attr, "-100">:$ignore_index);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$x `,` $weight `,` $targets attr-dict `:` type($x) `,` type($weight) `,` type($targets)";
}

def Trama_LinearCrossEntropyGradOp : Trama_InferOp<"linear_cross_entropy_grad", [Decompose]> {
  let summary = "losses and both gradients of linear_cross_entropy in one pass over the vocabulary";
  let description = [{
    y as the forward's; dx = sum over v of g[n, v] weight[v]; dweight[v] = sum over n of g[n, v] x[n],
    g = grad[n] (softmax(x W^T)[n, v] - [v = targets[n]]), 0 where ignored. Row blocks of 256 rows:
    logits, then their gradient in place, then both products; nothing is computed twice.
    Where x and weight are bf16 or f16, grad and the results are f32, and g may be rounded to the
    operands' type before it is multiplied.
  }];
  let arguments = (ins Trama_Float:$grad, Trama_Float:$x, Trama_Float:$weight, Trama_Int:$targets,
                       DefaultValuedAttr<I64Attr, "-100">:$ignore_index);
  let results = (outs Trama_Float:$y, Trama_Float:$dx, Trama_Float:$dweight);
  let assemblyFormat = "$grad `,` $x `,` $weight `,` $targets attr-dict `:` type($grad) `,` type($x) `,` type($weight) `,` type($targets)";
}

// ---------------------------------------------------------------- training

def Trama_SquareSumOp : Trama_InferOp<"square_sum", [Decompose]> {
  let summary = "the sum of squares of all elements of all operands, a scalar";
  let description = "Partial sums by chunk, added in order: independent of threads. The global norm's square.";
  let arguments = (ins Variadic<Trama_Float>:$xs);
  let results = (outs Trama_Float:$y);
  let assemblyFormat = "$xs attr-dict `:` type($xs)";
}

def Trama_SgdOp : Trama_InferOp<"sgd", [Decompose]> {
  let summary = "one step of torch.optim.SGD, with momentum";
  let description = [{
    g = scale grad + weight_decay p; buffer' = momentum buffer + g; p' = p - lr buffer' (momentum 0:
    p - lr g, buffer' = buffer). Where `apply` is false everything stays.
    param, grad, buffer of one shape; lr, scale: scalars; apply: bool scalar.
  }];
  let arguments = (ins Trama_Float:$param, Trama_Float:$grad, Trama_Float:$buffer, Trama_Float:$lr,
                       Trama_Float:$scale, Trama_Bool:$apply, F64Attr:$momentum, F64Attr:$weight_decay);
  let results = (outs Trama_Float:$new_param, Trama_Float:$new_buffer);
  let assemblyFormat = "$param `,` $grad `,` $buffer `lr` $lr `scale` $scale `apply` $apply attr-dict `:` type($param) `,` type($grad) `,` type($buffer) `,` type($lr) `,` type($scale) `,` type($apply)";
}

def Trama_AdamOp : Trama_InferOp<"adam", [Decompose]> {
  let summary = "one step of torch.optim.Adam or AdamW (decoupled)";
  let description = [{
    g = scale grad (+ weight_decay p unless decoupled); p1 = p (1 - lr weight_decay) if decoupled;
    m' = beta1 m + (1-beta1) g; v' = beta2 v + (1-beta2) g^2;
    p' = p1 - lr/correction1 m' / (sqrt(v')/sqrt(correction2) + eps), correction_i = 1 - beta_i^t,
    given as scalars so that the step is not compiled in. Where `apply` is false everything stays.
    Kingma and Ba 2015; Loshchilov and Hutter 2019.
  }];
  let arguments = (ins Trama_Float:$param, Trama_Float:$grad, Trama_Float:$m, Trama_Float:$v,
                       Trama_Float:$lr, Trama_Float:$scale, Trama_Float:$correction1,
                       Trama_Float:$correction2, Trama_Bool:$apply, F64Attr:$beta1, F64Attr:$beta2,
                       F64Attr:$eps, F64Attr:$weight_decay, UnitAttr:$decoupled);
  let results = (outs Trama_Float:$new_param, Trama_Float:$new_m, Trama_Float:$new_v);
  let assemblyFormat = "$param `,` $grad `,` $m `,` $v `lr` $lr `scale` $scale `corrections` $correction1 `,` $correction2 `apply` $apply attr-dict `:` type($param) `,` type($grad) `,` type($m) `,` type($v) `,` type($lr) `,` type($scale) `,` type($correction1) `,` type($correction2) `,` type($apply)";
}

// ---------------------------------------------------------------- kernels and tests

def Trama_DispatchOp : Trama_Op<"dispatch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs an outlined kernel: level \"kernels\"";
  let description = [{
    The callee is a private func.func with the attribute `trama.kind`; its body holds what the
    kernel computes, in trama ops.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Trama_Tensor>:$operands_);
  let results = (outs Variadic<Trama_Tensor>:$results_);
  let assemblyFormat = "$kernel `(` $operands_ `)` attr-dict `:` functional-type($operands_, $results_)";
}

def Trama_CheckCloseOp : Op<Trama_Dialect, "check_close"> {
  let summary = "a test's assertion: got is close to want";
  let description = [{
    |got - want| <= atol + rtol |want| everywhere; equal infinities and two NaN are close.
    trama-opt --run-main checks it.
  }];
  let arguments = (ins Trama_Tensor:$got, Trama_Tensor:$want, DefaultValuedAttr<F64Attr, "1e-5">:$atol,
                       DefaultValuedAttr<F64Attr, "1e-5">:$rtol);
  let assemblyFormat = "$got `,` $want attr-dict `:` type($got) `,` type($want)";
  let hasVerifier = 1;
}

#endif
