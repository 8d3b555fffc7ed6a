// Rows of strided tensors four elements at a time, and the unsigned index arithmetic of grids.
#pragma once

#include "backends/codegen/kernel_body.h"
#include "backends/vulkan/phase_builder.h"

namespace trama::vulkan {

inline int64_t CeilDiv(int64_t n, int64_t by) { return (n + by - 1) / by; }
inline int64_t RoundUp(int64_t n, int64_t to) { return CeilDiv(n, to) * to; }
// The least power of two that is not below n.
int64_t PowerOfTwo(int64_t n);

// n / by and n % by of an index that is not negative: one instruction where `by` is a power of two.
Value Divide(PhaseBuilder& b, Value n, int64_t by);
Value Remainder(PhaseBuilder& b, Value n, int64_t by);

// The tensor in the buffer of `access`.
mlir::RankedTensorType TypeOf(mlir::func::FuncOp body, const codegen::Access& access);
// The buffer of `access` as an argument of the phase.
Value BufferOf(PhaseBuilder& b, mlir::func::FuncOp body, const codegen::Access& access,
               int64_t vector = 1);
// One element, bool as i1.
Value LoadElement(PhaseBuilder& b, mlir::func::FuncOp body, const codegen::Access& access,
                  ValueRange at);
void StoreElement(PhaseBuilder& b, mlir::func::FuncOp body, Value value,
                  const codegen::Access& access, ValueRange at);

// ((x0 + x1) + (x2 + x3)) of a vector of four.
Value SumQuad(PhaseBuilder& b, Value quad);
Value MakeQuad(PhaseBuilder& b, ArrayRef<Value> elements);

// Calls f(quad, live) for the quads that cover `columns` elements: `live` of its elements exist, 4
// in all but the last. Unrolled where they are few, so that what f keeps in private arrays may
// become registers.
void ForQuads(PhaseBuilder& b, int64_t columns, llvm::function_ref<void(Value, int64_t)> f);

// The rows of an f32 tensor: the last dimension of an access, of `columns` elements.
class QuadRows {
 public:
  QuadRows(PhaseBuilder& b, mlir::func::FuncOp body, codegen::Access access, int64_t columns);

  // Where the row at `at` (all dimensions but the last) begins; for Load and Store.
  Value Row(ValueRange at);
  // Quad `quad` of a row: `live` of its elements exist, the others are 0. kUnknown: the index
  // decides.
  static constexpr int64_t kUnknown = -1;
  Value Load(Value row, Value quad, int64_t live);
  void Store(Value value, Value row, Value quad, int64_t live);

  int64_t columns() const { return columns_; }

 private:
  PhaseBuilder& b_;
  codegen::Access access_;
  const int64_t columns_;
  bool whole_;    // rows are vectors of four in memory
  Value buffer_;  // of vectors if so
};

// Reads a row in ForQuads. Drivers on processors load for each invocation one by one: where all
// read the same row, those of a subgroup load different quads of it there, and shuffle.
class RowReader {
 public:
  // row: from rows.Row, where `common` the same in the whole workgroup, all of whose invocations
  // must come here and to Load.
  RowReader(PhaseBuilder& b, QuadRows& rows, Value row, bool common);
  Value Load(Value quad, int64_t live);

 private:
  PhaseBuilder* b_;
  QuadRows* rows_;
  Value row_;
  SmallVector<Value> own_;  // quads lane, lane + subgroup, ..; none: loaded where asked for
};

}  // namespace trama::vulkan
