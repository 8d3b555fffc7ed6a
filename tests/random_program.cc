#include "tests/random_program.h"

#include <cmath>
#include <random>

#include "ir/builder_util.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tests/random_composites.h"

namespace trama {

using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Value;

// ---------------------------------------------------------------- choices

int64_t RandomBuilder::Pick(int64_t n) { return static_cast<int64_t>(random_() % n); }

int64_t RandomBuilder::Size() { return SmallVector<int64_t>{1, 2, 3, 3, 4, 5, 7}[Pick(7)]; }

SmallVector<int64_t> RandomBuilder::RandomShape(int64_t min_rank, int64_t max_rank) {
  SmallVector<int64_t> shape;
  const int64_t rank = min_rank + Pick(max_rank - min_rank + 1);
  for (int64_t i = 0; i < rank; ++i) shape.push_back(Size());
  return shape;
}

Value RandomBuilder::Input(ArrayRef<int64_t> shape, mlir::Type element) {
  Value input = block_->addArgument(mlir::RankedTensorType::get(shape, element), e.loc());
  if (element == float_type) Bound(input) = 2;
  return input;
}

Value RandomBuilder::Rng() {
  if (!rng_) rng_ = Input({4}, i32());
  return rng_;
}

double& RandomBuilder::Bound(Value v) { return bounds_[v]; }

void RandomBuilder::Keep(Value v, double bound) {
  bounds_[v] = bound;
  pool_.push_back(v);
}

Value RandomBuilder::Any() {
  if (pool_.empty() || Pick(8) == 0) {
    Value input = Input(RandomShape(1, 4), float_type);
    pool_.push_back(input);
    return input;
  }
  // Later values more often, so that programs are deep.
  const int64_t size = pool_.size();
  return pool_[size - 1 - std::min({Pick(size), Pick(size)})];
}

Value RandomBuilder::Tame(Value v, double limit) {
  if (Bound(v) <= limit) return v;
  Value tame = e.Unary<TanhOp>(v);
  Bound(tame) = 1;
  return tame;
}

Value RandomBuilder::AnyOfRank(int64_t rank) {
  Value v = Any();
  SmallVector<int64_t> shape(ShapeOf(v));
  while (static_cast<int64_t>(shape.size()) < rank) shape.insert(shape.begin(), 1);
  while (static_cast<int64_t>(shape.size()) > rank) {
    shape[1] *= shape[0];
    shape.erase(shape.begin());
  }
  Value reshaped = e.Reshape(v, shape);
  Bound(reshaped) = Bound(v);
  return reshaped;
}

Value RandomBuilder::Partner(Value x) {
  if (Pick(2) == 0) {
    const int64_t start = Pick(pool_.size() + 1);
    for (size_t i = 0; i < pool_.size(); ++i) {
      Value v = pool_[(start + i) % pool_.size()];
      auto joined = BroadcastShapes({ShapeOf(v), ShapeOf(x)});
      if (joined && mlir::ShapedType::getNumElements(*joined) <= kMaxElements) return v;
    }
  }
  SmallVector<int64_t> shape(ShapeOf(x));
  if (Pick(3) == 0 && !shape.empty())
    shape.erase(shape.begin(), shape.begin() + Pick(shape.size()));
  for (int64_t& size : shape)
    if (Pick(4) == 0) size = 1;
  return Input(shape, float_type);
}

Value RandomBuilder::Splat(ArrayRef<int64_t> shape, double c) {
  // As a scalar, with dimensions, or broadcast from a scalar.
  if (Pick(2) == 0) return e.Scalar(float_type, c);
  if (Pick(2) == 0) return e.Constant(mlir::RankedTensorType::get(shape, float_type), c);
  return e.Broadcast(e.Scalar(float_type, c), shape);
}

// ---------------------------------------------------------------- steps

namespace {

void Unary(RandomBuilder& r) {
  Value x = r.Any();
  const double bound = r.Bound(x);
  Value positive = r.e.Add(r.e.Unary<AbsOp>(x), 0.5);
  switch (r.Pick(11)) {
    case 0:
      return r.Keep(r.e.Neg(x), bound);
    case 1:
      return r.Keep(r.e.Unary<AbsOp>(x), bound);
    case 2:
      return r.Keep(r.e.Exp(r.Tame(x, 4)), 55);
    case 3:
      return r.Keep(r.e.Log(positive), 15);
    case 4:
      return r.Keep(r.e.Sqrt(positive), std::sqrt(bound + 0.5));
    case 5:
      return r.Keep(r.e.Rsqrt(positive), 1.5);
    case 6:
      return r.Keep(r.e.Unary<TanhOp>(x), 1);
    case 7:
      return r.Keep(r.e.Unary<SigmoidOp>(x), 1);
    case 8:
      return r.Keep(r.e.Unary<ErfOp>(x), 1);
    case 9:
      return r.Keep(r.e.Unary<SinOp>(r.Tame(x, 20)), 1);
    default:
      return r.Keep(r.e.Unary<CosOp>(r.Tame(x, 20)), 1);
  }
}

void Binary(RandomBuilder& r) {
  Value x = r.Any(), y = r.Partner(x);
  const double bx = r.Bound(x), by = r.Bound(y);
  if (r.Pick(2) == 0) std::swap(x, y);
  switch (r.Pick(6)) {
    case 0:
      return r.Keep(r.e.Add(x, y), bx + by);
    case 1:
      return r.Keep(r.e.Sub(x, y), bx + by);
    case 2:
      x = r.Tame(x, 100), y = r.Tame(y, 100);
      return r.Keep(r.e.Mul(x, y), r.Bound(x) * r.Bound(y));
    case 3:
      return r.Keep(r.e.Max(x, y), std::max(bx, by));
    case 4:
      return r.Keep(r.e.Binary<MinOp>(x, y), std::max(bx, by));
    default:
      return r.Keep(r.e.Div(x, r.e.Add(r.e.Unary<AbsOp>(y), 1.0)), std::max(bx, by));
  }
}

void WithConstant(RandomBuilder& r) {
  Value x = r.Tame(r.Any(), 1e3);
  const double c = SmallVector<double>{0.5, 2, -1, 3, 0.125, 1}[r.Pick(6)], bound = r.Bound(x);
  Value splat = r.Splat(ShapeOf(x), c);
  switch (r.Pick(6)) {
    case 0:
      return r.Keep(r.e.Add(x, splat), bound + 3);
    case 1:
      return r.Keep(r.e.Sub(splat, x), bound + 3);
    case 2:
      return r.Keep(r.e.Mul(splat, x), bound * 3);
    case 3:
      return r.Keep(r.e.Div(x, splat), bound * 8);
    case 4: {
      Value positive = r.e.Add(r.e.Unary<AbsOp>(r.Tame(x, 10)), 0.5);
      const double power = SmallVector<double>{2, 3, -1, 0.5, -0.5, 1.5}[r.Pick(6)];
      return r.Keep(r.e.Pow(positive, r.Splat(ShapeOf(x), power)), 1200);
    }
    default:
      return r.Keep(r.e.Mul(r.e.Div(x, splat), 2.0), bound * 16);
  }
}

void Reduce(RandomBuilder& r) {
  Value x = r.Tame(r.Any(), 1e3);
  SmallVector<int64_t> dims;
  for (int64_t d = 0, rank = ShapeOf(x).size(); d < rank; ++d)
    if (r.Pick(2) == 0) dims.push_back(d);
  if (dims.empty()) return;
  const bool keepdim = r.Pick(2) == 0;
  switch (r.Pick(3)) {
    case 0:
      return r.Keep(r.e.Sum(x, dims, keepdim), r.Bound(x) * 100);
    case 1:
      return r.Keep(r.e.Mean(x, dims, keepdim), r.Bound(x));
    default:
      return r.Keep(r.e.ReduceMax(x, dims, keepdim), r.Bound(x));
  }
}

void Move(RandomBuilder& r) {
  Value x = r.Any();
  SmallVector<int64_t> shape(ShapeOf(x));
  const double bound = r.Bound(x);
  const int64_t rank = shape.size();
  switch (r.Pick(7)) {
    case 0:  // a dimension of size 1
      shape.insert(shape.begin() + r.Pick(rank + 1), 1);
      return shape.size() <= 5 ? r.Keep(r.e.Reshape(x, shape), bound) : void();
    case 1:  // two dimensions as one
      if (rank < 2) return;
      shape[rank - 2] *= shape[rank - 1];
      shape.pop_back();
      return r.Keep(r.e.Reshape(x, shape), bound);
    case 2: {
      SmallVector<int64_t> permutation = Range(rank);
      for (int64_t i = rank - 1; i > 0; --i) std::swap(permutation[i], permutation[r.Pick(i + 1)]);
      return r.Keep(r.e.Transpose(x, permutation), bound);
    }
    case 3:
      for (int64_t& size : shape)
        if (size == 1) size = r.Size();
      if (r.Pick(2) == 0 && rank < 4) shape.insert(shape.begin(), r.Size());
      if (mlir::ShapedType::getNumElements(shape) > RandomBuilder::kMaxElements) return;
      return r.Keep(r.e.Broadcast(x, shape), bound);
    case 4: {
      SmallVector<int64_t> starts, strides, sizes;
      for (int64_t size : shape) {
        starts.push_back(r.Pick(size));
        strides.push_back(1 + r.Pick(2));
        sizes.push_back(1 + (size - 1 - starts.back()) / strides.back());
      }
      auto type = mlir::RankedTensorType::get(sizes, r.float_type);
      return r.Keep(SliceOp::create(r.e.builder(), r.e.loc(), type, x, starts, strides), bound);
    }
    case 5:
      if (rank == 0) return;
      return r.Keep(
          ConcatOp::create(r.e.builder(), r.e.loc(),
                           mlir::ValueRange{x, r.Input(shape, r.float_type)}, r.Pick(rank)),
          std::max(bound, 2.0));
    default: {  // there, something pointwise, and back
      if (rank < 2) return;
      SmallVector<int64_t> swap = Range(rank);
      std::swap(swap[rank - 1], swap[rank - 2]);
      Value t = r.e.Transpose(x, swap);
      t = r.Pick(2) == 0 ? r.e.Unary<TanhOp>(t) : r.e.Add(t, t);
      return r.Keep(r.e.Transpose(t, swap), 2 * bound + 1);
    }
  }
}

// The gradient of chunk: parts of x, each changed, put side by side again; sometimes overlapping.
void SumOfParts(RandomBuilder& r) {
  Value x = r.Any();
  const int64_t rank = ShapeOf(x).size();
  if (rank == 0) return;
  const int64_t dim = r.Pick(rank), size = ShapeOf(x)[dim];
  Value sum;
  for (int64_t start = 0; start < size;) {
    const int64_t length = 1 + r.Pick(size - start);
    SmallVector<int64_t> starts(rank, 0), strides(rank, 1), shape(ShapeOf(x));
    starts[dim] = start;
    shape[dim] = length;
    Value part =
        SliceOp::create(r.e.builder(), r.e.loc(), mlir::RankedTensorType::get(shape, r.float_type),
                        x, starts, strides);
    part = r.Pick(2) == 0 ? r.e.Unary<TanhOp>(part) : r.e.Neg(part);
    part = PadOp::create(r.e.builder(), r.e.loc(), x.getType(), part, starts, strides);
    sum = sum ? r.e.Add(sum, part) : part;
    start += r.Pick(6) == 0 ? std::max<int64_t>(1, length - 1) : length;
  }
  r.Keep(sum, 2 * r.Bound(x) + 2);
}

void Choose(RandomBuilder& r) {
  Value x = r.Any(), y = r.Partner(x);
  SmallVector<int64_t> shape(ShapeOf(x));
  Value mask;
  if (r.Pick(2) == 0 || shape.empty()) {
    mask = r.Input(shape, r.i1());
  } else {
    const auto predicate = static_cast<ComparePredicate>(r.Pick(6));
    Value index = r.e.Iota(shape, r.Pick(shape.size()), r.i32());
    mask = r.e.Compare(predicate, index,
                       r.Pick(2) == 0 ? r.e.Iota(shape, 0, r.i32()) : r.Input(shape, r.i32()));
  }
  if (r.Pick(3) == 0) mask = r.e.Not(mask);
  if (r.Pick(3) == 0) mask = r.e.And(mask, r.Input(shape, r.i1()));
  if (r.Pick(3) == 0) return r.Keep(r.e.Mul(r.e.Cast(mask, r.float_type), x), r.Bound(x));
  r.Keep(r.e.Select(mask, x, y), std::max(r.Bound(x), r.Bound(y)));
}

void Look(RandomBuilder& r) {
  if (r.Pick(2) == 0) {
    Value table = r.Input({3 + r.Pick(3), r.Size()}, r.float_type);
    Value ids = r.Input(r.RandomShape(1, 2), r.Pick(2) == 0 ? r.i32() : r.i64());
    return r.Keep(EmbeddingOp::create(r.e.builder(), r.e.loc(), table, ids), 2);
  }
  Value x = r.Any();
  SmallVector<int64_t> shape(ShapeOf(x));
  if (shape.empty()) return;
  const int64_t dim = r.Pick(shape.size());
  shape[dim] = r.Size();
  Value index = r.Input(shape, r.i32());
  r.Keep(GatherOp::create(r.e.builder(), r.e.loc(), x, index, dim), r.Bound(x));
}

void Multiply(RandomBuilder& r) {
  Value x = r.Tame(r.AnyOfRank(2 + r.Pick(2)), 50);
  const bool tl = r.Pick(4) == 0, tr = r.Pick(2) == 0;
  ArrayRef<int64_t> shape = ShapeOf(x);
  const int64_t k = shape[shape.size() - (tl ? 2 : 1)], n = r.Size();
  SmallVector<int64_t> other = {tr ? n : k, tr ? k : n};
  if (shape.size() == 3 && r.Pick(2) == 0) other.insert(other.begin(), r.Pick(2) ? shape[0] : 1);
  Value y = r.Input(other, r.float_type);
  const double bound = r.Bound(x) * 2 * k;
  // Operands that are given, as what is computed may round either way to a narrow type.
  auto view = x.getDefiningOp<ReshapeOp>();
  if (r.float_type.isF32() && mlir::isa<mlir::BlockArgument>(view ? view.getX() : x) &&
      r.Pick(2) == 0) {
    const mlir::Type narrow = r.Pick(2) == 0 ? mlir::Type(r.e.builder().getBF16Type())
                                             : mlir::Type(r.e.builder().getF16Type());
    x = r.e.Cast(x, narrow), y = r.e.Cast(y, narrow);
  }
  r.Keep(r.e.Matmul(x, y, tl, tr), bound);
}

void OneStep(RandomBuilder& r) {
  switch (r.Pick(18)) {
    case 0:
      return Unary(r);
    case 1:
    case 2:
      return Binary(r);
    case 3:
      return WithConstant(r);
    case 4:
      return Reduce(r);
    case 5:
    case 6:
      return Move(r);
    case 7:
      return SumOfParts(r);
    case 8:
      return Choose(r);
    case 9:
      return Look(r);
    case 10:
      return Multiply(r);
    case 11:
      return RandomSoftmax(r);
    case 12:
      return RandomLayerNorm(r);
    case 13:
      return RandomActivation(r);
    case 14:
      return RandomLinear(r);
    case 15:
      return RandomLoss(r);
    default:
      return RandomAttention(r);
  }
}

}  // namespace

mlir::OwningOpRef<mlir::ModuleOp> RandomProgram(mlir::MLIRContext& context, uint64_t seed,
                                                const RandomProgramOptions& options) {
  mlir::OpBuilder b(&context);
  mlir::Location loc = b.getUnknownLoc();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  b.setInsertionPointToEnd(module->getBody());
  auto func = mlir::func::FuncOp::create(b, loc, "main", b.getFunctionType({}, {}));
  mlir::Block* block = func.addEntryBlock();
  b.setInsertionPointToEnd(block);
  RandomBuilder r(b, block, seed, options.float32);
  for (int i = 0; i < options.steps; ++i) OneStep(r);

  SmallVector<Value> results = {r.Any()};
  for (Value v : {r.Any(), r.Any()})
    if (!llvm::is_contained(results, v) && !mlir::isa<mlir::BlockArgument>(v)) results.push_back(v);
  if (mlir::isa<mlir::BlockArgument>(results[0])) results[0] = r.e.Unary<TanhOp>(results[0]);
  mlir::func::ReturnOp::create(b, loc, results);
  func.setType(b.getFunctionType(block->getArgumentTypes(), mlir::ValueRange(results).getTypes()));
  for (unsigned i = 0; i < block->getNumArguments(); ++i) {
    func.setArgAttr(i, kNameAttr, b.getStringAttr("x" + std::to_string(i)));
    func.setArgAttr(i, kRoleAttr, b.getStringAttr("input"));
  }
  for (unsigned i = 0; i < results.size(); ++i)
    func.setResultAttr(i, kNameAttr, b.getStringAttr("y" + std::to_string(i)));
  return module;
}

}  // namespace trama
