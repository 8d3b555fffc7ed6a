#include "frontend/program.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "frontend/emit.h"
#include "frontend/functional.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

namespace trama {

const char* NameOf(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kSgd:
      return "sgd";
    case OptimizerKind::kMomentum:
      return "momentum";
    case OptimizerKind::kAdam:
      return "adam";
    case OptimizerKind::kAdamW:
      return "adamw";
  }
  return "";
}

namespace {
using Results = std::vector<std::pair<std::string, Tensor>>;

constexpr char kGradOutput[] = "grad_output";
constexpr char kLossName[] = "loss";

bool Trains(ProgramKind kind) {
  return kind == ProgramKind::kGradients || kind == ProgramKind::kTrainStep ||
         kind == ProgramKind::kAccumulate || kind == ProgramKind::kApply;
}

void SetOptimizer(mlir::func::FuncOp function, const OptimizerConfig& optimizer) {
  mlir::Builder b(function.getContext());
  auto number = [&](llvm::StringRef name, double value) {
    return b.getNamedAttr(name, b.getF64FloatAttr(value));
  };
  function->setAttr(
      kOptimizerAttr,
      b.getDictionaryAttr({b.getNamedAttr("kind", b.getStringAttr(NameOf(optimizer.kind))),
                           number("beta1", optimizer.beta1), number("beta2", optimizer.beta2),
                           number("eps", optimizer.eps), number("momentum", optimizer.momentum),
                           number("weight_decay", optimizer.weight_decay),
                           number("clip_norm", optimizer.clip_norm)}));
}

absl::Status SetTrainable(mlir::func::FuncOp function, const Program& program, const Model& model) {
  if (program.trainable.empty()) return absl::OkStatus();
  mlir::Builder b(function.getContext());
  llvm::SmallVector<llvm::StringRef> names;
  for (const std::string& name : program.trainable) {
    const std::vector<const nn::Parameter*> parameters = model.module().parameters();
    if (std::none_of(parameters.begin(), parameters.end(),
                     [&](const nn::Parameter* parameter) { return parameter->path() == name; }))
      return absl::NotFoundError(absl::StrCat("trainable: the model has no parameter ", name));
    names.push_back(name);
  }
  function->setAttr(kTrainableAttr, b.getStrArrayAttr(names));
  return absl::OkStatus();
}

// What the passes that derive the program ask for; docs/architecture.md.
absl::Status SetAttributes(mlir::func::FuncOp function, const Program& program,
                           const Model& model) {
  mlir::Builder b(function.getContext());
  if (Trains(program.kind)) TRAMA_RETURN_IF_ERROR(SetTrainable(function, program, model));
  if (Trains(program.kind) && program.kind != ProgramKind::kApply)
    function->setAttr(kDifferentiateAttr, b.getI64IntegerAttr(0));
  switch (program.kind) {
    case ProgramKind::kForward:
    case ProgramKind::kLoss:
      break;
    case ProgramKind::kGradients:
      function->setAttr(kInputGradientsAttr, b.getUnitAttr());
      break;
    case ProgramKind::kTrainStep:
      SetOptimizer(function, program.optimizer);
      break;
    case ProgramKind::kAccumulate:
      function->setAttr(kAccumulateAttr, b.getUnitAttr());
      break;
    case ProgramKind::kApply:
      SetOptimizer(function, program.optimizer);
      function->setAttr(kApplyAttr, b.getUnitAttr());
      break;
    case ProgramKind::kDecode: {
      llvm::SmallVector<mlir::NamedAttribute> decode{
          b.getNamedAttr("capacity", b.getI64IntegerAttr(program.cache_capacity))};
      if (program.candidates > 0)
        decode.push_back(b.getNamedAttr("candidates", b.getI64IntegerAttr(program.candidates)));
      function->setAttr(kDecodeAttr, b.getDictionaryAttr(decode));
      break;
    }
  }
  return absl::OkStatus();
}

// A model's outputs in the order that it names them, then the others by name.
Results AllOutputs(const Model& model, Tensors outputs) {
  Results results;
  for (const std::string& name : model.Outputs())
    if (auto it = outputs.find(name); it != outputs.end()) {
      results.emplace_back(name, it->second);
      outputs.erase(it);
    }
  results.insert(results.end(), outputs.begin(), outputs.end());
  return results;
}

// The function's result of the programs that have one: the loss, or what stands for it.
absl::StatusOr<Results> OneResult(Recorder& recorder, const Program& program, const Model& model,
                                  const Tensors& inputs, const Tensors& outputs) {
  auto output = [&](const std::string& name) {
    auto it = outputs.find(name);
    return it == outputs.end() ? Tensor() : it->second;
  };
  const std::vector<std::string> names = model.Outputs();
  Tensor first = names.empty() ? Tensor() : output(names.front());
  if (program.kind == ProgramKind::kDecode) return Results{{names.empty() ? "" : names[0], first}};
  if (program.kind == ProgramKind::kGradients && inputs.contains(kGradOutput)) {
    recorder.function()->setAttr(kDropResultAttr, recorder.builder().getUnitAttr());
    Tensor gradient = inputs.at(kGradOutput);
    if (recorder.status().ok() && first.shape() != gradient.shape())
      return absl::InvalidArgumentError(absl::StrCat(kGradOutput, " is ",
                                                     ToString(gradient.shape()), ", but ", names[0],
                                                     " is ", ToString(first.shape())));
    return Results{{"sum", sum(first * gradient)}};
  }
  Tensor loss = output(kLossName);
  if (!loss && recorder.status().ok())
    return absl::InvalidArgumentError(absl::StrCat(
        program.name, ": there is no loss: the model has none, or `labels` is not among the inputs",
        program.kind == ProgramKind::kGradients && !names.empty()
            ? absl::StrCat("; without one, input ", kGradOutput,
                           " is the gradient of the first output, ", names[0])
            : ""));
  return Results{{kLossName, loss}};
}

// An input that the model neither reads nor names is a mistake of the caller's.
absl::Status CheckInputsKnown(Recorder& recorder, const Program& program, const Model& model) {
  const std::vector<TensorSpec> known = model.Inputs(1, 1);
  for (mlir::BlockArgument argument : recorder.function().getArguments()) {
    const auto name =
        recorder.function().getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), kNameAttr);
    const auto is = [&](const TensorSpec& spec) { return name && spec.name == name.getValue(); };
    if (!argument.use_empty() || llvm::any_of(known, is) || llvm::none_of(program.inputs, is))
      continue;
    return absl::InvalidArgumentError(absl::StrCat(
        program.name, ": the model has no input '", name.getValue().str(), "'; it has ",
        absl::StrJoin(known, ", ",
                      [](std::string* out, const TensorSpec& spec) { out->append(spec.name); })));
  }
  return absl::OkStatus();
}

absl::Status TraceProgram(mlir::ModuleOp module, const Model& model, const Program& program,
                          DType float_type) {
  Recorder recorder(module, program.name, float_type, program.training);
  Tensors inputs;
  for (const TensorSpec& spec : program.inputs) {
    const int sequence = model.SequenceDim(spec.name);
    if (sequence >= static_cast<int>(spec.shape.size()))
      return absl::InvalidArgumentError(absl::StrCat(spec.name, " is ", ToString(spec.shape),
                                                     "; its time axis is dim ", sequence));
    inputs[spec.name] = recorder.AddInput(spec.name, spec.dtype, spec.shape, sequence);
  }
  if (Trains(program.kind))
    for (const nn::Parameter* parameter : model.module().parameters())
      recorder.AddParameter(*parameter);
  const Tensors outputs = model.Forward(inputs, program.options);
  Results results;
  if (program.kind == ProgramKind::kForward) {
    results = AllOutputs(model, outputs);
  } else {
    TRAMA_ASSIGN_OR_RETURN(results, OneResult(recorder, program, model, inputs, outputs));
  }
  TRAMA_RETURN_IF_ERROR(recorder.status());
  recorder.Return(results);
  TRAMA_RETURN_IF_ERROR(recorder.status());
  TRAMA_RETURN_IF_ERROR(CheckInputsKnown(recorder, program, model));
  return SetAttributes(recorder.function(), program, model);
}
}  // namespace

TracedModule::TracedModule(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TracedModule::TracedModule(TracedModule&&) noexcept = default;
TracedModule& TracedModule::operator=(TracedModule&&) noexcept = default;
TracedModule::~TracedModule() = default;

std::string TracedModule::ToString(bool locations) const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  mlir::OpPrintingFlags flags;
  if (locations) flags.enableDebugInfo();
  impl_->module->print(stream, flags);
  return text;
}

absl::StatusOr<TracedModule> Trace(const Model& model, absl::Span<const Program> programs,
                                   DType float_type) {
  auto impl = std::make_unique<TracedModule::Impl>();
  for (const Program& program : programs) {
    if (impl->module->lookupSymbol(program.name))
      return absl::InvalidArgumentError(absl::StrCat("two programs are named ", program.name));
    TRAMA_RETURN_IF_ERROR(TraceProgram(*impl->module, model, program, float_type));
  }
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&impl->context, [&](mlir::Diagnostic& diagnostic) {
    if (message.empty()) message = diagnostic.str();
    return mlir::success();
  });
  if (failed(mlir::verify(*impl->module)))
    return absl::InternalError(absl::StrCat("the traced program is not valid: ", message));
  return TracedModule(std::move(impl));
}

}  // namespace trama
