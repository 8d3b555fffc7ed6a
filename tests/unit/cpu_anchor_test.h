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

// The text of a kernel body.
inline std::string Kernel(const std::string& kind, const std::string& arguments,
                          const std::string& results, const std::string& body) {
  return absl::StrCat("func.func private @k(", arguments, ") -> (", results,
                      ") attributes {trama.kind = \"", kind, "\"} {\n", body, "\n}\n");
}

// The parameter is LLVM's name of a CPU, "" for the host.
class AnchorTest : public testing::TestWithParam<std::string> {
 protected:
  using Prepare = std::function<void(std::vector<HostTensor>&)>;

  // tolerance: of the largest magnitude in a result, at least 1. prepare: changes the random
  // inputs, which are floats in [-1, 1), integers in [0, limit) and bools of which three in four
  // are true.
  void Check(const std::string& text, double tolerance = 2e-6, const Prepare& prepare = nullptr,
             int64_t limit = 2) {
    SCOPED_TRACE(text);
    const std::string mark = "trama.kind = \"";
    const size_t begin = text.find(mark) + mark.size();
    const std::string kind = text.substr(begin, text.find('"', begin) - begin);
    ASSERT_NE(FindEmitter(kind), nullptr) << kind;
    auto kernel = CpuKernel::Compile(kind, text, /*threads=*/3, GetParam());
    ASSERT_OK(kernel);
    std::mt19937 random(7);
    std::vector<HostTensor> inputs = (*kernel)->RandomInputs(7, -1, 1);
    for (HostTensor& input : inputs) {
      for (int64_t i = 0; i < input.num_elements() && !IsFloat(input.dtype); ++i)
        input.set(i, input.dtype == DType::kBool ? random() % 4 != 0 : random() % limit);
    }
    if (prepare) prepare(inputs);
    auto want = reference::Evaluate((*kernel)->body(), inputs);
    ASSERT_OK(want);
    const std::vector<HostTensor> got = (*kernel)->Run(inputs);
    for (size_t r = 0; r < want->size(); ++r) {
      double largest = 1;
      for (int64_t i = 0; i < got[r].num_elements(); ++i)
        if (std::isfinite((*want)[r].at(i)))
          largest = std::max(largest, std::abs((*want)[r].at(i)));
      for (int64_t i = 0; i < got[r].num_elements(); ++i) {
        const double w = (*want)[r].at(i), g = got[r].at(i);
        ASSERT_TRUE(w == g || std::abs(w - g) <= tolerance * largest)
            << "result " << r << " element " << i << ": " << g << ", not " << w;
      }
    }
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
