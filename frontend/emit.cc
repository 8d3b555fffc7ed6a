#include "frontend/emit.h"

#include "frontend/nn.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/Diagnostics.h"

namespace trama {
namespace {
thread_local Recorder* current = nullptr;

std::string FileName(const Loc& loc) { return llvm::sys::path::filename(loc.file_name()).str(); }
}  // namespace

TracedModule::Impl::Impl() : context(mlir::MLIRContext::Threading::DISABLED) {
  LoadDialects(context);
  module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
}

Recorder::Recorder(mlir::ModuleOp module, const std::string& name, DType float_type, bool training)
    : builder_(module.getContext()), float_type_(float_type), training_(training), outer_(current) {
  builder_.setInsertionPointToEnd(module.getBody());
  function_ = mlir::func::FuncOp::create(builder_, builder_.getUnknownLoc(), name,
                                         builder_.getFunctionType({}, {}));
  builder_.setInsertionPointToStart(function_.addEntryBlock());
  current = this;
}

Recorder::~Recorder() { current = outer_; }

Recorder* Recorder::Current() { return current && current->status_.ok() ? current : nullptr; }

mlir::Value Recorder::AddArgument(mlir::Type type, const std::string& name, llvm::StringRef role) {
  if (!names_.insert(name).second)
    Error(role.str(), name + " is also the name of another input or parameter", Loc::current());
  argument_attributes_.push_back(
      builder_.getDictionaryAttr({builder_.getNamedAttr(kNameAttr, builder_.getStringAttr(name)),
                                  builder_.getNamedAttr(kRoleAttr, builder_.getStringAttr(role))}));
  return function_.getBody().front().addArgument(type, builder_.getUnknownLoc());
}

Tensor Recorder::AddInput(const std::string& name, DType dtype, const Shape& shape,
                          int64_t sequence) {
  const bool negative = std::any_of(shape.begin(), shape.end(), [](int64_t n) { return n < 0; });
  if (negative || shape.size() > kMaxRank || sequence >= static_cast<int64_t>(shape.size())) {
    Error("input", absl::StrCat(name, " cannot be ", trama::ToString(shape)), Loc::current());
    return {};
  }
  mlir::Value value = AddArgument(TensorType(dtype, shape), name, "input");
  if (sequence >= 0) {
    mlir::NamedAttrList attributes(argument_attributes_.back());
    attributes.set(kSequenceAttr, builder_.getI64IntegerAttr(sequence));
    argument_attributes_.back() = attributes.getDictionary(builder_.getContext());
    set_time_axes(value, uint64_t{1} << sequence);
  }
  return Wrap(value, name, Loc::current());
}

mlir::Value Recorder::AddParameter(const nn::Parameter& parameter) {
  mlir::Value& value = parameters_[&parameter];
  if (value) return value;
  if (parameter.path().find(':') != std::string::npos)
    Error("parameter", parameter.path() + " has a colon, which names of state have",
          Loc::current());
  value = AddArgument(TensorType(DType::kF32, parameter.shape()), parameter.path(), "parameter");
  return value;
}

mlir::Value Recorder::Rng() {
  if (!rng_) rng_ = AddArgument(TensorType(DType::kI32, {4}), "rng", "scalar");
  return rng_;
}

void Recorder::Return(const std::vector<std::pair<std::string, Tensor>>& results) {
  llvm::SmallVector<mlir::Value> values;
  llvm::SmallVector<mlir::DictionaryAttr> attributes;
  for (const auto& [name, tensor] : results) {
    values.push_back(Use(tensor, name, Loc::current()));
    if (!values.back()) return;
    attributes.push_back(builder_.getDictionaryAttr(
        {builder_.getNamedAttr(kNameAttr, builder_.getStringAttr(name))}));
  }
  mlir::func::ReturnOp::create(builder_, builder_.getUnknownLoc(), values);
  function_.setType(builder_.getFunctionType(function_.getBody().front().getArgumentTypes(),
                                             mlir::ValueRange(values).getTypes()));
  function_.setAllArgAttrs(argument_attributes_);
  function_.setAllResultAttrs(attributes);
}

void Recorder::Error(const std::string& op, const std::string& message, const Loc& loc) {
  if (status_.ok())
    status_ = absl::InvalidArgumentError(
        absl::StrCat(op, ": ", message, " (", FileName(loc), ":", loc.line(), ")"));
}

mlir::Value Recorder::Use(const Tensor& tensor, const std::string& op, const Loc& loc) {
  if (tensor.parameter_) return AddParameter(*tensor.parameter_);
  if (!tensor.value_) Error(op, "an operand is empty", loc);
  return mlir::Value::getFromOpaquePointer(tensor.value_);
}

Tensor Recorder::Wrap(mlir::Value value, const std::string& op, const Loc& loc) {
  if (NumElements(TypeOf(value).getShape()).value_or(INT64_MAX) > kMaxElements ||
      TypeOf(value).getRank() > static_cast<int64_t>(kMaxRank)) {
    Error(op, absl::StrCat("the result ", Describe(value), " is too large"), loc);
    return {};
  }
  Tensor tensor;
  tensor.value_ = value.getAsOpaquePointer();
  return tensor;
}

mlir::Value Recorder::Splat(double number, mlir::RankedTensorType type, const Loc& loc) {
  const mlir::Type element = type.getElementType();
  mlir::DenseElementsAttr value;
  if (auto floating = mlir::dyn_cast<mlir::FloatType>(element))
    value = mlir::DenseElementsAttr::get(type, builder_.getFloatAttr(floating, number).getValue());
  else
    value = mlir::DenseElementsAttr::get(
        type, llvm::APInt(element.getIntOrFloatBitWidth(), static_cast<int64_t>(number),
                          /*isSigned=*/true, /*implicitTrunc=*/true));
  return Create<ConstantOp>(loc, 0, type, value);
}

mlir::Value Recorder::Cast(mlir::Value value, mlir::Type element, const Loc& loc) {
  const mlir::RankedTensorType type = TypeOf(value);
  if (type.getElementType() == element) return value;
  return Create<CastOp>(loc, time_axes(value),
                        mlir::RankedTensorType::get(type.getShape(), element), value);
}

mlir::Type Recorder::ElementType(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return float_type_ == DType::kF64 ? builder_.getF64Type() : builder_.getF32Type();
    case DType::kF64:
      return builder_.getF64Type();
    case DType::kBF16:
      return builder_.getBF16Type();
    case DType::kF16:
      return builder_.getF16Type();
    case DType::kI64:
      return builder_.getI64Type();
    case DType::kI8:
    case DType::kU8:
      return builder_.getI8Type();
    case DType::kBool:
      return builder_.getI1Type();
    case DType::kI16:
    case DType::kU16:
    case DType::kI32:
      return builder_.getI32Type();
  }
  return {};
}

mlir::Location Recorder::Location(const Loc& loc) {
  return mlir::FileLineColLoc::get(builder_.getStringAttr(FileName(loc)), loc.line(), loc.column());
}

std::string Describe(mlir::Value value) {
  std::string text;
  llvm::raw_string_ostream(text) << value.getType();
  return text;
}

}  // namespace trama
