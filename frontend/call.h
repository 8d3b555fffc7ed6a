// What the functions of functional.h are written with; MLIR side, internal to the frontend.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "frontend/emit.h"
#include "frontend/functional.h"

namespace trama {

// One call of a function of the DSL. Its uses follow one pattern:
//   Call call("exp", loc);
//   mlir::Value x = call.Use(tensor);
//   if (!x) return {};
// Use() is null where nothing is to be built: outside of a trace, and after an error.
class Call {
 public:
  Call(std::string name, const Loc& loc)
      : name_(std::move(name)), loc_(loc), recorder_(Recorder::Current()) {}

  mlir::Value Use(const Tensor& tensor) {
    return recorder_ ? recorder_->Use(tensor, name_, loc_) : mlir::Value();
  }
  // Integers and bools become the trace's float type, as in torch.
  mlir::Value UseFloat(const Tensor& tensor);
  mlir::Value UseInteger(const Tensor& tensor, const char* what);
  // A mask: bool.
  mlir::Value UseBool(const Tensor& tensor, const char* what);
  // Two operands of one element type, by torch's promotion; false where there is nothing to build
  // or the shapes do not broadcast.
  bool UsePair(const Operand& a, const Operand& b, mlir::Value& lhs, mlir::Value& rhs);

  // A number as a scalar tensor.
  mlir::Value Number(const Operand& number, mlir::Type element) {
    return recorder_->Splat(number.number(), mlir::RankedTensorType::get({}, element), loc_);
  }

  // dim counted from the front; an error names x.
  std::optional<int64_t> Dim(int64_t dim, mlir::Value x);
  // The result's shape and time axes; an error where the shapes disagree.
  bool Broadcasts(mlir::Value a, mlir::Value b);
  // Of operands that broadcast together.
  uint64_t BroadcastAxes(std::initializer_list<mlir::Value> operands);

  Tensor Fail(const std::string& message) {
    if (recorder_) recorder_->Error(name_, message, loc_);
    return {};
  }
  // An op of one result.
  template <typename OpTy, typename... Args>
  mlir::Value Build(uint64_t axes, Args&&... args) {
    return recorder_->Create<OpTy>(loc_, axes, std::forward<Args>(args)...);
  }
  template <typename OpTy, typename... Args>
  Tensor Make(uint64_t axes, Args&&... args) {
    return recorder_->Wrap(Build<OpTy>(axes, std::forward<Args>(args)...), name_, loc_);
  }
  Tensor Wrap(mlir::Value value) { return recorder_->Wrap(value, name_, loc_); }
  mlir::Value Cast(mlir::Value value, mlir::Type element) {
    return recorder_->Cast(value, element, loc_);
  }
  // What arithmetic takes: a bool as i32.
  mlir::Value AsNumber(mlir::Value value);
  uint64_t axes(mlir::Value value) const { return recorder_->time_axes(value); }
  Recorder* recorder() const { return recorder_; }
  const Loc& loc() const { return loc_; }

 private:
  std::string name_;
  Loc loc_;
  Recorder* recorder_;
};

inline bool IsBool(mlir::Value value) { return TypeOf(value).getElementType().isInteger(1); }
inline Shape DimsOf(mlir::Value value) {
  const llvm::ArrayRef<int64_t> shape = TypeOf(value).getShape();
  return {shape.begin(), shape.end()};
}

}  // namespace trama
