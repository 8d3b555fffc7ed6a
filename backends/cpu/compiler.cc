#include "backends/cpu/compiler.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "backends/codegen/builder.h"
#include "backends/codegen/kernel_source.h"
#include "base/status_macros.h"
#include "ir/dialect.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

namespace trama::cpu {
namespace {
std::string ErrorText(llvm::Error error) { return llvm::toString(std::move(error)); }

// Raise when the calling convention or the stored format changes.
constexpr int kFormatVersion = 2;
}  // namespace

std::string KernelObject::Serialize() const {
  std::string text = absl::StrCat(phases.size(), " ", workspace_floats, " ", scratch_floats, "\n");
  for (const Phase& phase : phases) {
    absl::StrAppend(&text, phase.symbol, " ", phase.tasks, " ", phase.grain, " ", phase.flops);
    for (int64_t shift : phase.shifts) absl::StrAppend(&text, " ", shift);
    text += "\n";
  }
  return text + object;
}

absl::StatusOr<KernelObject> KernelObject::Parse(const std::string& bytes) {
  const auto damaged = [] { return absl::DataLossError("not a compiled kernel"); };
  absl::string_view rest = bytes;
  auto line = [&rest]() -> std::vector<absl::string_view> {
    const size_t end = rest.find('\n');
    if (end == absl::string_view::npos) return {};
    std::vector<absl::string_view> fields = absl::StrSplit(rest.substr(0, end), ' ');
    rest.remove_prefix(end + 1);
    return fields;
  };
  KernelObject result;
  int64_t count = 0;
  auto head = line();
  if (head.size() != 3 || !absl::SimpleAtoi(head[0], &count) ||
      !absl::SimpleAtoi(head[1], &result.workspace_floats) ||
      !absl::SimpleAtoi(head[2], &result.scratch_floats))
    return damaged();
  for (int64_t i = 0; i < count; ++i) {
    Phase phase;
    auto fields = line();
    if (fields.size() < 4 || !absl::SimpleAtoi(fields[1], &phase.tasks) ||
        !absl::SimpleAtoi(fields[2], &phase.grain) || !absl::SimpleAtod(fields[3], &phase.flops))
      return damaged();
    phase.symbol = std::string(fields[0]);
    for (absl::string_view field : absl::MakeSpan(fields).subspan(4))
      if (!absl::SimpleAtoi(field, &phase.shifts.emplace_back())) return damaged();
    result.phases.push_back(std::move(phase));
  }
  result.object = std::string(rest);
  return result;
}

absl::StatusOr<Machine> Machine::Detect(const std::string& cpu) {
  InitializeNativeCodegen();
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder) return absl::InternalError(ErrorText(builder.takeError()));
  if (!cpu.empty()) {
    builder->setCPU(cpu);
    builder->getFeatures() = llvm::SubtargetFeatures();
  }
  builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  builder->setRelocationModel(llvm::Reloc::PIC_);
  builder->setCodeModel(llvm::CodeModel::Small);
  // Only what the emitters write as fma is one: a product that is rounded where its maximum is
  // taken and not where that is subtracted makes exp(x * k - max) anything.
  builder->getOptions().AllowFPOpFusion = llvm::FPOpFusion::Standard;
  auto machine = builder->createTargetMachine();
  if (!machine) return absl::InvalidArgumentError(ErrorText(machine.takeError()));

  Machine result(*builder);
  const llvm::MCSubtargetInfo& features = *(*machine)->getMCSubtargetInfo();
  if (builder->getTargetTriple().isX86()) {
    if (features.checkFeatures("+avx512f,+avx512vl,+avx512dq,+avx512bw"))
      result.target_ = {16, 32, features.checkFeatures("+avx512bf16")};
    else
      result.target_ = features.checkFeatures("+avx2") ? Target{8, 16} : Target{4, 16};
  } else {
    result.target_ = {4, 32};
  }
  result.cpu_ = builder->getCPU();
  result.identity_ = absl::StrCat(builder->getCPU(), " ", builder->getFeatures().getString(), " ",
                                  builder->getTargetTriple().str());
  return result;
}

std::unique_ptr<mlir::MLIRContext> NewContext() {
  auto context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  LoadDialects(*context);
  codegen::LoadCodegenDialects(*context);
  PrepareLowering(*context);
  return context;
}

absl::StatusOr<KernelObject> CompileKernel(const Machine& machine, const std::string& kind,
                                           mlir::func::FuncOp body, const std::string& prefix,
                                           CodeFormat format) {
  Emitter emitter = FindEmitter(kind);
  if (!emitter) emitter = FindEmitter("fused");
  if (!emitter) return absl::UnimplementedError(absl::StrCat(kind, ": no emitter"));
  mlir::MLIRContext* context = body.getContext();
  std::string message;
  mlir::ScopedDiagnosticHandler handler(context, [&](mlir::Diagnostic& diagnostic) {
    absl::StrAppend(&message, message.empty() ? "" : "; ", diagnostic.str());
    return mlir::success();
  });
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(context));
  TRAMA_ASSIGN_OR_RETURN(Kernel kernel, emitter(body, *module, machine.target()));
  if (failed(mlir::verify(*module)))
    return absl::InternalError(absl::StrCat(kind, ": emitted code is invalid: ", message));
  KernelObject result;
  result.workspace_floats = kernel.workspace_floats;
  result.scratch_floats = kernel.scratch_floats;
  std::vector<std::string> symbols;
  for (Phase& phase : kernel.phases) {
    const auto known = std::find(symbols.begin(), symbols.end(), phase.symbol);
    const auto index = known - symbols.begin();
    if (known == symbols.end()) symbols.push_back(phase.symbol);
    phase.symbol = absl::StrCat(prefix, "_", index);
    result.phases.push_back(std::move(phase));
  }
  if (!machine.target().bf16_dots) ExpandBf16Rounding(*module);
  auto object =
      LowerToCode(*module, machine.builder(), symbols, prefix, kernel.optimization, format);
  if (!object.ok())
    return absl::InternalError(
        absl::StrCat(kind, ": ", std::string(object.status().message()), message));
  result.object = *std::move(object);
  return result;
}

std::string CompilerIdentity() {
  return absl::StrCat(kFormatVersion, " ",
                      codegen::BuildIdentity(reinterpret_cast<const void*>(&CompileKernel)));
}

}  // namespace trama::cpu
