#include "backends/codegen/kernel_body.h"

#include "absl/strings/str_cat.h"
#include "backends/codegen/pointwise.h"
#include "base/status_macros.h"
#include "ir/strided_view.h"
#include "mlir/IR/Matchers.h"

namespace trama::codegen {
namespace {

absl::Status Unsupported(mlir::Operation* op, absl::string_view why) {
  return absl::UnimplementedError(absl::StrCat(op->getName().getStringRef().str(), ": ", why));
}

// The splat constant that `value` is a view of.
mlir::DenseElementsAttr SplatConstant(Value value) {
  while (mlir::Operation* op = value.getDefiningOp()) {
    mlir::DenseElementsAttr attr;
    if (mlir::matchPattern(value, mlir::m_Constant(&attr)))
      return attr.isSplat() ? attr : mlir::DenseElementsAttr();
    if (!op->hasTrait<OpTrait::View>()) break;
    value = op->getOperand(0);
  }
  return {};
}

// The constant's element as a scalar or in every lane of a vector, as `like` is.
Value SplatLike(Builder& b, mlir::DenseElementsAttr splat, Type like) {
  const Type type = WithElement(like, splat.getElementType());
  auto element = mlir::cast<mlir::TypedAttr>(splat.getSplatValue<mlir::Attribute>());
  if (!mlir::isa<mlir::VectorType>(type)) return mlir::arith::ConstantOp::create(b, element);
  return mlir::arith::ConstantOp::create(
      b,
      mlir::DenseElementsAttr::get(mlir::cast<mlir::VectorType>(type), mlir::Attribute(element)));
}

bool IsTranscendental(mlir::Operation* op) {
  return mlir::isa<ExpOp, LogOp, SqrtOp, RsqrtOp, TanhOp, SigmoidOp, ErfOp, SinOp, CosOp, GeluOp,
                   GeluGradOp, PowOp, DivOp>(op);
}

absl::Status CollectOutputs(Value value, Access to, SmallVector<Output>& outputs) {
  mlir::Operation* op = value.getDefiningOp();
  if (auto transpose = mlir::dyn_cast_or_null<TransposeOp>(op)) {
    Access from = to;
    for (auto [d, dim] : llvm::enumerate(transpose.getPermutation()))
      from.strides[dim] = to.strides[d];
    return CollectOutputs(transpose.getX(), from, outputs);
  }
  if (auto reshape = mlir::dyn_cast_or_null<ReshapeOp>(op)) {
    auto strides = ReshapeStrides(ShapeOf(value), to.strides, ShapeOf(reshape.getX()));
    if (!strides) return Unsupported(op, "a result that is not one stride a dimension");
    return CollectOutputs(reshape.getX(), {to.buffer, to.offset, *strides}, outputs);
  }
  if (auto concat = mlir::dyn_cast_or_null<ConcatOp>(op)) {
    for (Value operand : concat.getXs()) {
      TRAMA_RETURN_IF_ERROR(CollectOutputs(operand, to, outputs));
      to.offset += ShapeOf(operand)[concat.getDim()] * to.strides[concat.getDim()];
    }
    return absl::OkStatus();
  }
  outputs.push_back({value, std::move(to)});
  return absl::OkStatus();
}

// `strides` over `from` for an index space `to` that `from` broadcasts to.
SmallVector<int64_t> BroadcastStrides(ArrayRef<int64_t> from, ArrayRef<int64_t> strides,
                                      ArrayRef<int64_t> to) {
  SmallVector<int64_t> result(to.size(), 0);
  for (size_t d = 0; d < from.size(); ++d)
    if (from[d] != 1) result[to.size() - from.size() + d] = strides[d];
  return result;
}
}  // namespace

absl::StatusOr<Access> ReadAccess(Value value) {
  StridedView view = ReadView(value);
  auto argument = mlir::dyn_cast<mlir::BlockArgument>(view.root);
  if (!argument) return Unsupported(view.root.getDefiningOp(), "an operand that is computed");
  return Access{argument.getArgNumber(), view.offset, view.strides};
}

absl::StatusOr<SmallVector<Output>> FindOutputs(mlir::func::FuncOp body) {
  SmallVector<Output> outputs;
  for (auto [i, value] : llvm::enumerate(body.front().getTerminator()->getOperands())) {
    Access to{static_cast<int64_t>(body.getNumArguments() + i), 0, RowMajorStrides(ShapeOf(value))};
    TRAMA_RETURN_IF_ERROR(CollectOutputs(value, std::move(to), outputs));
  }
  for (const Output& output : outputs)
    if (!output.value.getDefiningOp())
      return absl::UnimplementedError("a kernel that returns its operand");
  return outputs;
}

absl::StatusOr<SmallVector<SmallVector<Access>>> OutputsOf(mlir::func::FuncOp body,
                                                           ValueRange values, bool others_too) {
  TRAMA_ASSIGN_OR_RETURN(SmallVector<Output> outputs, FindOutputs(body));
  SmallVector<SmallVector<Access>> result(values.size());
  for (const Output& output : outputs) {
    auto found = llvm::find(values, output.value);
    if (found == values.end() && others_too) continue;
    if (found == values.end()) return Unsupported(output.value.getDefiningOp(), "an epilogue");
    result[found - values.begin()].push_back(output.to);
  }
  return result;
}

Value ElementIndex(Builder& b, const Access& access, ValueRange at) {
  Value index;
  for (auto [i, stride] : llvm::zip_equal(at, access.strides)) {
    if (stride == 0) continue;
    Value term = b.Mul(i, stride);
    index = index ? b.Add(index, term) : term;
  }
  return index ? b.Add(index, access.offset) : b.Index(access.offset);
}

// ---------------------------------------------------------------- Epilogue

Epilogue Epilogue::StoreTo(Access to) {
  Epilogue epilogue;
  epilogue.outputs_.push_back({Value(), std::move(to)});
  return epilogue;
}

absl::StatusOr<Epilogue> Epilogue::Create(mlir::func::FuncOp body, Value anchor,
                                          ValueRange others) {
  Epilogue epilogue;
  epilogue.anchor_ = anchor;
  TRAMA_ASSIGN_OR_RETURN(epilogue.outputs_, FindOutputs(body));
  llvm::erase_if(epilogue.outputs_,
                 [&](const Output& o) { return llvm::is_contained(others, o.value); });
  for (Output& output : epilogue.outputs_) {
    TRAMA_RETURN_IF_ERROR(epilogue.Visit(output.value));
    TRAMA_ASSIGN_OR_RETURN(output.to.strides, epilogue.PullBack(output.value, output.to.strides));
  }
  return epilogue;
}

bool Epilogue::DependsOnAnchor(Value value) const {
  if (value == anchor_) return true;
  mlir::Operation* op = value.getDefiningOp();
  return op && llvm::any_of(op->getOperands(), [&](Value v) { return DependsOnAnchor(v); });
}

absl::Status Epilogue::Visit(Value value) {
  if (value == anchor_) return absl::OkStatus();
  mlir::Operation* op = value.getDefiningOp();
  if (mlir::isa<TransposeOp, ReshapeOp>(op)) return Visit(op->getOperand(0));
  if (!HasPointwiseLowering(op) || !DependsOnAnchor(value))
    return Unsupported(op, "not a pointwise op of the kernel's main result");
  transcendental_ |= IsTranscendental(op);
  for (mlir::OpOperand& use : op->getOpOperands()) {
    if (operands_.contains(&use)) continue;
    Value operand = use.get();
    if (DependsOnAnchor(operand)) {
      if (ShapeOf(operand) != ShapeOf(value)) return Unsupported(op, "broadcasts the main result");
      TRAMA_RETURN_IF_ERROR(Visit(operand));
    } else if (!SplatConstant(operand)) {
      TRAMA_ASSIGN_OR_RETURN(Access access, ReadAccess(operand));
      access.strides = BroadcastStrides(ShapeOf(operand), access.strides, ShapeOf(value));
      TRAMA_ASSIGN_OR_RETURN(access.strides, PullBack(value, access.strides));
      operands_.insert({&use, access});
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SmallVector<int64_t>> Epilogue::PullBack(Value value,
                                                        SmallVector<int64_t> strides) const {
  while (value != anchor_) {
    mlir::Operation* op = value.getDefiningOp();
    if (auto transpose = mlir::dyn_cast<TransposeOp>(op)) {
      SmallVector<int64_t> from(strides.size());
      for (auto [d, dim] : llvm::enumerate(transpose.getPermutation())) from[dim] = strides[d];
      strides = from;
      value = transpose.getX();
    } else if (auto reshape = mlir::dyn_cast<ReshapeOp>(op)) {
      auto from = ReshapeStrides(ShapeOf(value), strides, ShapeOf(reshape.getX()));
      if (!from) return Unsupported(op, "not one stride a dimension of the main result");
      strides = *from;
      value = reshape.getX();
    } else {
      value = *llvm::find_if(op->getOperands(), [&](Value v) { return DependsOnAnchor(v); });
    }
  }
  return strides;
}

SmallVector<Access*> Epilogue::Accesses() {
  SmallVector<Access*> accesses;
  for (Output& output : outputs_) accesses.push_back(&output.to);
  for (auto& [use, access] : operands_) accesses.push_back(&access);
  return accesses;
}

SmallVector<const Access*> Epilogue::Reads() const {
  SmallVector<const Access*> reads;
  for (const auto& [use, access] : operands_) reads.push_back(&access);
  return reads;
}

bool Epilogue::IsHeavy() const {
  return transcendental_ ||
         llvm::any_of(outputs_, [](const Output& o) { return o.to.strides.back() != 1; });
}

Value Epilogue::Evaluate(Builder& b, Value value, llvm::function_ref<Value(const Access&)> load,
                         llvm::DenseMap<Value, Value>& known) const {
  if (auto found = known.find(value); found != known.end()) return found->second;
  mlir::Operation* op = value.getDefiningOp();
  Value result;
  if (mlir::isa<TransposeOp, ReshapeOp>(op)) {
    result = Evaluate(b, op->getOperand(0), load, known);
  } else {
    const Type like = known.lookup(anchor_).getType();
    SmallVector<Value> operands;
    for (mlir::OpOperand& use : op->getOpOperands()) {
      if (auto found = operands_.find(&use); found != operands_.end())
        operands.push_back(load(found->second));
      else if (mlir::DenseElementsAttr splat = SplatConstant(use.get()))
        operands.push_back(SplatLike(b, splat, like));
      else
        operands.push_back(Evaluate(b, use.get(), load, known));
    }
    result = *EmitPointwise(b, op, operands);  // Visit has seen that there is a lowering
  }
  known[value] = result;
  return result;
}

void Epilogue::Emit(Builder& b, Value accumulator, llvm::function_ref<Value(const Access&)> load,
                    llvm::function_ref<void(Value, const Access&)> store) const {
  llvm::DenseMap<Value, Value> known{{anchor_, accumulator}};
  for (const Output& output : outputs_) store(Evaluate(b, output.value, load, known), output.to);
}

void MergeDimensions(SmallVector<int64_t>& sizes, ArrayRef<Access*> accesses, size_t kept) {
  for (size_t d = sizes.size() - kept; d-- > 0;) {
    const size_t inner = d + 1;
    if (sizes.size() <= 2) break;
    const bool alone = sizes[d] == 1;
    if (!alone) {
      if (inner == sizes.size() - kept) continue;
      const bool merges = llvm::all_of(accesses, [&](const Access* access) {
        return access->strides[d] == access->strides[inner] * sizes[inner] || sizes[inner] == 1;
      });
      if (!merges) continue;
    }
    // The inner dimension takes both; of two sizes of 1 either stride serves.
    if (!alone) {
      for (Access* access : accesses)
        if (sizes[inner] == 1) access->strides[inner] = access->strides[d];
      sizes[inner] *= sizes[d];
    }
    sizes.erase(sizes.begin() + d);
    for (Access* access : accesses) access->strides.erase(access->strides.begin() + d);
  }
}

}  // namespace trama::codegen
