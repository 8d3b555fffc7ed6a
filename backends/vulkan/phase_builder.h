// Builds one phase of a kernel: codegen::Builder, with what a GPU has beside it.
//
//   PhaseBuilder b(module, body, target, kernel, "rows", /*local_size=*/{64, 1, 1});
//   Value x = b.Operand(0), y = b.Result(0);
//   Value row = b.WorkgroupIndex(); ...
//   b.Finish(/*workgroups=*/rows);          // appends the phase to `kernel`
//
// Buffers are flat memrefs in the memory space of the target's ABI: index them with row-major
// offsets. An argument of the function exists for what is asked for, once; asking for vectors gives
// an argument of its own over the same buffer. Never cast the memrefs: SPIR-V has no pointer casts
// that every driver takes.
#pragma once

#include <array>
#include <map>
#include <string>
#include <tuple>

#include "backends/codegen/builder.h"
#include "backends/vulkan/kernel.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace trama::vulkan {

using codegen::ArrayRef;
using codegen::SmallVector;
using codegen::Type;
using codegen::Value;
using codegen::ValueRange;

class PhaseBuilder : public codegen::Builder {
 public:
  // Inserts into a new gpu.func in a gpu.module of its own. local_size: invocations of a workgroup;
  // their product is at most target.max_invocations. lanes of the codegen::Builder is 4.
  PhaseBuilder(mlir::ModuleOp module, mlir::func::FuncOp body, const Target& target, Kernel& kernel,
               const std::string& name, std::array<uint32_t, 3> local_size);

  const Target& target() const { return target_; }

  // ---- buffers; `vector` elements at a time: memref<N x element>, or memref<N/4 x vector<4x..>>
  // where `vector` is 4 and CanVectorize says so. bool is stored as i8.
  Value Operand(unsigned index, int64_t vector = 1);
  Value Result(unsigned index, int64_t vector = 1);
  // Whether a buffer of that type may be accessed in aligned vectors: its elements are a multiple
  // of `vector` (buffers start at multiples of 256 bytes).
  static bool CanVectorize(mlir::RankedTensorType type, int64_t vector = 4);
  // `elements` of scratch memory that later phases see under the same `name`.
  Value Workspace(const std::string& name, Type element, int64_t elements, int64_t vector = 1);
  // The bytes of a tensor constant.
  Value ConstantBuffer(mlir::DenseElementsAttr elements, int64_t vector = 1);

  // ---- workgroups
  // Of `workgroups` in all (Finish splits a long grid over two dimensions): 0, 1, ... An invocation
  // of a workgroup beyond them has returned.
  Value WorkgroupIndex();
  Value LocalIndex();               // x of the invocation within its workgroup
  Value LocalIndex(int dimension);  // 0: x, 1: y, 2: z
  Value GlobalIndex();              // WorkgroupIndex() * local_size x + LocalIndex()
  int64_t invocations() const;      // of a workgroup
  // memref of workgroup memory, uninitialised; its bytes count against target.shared_bytes.
  Value Shared(ArrayRef<int64_t> shape, Type element);
  // Where the function's memory is declared, wherever the code is that asks for it.
  mlir::Block* EntryBlock() { return &function_.getBody().front(); }
  // memref in an invocation's own registers or stack.
  Value Private(ArrayRef<int64_t> shape, Type element);
  void Barrier();  // all invocations of the workgroup, which must all come here
  // Every invocation's `value` combined, given to all of them; order fixed by the invocation's
  // place. For one-dimensional workgroups of any size that is a power of two, all of whose
  // invocations must come here; uses workgroup memory and two barriers.
  Value ReduceWorkgroup(Value value, llvm::function_ref<Value(Value, Value)> combine);

  // Where target().subgroup_shuffle: the invocation's place in its subgroup, and f32 or i32 `value`
  // of the one at `lane` (i32) there, which must come here too. Unlike a load from one address,
  // which drivers on processors do for each invocation, this takes them an instruction.
  Value Lane();
  Value Shuffle(Value value, Value lane);

  // Ends the function and appends the phase. ResourceExhausted where the workgroup, its memory or
  // the grid is more than the target has.
  absl::Status Finish(int64_t workgroups);

  uint64_t shared_bytes() const { return shared_bytes_; }

 private:
  using BufferKey = std::tuple<BufferUse::Kind, uint32_t, const void*, int64_t>;
  Value Argument(BufferUse::Kind kind, uint32_t index, Type element, int64_t elements,
                 int64_t vector);
  template <typename Op>
  Value Allocate(ArrayRef<int64_t> shape, Type element, mlir::Attribute space);

  mlir::func::FuncOp body_;
  const Target& target_;
  Kernel& kernel_;
  mlir::gpu::GPUFuncOp function_;
  Phase phase_;
  std::map<BufferKey, Value> arguments_;
  // WorkgroupIndex() as if the grid had one dimension, and as if it had two.
  Value grid_x_, workgroup_1d_, workgroup_2d_;
  // What ReduceWorkgroup uses, by type.
  std::map<const void*, std::pair<Value, Value>> reduction_memory_;
  uint64_t shared_bytes_ = 0;
};

}  // namespace trama::vulkan
