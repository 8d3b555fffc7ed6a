// The fixture of the tests of kernels with emitters of their own: each body runs with the code for
// the device that is here and with that for a graphics processor, against the reference
// interpreter.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/vulkan_test_util.h"

namespace trama::vulkan {

struct TestedMachine {
  Abi abi;
  bool as_gpu;
};

class AnchorTest : public testing::TestWithParam<TestedMachine> {
 protected:
  using Prepare = std::function<void(std::vector<HostTensor>&)>;

  absl::StatusOr<std::vector<HostTensor>> Results(const std::string& text,
                                                  std::vector<HostTensor> inputs) {
    const std::string kind = kernel_testing::KindOf(text);
    TRAMA_ASSIGN_OR_RETURN(auto kernel,
                           VulkanKernel::Compile(kind, text, GetParam().abi, GetParam().as_gpu));
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
    auto kernel = VulkanKernel::Compile(kind, text, GetParam().abi, GetParam().as_gpu);
    ASSERT_OK(kernel);
    std::vector<HostTensor> inputs = kernel_testing::AnchorInputs((*kernel)->body(), limit);
    if (prepare) prepare(inputs);
    auto want = reference::Evaluate((*kernel)->body(), inputs);
    ASSERT_OK(want);
    const auto got = (*kernel)->Run(inputs);
    ASSERT_OK(got);
    ASSERT_NO_FATAL_FAILURE(kernel_testing::ExpectNearLargest(*got, *want, tolerance));
    const auto again = (*kernel)->Run(inputs);
    ASSERT_OK(again);
    for (size_t r = 0; r < want->size(); ++r)
      ASSERT_TRUE((*again)[r].bytes == (*got)[r].bytes) << "result " << r << " is not determined";
  }
};

// The second is what a graphics processor with device addresses gets. Descriptors with the code for
// this device are what conformance and models run by default.
inline auto TestedMachines() {
  return testing::Values(TestedMachine{Abi::kAddress, false}, TestedMachine{Abi::kAddress, true},
                         TestedMachine{Abi::kDescriptors, true});
}
inline std::string MachineName(const testing::TestParamInfo<TestedMachine>& info) {
  return std::string(info.param.as_gpu ? "gpu_" : "here_") + Name(info.param.abi);
}

}  // namespace trama::vulkan
