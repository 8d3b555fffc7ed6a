// What the tests of kernels share, whatever backend compiles them.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/host_tensor.h"
#include "gtest/gtest.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"

namespace trama::kernel_testing {

// "tensor<2x3xf32>".
inline std::string Tensor(const std::vector<int64_t>& shape, const std::string& type = "f32") {
  std::string text = "tensor<";
  for (int64_t size : shape) absl::StrAppend(&text, size, "x");
  return absl::StrCat(text, type, ">");
}

// The text of a kernel body.
inline std::string KernelText(const std::string& kind, const std::string& arguments,
                              const std::string& results, const std::string& body) {
  return absl::StrCat("func.func private @k(", arguments, ") -> (", results,
                      ") attributes {trama.kind = \"", kind, "\"} {\n", body, "\n}\n");
}

inline HostTensor ZeroTensor(mlir::Type tensor) {
  auto type = mlir::cast<mlir::RankedTensorType>(tensor);
  mlir::Type element = type.getElementType();
  DType dtype = element.isF64()         ? DType::kF64
                : element.isBF16()      ? DType::kBF16
                : element.isF16()       ? DType::kF16
                : element.isInteger(64) ? DType::kI64
                : element.isInteger(32) ? DType::kI32
                : element.isInteger(8)  ? DType::kI8
                : element.isInteger(1)  ? DType::kBool
                                        : DType::kF32;
  return HostTensor(dtype, Shape(type.getShape().begin(), type.getShape().end()));
}

inline HostTensor RandomTensor(mlir::Type type, std::mt19937& random, double low, double high) {
  HostTensor tensor = ZeroTensor(type);
  std::uniform_real_distribution<double> uniform(low, high);
  for (int64_t i = 0; i < tensor.num_elements(); ++i)
    tensor.set(i, tensor.dtype == DType::kBool ? random() % 2 : uniform(random));
  return tensor;
}

// One tensor an argument of `body`.
inline std::vector<HostTensor> RandomInputs(mlir::func::FuncOp body, uint32_t seed, double low,
                                            double high) {
  std::mt19937 random(seed);
  std::vector<HostTensor> inputs;
  for (mlir::Type type : body.getArgumentTypes())
    inputs.push_back(RandomTensor(type, random, low, high));
  return inputs;
}

// |got - want| <= tolerance (1 + |want|) everywhere. `text` is printed with the first that is not.
inline void ExpectNear(const std::vector<HostTensor>& got, const std::vector<HostTensor>& want,
                       double tolerance, const std::string& text) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t r = 0; r < got.size(); ++r) {
    ASSERT_EQ(got[r].num_elements(), want[r].num_elements()) << text;
    for (int64_t i = 0; i < got[r].num_elements(); ++i) {
      const double g = got[r].at(i), w = want[r].at(i);
      if (std::isnan(w) ? std::isnan(g) : g == w) continue;
      ASSERT_LE(std::abs(g - w), tolerance * (1 + std::abs(w)))
          << "result " << r << " element " << i << " got " << g << " want " << w << "\n"
          << text;
    }
  }
}

}  // namespace trama::kernel_testing
