// Bodies of embedding_grad and cache_update kernels, for the tests of every backend that compiles
// them.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/kernel_test_util.h"

namespace trama::kernel_testing {

// 12 rows into a table of 6.
inline std::string EmbeddingGrad(int64_t width) {
  const std::string grad = Tensor({3, 4, width}), ids = Tensor({3, 4}, "i32");
  return absl::StrCat("func.func @f(%g: ", grad, ", %i: ", ids, ") -> ", Tensor({6, width}),
                      " {\n %0 = trama.embedding_grad %g, %i rows = 6 : ", grad, ", ", ids,
                      "\n return %0 : ", Tensor({6, width}), "\n}");
}

// The same, added to what the table's gradient is already.
inline std::string EmbeddingGradAdded(int64_t width) {
  const std::string grad = Tensor({3, 4, width}), ids = Tensor({3, 4}, "i32"),
                    table = Tensor({6, width});
  return absl::StrCat("func.func @f(%t: ", table, ", %g: ", grad, ", %i: ", ids, ") -> ", table,
                      " {\n %0 = trama.embedding_grad %g, %i rows = 6 : ", grad, ", ", ids,
                      "\n %1 = trama.add %t, %0 : ", table, ", ", table, "\n return %1 : ", table,
                      "\n}");
}

inline std::string EmbeddingGradThroughViews() {
  return R"(
    func.func @f(%g: tensor<4x3x21xf32>, %i: tensor<3x5xi32>) -> tensor<6x21xf32> {
      %t = trama.transpose %g permutation = [1, 0, 2] : tensor<4x3x21xf32>
      %s = trama.slice %i starts = [0, 1] strides = [1, 1] : tensor<3x5xi32> -> tensor<3x4xi32>
      %0 = trama.embedding_grad %t, %s rows = 6 : tensor<3x4x21xf32>, tensor<3x4xi32>
      return %0 : tensor<6x21xf32>
    })";
}

// A chunk of 4 into caches of 7 slots: 2 rows, 3 heads.
inline std::string CacheUpdate(int64_t depth) {
  const std::string cache = Tensor({2, 3, 7, depth}), x = Tensor({2, 3, 4, depth});
  return absl::StrCat("func.func @f(%c: ", cache, ", %x: ", x,
                      ", %p: tensor<2xi32>, %l: tensor<2xi32>) -> ", cache,
                      " {\n %0 = trama.cache_update %c, %x, %p, %l : ", cache, ", ", x,
                      ", tensor<2xi32>, tensor<2xi32>\n return %0 : ", cache, "\n}");
}

}  // namespace trama::kernel_testing
