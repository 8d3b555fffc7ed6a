// Fused kernels of the cpu backend against the interpreter: odd sizes, every kind of phase.
#include "tests/unit/cpu_test_util.h"

namespace trama::cpu {
namespace {
using absl::StrCat;
using Sizes = std::vector<int64_t>;

TEST(CpuFusedTest, Pointwise) {
  for (const Sizes& shape : {Sizes{}, {1}, {5}, {16}, {37}, {3, 7}, {2, 1, 33}, {4, 5000}}) {
    const std::string t = Tensor(shape);
    ExpectKernelMatches("fused", StrCat("func.func @f(%a: ", t, ", %b: ", t, ") -> (", t, ", ", t,
                                        ") {\n", "%0 = trama.add %a, %b : ", t, ", ", t, "\n",
                                        "%1 = trama.exp %0 : ", t, "\n", "%2 = trama.mul %1, %a : ",
                                        t, ", ", t, "\n", "return %0, %2 : ", t, ", ", t, "\n}"));
  }
}

TEST(CpuFusedTest, EveryUnary) {
  const std::string t = Tensor({3, 21});
  for (const char* op :
       {"neg", "abs", "sign", "exp", "tanh", "sigmoid", "erf", "sin", "cos", "floor", "relu"})
    ExpectKernelMatches("fused", StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.", op,
                                        " %a : ", t, "\n return %0 : ", t, "}"));
  for (const char* op : {"log", "sqrt", "rsqrt"})
    ExpectKernelMatches("fused",
                        StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.", op,
                               " %a : ", t, "\n return %0 : ", t, "}"),
                        1e-5, 0.1, 3);
}

TEST(CpuFusedTest, Softmax) {
  for (const Sizes& shape :
       {Sizes{1, 1}, {5, 1}, {3, 7}, {4, 16}, {5, 65}, {2, 3, 130}, {1, 40000}}) {
    const std::string t = Tensor(shape);
    ExpectKernelMatches("fused", StrCat("func.func @f(%a: ", t, ") -> ", t,
                                        " { %0 = trama.softmax %a dim = ", shape.size() - 1, " : ",
                                        t, "\n return %0 : ", t, "}"));
  }
}

TEST(CpuFusedTest, SoftmaxOverAnotherDimension) {
  const std::string t = Tensor({3, 17, 5});
  for (int dim : {0, 1, 2})
    ExpectKernelMatches(
        "fused", StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.softmax %a dim = ", dim,
                        " : ", t, "\n return %0 : ", t, "}"));
}

}  // namespace
}  // namespace trama::cpu
