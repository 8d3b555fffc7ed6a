// A thin builder over scf, vector, memref and arith: what kernel emitters are written with. Every
// arithmetic helper takes scalars or vectors, floats or integers, by the operands' type.
#pragma once

#include <cstdint>
#include <string>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace trama::codegen {

using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;

// The dialects that emitted code is made of.
void LoadCodegenDialects(mlir::MLIRContext& context);

// Whether `value` is a vector; its type otherwise is a scalar's.
inline bool IsVector(Value value) { return mlir::isa<mlir::VectorType>(value.getType()); }
// `like` with another element type: a vector of it for a vector.
Type WithElement(Type like, Type element);

class Builder : public mlir::ImplicitLocOpBuilder {
 public:
  // lanes: f32 lanes of the target's vector register.
  Builder(mlir::Location loc, mlir::OpBuilder builder, int64_t lanes)
      : ImplicitLocOpBuilder(loc, builder), lanes(lanes) {}
  // Appends to the end of `module`.
  Builder(mlir::ModuleOp module, int64_t lanes)
      : ImplicitLocOpBuilder(module.getLoc(), mlir::OpBuilder::atBlockEnd(module.getBody())),
        lanes(lanes) {}

  const int64_t lanes;

  // ---- types
  Type F32() { return getF32Type(); }
  Type Int(unsigned bits) { return getIntegerType(bits); }
  mlir::VectorType Vector(int64_t n, Type element) { return mlir::VectorType::get({n}, element); }
  // n = 0: one register.
  mlir::VectorType VectorF32(int64_t n = 0) { return Vector(n ? n : lanes, F32()); }

  // ---- constants
  Value Index(int64_t value);
  // `value` converted to the type, in every lane of a vector.
  Value Constant(Type type, double value);
  Value IntConstant(Type type, int64_t value);
  Value Splat(double value, int64_t n = 0) { return Constant(VectorF32(n), value); }

  // ---- arithmetic; a constant right side takes the left side's type
  Value Add(Value a, Value b);
  Value Sub(Value a, Value b);
  Value Mul(Value a, Value b);
  Value Div(Value a, Value b);  // integers: signed, rounded towards zero
  Value Rem(Value a, Value b);  // integers, signed
  Value Add(Value a, int64_t c) { return c ? Add(a, IntConstant(a.getType(), c)) : a; }
  Value Sub(Value a, int64_t c) { return Add(a, -c); }
  Value Mul(Value a, int64_t c) { return c == 1 ? a : Mul(a, IntConstant(a.getType(), c)); }
  Value Div(Value a, int64_t c) { return c == 1 ? a : Div(a, IntConstant(a.getType(), c)); }
  Value Rem(Value a, int64_t c) { return Rem(a, IntConstant(a.getType(), c)); }
  Value Neg(Value a);
  // NaN where an operand is NaN, as torch.maximum; -0 and +0 count as equal.
  Value Max(Value a, Value b);
  Value Min(Value a, Value b);
  // One instruction on x86; the second operand where one is NaN.
  Value FastMax(Value a, Value b);
  Value FastMin(Value a, Value b);
  Value Fma(Value a, Value b, Value c);  // a * b + c, rounded once
  Value And(Value a, Value b) { return mlir::arith::AndIOp::create(*this, a, b); }
  Value Or(Value a, Value b) { return mlir::arith::OrIOp::create(*this, a, b); }
  Value Xor(Value a, Value b) { return mlir::arith::XOrIOp::create(*this, a, b); }
  Value Compare(mlir::arith::CmpIPredicate p, Value a, Value b) {
    return mlir::arith::CmpIOp::create(*this, p, a, b);
  }
  Value Compare(mlir::arith::CmpFPredicate p, Value a, Value b) {
    return mlir::arith::CmpFOp::create(*this, p, a, b);
  }
  Value Less(Value a, Value b);  // ordered
  // `condition` a scalar or a vector.
  Value Select(Value condition, Value on_true, Value on_false) {
    return mlir::arith::SelectOp::create(*this, condition, on_true, on_false);
  }
  Value ToIndex(Value integer);              // signed
  Value FromIndex(Value index, Type like);   // to an integer type
  Value Bitcast(Value value, Type element);  // elements of equal width

  // ---- vectors
  Value Broadcast(Value scalar, int64_t n = 0);    // a vector stays as it is
  Value LaneIndices(Type element, int64_t n = 0);  // 0, 1, 2, ...
  // i1: lanes below `count` (index).
  Value Mask(Value count, int64_t n = 0);
  // A vector's sum, order free; product, maximum with FastMax.
  Value ReduceAdd(Value vector);
  Value ReduceMax(Value vector);  // NaN where a lane is NaN
  // A vector whose lane l is vectors[l % n] reduced across its lanes by `combine`; n = their
  // number, a power of two of at most their lanes.
  Value ReduceEach(ArrayRef<Value> vectors, llvm::function_ref<Value(Value, Value)> combine);
  // n x n: rows become columns, in log2(n) rounds of shuffles; n = rows.size(), a power of two.
  void TransposeRows(llvm::MutableArrayRef<Value> rows);

  // ---- memory
  Value Load(Value memref, ValueRange at) {
    return mlir::memref::LoadOp::create(*this, memref, at);
  }
  void Store(Value value, Value memref, ValueRange at) {
    mlir::memref::StoreOp::create(*this, value, memref, at);
  }
  // A vector of the memref's elements along its last dimension, n = 0: `lanes`.
  Value LoadVector(Value memref, ValueRange at, int64_t n = 0);
  void StoreVector(Value value, Value memref, ValueRange at) {
    mlir::vector::StoreOp::create(*this, value, memref, at);
  }
  // Lanes off the mask: 0 (or `other`), not read, not written.
  Value LoadMasked(Value memref, ValueRange at, Value mask, Value other = nullptr);
  void StoreMasked(Value value, Value memref, ValueRange at, Value mask) {
    mlir::vector::MaskedStoreOp::create(*this, memref, at, mask, value);
  }
  // Elements at + indices[lane] (vector of index).
  Value Gather(Value memref, ValueRange at, Value indices, Value mask);
  // A row-major view of `shape` at element `offset` of a contiguous memref; costs nothing.
  Value View(Value memref, ArrayRef<int64_t> shape, int64_t offset = 0);
  Value Flat(Value memref);  // [number of elements]

  // ---- control
  // for (i = begin; i < end; i += step) body(i)
  void For(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body);
  void For(int64_t begin, int64_t end, int64_t step, llvm::function_ref<void(Value)> body) {
    For(Index(begin), Index(end), step, body);
  }
  // With values carried from one iteration to the next; returns the last.
  SmallVector<Value> For(Value begin, Value end, int64_t step, ValueRange init,
                         llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);
  void If(Value condition, llvm::function_ref<void()> then,
          llvm::function_ref<void()> otherwise = nullptr);
  SmallVector<Value> IfValues(Value condition, llvm::function_ref<SmallVector<Value>()> then,
                              llvm::function_ref<SmallVector<Value>()> otherwise);
};

// Hands out row-major f32 views of a flat buffer, 64-byte aligned, and counts what it gave.
class FloatArena {
 public:
  explicit FloatArena(Value base) : base_(base) {}
  Value Take(Builder& b, ArrayRef<int64_t> shape);
  int64_t used() const { return used_; }

 private:
  Value base_;
  int64_t used_ = 0;
};

// The arguments of a phase's function; see backends/cpu/kernel.h.
struct PhaseArguments {
  SmallVector<Value> operands, results;  // memrefs, bool as i8
  FloatArena workspace, scratch;
  Value begin, end;  // index
};

// The memref in which a tensor lies in a buffer.
mlir::MemRefType BufferType(mlir::RankedTensorType type);

// Appends function `name` with the arguments of a phase of `kernel` (operands to results, in trama
// ops) and `emit` as its body. The workspace and scratch may be taken from as `emit` goes: their
// sizes are set after it. Several phases see the same workspace: take the same shapes in the same
// order in each.
struct PhaseSizes {
  int64_t workspace_floats = 0, scratch_floats = 0;
};
PhaseSizes EmitPhase(Builder& b, const std::string& name, mlir::func::FuncOp kernel,
                     llvm::function_ref<void(PhaseArguments&)> emit);

}  // namespace trama::codegen
