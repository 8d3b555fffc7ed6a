// The MLIR side of the DSL: where a traced program lives and how its ops are built. Only the
// frontend's .cc files, and those who compile a TracedModule, include this.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "frontend/program.h"
#include "frontend/tensor.h"
#include "ir/dialect.h"
#include "ir/infer_util.h"
#include "llvm/ADT/StringSet.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace trama {

struct TracedModule::Impl {
  Impl();
  mlir::MLIRContext
      context;  // multithreading is off: a pass manager's pool is not worth its threads
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

// Of a tensor: a bit an axis is kept, and its bytes are counted in an int64.
inline constexpr size_t kMaxRank = 32;
inline constexpr int64_t kMaxElements = INT64_MAX / 8;

// Builds one func.func: the ops that the DSL calls on this thread while the recorder is alive.
class Recorder {
 public:
  // Appends a function of no arguments to `module`. `float_type` stands for f32.
  Recorder(mlir::ModuleOp module, const std::string& name, DType float_type, bool training);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // The one of this thread, or null. Null too once an error was met: ops then give empty tensors.
  static Recorder* Current();

  // ---- the function
  // `sequence`: the time axis, or -1. An error where the shape is none.
  Tensor AddInput(const std::string& name, DType dtype, const Shape& shape, int64_t sequence);
  mlir::Value AddParameter(const nn::Parameter& parameter);  // once each
  mlir::Value Rng();                                         // the scalar `rng`, on demand
  int64_t NextOpId() { return next_op_id_++; }
  // Ends the function with these results.
  void Return(const std::vector<std::pair<std::string, Tensor>>& results);

  // ---- errors
  // Keeps the first one: "OP: MESSAGE (FILE:LINE)".
  void Error(const std::string& op, const std::string& message, const Loc& loc);
  const absl::Status& status() const { return status_; }

  // ---- values
  // Null for an empty tensor, which is an error unless one was met before.
  mlir::Value Use(const Tensor& tensor, const std::string& op, const Loc& loc);
  // An error where the elements cannot be counted or the rank is too large.
  Tensor Wrap(mlir::Value value, const std::string& op, const Loc& loc);
  mlir::Value Splat(double number, mlir::RankedTensorType type, const Loc& loc);
  mlir::Value Cast(mlir::Value value, mlir::Type element, const Loc& loc);

  // Bit d: dimension d is the time axis.
  uint64_t time_axes(mlir::Value value) const { return time_axes_.lookup(value); }
  void set_time_axes(mlir::Value value, uint64_t axes) {
    if (axes) time_axes_[value] = axes;
  }

  mlir::Type ElementType(DType dtype);
  mlir::RankedTensorType TensorType(DType dtype, const Shape& shape) {
    return mlir::RankedTensorType::get(shape, ElementType(dtype));
  }
  mlir::Location Location(const Loc& loc);
  bool training() const { return training_; }

  // OpTy with its time axes: one result.
  template <typename OpTy, typename... Args>
  mlir::Value Create(const Loc& loc, uint64_t axes, Args&&... args) {
    auto op = OpTy::create(builder_, Location(loc), std::forward<Args>(args)...);
    set_time_axes(op->getResult(0), axes);
    return op->getResult(0);
  }
  mlir::OpBuilder& builder() { return builder_; }
  mlir::func::FuncOp function() { return function_; }

 private:
  // An error where another argument has the name.
  mlir::Value AddArgument(mlir::Type type, const std::string& name, llvm::StringRef role);

  mlir::OpBuilder builder_;
  mlir::func::FuncOp function_;
  DType float_type_;
  bool training_;
  absl::Status status_;
  llvm::DenseMap<mlir::Value, uint64_t> time_axes_;
  llvm::DenseMap<const nn::Parameter*, mlir::Value> parameters_;
  llvm::SmallVector<mlir::DictionaryAttr> argument_attributes_;
  llvm::StringSet<> names_;  // of the arguments
  mlir::Value rng_;
  int64_t next_op_id_ = 0;
  Recorder* outer_;  // of this thread, before
};

// "tensor<2x5xf32>"
std::string Describe(mlir::Value value);

}  // namespace trama
