// Kernels written by hand, for tests of what runs them.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "backends/vulkan/phase_builder.h"

namespace trama::vulkan {

// y = x + x over `n` floats, for kind "test_double": through a workspace, in reverse, and times a
// constant. Workgroups of 64.
inline std::string DoubleBody(int64_t n) {
  return absl::StrCat("func.func @f(%x: tensor<", n, "xf32>) -> tensor<", n,
                      "xf32> {\n  %0 = trama.add %x, %x : tensor<", n, "xf32>, tensor<", n,
                      "xf32>\n  return %0 : tensor<", n, "xf32>\n}");
}

inline absl::StatusOr<Kernel> EmitDouble(mlir::func::FuncOp body, mlir::ModuleOp module,
                                         const Target& target) {
  const int64_t n = mlir::cast<mlir::RankedTensorType>(body.getArgumentTypes()[0]).getNumElements();
  Kernel kernel;
  for (bool first : {true, false}) {
    PhaseBuilder b(module, body, target, kernel, first ? "reverse" : "double", {64, 1, 1});
    Value i = b.GlobalIndex();
    b.If(b.Less(i, b.Index(n)), [&] {
      Value reversed = b.Sub(b.Index(n - 1), i);
      Value scratch = b.Workspace("reversed", b.F32(), n);
      if (first) return b.Store(b.Load(b.Operand(0), i), scratch, reversed);
      auto type = mlir::RankedTensorType::get({2}, b.F32());
      Value two = b.ConstantBuffer(mlir::DenseElementsAttr::get(type, ArrayRef<float>{2, 2}));
      Value factor = b.Load(two, b.Rem(i, 2));
      b.Store(b.Mul(b.Load(scratch, reversed), factor), b.Result(0), i);
    });
    if (absl::Status status = b.Finish((n + 63) / 64); !status.ok()) return status;
  }
  return kernel;
}
TRAMA_VULKAN_KERNEL("test_double", EmitDouble);

// y = a + b, for kind "test_add", one phase.
inline std::string AddBody(int64_t n) {
  const std::string t = absl::StrCat("tensor<", n, "xf32>");
  return absl::StrCat("func.func @f(%a: ", t, ", %b: ", t, ") -> ", t,
                      " {\n  %0 = trama.add %a, %b : ", t, ", ", t, "\n  return %0 : ", t, "\n}");
}

inline absl::StatusOr<Kernel> EmitAdd(mlir::func::FuncOp body, mlir::ModuleOp module,
                                      const Target& target) {
  const int64_t n = mlir::cast<mlir::RankedTensorType>(body.getArgumentTypes()[0]).getNumElements();
  Kernel kernel;
  PhaseBuilder b(module, body, target, kernel, "add", {64, 1, 1});
  Value i = b.GlobalIndex();
  b.If(b.Less(i, b.Index(n)),
       [&] { b.Store(b.Add(b.Load(b.Operand(0), i), b.Load(b.Operand(1), i)), b.Result(0), i); });
  if (absl::Status status = b.Finish((n + 63) / 64); !status.ok()) return status;
  return kernel;
}
TRAMA_VULKAN_KERNEL("test_add", EmitAdd);

}  // namespace trama::vulkan
