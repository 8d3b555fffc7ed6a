#include "backends/conformance/trial.h"

#include <array>
#include <cmath>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "backends/reference/interpreter.h"
#include "base/status_macros.h"
#include "ir/dialect.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "passes/pipelines.h"

namespace trama::conformance {
namespace {

// Odd, 1, prime, and on both sides of the widths of vectors and tiles.
constexpr int64_t kSizes[] = {1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 33, 64, 67};
constexpr int64_t kFew[] = {1, 2, 3};  // of batch and heads, which multiply the rest

using Sizes = std::map<char, int64_t>;

Sizes DrawSizes(std::mt19937_64& random) {
  Sizes sizes;
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    const bool few = letter == 'B' || letter == 'H';
    sizes[letter] = few ? kFew[random() % std::size(kFew)] : kSizes[random() % std::size(kSizes)];
  }
  return sizes;
}

bool IsSize(std::string_view text, size_t i) {
  const auto ends = [](char c) { return c == 'x' || c == '<' || c == ' ' || c == '>'; };
  return text[i] >= 'A' && text[i] <= 'Z' && (i == 0 || ends(text[i - 1])) &&
         (i + 1 == text.size() || ends(text[i + 1]));
}

// Letters that stand where a size may become their sizes: "MxNxf32" is "7x33xf32".
std::string WithSizes(std::string_view text, const Sizes& sizes) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i)
    if (IsSize(text, i))
      absl::StrAppend(&result, sizes.at(text[i]));
    else
      result += text[i];
  return result;
}

std::string TypeText(const std::string& operand) {
  return absl::StrCat("tensor<", operand.substr(0, operand.find(' ')), ">");
}

double DrawFloat(std::mt19937_64& random, const std::string& from) {
  constexpr double kWide[] = {0, -0.0, 1e-6, -1e-6, 0.5, -0.5, 9.5, -9.5, 30, -30, 85, -85};
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  if (from == "positive") return 0.5 + 1.5 * uniform(random);
  if (from == "unit") return uniform(random);
  if (from == "small") return (2 * uniform(random) - 1) / 8;
  if (from == "ties") return static_cast<double>(random() % 5) - 2;
  if (from == "wide") return random() % 2 ? normal(random) : kWide[random() % std::size(kWide)];
  return normal(random);
}

double DrawInteger(std::mt19937_64& random, const std::string& from) {
  int64_t bound;
  const std::vector<std::string> words = absl::StrSplit(from, ' ');
  if (words[0].empty() || !absl::SimpleAtoi(words[0].substr(1), &bound))
    return static_cast<double>(random() % 19) - 9;
  if (words.size() > 1 && random() % 4 == 0)
    return std::array{-100.0, -1.0, static_cast<double>(bound)}[random() % 3];
  return static_cast<double>(random() % bound);
}

HostTensor Draw(const std::string& operand, mlir::RankedTensorType type, std::mt19937_64& random) {
  const size_t space = operand.find(' ');
  const std::string from = space == std::string::npos ? "" : operand.substr(space + 1);
  const std::string element = [&] {
    std::string text;
    llvm::raw_string_ostream(text) << type.getElementType();
    return text == "i1" ? "bool" : text;
  }();
  HostTensor tensor(*DTypeFromName(element), Shape(type.getShape().begin(), type.getShape().end()));
  for (int64_t i = 0; i < tensor.num_elements(); ++i) {
    if (tensor.dtype == DType::kBool)
      tensor.set(i, from == "true" || (from != "false" && random() % 2));
    else
      tensor.set(i, IsFloat(tensor.dtype) ? DrawFloat(random, from) : DrawInteger(random, from));
  }
  return tensor;
}

// The function returns what its last op gives.
void ReturnLastResults(mlir::func::FuncOp function) {
  mlir::Operation* terminator = function.front().getTerminator();
  mlir::Operation* last = terminator->getPrevNode();
  mlir::OpBuilder builder(terminator);
  mlir::func::ReturnOp::create(builder, last->getLoc(), last->getResults());
  terminator->erase();
  function.setType(builder.getFunctionType(function.getArgumentTypes(), last->getResultTypes()));
  for (unsigned i = 0; i < last->getNumResults(); ++i)
    function.setResultAttr(i, kNameAttr, builder.getStringAttr(absl::StrCat("y", i)));
}

}  // namespace

absl::StatusOr<plan::Plan> PlanOf(mlir::ModuleOp module, const DeviceTarget& device) {
  std::string why;
  mlir::ScopedDiagnosticHandler handler(module.getContext(), [&](mlir::Diagnostic& diagnostic) {
    absl::StrAppend(&why, diagnostic.str(), "; ");
    return mlir::success();
  });
  mlir::OwningOpRef<mlir::ModuleOp> lowered(module.clone());
  mlir::PassManager pm(module.getContext());
  BuildKernelPipeline(pm, device);
  if (failed(pm.run(*lowered))) return absl::InternalError(why);
  CompileOptions options;
  options.device = device;
  return EmitPlan(*lowered, options);
}

absl::StatusOr<Trial> Trial::Make(const Case& c, uint64_t seed, const std::string& dtype,
                                  mlir::MLIRContext& context) {
  std::mt19937_64 random(seed);
  const Sizes sizes = DrawSizes(random);
  const auto fill = [&](const std::string& text) {
    const bool narrow = dtype == "bf16" || dtype == "f16";
    return absl::StrReplaceAll(WithSizes(text, sizes),
                               {{"f32", dtype}, {"acc", narrow ? "f32" : dtype}});
  };
  Trial trial;
  std::string arguments, text = fill(c.text);
  std::vector<std::string> types;
  for (const std::string& operand : c.operands) trial.operands_.push_back(fill(operand));
  for (size_t i = c.operands.size(); i-- > 0;)
    text = absl::StrReplaceAll(text, {{absl::StrCat("$", i), TypeText(trial.operands_[i])}});
  for (size_t i = 0; i < c.operands.size(); ++i) {
    absl::StrAppend(&arguments, i ? ", " : "", "%", i, ": ", TypeText(trial.operands_[i]),
                    " {trama.name = \"x", i, "\", trama.role = \"input\"}");
    types.push_back(trial.operands_[i].substr(0, trial.operands_[i].find(' ')));
  }
  trial.description_ = absl::StrCat(
      absl::StrReplaceAll(c.text.substr(0, c.text.rfind(" : ")), {{"trama.", ""}, {"\n", "; "}}),
      types.empty() ? "" : absl::StrCat(" (", absl::StrJoin(types, ", "), ")"));

  std::string why;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic& diagnostic) {
    absl::StrAppend(&why, diagnostic.str(), "; ");
    return mlir::success();
  });
  trial.module_ = mlir::parseSourceString<mlir::ModuleOp>(
      absl::StrCat("func.func @main(", arguments, ") {\n", text, "\nreturn }"), &context);
  if (!trial.module_)
    return absl::InvalidArgumentError(absl::StrCat(trial.description_, ": ", why));
  ReturnLastResults(trial.main());
  if (failed(mlir::verify(*trial.module_)))
    return absl::InvalidArgumentError(absl::StrCat(trial.description_, ": ", why));
  return trial;
}

mlir::func::FuncOp Trial::main() const {
  return *mlir::ModuleOp(*module_).getOps<mlir::func::FuncOp>().begin();
}

absl::StatusOr<plan::Plan> Trial::Plan(const DeviceTarget& device) const {
  return PlanOf(mlir::ModuleOp(*module_), device);
}

std::vector<HostTensor> Trial::Inputs(uint64_t seed) const {
  std::mt19937_64 random(seed);
  std::vector<HostTensor> inputs;
  for (size_t i = 0; i < operands_.size(); ++i)
    inputs.push_back(Draw(
        operands_[i], mlir::cast<mlir::RankedTensorType>(main().getArgumentTypes()[i]), random));
  return inputs;
}

absl::StatusOr<std::vector<HostTensor>> Trial::Want(const std::vector<HostTensor>& inputs) const {
  return reference::Evaluate(main(), inputs, {.float64 = true});
}

}  // namespace trama::conformance
