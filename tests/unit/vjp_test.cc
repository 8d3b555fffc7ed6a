// Every op's derivative against finite differences and every decomposition against the op itself,
// in float64 on the reference, over random shapes. A new op needs a row in op_cases.h.
#include <cmath>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "backends/reference/evaluators.h"
#include "backends/reference/interpreter.h"
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "tests/unit/op_cases.h"

namespace trama {
namespace {

constexpr int kTrials = 20;
constexpr int64_t kMaxElements = 150;  // of the operands together, so that differences are quick

using Random = std::mt19937_64;

std::string OpName(const OpCase& c) { return c.text.substr(0, c.text.find(' ')); }

std::vector<OpCase> AllCases() {
  std::vector<OpCase> cases = OpCases();
  for (OpCase& c : AttentionCases()) cases.push_back(std::move(c));
  return cases;
}

// The cases whose op has `Interface`.
template <typename Interface>
std::vector<OpCase> CasesWith() {
  mlir::MLIRContext context;
  LoadDialects(context);
  std::vector<OpCase> cases = AllCases();
  llvm::erase_if(cases, [&](const OpCase& c) {
    return !mlir::OperationName(OpName(c), &context).hasInterface<Interface>();
  });
  return cases;
}

// Replaces each capital letter by its size in this trial.
std::string Sized(const std::string& text, Random& random, std::map<char, int>& sizes) {
  static constexpr int kSizes[] = {1, 2, 3, 5};
  std::string result;
  for (char c : text) {
    if (!std::isupper(c)) {
      result += c;
      continue;
    }
    auto [it, fresh] = sizes.try_emplace(c, 0);
    if (fresh) it->second = kSizes[random() % 4];
    absl::StrAppend(&result, it->second);
  }
  return result;
}

// A case with its sizes: one op in @f, whose results @f returns, and operands for it.
struct Trial {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp f;
  mlir::Operation* op = nullptr;
  std::vector<HostTensor> operands;
};

DType DTypeOfName(const std::string& name) {
  return name == "i1" ? DType::kBool : *DTypeFromName(name);
}

HostTensor RandomOperand(const std::string& spec, Random& random) {
  const std::vector<std::string> words = absl::StrSplit(spec, ' ');
  std::vector<std::string> dims = absl::StrSplit(words[0], 'x');
  const DType dtype = DTypeOfName(dims.back());
  Shape shape;
  for (size_t i = 0; i + 1 < dims.size(); ++i) shape.push_back(std::stoll(dims[i]));
  const std::set<std::string> options(words.begin() + 1, words.end());
  int64_t limit = 3;
  for (const std::string& option : options)
    if (option[0] == '<') limit = std::stoll(option.substr(1));
  HostTensor tensor(dtype, shape);
  for (int64_t i = 0; i < tensor.num_elements(); ++i) {
    double value;
    if (IsFloat(dtype)) {
      const bool positive = options.contains("positive");
      value = std::uniform_real_distribution<double>(positive ? 0.5 : -2.0, 2.0)(random);
    } else if (dtype == DType::kBool) {
      value = options.contains("false") ? 0.0 : static_cast<double>(random() % 2);
    } else {
      value = static_cast<double>(random() % limit);
      if (options.contains("ignoring") && random() % 4 == 0) value = -100;
    }
    tensor.set(i, value);
  }
  return tensor;
}

void SetResults(mlir::func::FuncOp f, mlir::ValueRange results) {
  mlir::Block& block = f.getBody().front();
  block.getTerminator()->erase();
  auto b = mlir::OpBuilder::atBlockEnd(&block);
  mlir::func::ReturnOp::create(b, f.getLoc(), results);
  f.setType(b.getFunctionType(block.getArgumentTypes(), results.getTypes()));
}

Trial MakeTrial(const OpCase& c, Random& random, mlir::MLIRContext& context) {
  Trial trial;
  std::string text, op_text;
  for (;;) {
    std::map<char, int> sizes;
    trial.operands.clear();
    std::string arguments;
    op_text = Sized(c.text, random, sizes);
    int64_t elements = 0;
    for (size_t i = 0; i < c.operands.size(); ++i) {
      const std::string spec = Sized(c.operands[i], random, sizes);
      trial.operands.push_back(RandomOperand(spec, random));
      elements += trial.operands.back().num_elements();
      const std::string type = absl::StrCat("tensor<", spec.substr(0, spec.find(' ')), ">");
      absl::StrAppend(&arguments, i ? ", " : "", "%", i, ": ", type);
      const std::string name = absl::StrCat("$", i);
      for (size_t at; (at = op_text.find(name)) != std::string::npos;)
        op_text.replace(at, name.size(), type);
    }
    if (elements > kMaxElements) continue;
    text = absl::StrCat("func.func @f(", arguments, ") {\n", op_text, "\nreturn\n}");
    break;
  }
  SCOPED_TRACE(text);
  trial.module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!trial.module) {
    ADD_FAILURE() << "does not parse";
    return trial;
  }
  trial.f = trial.module->lookupSymbol<mlir::func::FuncOp>("f");
  trial.op = &trial.f.getBody().front().front();
  SetResults(trial.f, trial.op->getResults());
  return trial;
}

class OpTest : public testing::TestWithParam<OpCase> {
 protected:
  OpTest() { LoadDialects(context_); }

  std::vector<HostTensor> Evaluate(mlir::func::FuncOp f, absl::Span<const HostTensor> inputs,
                                   bool prefer_decomposition = false) {
    auto results = reference::Evaluate(
        f, inputs, {.float64 = true, .prefer_decomposition = prefer_decomposition});
    EXPECT_OK(results);
    return results.ok() ? *results : std::vector<HostTensor>();
  }

  mlir::MLIRContext context_;
};

class VjpTest : public OpTest {};
class DecompositionTest : public OpTest {};

// A copy @g of @f that takes the results' gradients too and returns the operands', with the
// operand that each is of. Results in `unused` have none.
struct Gradient {
  mlir::func::FuncOp g;
  std::vector<size_t> operands;
};

std::optional<Gradient> MakeGradient(Trial& trial, const OpCase& c, llvm::ArrayRef<bool> needed) {
  mlir::func::FuncOp g = trial.f.clone();
  g.setName("g");
  trial.module->push_back(g);
  mlir::Block& block = g.getBody().front();
  mlir::Operation* op = &block.front();
  std::vector<mlir::Value> result_grads;
  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    const bool unused = llvm::is_contained(c.unused_results, i);
    result_grads.push_back(unused ? mlir::Value()
                                  : block.addArgument(op->getResult(i).getType(), op->getLoc()));
  }
  mlir::OpBuilder b(block.getTerminator());
  llvm::SmallVector<mlir::Value> grads;
  if (failed(mlir::cast<VjpInterface>(op).vjp(b, result_grads, needed, grads))) return std::nullopt;
  EXPECT_EQ(grads.size(), op->getNumOperands());
  Gradient gradient{g, {}};
  std::vector<mlir::Value> given;
  for (auto [i, grad] : llvm::enumerate(grads)) {
    if (!grad) continue;
    EXPECT_EQ(grad.getType(), op->getOperand(i).getType()) << "gradient of operand " << i;
    gradient.operands.push_back(i);
    given.push_back(grad);
  }
  SetResults(g, given);
  EXPECT_TRUE(succeeded(mlir::verify(trial.module.get())));
  return gradient;
}

TEST_P(VjpTest, AgreesWithFiniteDifferences) {
  const OpCase& c = GetParam();
  Random random(std::hash<std::string>()(c.text));
  for (int n = 0; n < kTrials; ++n) {
    Trial trial = MakeTrial(c, random, context_);
    ASSERT_TRUE(trial.op);
    SCOPED_TRACE(absl::StrCat("trial ", n, " ", OpName(c)));
    std::vector<HostTensor> cotangents;
    std::vector<HostTensor> results = Evaluate(trial.f, trial.operands);
    ASSERT_EQ(results.size(), trial.op->getNumResults());
    auto is_unused = [&](unsigned i) { return llvm::is_contained(c.unused_results, i); };
    for (size_t i = 0; i < results.size(); ++i) {
      cotangents.emplace_back(DType::kF64, results[i].shape);
      for (int64_t k = 0; k < results[i].num_elements(); ++k)
        cotangents[i].set(k, is_unused(i) ? 0 : std::uniform_real_distribution<>(-1, 1)(random));
    }
    auto loss = [&](absl::Span<const HostTensor> operands) {
      double sum = 0;
      const std::vector<HostTensor> results = Evaluate(trial.f, operands);
      for (size_t i = 0; i < results.size(); ++i)
        for (int64_t k = 0; !is_unused(i) && k < results[i].num_elements(); ++k)
          sum += results[i].at(k) * cotangents[i].at(k);
      return sum;
    };

    llvm::SmallVector<bool> needed(trial.operands.size());
    for (size_t i = 0; i < needed.size(); ++i)
      needed[i] = IsFloat(trial.operands[i].dtype) && !llvm::is_contained(c.frozen, i);
    auto gradient = MakeGradient(trial, c, needed);
    ASSERT_TRUE(gradient) << "vjp failed";
    std::vector<HostTensor> inputs = trial.operands;
    for (size_t i = 0; i < cotangents.size(); ++i)
      if (!is_unused(i)) inputs.push_back(cotangents[i]);
    std::vector<HostTensor> grads = Evaluate(gradient->g, inputs);
    ASSERT_EQ(grads.size(), gradient->operands.size());

    for (size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i]) continue;
      // A null gradient stands for zeros.
      HostTensor grad(DType::kF64, trial.operands[i].shape);
      if (auto it = llvm::find(gradient->operands, i); it != gradient->operands.end())
        grad = grads[it - gradient->operands.begin()];
      std::vector<HostTensor> moved = trial.operands;
      constexpr double kStep = 1e-5;
      for (int64_t k = 0; k < grad.num_elements(); ++k) {
        const double x = trial.operands[i].at(k);
        moved[i].set(k, x + kStep);
        const double above = loss(moved);
        moved[i].set(k, x - kStep);
        const double difference = (above - loss(moved)) / (2 * kStep);
        moved[i].set(k, x);
        ASSERT_NEAR(grad.at(k), difference, 1e-7 * (1 + std::abs(difference)))
            << "operand " << i << ", element " << k << "\n"
            << c.text;
      }
    }
  }
}

// Each operand alone: what is not needed may be missing, what is needed stays the same.
TEST_P(VjpTest, GivesEachGradientAlone) {
  const OpCase& c = GetParam();
  Random random(1);
  Trial trial = MakeTrial(c, random, context_);
  ASSERT_TRUE(trial.op);
  llvm::SmallVector<bool> all(trial.operands.size());
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = IsFloat(trial.operands[i].dtype) && !llvm::is_contained(c.frozen, i);
  std::vector<HostTensor> inputs = trial.operands;
  for (unsigned i = 0; i < trial.op->getNumResults(); ++i) {
    if (llvm::is_contained(c.unused_results, i)) continue;
    auto type = mlir::cast<mlir::RankedTensorType>(trial.op->getResult(i).getType());
    inputs.emplace_back(DType::kF64, Shape(type.getShape()));
    for (int64_t k = 0; k < inputs.back().num_elements(); ++k) inputs.back().set(k, 0.1 * k - 1);
  }
  auto together = MakeGradient(trial, c, all);
  ASSERT_TRUE(together);
  std::vector<HostTensor> want = Evaluate(together->g, inputs);
  for (size_t i = 0; i < all.size(); ++i) {
    auto in_want = llvm::find(together->operands, i);
    if (!all[i] || in_want == together->operands.end()) continue;
    llvm::SmallVector<bool> one(all.size(), false);
    one[i] = true;
    together->g.setName(absl::StrCat("g", i));
    auto alone = MakeGradient(trial, c, one);
    ASSERT_TRUE(alone);
    auto in_got = llvm::find(alone->operands, i);
    ASSERT_NE(in_got, alone->operands.end()) << "operand " << i;
    std::vector<HostTensor> got = Evaluate(alone->g, inputs);
    EXPECT_EQ(got[in_got - alone->operands.begin()].bytes,
              want[in_want - together->operands.begin()].bytes);
    alone->g.erase();
  }
}

TEST_P(DecompositionTest, IsTheOp) {
  const OpCase& c = GetParam();
  Random random(std::hash<std::string>()(c.text) + 1);
  for (int n = 0; n < kTrials; ++n) {
    Trial trial = MakeTrial(c, random, context_);
    ASSERT_TRUE(trial.op);
    ASSERT_TRUE(reference::FindEvaluator(OpName(c))) << "nothing to compare with";
    std::vector<HostTensor> want = Evaluate(trial.f, trial.operands);
    std::vector<HostTensor> got = Evaluate(trial.f, trial.operands, /*prefer_decomposition=*/true);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].shape, want[i].shape);
      for (int64_t k = 0; k < got[i].num_elements(); ++k) {
        if (got[i].at(k) == want[i].at(k)) continue;  // infinities
        ASSERT_NEAR(got[i].at(k), want[i].at(k), 1e-12 * (1 + std::abs(want[i].at(k))))
            << "result " << i << ", element " << k << ", trial " << n << "\n"
            << c.text;
      }
    }
  }
}

std::string CaseName(const testing::TestParamInfo<OpCase>& info) {
  return absl::StrCat(OpName(info.param).substr(6), "_", info.index);
}
INSTANTIATE_TEST_SUITE_P(Ops, VjpTest, testing::ValuesIn(CasesWith<VjpInterface>()), CaseName);
INSTANTIATE_TEST_SUITE_P(Ops, DecompositionTest, testing::ValuesIn(CasesWith<DecomposeInterface>()),
                         CaseName);

TEST(OpCasesTest, CoverEveryOpWithADerivativeOrADecomposition) {
  mlir::MLIRContext context;
  LoadDialects(context);
  std::set<std::string> covered;
  for (const OpCase& c : AllCases()) covered.insert(OpName(c));
  int ops = 0;
  for (mlir::RegisteredOperationName op : context.getRegisteredOperationsByDialect("trama")) {
    if (!op.hasInterface<VjpInterface>() && !op.hasInterface<DecomposeInterface>()) continue;
    ++ops;
    EXPECT_TRUE(covered.contains(op.getStringRef().str())) << op.getStringRef().str();
  }
  EXPECT_GT(ops, 40);
}

// What a vjp refuses, so that autodiff decomposes the op first.
TEST(VjpRefusesTest, WhatNeedsADecomposition) {
  struct Refusal {
    const char* why;
    OpCase op;
  };
  const Refusal refusals[] = {
      {"an activation", {"trama.linear %0, %1 activation = relu : $0, $1", {"MxKxf64", "KxNxf64"}}},
      {"a gradient of lse", {"trama.cross_entropy %0, %1 : $0, $1", {"NxVxf64", "Nxi32 <V"}}},
      {"a gradient of the bias",
       {"trama.attention %0, %1, %2 bias %3 : $3 scale = 1.0 : $0, $1, $2",
        {"BxHxTxDxf64", "BxHxSxDxf64", "BxHxSxExf64", "TxSxf64"},
        {},
        {1}}},
      {"a gradient of the bias behind a mask",
       {"trama.attention %0, %1, %2 key_mask %3 : $3 bias %4 : $4 scale = 1.0 : $0, $1, $2",
        {"BxHxTxDxf64", "BxHxSxDxf64", "BxHxSxExf64", "BxSxi1", "TxSxf64"},
        {},
        {1}}},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.why);
    mlir::MLIRContext context;
    LoadDialects(context);
    Random random(1);
    Trial trial = MakeTrial(refusal.op, random, context);
    ASSERT_TRUE(trial.op);
    llvm::SmallVector<bool> needed(trial.operands.size(), true);
    EXPECT_FALSE(MakeGradient(trial, refusal.op, needed));
  }
}

}  // namespace
}  // namespace trama
