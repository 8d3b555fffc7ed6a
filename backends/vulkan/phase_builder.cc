#include "backends/vulkan/phase_builder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/vulkan/lower_to_spirv.h"
#include "llvm/ADT/STLExtras.h"

namespace trama::vulkan {
namespace arith = mlir::arith;
namespace gpu = mlir::gpu;
namespace memref = mlir::memref;
using mlir::MemRefType;
using mlir::VectorType;

namespace {
// How an element lies in memory: bool as i8.
Type StoredElement(Type element) {
  return element.isInteger(1) ? mlir::IntegerType::get(element.getContext(), 8) : element;
}

std::string BytesOf(mlir::DenseElementsAttr elements) {
  std::string bytes;
  if (elements.getElementType().isInteger(1)) {
    for (bool value : elements.getValues<bool>()) bytes += static_cast<char>(value);
    return bytes;
  }
  llvm::ArrayRef<char> raw = elements.getRawData();
  const int64_t copies = elements.isSplat() ? elements.getNumElements() : 1;
  for (int64_t i = 0; i < copies; ++i) bytes.append(raw.data(), raw.size());
  return bytes;
}

template <typename List>
uint32_t FindOrAppend(List& list, const typename List::value_type& value) {
  auto found = std::find(list.begin(), list.end(), value);
  if (found == list.end()) found = list.insert(list.end(), value);
  return static_cast<uint32_t>(found - list.begin());
}

// What the function does with a buffer: from the ops that its argument reaches.
void FindAccesses(Value buffer, BufferUse& use) {
  for (mlir::Operation* user : buffer.getUsers()) {
    auto effects = mlir::dyn_cast<mlir::MemoryEffectOpInterface>(user);
    if (mlir::isa<mlir::ViewLikeOpInterface>(user)) {
      for (Value view : user->getResults()) FindAccesses(view, use);
    } else if (effects) {
      use.reads |= effects.hasEffect<mlir::MemoryEffects::Read>();
      use.writes |= effects.hasEffect<mlir::MemoryEffects::Write>();
    } else {
      use.reads = use.writes = true;
    }
  }
}
}  // namespace

PhaseBuilder::PhaseBuilder(mlir::ModuleOp module, mlir::func::FuncOp body, const Target& target,
                           Kernel& kernel, const std::string& name,
                           std::array<uint32_t, 3> local_size)
    : codegen::Builder(module, /*lanes=*/4), body_(body), target_(target), kernel_(kernel) {
  phase_.symbol = absl::StrCat(name, "_", kernel.phases.size());
  phase_.local_size = local_size;
  auto gpu_module = gpu::GPUModuleOp::create(*this, phase_.symbol);
  setInsertionPointToStart(gpu_module.getBody());
  function_ = gpu::GPUFuncOp::create(*this, "main", getFunctionType({}, {}));
  function_->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), getUnitAttr());
  function_.setKnownBlockSizeAttr(
      getDenseI32ArrayAttr(SmallVector<int32_t>(local_size.begin(), local_size.end())));
  setInsertionPointToStart(&function_.getBody().front());
  workgroup_1d_ = gpu::BlockIdOp::create(*this, gpu::Dimension::x);
  grid_x_ = Index(0);  // Finish knows
  Value y = gpu::BlockIdOp::create(*this, gpu::Dimension::y);
  workgroup_2d_ = Add(Mul(y, grid_x_), workgroup_1d_);
}

Value PhaseBuilder::Argument(BufferUse::Kind kind, uint32_t index, Type element, int64_t elements,
                             int64_t vector) {
  element = StoredElement(element);
  if (vector > 1) {
    element = Vector(vector, element);
    elements /= vector;
  }
  Value& argument = arguments_[{kind, index, element.getAsOpaquePointer(), elements}];
  if (argument) return argument;
  auto type = MemRefType::get({elements}, element, mlir::MemRefLayoutAttrInterface{},
                              BufferSpace(getContext(), target_));
  argument = function_.getBody().front().addArgument(type, getLoc());
  phase_.buffers.push_back({kind, index, /*reads=*/false, /*writes=*/false});
  return argument;
}

Value PhaseBuilder::Operand(unsigned index, int64_t vector) {
  auto type = mlir::cast<mlir::RankedTensorType>(body_.getArgumentTypes()[index]);
  return Argument(BufferUse::kOperand, index, type.getElementType(), type.getNumElements(), vector);
}

Value PhaseBuilder::Result(unsigned index, int64_t vector) {
  auto type = mlir::cast<mlir::RankedTensorType>(body_.getResultTypes()[index]);
  return Argument(BufferUse::kResult, index, type.getElementType(), type.getNumElements(), vector);
}

bool PhaseBuilder::CanVectorize(mlir::RankedTensorType type, int64_t vector) {
  return type.getNumElements() > 0 && type.getNumElements() % vector == 0;
}

Value PhaseBuilder::Workspace(const std::string& name, Type element, int64_t elements,
                              int64_t vector) {
  const uint32_t index = FindOrAppend(kernel_.workspace_names, name);
  kernel_.workspaces.resize(kernel_.workspace_names.size());
  const uint64_t bytes = elements * ElementBytes(StoredElement(element));
  kernel_.workspaces[index] = std::max(kernel_.workspaces[index], bytes);
  return Argument(BufferUse::kWorkspace, index, element, elements, vector);
}

Value PhaseBuilder::ConstantBuffer(mlir::DenseElementsAttr elements, int64_t vector) {
  const uint32_t index = FindOrAppend(kernel_.constants, BytesOf(elements));
  return Argument(BufferUse::kConstant, index, elements.getElementType(), elements.getNumElements(),
                  vector);
}

Value PhaseBuilder::WorkgroupIndex() { return workgroup_2d_; }
Value PhaseBuilder::LocalIndex() { return LocalIndex(0); }
Value PhaseBuilder::LocalIndex(int dimension) {
  return gpu::ThreadIdOp::create(*this, static_cast<gpu::Dimension>(dimension));
}
Value PhaseBuilder::GlobalIndex() {
  return Add(Mul(WorkgroupIndex(), phase_.local_size[0]), LocalIndex());
}
int64_t PhaseBuilder::invocations() const {
  const auto& size = phase_.local_size;
  return int64_t{size[0]} * size[1] * size[2];
}

template <typename Op>
Value PhaseBuilder::Allocate(ArrayRef<int64_t> shape, Type element, mlir::Attribute space) {
  InsertionGuard guard(*this);
  setInsertionPointToStart(EntryBlock());
  return Op::create(*this,
                    MemRefType::get(shape, element, mlir::MemRefLayoutAttrInterface{}, space));
}

Value PhaseBuilder::Shared(ArrayRef<int64_t> shape, Type element) {
  shared_bytes_ += ElementBytes(element) * llvm::product_of(shape);
  return Allocate<memref::AllocOp>(shape, element, SharedSpace(getContext()));
}

Value PhaseBuilder::Private(ArrayRef<int64_t> shape, Type element) {
  return Allocate<memref::AllocaOp>(shape, element, PrivateSpace(getContext()));
}

void PhaseBuilder::Barrier() { gpu::BarrierOp::create(*this); }

// In two rounds: a first row of invocations combines the columns of the rest, and all combine that
// row. The memory of one reduction serves the next too: whoever writes to either array has passed
// the barrier after its last reading.
Value PhaseBuilder::ReduceWorkgroup(Value value, llvm::function_ref<Value(Value, Value)> combine) {
  const int64_t count = invocations();
  if (count == 1) return value;
  int64_t row = 1;
  while (row * row < count) row *= 2;
  auto& [values, partials] = reduction_memory_[value.getType().getAsOpaquePointer()];
  if (!values) {
    values = Shared({count}, value.getType());
    partials = Shared({row}, value.getType());
  }
  auto combine_from = [&](Value memory, Value first, int64_t from, int64_t to, int64_t stride,
                          Value start) {
    auto body = [&](Value i, ValueRange sum) -> SmallVector<Value> {
      return {combine(sum[0], Load(memory, Add(Mul(i, stride), start)))};
    };
    return For(Index(from), Index(to), 1, first, body)[0];
  };
  Value local = LocalIndex();
  Store(value, values, local);
  Barrier();
  If(Less(local, Index(row)),
     [&] { Store(combine_from(values, value, 1, count / row, row, local), partials, local); });
  Barrier();
  return combine_from(partials, Load(partials, Index(0)), 1, row, 1, Index(0));
}

Value PhaseBuilder::Lane() { return gpu::LaneIdOp::create(*this, /*upper_bound=*/nullptr); }
Value PhaseBuilder::Shuffle(Value value, Value lane) {
  Value width = IntConstant(Int(32), target_.subgroup_size);
  return gpu::ShuffleOp::create(*this, value, lane, width, gpu::ShuffleMode::IDX)
      .getShuffleResult();
}

absl::Status PhaseBuilder::Finish(int64_t workgroups) {
  const auto exhausted = [&](auto... what) {
    return absl::ResourceExhaustedError(absl::StrCat(phase_.symbol, ": ", what...));
  };
  for (int i = 0; i < 3; ++i)
    if (phase_.local_size[i] > target_.max_workgroup_size[i])
      return exhausted(phase_.local_size[i], " invocations in dimension ", i);
  if (invocations() > target_.max_invocations)
    return exhausted(invocations(), " invocations in a workgroup");
  if (shared_bytes_ > target_.shared_bytes)
    return exhausted(shared_bytes_, " bytes of workgroup memory, of ", target_.shared_bytes);

  const int64_t limit = target_.max_workgroups;
  const int64_t rows = (workgroups + limit - 1) / limit;
  if (rows > limit || workgroups > std::numeric_limits<int32_t>::max())
    return exhausted(workgroups, " workgroups");
  mlir::Block& entry = function_.getBody().front();
  setInsertionPointToEnd(&entry);
  if (rows <= 1) {
    phase_.workgroups = {static_cast<uint32_t>(workgroups), 1, 1};
    workgroup_2d_.replaceAllUsesWith(workgroup_1d_);
  } else {
    const int64_t row = (workgroups + rows - 1) / rows;
    phase_.workgroups = {static_cast<uint32_t>(row), static_cast<uint32_t>(rows), 1};
    grid_x_.getDefiningOp<arith::ConstantOp>().setValueAttr(getIndexAttr(row));
    if (row * rows != workgroups) {
      // All that follows is for the workgroups that exist. A workgroup goes one way, so barriers
      // may lie within.
      mlir::Operation* after = workgroup_2d_.getDefiningOp();
      auto rest = llvm::make_range(std::next(after->getIterator()), entry.end());
      SmallVector<mlir::Operation*> moved;
      for (mlir::Operation& op : rest) moved.push_back(&op);
      If(Less(workgroup_2d_, Index(workgroups)), [&] {
        mlir::Block* then = getInsertionBlock();
        for (mlir::Operation* op : moved) op->moveBefore(then->getTerminator());
      });
    }
  }
  gpu::ReturnOp::create(*this);
  function_.setFunctionType(getFunctionType(entry.getArgumentTypes(), {}));
  for (auto [argument, use] : llvm::zip(entry.getArguments(), phase_.buffers))
    FindAccesses(argument, use);
  kernel_.phases.push_back(std::move(phase_));
  return absl::OkStatus();
}

}  // namespace trama::vulkan
