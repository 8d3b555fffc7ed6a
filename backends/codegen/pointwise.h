// What a pointwise trama op computes for one element, in arith and math: the one lowering that
// compiling backends share, in fused kernels and in the epilogues of others.
#pragma once

#include "absl/status/statusor.h"
#include "backends/codegen/builder.h"

namespace trama::codegen {

// Whether EmitPointwise knows `op`. Iota is Pointwise but depends on the index and is not among
// them.
bool HasPointwiseLowering(mlir::Operation* op);

// The element(s) of op's result from those of its operands: scalars, or vectors where any operand
// is one. Values have the tensors' element types; bool is i1. bf16 and f16 are computed in f32 and
// rounded after each op. Unimplemented names an op without a lowering.
absl::StatusOr<Value> EmitPointwise(Builder& b, mlir::Operation* op, ValueRange operands);

// `x` converted as trama.cast does.
Value CastElements(Builder& b, Value x, Type element);

// A tensor constant's element where all are equal.
bool IsSplatConstant(Value tensor, double* value);

// The elements of `value`, a tensor that pointwise ops compute, from those of the tensors that
// `leaf` gives (null: go on to the defining op). The values' shapes are not looked at: `leaf` knows
// the index and thus what broadcasting means there. A splat constant needs no leaf.
absl::StatusOr<Value> EmitExpression(Builder& b, Value value,
                                     llvm::function_ref<Value(Value)> leaf);

// Conversions between a buffer's element and the value computed with: bool is i8 in memory.
Value FromStorage(Builder& b, Value stored, Type element);
Value ToStorage(Builder& b, Value value);

}  // namespace trama::codegen
