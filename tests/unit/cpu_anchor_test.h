// The fixture of the tests of kernels with emitters of their own: each body runs as code for the
// host and for a machine with shorter vectors, against the reference interpreter.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/cpu_test_util.h"

namespace trama::cpu {

// The parameter is LLVM's name of a CPU, "" for the host.
class AnchorTest : public testing::TestWithParam<std::string> {
 protected:
  using Prepare = std::function<void(std::vector<HostTensor>&)>;

  absl::StatusOr<std::vector<HostTensor>> Results(const std::string& text,
                                                  std::vector<HostTensor> inputs) {
    const std::string kind = kernel_testing::KindOf(text);
    TRAMA_ASSIGN_OR_RETURN(auto kernel, CpuKernel::Compile(kind, text, /*threads=*/3, GetParam()));
    return kernel->Run(inputs);
  }

  // tolerance: of the largest magnitude in a result, at least 1. prepare: changes the random
  // inputs, which are floats in [-1, 1), integers in [0, limit) and bools of which three in four
  // are true.
  void Check(const std::string& text, double tolerance = 2e-6, const Prepare& prepare = nullptr,
             int64_t limit = 2) {
    SCOPED_TRACE(text);
    const std::string kind = kernel_testing::KindOf(text);
    ASSERT_NE(FindEmitter(kind), nullptr) << kind;
    auto kernel = CpuKernel::Compile(kind, text, /*threads=*/3, GetParam());
    ASSERT_OK(kernel);
    std::vector<HostTensor> inputs = kernel_testing::AnchorInputs((*kernel)->body(), limit);
    if (prepare) prepare(inputs);
    auto want = reference::Evaluate((*kernel)->body(), inputs);
    ASSERT_OK(want);
    const std::vector<HostTensor> got = (*kernel)->Run(inputs);
    ASSERT_NO_FATAL_FAILURE(kernel_testing::ExpectNearLargest(got, *want, tolerance));
    for (int repeat = 0; repeat < 3; ++repeat) {
      const std::vector<HostTensor> other = (*kernel)->Run(inputs, /*parallel=*/true);
      for (size_t r = 0; r < want->size(); ++r)
        ASSERT_TRUE(other[r].bytes == got[r].bytes) << "result " << r << " depends on threads";
    }
  }
};

inline auto TestedMachines() {
  std::vector<std::string> machines{""};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    machines.push_back("haswell");
  return testing::ValuesIn(machines);
}
inline std::string MachineName(const testing::TestParamInfo<std::string>& info) {
  return info.param.empty() ? "host" : info.param;
}

}  // namespace trama::cpu
