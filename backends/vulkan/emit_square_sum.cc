// square_sum: partial sums of each operand, a workgroup's each, then their sums, eight operands at
// a time, in an order that shapes alone decide. Operands of one size have one shader.
#include <algorithm>
#include <bit>
#include <map>

#include "absl/strings/str_cat.h"
#include "backends/codegen/kernel_body.h"
#include "backends/vulkan/fused_emitter.h"
#include "backends/vulkan/phase_builder.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
constexpr int64_t kChunk = 16384;  // elements that are worth a workgroup
constexpr int64_t kMostGroups = 256;
constexpr size_t kTogether = 8;  // buffers of a phase

// Numbers in a workspace that are still to be added.
struct Partials {
  std::string name;
  int64_t count;
};

class SquareSumEmitter {
 public:
  SquareSumEmitter(mlir::func::FuncOp body, mlir::ModuleOp module, const Target& target,
                   ArrayRef<codegen::Access> outputs)
      : body_(body), module_(module), target_(target), outputs_(outputs) {
    const uint32_t most = target.is_cpu ? target.subgroup_size : 256;
    local_size_ =
        std::bit_floor(std::min({most, target.max_invocations, target.max_workgroup_size[0]}));
  }

  absl::StatusOr<Kernel> Emit(ArrayRef<unsigned> operands) {
    std::vector<Partials> partials;
    const auto size = [&](unsigned operand) { return TypeOf(operand).getNumElements(); };
    auto emit = [&](ArrayRef<unsigned> alike) -> absl::Status {
      TRAMA_ASSIGN_OR_RETURN(Partials sums, EmitPartials(alike));
      partials.push_back(sums);
      return absl::OkStatus();
    };
    TRAMA_RETURN_IF_ERROR(ForGroups<unsigned>(operands, size, emit));
    const auto count = [](const Partials& p) { return p.count; };
    while (partials.size() > kTogether || !AreAlike(partials)) {
      std::vector<Partials> next;
      auto fold = [&](ArrayRef<Partials> alike) -> absl::Status {
        const Partials folded{absl::StrCat("fold_", folds_++), 1};
        next.push_back(folded);
        return EmitFold(alike, &folded);
      };
      TRAMA_RETURN_IF_ERROR(ForGroups<Partials>(partials, count, fold));
      partials = std::move(next);
    }
    TRAMA_RETURN_IF_ERROR(EmitFold(partials, nullptr));
    return std::move(kernel_);
  }

 private:
  static bool AreAlike(ArrayRef<Partials> partials) {
    return llvm::all_of(partials, [&](const Partials& p) { return p.count == partials[0].count; });
  }

  // Up to kTogether items of one size at a time.
  template <typename Item>
  static absl::Status ForGroups(ArrayRef<Item> items, llvm::function_ref<int64_t(const Item&)> size,
                                llvm::function_ref<absl::Status(ArrayRef<Item>)> then) {
    std::map<int64_t, std::vector<Item>> by_size;
    for (const Item& item : items) by_size[size(item)].push_back(item);
    for (const auto& [each, alike] : by_size)
      for (size_t begin = 0; begin < alike.size(); begin += kTogether)
        TRAMA_RETURN_IF_ERROR(
            then(ArrayRef(alike).slice(begin, std::min<size_t>(kTogether, alike.size() - begin))));
    return absl::OkStatus();
  }

  mlir::RankedTensorType TypeOf(unsigned operand) {
    return mlir::cast<mlir::RankedTensorType>(body_.getArgumentTypes()[operand]);
  }

  // The sum of an accumulator of each invocation, given to all.
  static Value Total(PhaseBuilder& b, Value sum) {
    if (codegen::IsVector(sum)) sum = b.ReduceAdd(sum);
    return b.ReduceWorkgroup(sum, [&](Value x, Value y) { return b.Add(x, y); });
  }

  static void OnFirst(PhaseBuilder& b, llvm::function_ref<void()> then) {
    b.If(b.Compare(mlir::arith::CmpIPredicate::eq, b.LocalIndex(), b.Index(0)), then);
  }

  absl::StatusOr<Partials> EmitPartials(ArrayRef<unsigned> operands) {
    const mlir::RankedTensorType type = TypeOf(operands[0]);
    const int64_t width = PhaseBuilder::CanVectorize(type) ? 4 : 1;
    const int64_t elements = type.getNumElements(), vectors = elements / width;
    const int64_t groups = std::clamp<int64_t>(operands.size() * elements / kChunk, 1, kMostGroups);
    const int64_t share = (vectors + groups - 1) / groups;
    const Partials partials{absl::StrCat("partials_", operands[0]), groups};

    PhaseBuilder b(module_, body_, target_, kernel_, "square_sum", {local_size_, 1, 1});
    Value group = b.WorkgroupIndex(), begin = b.Mul(group, share);
    Value end = b.Min(b.Add(begin, share), b.Index(vectors));
    Value zero = width > 1 ? b.Splat(0) : b.Constant(b.F32(), 0);
    Value sum = b.For(b.Add(begin, b.LocalIndex()), end, local_size_, zero,
                      [&](Value i, ValueRange carried) {
                        Value next = carried[0];
                        for (unsigned operand : operands) {
                          Value x = b.Load(b.Operand(operand, width), i);
                          next = b.Fma(x, x, next);
                        }
                        return SmallVector<Value>{next};
                      })[0];
    sum = Total(b, sum);
    OnFirst(b, [&] { b.Store(sum, b.Workspace(partials.name, b.F32(), groups), group); });
    TRAMA_RETURN_IF_ERROR(b.Finish(groups));
    return partials;
  }

  // The sum of all of `partials`, alike, into `to`, or where the kernel returns it.
  absl::Status EmitFold(ArrayRef<Partials> partials, const Partials* to) {
    PhaseBuilder b(module_, body_, target_, kernel_, "square_sum", {local_size_, 1, 1});
    Value sum = b.Constant(b.F32(), 0);
    if (!partials.empty()) {
      sum = b.For(b.LocalIndex(), b.Index(partials[0].count), local_size_, sum,
                  [&](Value i, ValueRange carried) {
                    Value next = carried[0];
                    for (const Partials& p : partials)
                      next = b.Add(next, b.Load(b.Workspace(p.name, b.F32(), p.count), i));
                    return SmallVector<Value>{next};
                  })[0];
      sum = Total(b, sum);
    }
    OnFirst(b, [&] {
      if (to) return b.Store(sum, b.Workspace(to->name, b.F32(), 1), b.Index(0));
      for (const codegen::Access& y : outputs_)
        b.Store(sum, b.Result(y.buffer - body_.getNumArguments()), b.Index(y.offset));
    });
    return b.Finish(1);
  }

  mlir::func::FuncOp body_;
  mlir::ModuleOp module_;
  const Target& target_;
  ArrayRef<codegen::Access> outputs_;
  Kernel kernel_;
  uint32_t local_size_;
  int folds_ = 0;
};

// The operands' numbers, those of no elements left out; Unimplemented where one is a part of one or
// not of f32.
absl::StatusOr<SmallVector<unsigned>> WholeOperands(SquareSumOp op) {
  SmallVector<unsigned> operands;
  for (Value x : op.getXs()) {
    const auto unusual = [] { return absl::UnimplementedError("square_sum: an unusual operand"); };
    auto type = mlir::cast<mlir::RankedTensorType>(x.getType());
    while (auto reshape = x.getDefiningOp<ReshapeOp>()) x = reshape.getX();
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(x);
    if (!argument || !type.getElementType().isF32()) return unusual();
    if (type.getNumElements() > 0) operands.push_back(argument.getArgNumber());
  }
  return operands;
}

absl::StatusOr<Kernel> EmitSquareSum(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target) {
  auto op = codegen::FindAnchor<SquareSumOp>(body);
  if (!op) return absl::InvalidArgumentError("square_sum: the body has none");
  auto outputs = codegen::OutputsOf(body, op->getResults());
  auto operands = WholeOperands(op);
  if (!outputs.ok() || !operands.ok()) return EmitFused(body, module, target);
  return SquareSumEmitter(body, module, target, (*outputs)[0]).Emit(*operands);
}

TRAMA_VULKAN_KERNEL("square_sum", EmitSquareSum);
}  // namespace
}  // namespace trama::vulkan
