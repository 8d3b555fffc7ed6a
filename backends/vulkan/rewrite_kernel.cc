#include "backends/vulkan/rewrite_kernel.h"

#include <algorithm>

#include "backends/codegen/builder.h"
#include "backends/vulkan/expand_math.h"
#include "backends/vulkan/lower_to_spirv.h"
#include "backends/vulkan/narrow_types.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

namespace trama::vulkan {
namespace {
namespace arith = mlir::arith;
namespace gpu = mlir::gpu;
namespace memref = mlir::memref;
namespace vector = mlir::vector;
using codegen::Builder;
using llvm::SmallVector;
using mlir::failed;
using mlir::LogicalResult;
using mlir::OpRewritePattern;
using mlir::PatternRewriter;
using mlir::success;
using mlir::Value;
using mlir::ValueRange;
using mlir::VectorType;

Builder At(PatternRewriter& rewriter, mlir::Operation* op) {
  return Builder(op->getLoc(), rewriter, /*lanes=*/4);
}

Value Lane(Builder& b, Value vector, int64_t i) { return vector::ExtractOp::create(b, vector, i); }

// `at` with `offset` (index) added to the last.
SmallVector<Value> Beyond(Builder& b, ValueRange at, Value offset) {
  SmallVector<Value> moved(at);
  moved.back() = b.Add(moved.back(), offset);
  return moved;
}

// ---- views: SPIR-V has no casts of pointers that every driver takes.

// Of accesses through memref.reinterpret_cast, which codegen::Builder::View makes: indices of the
// flat buffer below.
template <typename Op>
struct FoldView : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter& rewriter) const override {
    mlir::OpOperand* operand = nullptr;
    for (mlir::OpOperand& candidate : op->getOpOperands())
      if (candidate.get().template getDefiningOp<memref::ReinterpretCastOp>()) operand = &candidate;
    if (!operand) return rewriter.notifyMatchFailure(op, "no view");
    auto view = operand->get().template getDefiningOp<memref::ReinterpretCastOp>();
    Value buffer = view.getSource();
    while (auto below = buffer.getDefiningOp<memref::ReinterpretCastOp>())
      buffer = below.getSource();  // a view's offset counts from the buffer's start
    auto type = mlir::cast<mlir::MemRefType>(buffer.getType());
    if (type.getRank() != 1 || !type.getLayout().isIdentity() || !view.getOffsets().empty())
      return rewriter.notifyMatchFailure(op, "not of a flat buffer");
    Builder b = At(rewriter, op);
    auto [strides, offset] = view.getType().getStridesAndOffset();
    Value at = b.Index(offset);
    for (auto [index, stride] : llvm::zip(op.getIndices(), strides))
      at = b.Add(at, b.Mul(index, stride));
    rewriter.modifyOpInPlace(op, [&] {
      operand->set(buffer);
      op.getIndicesMutable().assign(at);
    });
    return success();
  }
};

// ---- vector accesses to buffers of scalars. Emitters ask for buffers of vectors for speed.

struct ScalarizeLoad : OpRewritePattern<vector::LoadOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(vector::LoadOp op, PatternRewriter& rewriter) const override {
    Builder b = At(rewriter, op);
    SmallVector<Value> elements;
    for (int64_t i = 0; i < op.getVectorType().getNumElements(); ++i)
      elements.push_back(b.Load(op.getBase(), Beyond(b, op.getIndices(), b.Index(i))));
    rewriter.replaceOpWithNewOp<vector::FromElementsOp>(op, op.getVectorType(), elements);
    return success();
  }
};

struct ScalarizeStore : OpRewritePattern<vector::StoreOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(vector::StoreOp op, PatternRewriter& rewriter) const override {
    Builder b = At(rewriter, op);
    for (int64_t i = 0; i < op.getVectorType().getNumElements(); ++i)
      b.Store(Lane(b, op.getValueToStore(), i), op.getBase(),
              Beyond(b, op.getIndices(), b.Index(i)));
    rewriter.eraseOp(op);
    return success();
  }
};

struct ScalarizeMaskedStore : OpRewritePattern<vector::MaskedStoreOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(vector::MaskedStoreOp op,
                                PatternRewriter& rewriter) const override {
    Builder b = At(rewriter, op);
    for (int64_t i = 0; i < op.getVectorType().getNumElements(); ++i)
      b.If(Lane(b, op.getMask(), i), [&] {
        b.Store(Lane(b, op.getValueToStore(), i), op.getBase(),
                Beyond(b, op.getIndices(), b.Index(i)));
      });
    rewriter.eraseOp(op);
    return success();
  }
};

// Masked loads and gathers.
template <typename Op>
struct ScalarizeMaskedLoad : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter& rewriter) const override {
    Builder b = At(rewriter, op);
    SmallVector<Value> elements;
    for (int64_t i = 0; i < op.getVectorType().getNumElements(); ++i) {
      auto load = [&]() -> SmallVector<Value> {
        SmallVector<Value> at;
        if constexpr (std::is_same_v<Op, vector::GatherOp>) {
          Value offset = Lane(b, op.getIndices(), i);
          if (!offset.getType().isIndex()) offset = b.ToIndex(offset);
          at = Beyond(b, op.getOffsets(), offset);
        } else {
          at = Beyond(b, op.getIndices(), b.Index(i));
        }
        return {b.Load(op.getBase(), at)};
      };
      elements.push_back(b.IfValues(Lane(b, op.getMask(), i), load, [&]() -> SmallVector<Value> {
        return {Lane(b, op.getPassThru(), i)};
      })[0]);
    }
    rewriter.replaceOpWithNewOp<vector::FromElementsOp>(op, op.getVectorType(), elements);
    return success();
  }
};

// ---- vectors

struct ExpandMask : OpRewritePattern<vector::CreateMaskOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(vector::CreateMaskOp op, PatternRewriter& rewriter) const override {
    if (op.getType().getRank() != 1) return rewriter.notifyMatchFailure(op, "not one dimension");
    Builder b = At(rewriter, op);
    const int64_t lanes = op.getType().getNumElements();
    rewriter.replaceOp(
        op, b.Less(b.LaneIndices(b.getIndexType(), lanes), b.Broadcast(op.getOperand(0), lanes)));
    return success();
  }
};

// In pairs, so that every element goes through as few operations as another.
struct ExpandReduction : OpRewritePattern<vector::ReductionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(vector::ReductionOp op, PatternRewriter& rewriter) const override {
    Builder b = At(rewriter, op);
    SmallVector<Value> parts;
    for (int64_t i = 0; i < op.getSourceVectorType().getNumElements(); ++i)
      parts.push_back(Lane(b, op.getVector(), i));
    if (op.getAcc()) parts.push_back(op.getAcc());
    while (parts.size() > 1) {
      SmallVector<Value> half;
      for (size_t i = 0; i + 1 < parts.size(); i += 2)
        half.push_back(vector::makeArithReduction(b, op.getLoc(), op.getKind(), parts[i],
                                                  parts[i + 1], op.getFastmathAttr()));
      if (parts.size() % 2) half.push_back(parts.back());
      parts = half;
    }
    rewriter.replaceOp(op, parts[0]);
    return success();
  }
};

// ---- large buffers

// An access of one of `pieces`, each of `elements`, to whose number `emit` gives its code.
SmallVector<Value> Choose(Builder& b, Value piece, ValueRange pieces, size_t first,
                          llvm::function_ref<SmallVector<Value>(Value)> emit, bool values) {
  if (first + 1 == pieces.size()) return emit(pieces[first]);
  Value here = b.Compare(arith::CmpIPredicate::eq, piece, b.Index(first));
  if (values)
    return b.IfValues(
        here, [&] { return emit(pieces[first]); },
        [&] { return Choose(b, piece, pieces, first + 1, emit, values); });
  b.If(
      here, [&] { emit(pieces[first]); },
      [&] { Choose(b, piece, pieces, first + 1, emit, values); });
  return {};
}

void SplitAccess(mlir::Operation* op, ValueRange pieces, int64_t elements) {
  mlir::OpBuilder at(op);
  Builder b(op->getLoc(), at, /*lanes=*/4);
  auto load = mlir::dyn_cast<memref::LoadOp>(op);
  auto store = mlir::dyn_cast<memref::StoreOp>(op);
  Value index = load ? load.getIndices()[0] : store.getIndices()[0];
  Value size = b.Index(elements);
  Value piece = arith::DivUIOp::create(b, index, size);
  Value within = arith::RemUIOp::create(b, index, size);
  auto emit = [&](Value buffer) -> SmallVector<Value> {
    if (load) return {b.Load(buffer, within)};
    b.Store(store.getValue(), buffer, within);
    return {};
  };
  SmallVector<Value> loaded = Choose(b, piece, pieces, 0, emit, /*values=*/bool(load));
  op->replaceAllUsesWith(loaded);
  op->erase();
}
LogicalResult SplitLargeBuffers(gpu::GPUFuncOp function, const Target& target,
                                std::vector<uint32_t>& counts) {
  mlir::Block& entry = function.getBody().front();
  for (unsigned i = 0; i < entry.getNumArguments();) {
    mlir::BlockArgument argument = entry.getArgument(i);
    auto type = mlir::cast<mlir::MemRefType>(argument.getType());
    const int64_t element = ElementBytes(type.getElementType()), total = type.getNumElements();
    const int64_t elements = static_cast<int64_t>(target.max_buffer_range / element);
    const int64_t count = target.device_address ? 1 : (total + elements - 1) / elements;
    counts.push_back(static_cast<uint32_t>(count));
    ++i;
    if (count == 1) continue;
    SmallVector<Value> pieces;
    for (int64_t p = 0; p < count; ++p) {
      const int64_t size = std::min(elements, total - p * elements);
      pieces.push_back(entry.insertArgument(i++, type.clone({size}), argument.getLoc()));
    }
    for (mlir::Operation* user : llvm::make_early_inc_range(argument.getUsers())) {
      if (!mlir::isa<memref::LoadOp, memref::StoreOp>(user))
        return user->emitError("of a buffer that is larger than a descriptor's range");
      SplitAccess(user, pieces, elements);
    }
    entry.eraseArgument(--i - count);
  }
  function.setFunctionType(
      mlir::FunctionType::get(function.getContext(), entry.getArgumentTypes(), {}));
  return success();
}

}  // namespace

LogicalResult RewriteKernel(gpu::GPUModuleOp module, const Target& target,
                            std::vector<uint32_t>& pieces) {
  mlir::MLIRContext* context = module.getContext();
  mlir::PassManager early(context, gpu::GPUModuleOp::getOperationName());
  early.addPass(memref::createFoldMemRefAliasOpsPass());
  if (failed(early.run(module))) return mlir::failure();

  mlir::RewritePatternSet patterns(context);
  patterns.add<FoldView<memref::LoadOp>, FoldView<memref::StoreOp>, FoldView<vector::LoadOp>,
               FoldView<vector::StoreOp>, FoldView<vector::MaskedLoadOp>,
               FoldView<vector::MaskedStoreOp>, ScalarizeLoad, ScalarizeStore, ScalarizeMaskedStore,
               ScalarizeMaskedLoad<vector::MaskedLoadOp>, ScalarizeMaskedLoad<vector::GatherOp>,
               ExpandMask, ExpandReduction>(context);
  PopulateBFloat16Expansions(patterns);
  arith::populateCeilFloorDivExpandOpsPatterns(patterns);
  PopulateMathExpansions(patterns);
  if (failed(applyPatternsGreedily(module, std::move(patterns)))) return mlir::failure();
  for (auto function : module.getOps<gpu::GPUFuncOp>()) {
    ReadLowerHalves(function, target);
    if (failed(CheckTypes(function, target))) return mlir::failure();
    if (failed(StoreNarrowTypes(function, target))) return mlir::failure();
    if (failed(SplitLargeBuffers(function, target, pieces))) return mlir::failure();
  }

  mlir::PassManager late(context, gpu::GPUModuleOp::getOperationName());
  late.addPass(mlir::createCanonicalizerPass());
  late.addPass(mlir::createCSEPass());
  late.addPass(mlir::createLoopInvariantCodeMotionPass());
  late.addPass(arith::createArithUnsignedWhenEquivalentPass());
  return late.run(module);
}

}  // namespace trama::vulkan
