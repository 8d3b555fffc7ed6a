// What the tests of kernels share, whatever backend compiles them.
#pragma once

#include <algorithm>
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

// The kind that the text of a kernel body names.
inline std::string KindOf(const std::string& text) {
  const std::string mark = "trama.kind = \"";
  const size_t begin = text.find(mark) + mark.size();
  return text.substr(begin, text.find('"', begin) - begin);
}

// One tensor an argument of `body`: floats in [-1, 1), integers in [0, limit) and bools of which
// three in four are true.
inline std::vector<HostTensor> AnchorInputs(mlir::func::FuncOp body, int64_t limit) {
  std::mt19937 random(7);
  std::vector<HostTensor> inputs = RandomInputs(body, 7, -1, 1);
  for (HostTensor& input : inputs)
    for (int64_t i = 0; i < input.num_elements() && !IsFloat(input.dtype); ++i)
      input.set(i, input.dtype == DType::kBool ? random() % 4 != 0 : random() % limit);
  return inputs;
}

// |got - want| <= tolerance * the largest finite magnitude wanted in the result, at least 1; NaN
// where NaN is wanted.
inline void ExpectNearLargest(const std::vector<HostTensor>& got,
                              const std::vector<HostTensor>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t r = 0; r < want.size(); ++r) {
    ASSERT_EQ(got[r].num_elements(), want[r].num_elements());
    double largest = 1;
    for (int64_t i = 0; i < want[r].num_elements(); ++i)
      if (std::isfinite(want[r].at(i))) largest = std::max(largest, std::abs(want[r].at(i)));
    for (int64_t i = 0; i < want[r].num_elements(); ++i) {
      const double w = want[r].at(i), g = got[r].at(i);
      ASSERT_TRUE(std::isnan(w) ? std::isnan(g) : w == g || std::abs(w - g) <= tolerance * largest)
          << "result " << r << " element " << i << ": " << g << ", not " << w;
    }
  }
}

}  // namespace trama::kernel_testing
