#include "backends/vulkan/narrow_types.h"

#include "backends/codegen/builder.h"
#include "backends/vulkan/lower_to_spirv.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"

namespace trama::vulkan {
namespace {
namespace arith = mlir::arith;
namespace gpu = mlir::gpu;
namespace memref = mlir::memref;
namespace vector = mlir::vector;
using codegen::Builder;
using llvm::SmallVector;
using mlir::LogicalResult;
using mlir::MemRefType;
using mlir::OpRewritePattern;
using mlir::PatternRewriter;
using mlir::success;
using mlir::Type;
using mlir::Value;
using mlir::VectorType;

// Conversions between integers and bf16, by way of f32.
template <typename Op>
struct ExpandToBFloat16 : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter& rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isBF16())
      return rewriter.notifyMatchFailure(op, "another type");
    Type wide = codegen::WithElement(op.getType(), rewriter.getF32Type());
    Value value = Op::create(rewriter, op.getLoc(), wide, op.getIn());
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, op.getType(), value);
    return success();
  }
};

template <typename Op>
struct ExpandFromBFloat16 : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter& rewriter) const override {
    if (!getElementTypeOrSelf(op.getIn()).isBF16())
      return rewriter.notifyMatchFailure(op, "another type");
    Type wide = codegen::WithElement(op.getIn().getType(), rewriter.getF32Type());
    Value value = arith::ExtFOp::create(rewriter, op.getLoc(), wide, op.getIn());
    rewriter.replaceOpWithNewOp<Op>(op, op.getType(), value);
    return success();
  }
};

// Comparisons need the numbers.
struct CompareBFloat16 : OpRewritePattern<arith::CmpFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::CmpFOp op, PatternRewriter& rewriter) const override {
    if (!getElementTypeOrSelf(op.getLhs()).isBF16())
      return rewriter.notifyMatchFailure(op, "another type");
    Builder b(op.getLoc(), rewriter, /*lanes=*/4);
    Type wide = codegen::WithElement(op.getLhs().getType(), b.F32());
    rewriter.replaceOp(op, b.Compare(op.getPredicate(), arith::ExtFOp::create(b, wide, op.getLhs()),
                                     arith::ExtFOp::create(b, wide, op.getRhs())));
    return success();
  }
};

// `type` with i16 for bf16.
Type WithoutBFloat16(Type type) {
  if (type.isBF16()) return mlir::IntegerType::get(type.getContext(), 16);
  if (auto vector = mlir::dyn_cast<VectorType>(type))
    return vector.clone(WithoutBFloat16(vector.getElementType()));
  return type;
}

// What is left between the expansions of casts and the accesses are bitcasts that cancel.
void StoreBFloat16AsBits(Value buffer) {
  auto type = mlir::cast<MemRefType>(buffer.getType());
  Type element = type.getElementType(), stored = WithoutBFloat16(element);
  if (stored == element) return;
  buffer.setType(MemRefType::get(type.getShape(), stored, type.getLayout(), type.getMemorySpace()));
  for (mlir::Operation* user : llvm::make_early_inc_range(buffer.getUsers())) {
    mlir::OpBuilder b(user);
    if (auto store = mlir::dyn_cast<memref::StoreOp>(user)) {
      store.setOperand(0, arith::BitcastOp::create(b, user->getLoc(), stored, store.getValue()));
    } else if (auto load = mlir::dyn_cast<memref::LoadOp>(user)) {
      b.setInsertionPointAfter(load);
      load.getResult().setType(stored);
      auto value = arith::BitcastOp::create(b, user->getLoc(), element, load.getResult());
      load.getResult().replaceAllUsesExcept(value, value);
    }
  }
}

// Accesses of a buffer of words that was one of `element`, an integer or a vector of them.
class Words {
 public:
  explicit Words(Type element)
      : element_(getElementTypeOrSelf(element)), width_(element_.getIntOrFloatBitWidth()) {
    if (auto vector = mlir::dyn_cast<VectorType>(element)) lanes_ = vector.getNumElements();
  }

  // The words of `elements` of them.
  MemRefType Buffer(MemRefType type) const {
    Type word = mlir::IntegerType::get(type.getContext(), 32);
    int64_t count = type.getNumElements();
    if (lanes_ * width_ > 32)
      word = VectorType::get({lanes_ * width_ / 32}, word);
    else
      count = (count * lanes_ * width_ + 31) / 32;
    return MemRefType::get({count}, word, mlir::MemRefLayoutAttrInterface{}, type.getMemorySpace());
  }

  Value Load(Builder& b, Value buffer, Value at) const {
    if (lanes_ == 1) {
      auto [word, shift] = Place(b, at);
      return Part(b, b.Load(buffer, word), shift);
    }
    Value loaded = b.Load(buffer, at);
    SmallVector<Value> elements;
    for (int64_t i = 0; i < lanes_; ++i) {
      Value word = loaded;
      if (codegen::IsVector(loaded)) word = vector::ExtractOp::create(b, loaded, i * width_ / 32);
      elements.push_back(Part(b, word, b.IntConstant(b.Int(32), i * width_ % 32)));
    }
    return vector::FromElementsOp::create(b, VectorType::get({lanes_}, element_), elements);
  }

  void Store(Builder& b, Value value, Value buffer, Value at) const {
    if (lanes_ == 1) {
      auto [word, shift] = Place(b, at);
      Value mask = b.IntConstant(b.Int(32), (int64_t{1} << width_) - 1);
      Value others = b.Xor(arith::ShLIOp::create(b, mask, shift), b.IntConstant(b.Int(32), -1));
      memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::andi, others, buffer, word);
      memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::ori, Shifted(b, value, shift), buffer,
                                  word);
      return;
    }
    SmallVector<Value> words(std::max<int64_t>(lanes_ * width_ / 32, 1));
    for (int64_t i = 0; i < lanes_; ++i) {
      Value& word = words[i * width_ / 32];
      Value part = Shifted(b, vector::ExtractOp::create(b, value, i),
                           b.IntConstant(b.Int(32), i * width_ % 32));
      word = word ? b.Or(word, part) : part;
    }
    auto type = mlir::cast<MemRefType>(buffer.getType()).getElementType();
    b.Store(mlir::isa<VectorType>(type)
                ? vector::FromElementsOp::create(b, mlir::cast<VectorType>(type), words)
                : words[0],
            buffer, at);
  }

 private:
  // The word of element `at`, and its lowest bit there.
  std::pair<Value, Value> Place(Builder& b, Value at) const {
    Value per_word = b.Index(32 / width_);
    Value within = arith::RemUIOp::create(b, at, per_word);
    return {arith::DivUIOp::create(b, at, per_word), b.FromIndex(b.Mul(within, width_), b.Int(32))};
  }
  Value Part(Builder& b, Value word, Value shift) const {
    return arith::TruncIOp::create(b, element_, arith::ShRUIOp::create(b, word, shift));
  }
  Value Shifted(Builder& b, Value element, Value shift) const {
    return arith::ShLIOp::create(b, arith::ExtUIOp::create(b, b.Int(32), element), shift);
  }

  Type element_;
  int64_t width_, lanes_ = 1;
};

void StoreInWords(Value buffer) {
  auto type = mlir::cast<MemRefType>(buffer.getType());
  const Words words(type.getElementType());
  buffer.setType(words.Buffer(type));
  for (mlir::Operation* user : llvm::make_early_inc_range(buffer.getUsers())) {
    mlir::OpBuilder at(user);
    Builder b(user->getLoc(), at, /*lanes=*/4);
    if (auto store = mlir::dyn_cast<memref::StoreOp>(user)) {
      words.Store(b, store.getValue(), buffer, store.getIndices()[0]);
    } else {
      auto load = mlir::cast<memref::LoadOp>(user);
      load.getResult().replaceAllUsesWith(words.Load(b, buffer, load.getIndices()[0]));
    }
    user->erase();
  }
}

Type ScalarOf(Type type) {
  if (auto memory = mlir::dyn_cast<MemRefType>(type)) type = memory.getElementType();
  return getElementTypeOrSelf(type);
}

// Whether `op` does no more with 8-bit integers than bools in memory need.
bool MovesBytesOnly(mlir::Operation* op) {
  if (auto compare = mlir::dyn_cast<arith::CmpIOp>(op))
    return compare.getPredicate() == arith::CmpIPredicate::eq ||
           compare.getPredicate() == arith::CmpIPredicate::ne;
  return mlir::isa<memref::LoadOp, memref::StoreOp, arith::ConstantOp, arith::ExtUIOp,
                   arith::TruncIOp, arith::SelectOp>(op) ||
         mlir::isa<vector::VectorDialect, mlir::scf::SCFDialect>(op->getDialect());
}
// Whether `op` reads 64-bit integers of which no more than the lower 32 bits are used.
bool ReadsLowerHalves(mlir::Operation* op) {
  return mlir::isa<memref::LoadOp>(op) && llvm::all_of(op->getUsers(), [](mlir::Operation* user) {
           return mlir::isa<arith::IndexCastOp, arith::TruncIOp>(user);
         });
}
}  // namespace

void ReadLowerHalves(gpu::GPUFuncOp function, const Target& target) {
  if (target.int64) return;
  for (mlir::BlockArgument buffer : function.getArguments()) {
    auto type = mlir::cast<MemRefType>(buffer.getType());
    if (!ScalarOf(type).isInteger(64) || !llvm::all_of(buffer.getUsers(), ReadsLowerHalves))
      continue;
    auto vector = mlir::dyn_cast<VectorType>(type.getElementType());
    const int64_t lanes = vector ? vector.getNumElements() : 1;
    Type word = mlir::IntegerType::get(type.getContext(), 32);
    buffer.setType(MemRefType::get({2 * lanes * type.getNumElements()}, word,
                                   mlir::MemRefLayoutAttrInterface{}, type.getMemorySpace()));
    for (mlir::Operation* user : llvm::make_early_inc_range(buffer.getUsers())) {
      mlir::OpBuilder at(user);
      Builder b(user->getLoc(), at, /*lanes=*/4);
      Value first = b.Mul(mlir::cast<memref::LoadOp>(user).getIndices()[0], 2 * lanes);
      SmallVector<Value> words;
      for (int64_t l = 0; l < lanes; ++l) words.push_back(b.Load(buffer, b.Add(first, 2 * l)));
      Value lower =
          vector ? Value(vector::FromElementsOp::create(b, vector.clone(word), words)) : words[0];
      for (mlir::Operation* narrowing : llvm::make_early_inc_range(user->getUsers())) {
        b.setInsertionPoint(narrowing);
        Type to = narrowing->getResult(0).getType();
        Value value = lower;
        if (mlir::isa<arith::IndexCastOp>(narrowing))
          value = arith::IndexCastOp::create(b, to, lower);
        else if (to != lower.getType())
          value = arith::TruncIOp::create(b, to, lower);
        narrowing->getResult(0).replaceAllUsesWith(value);
        narrowing->erase();
      }
      user->erase();
    }
  }
  function.setFunctionType(mlir::FunctionType::get(
      function.getContext(), function.getBody().front().getArgumentTypes(), {}));
}

void PopulateBFloat16Expansions(mlir::RewritePatternSet& patterns) {
  patterns.add<ExpandToBFloat16<arith::SIToFPOp>, ExpandToBFloat16<arith::UIToFPOp>,
               ExpandFromBFloat16<arith::FPToSIOp>, CompareBFloat16>(patterns.getContext());
  arith::populateExpandBFloat16Patterns(patterns);
}

LogicalResult CheckTypes(gpu::GPUFuncOp function, const Target& target) {
  auto check = [&](mlir::Operation* op, Type type) -> LogicalResult {
    const Type scalar = ScalarOf(type);
    const bool allocated = mlir::isa<memref::AllocOp, memref::AllocaOp>(op);
    bool has = true;
    if (scalar.isF64()) has = target.float64;
    if (scalar.isF16()) has = target.float16 && target.storage16;
    if (scalar.isInteger(64)) has = target.int64;
    if (scalar.isInteger(8)) has = target.int8 || (!allocated && MovesBytesOnly(op));
    if (scalar.isBF16()) has = target.int16 || !allocated;
    if (has) return success();
    return op->emitError() << "the device has no " << scalar;
  };
  for (Type type : function.getArgumentTypes())
    if (!ScalarOf(type).isInteger(8) && failed(check(function, type))) return mlir::failure();
  auto result = function.walk([&](mlir::Operation* op) {
    for (Type type : op->getOperandTypes())
      if (failed(check(op, type))) return mlir::WalkResult::interrupt();
    for (Type type : op->getResultTypes())
      if (failed(check(op, type))) return mlir::WalkResult::interrupt();
    return mlir::WalkResult::advance();
  });
  return mlir::failure(result.wasInterrupted());
}

LogicalResult StoreNarrowTypes(gpu::GPUFuncOp function, const Target& target) {
  SmallVector<Value> memory(function.getArguments());
  function.walk([&](mlir::Operation* op) {
    if (mlir::isa<memref::AllocOp, memref::AllocaOp>(op)) memory.push_back(op->getResult(0));
  });
  for (Value buffer : memory)
    for (mlir::Operation* user : buffer.getUsers())
      if (ScalarOf(buffer.getType()).getIntOrFloatBitWidth() < 32 &&
          !mlir::isa<memref::LoadOp, memref::StoreOp, mlir::UnrealizedConversionCastOp>(user))
        return user->emitError("of a buffer of fewer than 32 bits an element");
  for (Value buffer : memory) StoreBFloat16AsBits(buffer);
  const bool bytes = target.int8 && target.storage8, halves = target.int16 && target.storage16;
  for (Value buffer : function.getArguments()) {
    const Type scalar = ScalarOf(buffer.getType());
    if ((scalar.isInteger(8) && !bytes) || (scalar.isInteger(16) && !halves)) StoreInWords(buffer);
  }
  function.setFunctionType(mlir::FunctionType::get(
      function.getContext(), function.getBody().front().getArgumentTypes(), {}));
  return success();
}

}  // namespace trama::vulkan
