// Every pointwise op of codegen, for scalars and for vectors: a valid shader in both ABIs, whose
// results are the interpreter's, for infinities, NaN and other values at the ends of the types too.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "backends/codegen/pointwise.h"
#include "backends/vulkan/phase_builder.h"
#include "tests/unit/vulkan_test_spirv.h"
#include "tests/unit/vulkan_test_util.h"

namespace trama::vulkan {
namespace {

// A kernel of pointwise ops over operands of one shape, a result each.
absl::StatusOr<Kernel> EmitPointwise(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target, int64_t vector) {
  Kernel kernel;
  auto type = mlir::cast<mlir::RankedTensorType>(body.getResultTypes()[0]);
  PhaseBuilder b(module, body, target, kernel, "pointwise", {64, 1, 1});
  Value i = b.GlobalIndex();
  const int64_t count = type.getNumElements() / vector;
  absl::Status status;
  b.If(b.Less(i, b.Index(count)), [&] {
    auto load = [&](Value tensor) -> Value {
      auto argument = mlir::dyn_cast<mlir::BlockArgument>(tensor);
      if (!argument) return nullptr;
      Value stored = b.Load(b.Operand(argument.getArgNumber(), vector), i);
      return codegen::FromStorage(b, stored, getElementTypeOrSelf(tensor));
    };
    mlir::Operation* results = body.getBody().front().getTerminator();
    for (auto [index, result] : llvm::enumerate(results->getOperands())) {
      auto value = codegen::EmitExpression(b, result, load);
      status.Update(value.status());
      if (value.ok()) b.Store(codegen::ToStorage(b, *value), b.Result(index, vector), i);
    }
  });
  TRAMA_RETURN_IF_ERROR(status);
  TRAMA_RETURN_IF_ERROR(b.Finish((count + 63) / 64));
  return kernel;
}
absl::StatusOr<Kernel> EmitScalars(mlir::func::FuncOp body, mlir::ModuleOp module,
                                   const Target& target) {
  return EmitPointwise(body, module, target, 1);
}
absl::StatusOr<Kernel> EmitVectors(mlir::func::FuncOp body, mlir::ModuleOp module,
                                   const Target& target) {
  return EmitPointwise(body, module, target, 4);
}
TRAMA_VULKAN_KERNEL("test_scalars", EmitScalars);
TRAMA_VULKAN_KERNEL("test_vectors", EmitVectors);

// Ops over the same operands; a name that is a comparison's stands for it.
struct OpGroup {
  std::string name;
  std::vector<std::string> ops, operands;  // types
  std::vector<std::string> results;        // type, one an op
};
void PrintTo(const OpGroup& group, std::ostream* os) { *os << group.name; }

std::vector<OpGroup> Groups() {
  std::vector<OpGroup> groups;
  // Sixteen have more buffers than push constants hold of addresses, but not than lavapipe takes.
  auto add = [&](const std::string& name, std::vector<std::string> operands,
                 const std::string& result, const std::vector<std::string>& ops) {
    for (size_t i = 0; i < ops.size(); i += 16) {
      OpGroup group{absl::StrCat(name, "_", i / 16), {}, operands, {}};
      for (size_t k = i; k < std::min(i + 16, ops.size()); ++k) {
        group.ops.push_back(ops[k]);
        group.results.push_back(result);
      }
      groups.push_back(std::move(group));
    }
  };
  const std::vector<std::string> compares = {"eq", "ne", "lt", "le", "gt", "ge"};
  for (std::string type : {"f32", "f16", "bf16"}) {
    add(type + "_unary", {type}, type,
        {"neg", "abs", "sign", "exp", "log", "tanh", "sqrt", "rsqrt", "sigmoid", "erf", "sin",
         "cos", "floor", "relu", "gelu", "gelu tanh"});
    add(type + "_binary", {type, type}, type,
        {"add", "sub", "mul", "div", "max", "min", "pow", "gelu_grad", "gelu_grad tanh"});
  }
  for (std::string type : {"f64", "i32", "i64"}) {
    add(type + "_unary", {type}, type, {"neg", "abs", "sign"});
    add(type + "_binary", {type, type}, type, {"add", "sub", "mul", "div", "max", "min"});
  }
  add("f64_roots", {"f64"}, "f64", {"sqrt", "rsqrt", "floor", "relu"});
  for (std::string type : {"f32", "f16", "bf16", "f64", "i32", "i64"}) {
    add(type + "_compare", {type, type}, "i1", compares);
    add(type + "_select", {"i1", type, type}, type, {"select"});
  }
  add("i1_binary", {"i1", "i1"}, "i1", {"and", "or"});
  add("i1_unary", {"i1"}, "i1", {"not"});
  const std::vector<std::string> types = {"f32", "f16", "bf16", "f64", "i1", "i8", "i32", "i64"};
  for (const std::string& from : types) {
    OpGroup casts{from + "_casts", {}, {from}, {}};
    for (const std::string& to : types) {
      if (from == to) continue;
      casts.ops.push_back("cast");
      casts.results.push_back(to);
    }
    groups.push_back(std::move(casts));
  }
  return groups;
}

constexpr int kSize = 1024;

std::string TensorOf(const std::string& type) {
  return absl::StrCat("tensor<", kSize, "x", type, ">");
}

// The group as the body of a kernel, "gelu tanh" as `trama.gelu %a0 tanh`.
std::string Body(const OpGroup& group) {
  std::vector<std::string> arguments, operands, types, lines, values, results;
  for (const std::string& type : group.operands) {
    operands.push_back(absl::StrCat("%a", operands.size()));
    arguments.push_back(absl::StrCat(operands.back(), ": ", TensorOf(type)));
    types.push_back(TensorOf(type));
  }
  for (size_t i = 0; i < group.ops.size(); ++i) {
    std::pair<std::string, std::string> op = absl::StrSplit(group.ops[i], absl::MaxSplits(' ', 1));
    if (absl::StrContains(group.name, "compare")) op.first = "compare " + op.first;
    results.push_back(TensorOf(group.results[i]));
    values.push_back(absl::StrCat("%r", i));
    lines.push_back(absl::StrCat("  ", values.back(), " = trama.", op.first, " ",
                                 absl::StrJoin(operands, ", "), " ", op.second, " : ",
                                 absl::StrJoin(types, ", "),
                                 op.first == "cast" ? " -> " + results.back() : "", "\n"));
  }
  return absl::StrCat("func.func @f(", absl::StrJoin(arguments, ", "), ") -> (",
                      absl::StrJoin(results, ", "), ") {\n", absl::StrJoin(lines, ""), "  return ",
                      absl::StrJoin(values, ", "), " : ", absl::StrJoin(results, ", "), "\n}");
}

class VulkanPointwiseTest : public testing::TestWithParam<OpGroup> {};
INSTANTIATE_TEST_SUITE_P(Ops, VulkanPointwiseTest, testing::ValuesIn(Groups()),
                         [](const auto& info) { return info.param.name; });

TEST_P(VulkanPointwiseTest, IsAValidShader) {
  for (const char* kind : {"test_scalars", "test_vectors"}) {
    SCOPED_TRACE(kind);
    ExpectValidShaders(kind, Body(GetParam()));
  }
}

// The smallest normal number of a type, below which drivers may give or take 0.
double SmallestNormal(DType type) {
  return type == DType::kF64   ? std::numeric_limits<double>::min()
         : type == DType::kF16 ? 0x1p-14
                               : std::numeric_limits<float>::min();
}

// Every pair of special values in the first two float operands, then random ones.
std::vector<HostTensor> Inputs(mlir::func::FuncOp body) {
  const std::vector<double> special = {
      0,         -0.0, 1,     -1,   0.5,   2,     -3,   INFINITY, -INFINITY,    NAN,
      1e-41,     1e38, -1e38, 89.0, -88.5, 1e-30, 1e30, 16777216, 2147483648.0, -2147483648.0,
      0.9999999, 7.5};
  std::mt19937 random(3);
  std::vector<HostTensor> inputs;
  int64_t stride = 1;
  for (mlir::Type type : body.getArgumentTypes()) {
    HostTensor tensor = kernel_testing::RandomTensor(type, random, -4, 4);
    const bool is_float = mlir::isa<mlir::FloatType>(getElementTypeOrSelf(type));
    std::uniform_real_distribution<double> exponent(-100, 100);
    const int64_t count = tensor.num_elements(), specials = special.size();
    for (int64_t i = 0; i < count; ++i) {
      if (!is_float) {
        if (tensor.dtype != DType::kBool && i % 3 == 0) tensor.set(i, int(random() % 256) - 128);
      } else if (i < specials * specials) {
        tensor.set(i, special[i / stride % specials]);
      } else if (i % 4 == 0) {
        tensor.set(i, (i % 8 ? 1 : -1) * std::exp(exponent(random)));
      }
    }
    if (is_float) stride *= specials;
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

// Units in the last place of the result's type that `op` may differ by, and the size of the numbers
// that cancel in it, whose last place counts where it is more than the result's.
struct Accuracy {
  double ulp = 4, cancels = 0;
};
Accuracy AccuracyOf(const std::string& op) {
  if (op == "sin" || op == "cos") return {4, 1};
  if (absl::StartsWith(op, "gelu")) return {8, 4};
  return {};
}

bool Near(double got, double want, double epsilon, double smallest, const Accuracy& accuracy) {
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
  if (std::isinf(want) || std::isinf(got)) return got == want;
  if (std::abs(want) <= 2 * smallest && std::abs(got) <= 2 * smallest) return true;
  return std::abs(got - want) <=
         accuracy.ulp * epsilon * std::max(std::abs(want), accuracy.cancels);
}

double LastPlace(DType type) {
  return type == DType::kF64    ? 0x1p-52
         : type == DType::kF32  ? 0x1p-23
         : type == DType::kF16  ? 0x1p-10
         : type == DType::kBF16 ? 0x1p-7
                                : 0;
}

void ExpectTheInterpretersResults(const OpGroup& group, VulkanKernel& kernel) {
  std::vector<HostTensor> inputs = Inputs(kernel.body()), flushed = inputs;
  for (HostTensor& tensor : flushed)
    for (int64_t i = 0; i < tensor.num_elements(); ++i)
      if (std::abs(tensor.at(i)) < SmallestNormal(tensor.dtype))
        tensor.set(i, std::copysign(0, tensor.at(i)));
  ASSERT_OK_AND_ASSIGN(auto want, reference::Evaluate(kernel.body(), inputs));
  ASSERT_OK_AND_ASSIGN(auto want_flushed, reference::Evaluate(kernel.body(), flushed));
  ASSERT_OK_AND_ASSIGN(auto got, kernel.Run(inputs));
  for (size_t r = 0; r < got.size(); ++r) {
    const double epsilon = LastPlace(got[r].dtype);
    const double smallest = epsilon ? SmallestNormal(got[r].dtype) : 0;
    const Accuracy accuracy = AccuracyOf(group.ops[r]);
    int wrong = 0;
    for (int64_t i = 0; i < got[r].num_elements() && wrong < 5; ++i) {
      const double g = got[r].at(i);
      if (Near(g, want[r].at(i), epsilon, smallest, accuracy) ||
          Near(g, want_flushed[r].at(i), epsilon, smallest, accuracy))
        continue;
      ++wrong;
      std::string of;
      for (const HostTensor& input : inputs) absl::StrAppend(&of, " ", input.at(i));
      ADD_FAILURE() << group.ops[r] << of << " gives " << g << ", not " << want[r].at(i);
    }
  }
}

TEST_P(VulkanPointwiseTest, MatchesTheInterpreter) {
  for (Abi abi : {Abi::kAddress, Abi::kDescriptors}) {
    for (const char* kind : {"test_scalars", "test_vectors"}) {
      SCOPED_TRACE(absl::StrCat(kind, " ", Name(abi)));
      ASSERT_OK_AND_ASSIGN(auto kernel, VulkanKernel::Compile(kind, Body(GetParam()), abi));
      ExpectTheInterpretersResults(GetParam(), *kernel);
    }
  }
}

// A device of 32-bit arithmetic and memory alone: bool and bf16 work, other types are refused.
TEST(VulkanSmallDeviceTest, HasBoolAndBFloat16) {
  for (bool device_address : {true, false}) {
    DeviceOptions options;
    options.device_address = device_address;
    options.narrow = [](Target& target) {
      target.int8 = target.int16 = target.int64 = target.float16 = target.float64 = false;
      target.storage8 = target.storage16 = false;
    };
    ASSERT_OK_AND_ASSIGN(auto device, TestDevice::Open(options));
    for (const OpGroup& group : Groups()) {
      const std::string type = group.name.substr(0, group.name.find('_'));
      const bool cast = absl::StrContains(group.name, "cast");
      const bool works =
          !cast && (type == "i1" || type == "bf16" || type == "f32" || type == "i32");
      for (const char* kind : {"test_scalars", "test_vectors"}) {
        SCOPED_TRACE(absl::StrCat(kind, " ", group.name));
        auto kernel = VulkanKernel::Compile(kind, Body(group), *device);
        if (!works) {
          EXPECT_THAT(kernel, StatusIs(absl::StatusCode::kUnimplemented, "the device has no "));
        } else if (absl::StrContains(group.name, "compare") || type == "i1" || type == "bf16") {
          ASSERT_OK(kernel);
          ExpectTheInterpretersResults(group, **kernel);
        }
      }
    }
  }
}

// Of 64-bit integers it reads the lower halves, and does not compute with whole ones.
TEST(VulkanSmallDeviceTest, ReadsIdsOf64Bits) {
  for (bool device_address : {true, false}) {
    DeviceOptions options;
    options.device_address = device_address;
    options.narrow = [](Target& target) { target.int64 = false; };
    ASSERT_OK_AND_ASSIGN(auto device, TestDevice::Open(options));
    const std::string embedding =
        "func.func @f(%t: tensor<9x8xf32>, %i: tensor<16xi64>) -> tensor<16x8xf32> {\n"
        "%0 = trama.embedding %t, %i : tensor<9x8xf32>, tensor<16xi64>\n"
        "return %0 : tensor<16x8xf32>}";
    ASSERT_OK_AND_ASSIGN(auto kernel, VulkanKernel::Compile("fused", embedding, *device));
    std::vector<HostTensor> inputs = kernel->RandomInputs(5);
    for (int64_t i = 0; i < 16; ++i) inputs[1].set(i, 5 * i % 9);
    kernel->ExpectMatches(inputs, 0);
    const std::string sum =
        "func.func @f(%a: tensor<16xi64>) -> tensor<16xi64> {\n"
        "%0 = trama.add %a, %a : tensor<16xi64>, tensor<16xi64>\n"
        "return %0 : tensor<16xi64>}";
    EXPECT_THAT(VulkanKernel::Compile("fused", sum, *device),
                StatusIs(absl::StatusCode::kUnimplemented, "the device has no 'i64'"));
  }
}

TEST(VulkanLargeBuffersTest, AreReadAndWrittenInPieces) {
  DeviceOptions options;
  options.device_address = false;
  options.narrow = [](Target& target) { target.max_buffer_range = 1536; };
  ASSERT_OK_AND_ASSIGN(auto device, TestDevice::Open(options));
  const OpGroup group = {"large", {"sub", "max"}, {"f32", "f32"}, {"f32", "f32"}};
  for (const char* kind : {"test_scalars", "test_vectors"}) {
    ASSERT_OK_AND_ASSIGN(auto kernel, VulkanKernel::Compile(kind, Body(group), *device));
    EXPECT_EQ(kernel->loaded().phases[0].pipeline->pieces, std::vector<uint32_t>(4, 3));
    kernel->ExpectMatches(kernel->RandomInputs(5), 0);
  }
}

}  // namespace
}  // namespace trama::vulkan
