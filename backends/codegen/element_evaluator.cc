#include "backends/codegen/element_evaluator.h"

#include "absl/strings/str_cat.h"
#include "backends/codegen/pointwise.h"
#include "backends/codegen/vector_math.h"
#include "base/status_macros.h"

namespace trama::codegen {
namespace arith = mlir::arith;
using IP = arith::CmpIPredicate;

namespace {
bool IsExpensive(mlir::Operation* op) {
  return mlir::isa<ExpOp, LogOp, TanhOp, SigmoidOp, ErfOp, SinOp, CosOp, PowOp, GeluOp, GeluGradOp,
                   RandomUniformOp>(op);
}

Type ElementOf(Value tensor) { return getElementTypeOrSelf(tensor); }
}  // namespace

ElementEvaluator::ElementEvaluator(const FusedPlan& plan, const FusedPhase& phase, int phase_index)
    : plan_(plan), phase_(phase), phase_index_(phase_index), extents_(phase.FineExtents()) {}

// ------------------------------------------------------------------ scopes

void ElementEvaluator::Forget(int from_level) {
  for (int l = from_level; l <= kBody; ++l) known_[l].clear();
}

Coordinate ElementEvaluator::Record(const Coordinate& form) {
  if (!b) forms.push_back(form);
  return form;
}

int ElementEvaluator::LevelOf(const Coordinate& coordinate) const {
  if (coordinate.dynamic) return coordinate.level;
  int deepest = kFunction;
  for (auto [k, coefficient] : llvm::enumerate(coordinate.coefficients)) {
    if (coefficient == 0 || extents_[k] == 1) continue;
    bool body = phase_.fine[k].axis == Axis::kReduced;
    if (phase_.kind == PhaseKind::kElementwise)
      body = phase_.group.empty() || phase_.group[k] + 1 == static_cast<int>(phase_.merged.size());
    deepest = std::max<int>(deepest, body ? kBody : kTask);
  }
  return deepest;
}

int ElementEvaluator::LevelOf(Value tensor, ArrayRef<Coordinate> at) {
  int deepest = InRegister(tensor) ? kTask : kFunction;
  for (const Coordinate& coordinate : at) deepest = std::max(deepest, LevelOf(coordinate));
  return deepest;
}

// Whether it depends on a reduction of this phase.
bool ElementEvaluator::InRegister(Value tensor) {
  auto found = in_register_.find(tensor);
  if (found != in_register_.end()) return found->second;
  mlir::Operation* op = tensor.getDefiningOp();
  bool result = false;
  if (IsReduction(op)) {
    auto phase = plan_.phase_of.find(tensor);
    result = phase != plan_.phase_of.end() && phase->second == phase_index_;
  } else if (op) {
    for (Value operand : op->getOperands()) result |= InRegister(operand);
  }
  return in_register_[tensor] = result;
}

std::string ElementEvaluator::Key(Value tensor, ArrayRef<Coordinate> at) const {
  std::string key;
  auto add = [&key](const auto& item) {
    key.append(reinterpret_cast<const char*>(&item), sizeof(item));
  };
  add(tensor.getAsOpaquePointer());
  bool by_lane = false;
  for (const Coordinate& coordinate : at) {
    add(coordinate.offset);
    add(coordinate.value.getAsOpaquePointer());
    for (auto [k, coefficient] : llvm::enumerate(coordinate.coefficients)) {
      add(coefficient);
      by_lane |= coefficient && !phase_.group.empty() && phase_.group[k] == vector_loop;
    }
    by_lane |= coordinate.dynamic;
  }
  // In an unrolled loop or block of columns the same coordinates mean another vector.
  if (b && by_lane && vector_loop >= 0) {
    add(variables[vector_loop].getAsOpaquePointer());
    add(mask.getAsOpaquePointer());
  }
  return key;
}

// ------------------------------------------------------------------ evaluation

absl::StatusOr<Value> ElementEvaluator::Evaluate(Value tensor, ArrayRef<Coordinate> at) {
  if (split) return Value();
  double number;
  if (IsSplatConstant(tensor, &number)) return b ? b->Constant(ElementOf(tensor), number) : Value();
  const int node_level = LevelOf(tensor, at);
  const std::string key = Key(tensor, at);
  auto known = known_[node_level].find(key);
  if (known != known_[node_level].end()) return known->second;

  mlir::OpBuilder::InsertPoint point;
  const int saved_level = level;
  if (b && node_level < level) {
    point = b->saveInsertionPoint();
    if (anchors[node_level]) b->setInsertionPoint(anchors[node_level]);
    level = node_level;
  }
  mlir::Operation* op = tensor.getDefiningOp();
  const bool itself =
      phase_.kind == PhaseKind::kRows && node_level == kBody && op &&
      llvm::none_of(at, [](const Coordinate& c) { return c.dynamic; }) &&
      LinearSum(at, RowMajorStrides(ShapeOf(tensor)), extents_.size()) == phase_.FlatIndex();
  absl::StatusOr<Value> result = Value();
  Value stashed = itself && b ? Stashed(tensor, /*store=*/false, nullptr) : Value();
  if (stashed) {
    result = stashed;
  } else {
    result = EvaluateOp(op, tensor, at);
    if (itself && result.ok()) {
      if (!b && IsExpensive(op) && ElementOf(tensor).isF32())
        expensive.insert(tensor.getAsOpaquePointer());
      if (b) Stashed(tensor, /*store=*/true, *result);
    }
  }
  if (b && node_level < saved_level) b->restoreInsertionPoint(point);
  level = saved_level;
  if (result.ok() && !split) known_[node_level][key] = *result;
  return result;
}

absl::StatusOr<Value> ElementEvaluator::EvaluateAt(Value tensor, const Coordinate& flat) {
  TRAMA_ASSIGN_OR_RETURN(Coordinates at, Unflatten(flat, ShapeOf(tensor)));
  return Evaluate(tensor, at);
}

absl::StatusOr<Coordinate> ElementEvaluator::TargetIndex(const FusedStore& store,
                                                         const Coordinate& flat) {
  if (ShapeOf(store.value) == ArrayRef(store.target_shape)) return flat;
  TRAMA_ASSIGN_OR_RETURN(Coordinates at, Unflatten(flat, ShapeOf(store.value)));
  for (auto [coordinate, offset] : llvm::zip_equal(at, store.target_offset))
    coordinate.offset += offset;
  return LinearSum(at, RowMajorStrides(store.target_shape), extents_.size());
}

absl::StatusOr<Value> ElementEvaluator::EvaluateOp(mlir::Operation* op, Value tensor,
                                                   ArrayRef<Coordinate> at) {
  const size_t loops = extents_.size();
  if (!op || mlir::isa<ConstantOp>(op)) return Leaf(tensor, at);
  if (IsReduction(op)) {
    if (!InRegister(tensor)) return Leaf(tensor, at);
    const Coordinate flat = LinearSum(at, RowMajorStrides(ShapeOf(tensor)), loops);
    const bool here = phase_.kind == PhaseKind::kRows && flat == phase_.RowIndex() &&
                      llvm::none_of(at, [](const Coordinate& c) { return c.dynamic; });
    conflict |= !here;
    return registers.lookup(tensor);
  }
  if (auto reshape = mlir::dyn_cast<ReshapeOp>(op)) return Reshaped(reshape, at);
  if (auto transpose = mlir::dyn_cast<TransposeOp>(op))
    return Evaluate(transpose.getX(), TransposeCoordinates(transpose, at));
  if (auto broadcast = mlir::dyn_cast<BroadcastOp>(op))
    return Evaluate(broadcast.getX(), BroadcastCoordinates(at, ShapeOf(broadcast.getX()), loops));
  if (auto slice = mlir::dyn_cast<SliceOp>(op)) {
    Coordinates x_at(at);
    for (auto [d, coordinate] : llvm::enumerate(x_at)) {
      const int64_t start = slice.getStarts()[d], stride = slice.getStrides()[d];
      if (coordinate.dynamic) {
        if (b) coordinate.value = b->Add(b->Mul(coordinate.value, stride), start);
        continue;
      }
      coordinate.offset = coordinate.offset * stride + start;
      for (int64_t& c : coordinate.coefficients) c *= stride;
    }
    return Evaluate(slice.getX(), x_at);
  }
  if (auto iota = mlir::dyn_cast<IotaOp>(op)) return Iota(iota, at);
  if (auto uniform = mlir::dyn_cast<RandomUniformOp>(op)) return Uniform(uniform, at);
  if (auto pad = mlir::dyn_cast<PadOp>(op)) return Padded(pad, at);
  if (auto concat = mlir::dyn_cast<ConcatOp>(op)) return Concatenated(concat, at);
  if (auto gather = mlir::dyn_cast<GatherOp>(op)) {
    const auto dim = static_cast<int64_t>(gather.getDim());
    return Indexed(gather.getX(), gather.getIndex(), at, Coordinates(at), dim);
  }
  if (auto embedding = mlir::dyn_cast<EmbeddingOp>(op)) {
    Coordinates row{Coordinate::Constant(0, loops), at.back()};
    return Indexed(embedding.getTable(), embedding.getIds(), at.drop_back(), row, 0);
  }
  if (!HasPointwiseLowering(op))
    return absl::UnimplementedError(absl::StrCat("fused: ", op->getName().getStringRef().str(),
                                                 " cannot be computed by element"));
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    TRAMA_ASSIGN_OR_RETURN(Value x,
                           Evaluate(operand, BroadcastCoordinates(at, ShapeOf(operand), loops)));
    operands.push_back(x);
  }
  cost += IsExpensive(op) ? 12 : 1;
  if (!b || split) return Value();
  return EmitPointwise(*b, op, operands);
}

// ------------------------------------------------------------------ coordinates

Value ElementEvaluator::IndexValue(const Coordinate& form, bool lanes) {
  if (!b) return {};
  Value sum;
  int64_t by_lane = 0;
  for (auto [g, coefficient] : llvm::enumerate(phase_.Merge(form))) {
    if (coefficient == 0) continue;
    if (static_cast<int>(g) == vector_loop) by_lane = coefficient;
    Value term = b->Mul(variables[g], coefficient);
    sum = sum ? b->Add(sum, term) : term;
  }
  sum = sum ? b->Add(sum, form.offset) : b->Index(form.offset);
  if (!lanes || by_lane == 0) return sum;
  return b->Add(b->Broadcast(sum), b->Mul(b->LaneIndices(b->getIndexType()), by_lane));
}

Value ElementEvaluator::CoordinateValue(const Coordinate& coordinate) {
  if (coordinate.dynamic) return coordinate.value;
  return IndexValue(Record(coordinate), /*lanes=*/true);
}

Coordinate ElementEvaluator::Dynamic(Value value, ArrayRef<Coordinate> from) const {
  Coordinate result = Coordinate::Constant(0, extents_.size());
  result.dynamic = true;
  result.value = value;
  result.level = level;
  if (!b)
    for (const Coordinate& coordinate : from)
      result.level = std::max(result.level, LevelOf(coordinate));
  return result;
}

absl::StatusOr<Coordinates> ElementEvaluator::Unflatten(const Coordinate& flat,
                                                        ArrayRef<int64_t> shape) {
  auto digits = Digits(flat, shape, extents_, &split);
  if (digits) return *digits;
  // Another phase's loops need not go with this shape.
  if (!b && !split) conflict = true;
  if (!b) return Coordinates(shape.size(), Coordinate::Constant(0, extents_.size()));
  return absl::InternalError("fused: loops do not divide a result's shape");
}

absl::StatusOr<Value> ElementEvaluator::Reshaped(ReshapeOp op, ArrayRef<Coordinate> at) {
  const size_t loops = extents_.size();
  ArrayRef<int64_t> from = ShapeOf(op.getY()), to = ShapeOf(op.getX());
  Coordinates result(to.size(), Coordinate::Constant(0, loops));
  for (const ReshapeGroup& group : ReshapeGroups(from, to)) {
    ArrayRef<int64_t> sizes = from.slice(group.from_begin, group.from_end - group.from_begin);
    ArrayRef<int64_t> to_sizes = to.slice(group.to_begin, group.to_end - group.to_begin);
    ArrayRef<Coordinate> inputs = at.slice(group.from_begin, sizes.size());
    SmallVector<size_t> big_from, big_to;
    for (size_t i = 0; i < sizes.size(); ++i)
      if (sizes[i] != 1) big_from.push_back(i);
    for (size_t j = 0; j < to_sizes.size(); ++j)
      if (to_sizes[j] != 1) big_to.push_back(j);
    if (big_from.size() == 1 && big_to.size() == 1) {
      result[group.to_begin + big_to[0]] = inputs[big_from[0]];
      continue;
    }
    const SmallVector<int64_t> strides = RowMajorStrides(sizes);
    const Coordinate flat = LinearSum(inputs, strides, loops);
    const bool linear = llvm::none_of(inputs, [](const Coordinate& c) { return c.dynamic; });
    if (linear) {
      if (auto digits = Digits(flat, to_sizes, extents_, &split)) {
        std::copy(digits->begin(), digits->end(), result.begin() + group.to_begin);
        continue;
      }
      if (split) return Value();
    }
    Value index = CoordinateValue(flat);
    if (b) {
      for (auto [coordinate, stride] : llvm::zip_equal(inputs, strides)) {
        if (!coordinate.dynamic) continue;
        Value term = b->Mul(coordinate.value, stride);
        if (IsVector(term)) index = b->Broadcast(index);
        if (IsVector(index)) term = b->Broadcast(term);
        index = b->Add(index, term);
      }
    }
    const SmallVector<int64_t> to_strides = RowMajorStrides(to_sizes);
    for (size_t j : big_to) {
      Value digit = b ? b->Rem(b->Div(index, to_strides[j]), to_sizes[j]) : Value();
      result[group.to_begin + j] = Dynamic(digit, inputs);
    }
  }
  return Evaluate(op.getX(), result);
}

// ------------------------------------------------------------------ memory

Address ElementEvaluator::AddressOf(const Coordinate& flat) {
  Address address;
  Record(flat);
  if (!b) return address;
  address.base = IndexValue(flat, /*lanes=*/false);
  if (vector_loop < 0) return address;
  // The vector loop's variable is a multiple of the lanes.
  address.aligned = flat.offset % b->lanes == 0;
  for (auto [g, coefficient] : llvm::enumerate(phase_.Merge(flat))) {
    if (static_cast<int>(g) == vector_loop)
      address.stride = coefficient;
    else
      address.aligned &= coefficient % b->lanes == 0;
  }
  return address;
}

Address ElementEvaluator::AddressOf(ArrayRef<Coordinate> at, ArrayRef<int64_t> shape) {
  const SmallVector<int64_t> strides = RowMajorStrides(shape);
  Address address = AddressOf(LinearSum(at, strides, extents_.size()));
  if (!b) return address;
  for (auto [coordinate, stride] : llvm::zip_equal(at, strides)) {
    if (!coordinate.dynamic) continue;
    Value term = b->Mul(coordinate.value, stride);
    if (IsVector(term)) {
      address.lanes = address.lanes ? b->Add(address.lanes, term) : term;
    } else {
      address.base = b->Add(address.base, term);
      address.aligned &= stride % b->lanes == 0;
    }
  }
  return address;
}

absl::StatusOr<Value> ElementEvaluator::Leaf(Value tensor, ArrayRef<Coordinate> at) {
  const Address address = AddressOf(at, ShapeOf(tensor));
  cost += 1;
  if (!b) {
    leaves.insert(tensor);
    return Value();
  }
  return FromStorage(*b, memory(tensor)->Load(*b, address, mask), ElementOf(tensor));
}

Value ElementEvaluator::Stashed(Value tensor, bool store, Value element) {
  auto found = stashes.find(tensor);
  if (found == stashes.end() || found->second.filled == store) return {};
  const ElementMemory& stash = *found->second.memory;
  const Coordinate at = phase_.ReducedIndex();
  if (!store) return stash.Load(*b, AddressOf(at), mask);
  found->second.written = true;
  Write(element, stash, at);
  return element;
}

void ElementEvaluator::Write(Value element, const ElementMemory& target,
                             const Coordinate& flat_index) {
  const Address address = AddressOf(flat_index);
  if (!b) return;
  Value stored = ToStorage(*b, element);
  if (!address.IsScalar()) stored = b->Broadcast(stored);
  target.Store(*b, stored, address, mask);
}

// ------------------------------------------------------------------ ops that look at coordinates

absl::StatusOr<Value> ElementEvaluator::Iota(IotaOp op, ArrayRef<Coordinate> at) {
  Value index = CoordinateValue(at[op.getDim()]);
  if (!b) return index;
  Type element = ElementOf(op.getY());
  if (!mlir::isa<mlir::FloatType>(element)) return b->FromIndex(index, element);
  Value integer = b->FromIndex(index, b->Int(32));
  Type f = element.isF64() ? element : b->F32();
  Value number = arith::SIToFPOp::create(*b, WithElement(integer.getType(), f), integer);
  if (f == element) return number;
  return Value(arith::TruncFOp::create(*b, WithElement(number.getType(), element), number));
}

absl::StatusOr<Value> ElementEvaluator::Uniform(RandomUniformOp op, ArrayRef<Coordinate> at) {
  const size_t loops = extents_.size();
  ArrayRef<int64_t> shape = ShapeOf(op.getY());
  const SmallVector<int64_t> strides = RowMajorStrides(shape);
  Value words[4];
  for (int i = 0; i < 4; ++i) {
    TRAMA_ASSIGN_OR_RETURN(Value word, Evaluate(op.getRng(), {Coordinate::Constant(i, loops)}));
    if (!b) continue;
    const unsigned bits = word.getType().getIntOrFloatBitWidth();
    if (bits > 32) word = arith::TruncIOp::create(*b, b->Int(32), word);
    if (bits < 32) word = arith::ExtSIOp::create(*b, b->Int(32), word);
    words[i] = word;
  }
  cost += 12;
  if (!b) return CoordinateValue(LinearSum(at, strides, loops));
  // Counted from the first example of all.
  const int64_t example = shape.empty() ? 1 : strides[0];
  const WideIndex first = MultiplyWide(*b, words[3], example);
  const PhiloxKey key{words[0], words[1], words[2],
                      b->IntConstant(b->Int(32), static_cast<int64_t>(op.getOpId()))};
  const Address address = AddressOf(at, shape);
  Value uniform;
  if (b->lanes == 4 && address.stride == 1 && !address.lanes && address.aligned &&
      example % 4 == 0) {
    // The four numbers of one block.
    const WideIndex index = AddWide(*b, first, b->FromIndex(address.base, b->Int(32)));
    auto k = [&](int64_t value) { return b->IntConstant(b->Int(32), value); };
    Value low = arith::ShRUIOp::create(*b, index.low, k(2));
    low = b->Or(low, arith::ShLIOp::create(*b, index.high, k(30)));
    const auto four = FourUniformsAt(*b, low, arith::ShRUIOp::create(*b, index.high, k(2)), key);
    uniform = mlir::vector::FromElementsOp::create(*b, b->VectorF32(), ValueRange(four));
  } else {
    Value index = address.base;
    if (!address.IsScalar()) {
      index = b->Broadcast(index);
      if (address.lanes) index = b->Add(index, address.lanes);
      if (address.stride)
        index = b->Add(index, b->Mul(b->LaneIndices(b->getIndexType()), address.stride));
    }
    const WideIndex wide = AddWide(*b, first, b->FromIndex(index, b->Int(32)));
    uniform = UniformAt(*b, wide.low, wide.high, key);
  }
  Type element = ElementOf(op.getY());
  Type type = WithElement(uniform.getType(), element);
  if (element.isF64()) return Value(arith::ExtFOp::create(*b, type, uniform));
  if (!element.isF32()) return Value(arith::TruncFOp::create(*b, type, uniform));
  return uniform;
}

absl::StatusOr<Value> ElementEvaluator::Padded(PadOp op, ArrayRef<Coordinate> at) {
  ArrayRef<int64_t> from = ShapeOf(op.getX()), to = ShapeOf(op.getY());
  Coordinates x_at(at);
  Value inside;
  for (size_t d = 0; d < from.size(); ++d) {
    const int64_t start = op.getStarts()[d], stride = op.getStrides()[d];
    if (from[d] == to[d]) continue;
    Value y = CoordinateValue(at[d]);
    if (b) {
      Value zero = b->IntConstant(y.getType(), 0), last = b->IntConstant(y.getType(), from[d] - 1);
      Value shifted = b->Sub(y, start);
      Value q = b->Div(shifted, stride);
      Value in = b->And(b->Compare(IP::sge, shifted, zero), b->Compare(IP::sle, q, last));
      if (stride > 1) in = b->And(in, b->Compare(IP::eq, b->Mul(q, stride), shifted));
      if (inside && IsVector(in)) inside = b->Broadcast(inside);
      if (inside && IsVector(inside)) in = b->Broadcast(in);
      inside = inside ? b->And(inside, in) : in;
      y = b->Min(b->Max(q, zero), last);
    }
    x_at[d] = Dynamic(y, at[d]);
  }
  TRAMA_ASSIGN_OR_RETURN(Value x, Evaluate(op.getX(), x_at));
  if (!b || split || !inside) return x;
  if (IsVector(inside)) x = b->Broadcast(x);
  return b->Select(inside, x, b->Constant(x.getType(), 0));
}

absl::StatusOr<Value> ElementEvaluator::Concatenated(ConcatOp op, ArrayRef<Coordinate> at) {
  const auto dim = static_cast<int64_t>(op.getDim());
  if (op.getXs().size() == 1) return Evaluate(op.getXs()[0], at);
  Value y = CoordinateValue(at[dim]);
  Value result;
  int64_t begin = 0;
  for (Value operand : op.getXs()) {
    const int64_t size = ShapeOf(operand)[dim];
    Coordinates x_at(at);
    Value inside;
    if (b) {
      Value shifted = b->Sub(y, begin);
      Value zero = b->IntConstant(y.getType(), 0), last = b->IntConstant(y.getType(), size - 1);
      inside = b->Compare(IP::sge, shifted, zero);
      x_at[dim] = Dynamic(b->Min(b->Max(shifted, zero), last), at[dim]);
    } else {
      x_at[dim] = Dynamic(nullptr, at[dim]);
    }
    begin += size;
    if (size == 0) continue;
    TRAMA_ASSIGN_OR_RETURN(Value x, Evaluate(operand, x_at));
    if (split) return Value();
    if (!b) continue;
    if (!result) {
      result = x;
      continue;
    }
    const bool vector = IsVector(x) || IsVector(result) || IsVector(inside);
    if (vector) {
      x = b->Broadcast(x);
      result = b->Broadcast(result);
    }
    result = b->Select(inside, x, result);
  }
  return result;
}

absl::StatusOr<Value> ElementEvaluator::Indexed(Value x, Value index, ArrayRef<Coordinate> index_at,
                                                Coordinates x_at, int64_t dim) {
  TRAMA_ASSIGN_OR_RETURN(Value i, Evaluate(index, index_at));
  if (split) return Value();
  Value inside;
  if (b) {
    i = b->ToIndex(i);
    Value zero = b->IntConstant(i.getType(), 0);
    Value last = b->IntConstant(i.getType(), ShapeOf(x)[dim] - 1);
    inside = b->And(b->Compare(IP::sge, i, zero), b->Compare(IP::sle, i, last));
    i = b->Min(b->Max(i, zero), last);
  }
  x_at[dim] = Dynamic(i, index_at);
  TRAMA_ASSIGN_OR_RETURN(Value value, Evaluate(x, x_at));
  if (!b || split) return value;
  if (IsVector(inside)) value = b->Broadcast(value);
  return b->Select(inside, value, b->Constant(value.getType(), 0));
}

}  // namespace trama::codegen
