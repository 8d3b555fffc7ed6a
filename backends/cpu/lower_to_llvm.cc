#include "backends/cpu/lower_to_llvm.h"

#include "absl/strings/str_cat.h"
#include "llvm/ExecutionEngine/Orc/CompileUtils.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
// Not mlir/Conversion/Passes.h: it pulls every dialect in.
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

namespace trama::cpu {
namespace {
void BuildPipeline(mlir::PassManager& pm) {
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::memref::createExpandStridedMetadataPass());
  pm.addPass(mlir::createLowerAffinePass());
  pm.addPass(mlir::createSCFToControlFlowPass());
  mlir::ConvertVectorToLLVMPassOptions vector;
  vector.x86Vector = true;
  pm.addPass(mlir::createConvertVectorToLLVMPass(vector));
  pm.addPass(mlir::createConvertMathToLLVMPass());
  pm.addPass(mlir::createFinalizeMemRefToLLVMConversionPass());
  mlir::ConvertFuncToLLVMPassOptions function;
  function.useBarePtrCallConv = true;  // memrefs of static shape become plain pointers
  pm.addPass(mlir::createConvertFuncToLLVMPass(function));
  pm.addPass(mlir::createArithToLLVMConversionPass());
  pm.addPass(mlir::createConvertControlFlowToLLVMPass());
  pm.addPass(mlir::createReconcileUnrealizedCastsPass());
}

// void NAME(ptr buffers, ptr workspace, ptr scratch, i64 begin, i64 end) unpacks the buffers' and
// calls `phase`, whose last four arguments are the wrapper's.
void AddWrapper(llvm::Module& module, llvm::Function& phase, const std::string& name) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* ptr = llvm::PointerType::get(context, 0);
  llvm::Type* i64 = llvm::Type::getInt64Ty(context);
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {ptr, ptr, ptr, i64, i64},
                                       /*isVarArg=*/false);
  auto* wrapper = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "entry", wrapper));
  std::vector<llvm::Value*> arguments;
  const unsigned buffers = phase.arg_size() - 4;
  for (unsigned i = 0; i < buffers; ++i)
    arguments.push_back(
        builder.CreateLoad(ptr, builder.CreateConstInBoundsGEP1_64(ptr, wrapper->getArg(0), i)));
  for (unsigned i = 1; i < 5; ++i) arguments.push_back(wrapper->getArg(i));
  builder.CreateCall(&phase, arguments);
  builder.CreateRetVoid();
  phase.setLinkage(llvm::GlobalValue::InternalLinkage);
  phase.addFnAttr(llvm::Attribute::AlwaysInline);
}

void Optimize(llvm::Module& module, llvm::TargetMachine& machine, int level) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;  // the kernels are vector code already
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  auto passes = level == 0 ? builder.buildO0DefaultPipeline(llvm::OptimizationLevel::O0)
                           : builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O1);
  passes.run(module, modules);
}
}  // namespace

void InitializeNativeCodegen() {
  static const bool once =
      (llvm::InitializeNativeTarget(), llvm::InitializeNativeTargetAsmPrinter(), true);
  static_cast<void>(once);
}

void PrepareLowering(mlir::MLIRContext& context) {
  context.loadDialect<mlir::cf::ControlFlowDialect, mlir::LLVM::LLVMDialect,
                      mlir::x86vector::X86VectorDialect>();
  mlir::registerBuiltinDialectTranslation(context);
  mlir::registerLLVMDialectTranslation(context);
}

void ExpandBf16Rounding(mlir::ModuleOp module) {
  llvm::SmallVector<mlir::Operation*> roundings;
  module.walk([&](mlir::arith::TruncFOp op) {
    if (mlir::getElementTypeOrSelf(op.getType()).isBF16()) roundings.push_back(op);
  });
  mlir::RewritePatternSet patterns(module.getContext());
  mlir::arith::populateExpandBFloat16Patterns(patterns);
  static_cast<void>(mlir::applyOpPatternsGreedily(roundings, std::move(patterns)));
}

absl::StatusOr<std::string> LowerToCode(mlir::ModuleOp module,
                                        llvm::orc::JITTargetMachineBuilder builder,
                                        const std::vector<std::string>& symbols,
                                        const std::string& prefix, int optimization,
                                        CodeFormat format) {
  mlir::PassManager pm(module.getContext());
  pm.enableVerifier(false);
  BuildPipeline(pm);
  if (failed(pm.run(module))) return absl::InternalError("lowering to LLVM failed: ");
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvm_module = mlir::translateModuleToLLVMIR(module, context);
  if (!llvm_module) return absl::InternalError("translation to LLVM IR failed: ");
  auto machine = builder.createTargetMachine();
  if (!machine) return absl::InternalError(llvm::toString(machine.takeError()));
  llvm_module->setDataLayout((*machine)->createDataLayout());
  llvm_module->setTargetTriple((*machine)->getTargetTriple());
  for (size_t i = 0; i < symbols.size(); ++i) {
    llvm::Function* phase = llvm_module->getFunction(symbols[i]);
    if (!phase) return absl::InternalError(absl::StrCat("no function ", symbols[i]));
    AddWrapper(*llvm_module, *phase, absl::StrCat(prefix, "_", i));
  }
  for (llvm::Function& function : *llvm_module) {
    if (function.isDeclaration()) continue;
    function.addFnAttr("target-cpu", (*machine)->getTargetCPU());
    if (!(*machine)->getTargetFeatureString().empty())
      function.addFnAttr("target-features", (*machine)->getTargetFeatureString());
    function.addFnAttr("prefer-vector-width", "512");
  }
  Optimize(*llvm_module, **machine, optimization);
  if (format == CodeFormat::kAssembly) {
    llvm::SmallString<0> text;
    llvm::raw_svector_ostream stream(text);
    llvm::legacy::PassManager emit;
    if ((*machine)->addPassesToEmitFile(emit, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
      return absl::UnimplementedError("no assembly for this machine");
    emit.run(*llvm_module);
    return text.str().str();
  }
  auto object = llvm::orc::SimpleCompiler(**machine)(*llvm_module);
  if (!object) return absl::InternalError(llvm::toString(object.takeError()));
  return (*object)->getBuffer().str();
}

}  // namespace trama::cpu
