// From a module at level "kernels" to the plan's protobuf.
#include <map>

#include "base/status_macros.h"
#include "ir/source_line.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/SHA256.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "passes/passes.h"
#include "passes/pipelines.h"
#include "passes/plan/kernel_info.h"
#include "passes/plan/plan_buffers.h"

namespace trama {
namespace {
using mlir::Operation;
using mlir::func::FuncOp;

// One op's attributes for plugins that do not read MLIR. A constant has its splat value; enums
// have their spelling, as "gelu_tanh".
void SetAttributes(Operation* op, plan::Kernel& kernel) {
  mlir::DictionaryAttr attributes = op->getAttrDictionary();
  for (mlir::NamedAttribute named : attributes) {
    plan::Attribute value;
    llvm::TypeSwitch<mlir::Attribute>(named.getValue())
        .Case([&](mlir::BoolAttr attr) { value.set_b(attr.getValue()); })
        .Case([&](mlir::IntegerAttr attr) { value.set_i(attr.getInt()); })
        .Case([&](mlir::FloatAttr attr) { value.set_f(attr.getValueAsDouble()); })
        .Case([&](mlir::StringAttr attr) { value.set_s(attr.str()); })
        .Case([&](mlir::UnitAttr) { value.set_b(true); })
        .Case([&](mlir::DenseI64ArrayAttr attr) {
          auto& ints = *value.mutable_ints();
          for (int64_t element : attr.asArrayRef()) ints.add_values(element);
        })
        .Case([&](ActivationAttr attr) { value.set_s(stringifyActivation(attr.getValue()).str()); })
        .Case([&](ComparePredicateAttr attr) {
          value.set_s(stringifyComparePredicate(attr.getValue()).str());
        })
        .Case([&](mlir::DenseElementsAttr attr) {
          if (!attr.isSplat()) return;
          if (mlir::isa<mlir::FloatType>(attr.getElementType()))
            value.set_f(attr.getSplatValue<mlir::APFloat>().convertToDouble());
          else
            value.set_i(attr.getSplatValue<mlir::APInt>().getSExtValue());
        });
    if (value.value_case() != plan::Attribute::VALUE_NOT_SET)
      (*kernel.mutable_attributes())[named.getName().str()] = value;
  }
}

absl::StatusOr<plan::Kernel> EmitKernel(FuncOp source) {
  plan::Kernel kernel;
  const std::string kind = source->getAttrOfType<mlir::StringAttr>(kKindAttr).str();
  kernel.set_kind(kind);
  for (mlir::Type type : source.getArgumentTypes()) *kernel.add_operands() = ToPlan(type);
  for (mlir::Type type : source.getResultTypes()) {
    *kernel.add_results() = ToPlan(type);
    kernel.set_bytes_moved(kernel.bytes_moved() + BytesOf(type));
  }
  for (mlir::Type type : source.getArgumentTypes())
    kernel.set_bytes_moved(kernel.bytes_moved() + BytesOf(type));
  kernel.set_flops(FlopsOf(source));
  if (llvm::hasSingleElement(source.front().without_terminator())) {
    kernel.set_op(source.front().front().getName().stripDialect().str());
    SetAttributes(&source.front().front(), kernel);
  }
  for (const MayAlias& alias : AliasesOf(source)) {
    plan::Alias* entry = kernel.add_may_alias();
    entry->set_result(alias.result);
    entry->set_operand(alias.operand);
  }

  // The body alone: no locations, no name, so that equal kernels are equal bytes.
  const mlir::Location unknown = mlir::UnknownLoc::get(source.getContext());
  mlir::OwningOpRef<mlir::ModuleOp> body = mlir::ModuleOp::create(unknown);
  FuncOp copy = source.clone();
  body->push_back(copy);
  copy.setName("kernel");
  copy.setPublic();
  copy.walk([&](Operation* op) {
    op->setLoc(unknown);
    for (mlir::Region& region : op->getRegions())
      for (mlir::Block& block : region)
        for (mlir::BlockArgument argument : block.getArguments()) argument.setLoc(unknown);
  });
  llvm::raw_string_ostream stream(*kernel.mutable_body());
  if (failed(mlir::writeBytecodeToFile(*body, stream)))
    return absl::InternalError(absl::StrCat("kernel ", source.getName().str(), " has no bytecode"));
  stream.flush();
  llvm::SHA256 hash;
  hash.update(kind);
  hash.update(llvm::StringRef("\0", 1));
  hash.update(kernel.body());
  const auto digest = hash.final();
  kernel.set_hash(digest.data(), digest.size());
  return kernel;
}

// The module that a kernel works for, from the first parameter it reads: "h.0.attn.c_attn" for
// "h.0.attn.c_attn.weight"; else the op that gives it most of its work.
std::string LabelOf(DispatchOp dispatch, FuncOp program, FuncOp kernel) {
  for (mlir::Value operand : dispatch->getOperands()) {
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(operand);
    if (!argument) continue;
    auto role = program.getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), kRoleAttr);
    auto name = program.getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), kNameAttr);
    if (role.getValue() != "parameter") continue;
    const llvm::StringRef path = name.getValue().rsplit('.').first;
    return path.str();
  }
  return MainOp(kernel)->getName().stripDialect().str();
}

void AddBindings(FuncOp source, const BufferOf& buffers, plan::Program& program) {
  for (mlir::BlockArgument argument : source.getArguments()) {
    const unsigned i = argument.getArgNumber();
    plan::Binding* input = program.add_inputs();
    input->set_name(source.getArgAttrOfType<mlir::StringAttr>(i, kNameAttr).str());
    input->set_role(source.getArgAttrOfType<mlir::StringAttr>(i, kRoleAttr).str());
    input->set_buffer(buffers.lookup(argument));
  }
  for (mlir::OpOperand& result : source.front().getTerminator()->getOpOperands()) {
    const unsigned i = result.getOperandNumber();
    if (source.getResultAttr(i, kDonatesAttr)) continue;  // read as state, by name
    auto name = source.getResultAttrOfType<mlir::StringAttr>(i, kNameAttr);
    plan::Binding* output = program.add_outputs();
    output->set_name(name ? name.str() : absl::StrCat("result.", i));
    output->set_buffer(buffers.lookup(result.get()));
  }
}

absl::Status CheckMemory(const plan::Plan& plan, const DeviceTarget& device) {
  uint64_t total = 0, of_kind[3] = {0, 0, 0};
  for (const plan::Block& block : plan.blocks()) {
    total += block.bytes();
    of_kind[block.kind()] += block.bytes();
  }
  if (total <= device.memory_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the plan needs ", total, " bytes (state ", of_kind[plan::Block::STATE],
      ", inputs and outputs ", of_kind[plan::Block::IO], ", arena ", of_kind[plan::Block::ARENA],
      "), ", total - device.memory_bytes, " more than the device's ", device.memory_bytes,
      "; a smaller batch, shorter sequences, recompute or bf16 may need less"));
}
}  // namespace

absl::StatusOr<plan::Plan> EmitPlan(mlir::ModuleOp module, const CompileOptions& options) {
  plan::Plan plan;
  plan.set_version(kPlanVersion);
  plan.set_model(options.model);
  TRAMA_ASSIGN_OR_RETURN(const BufferOf buffers, PlanBuffers(module, options.device, plan));
  TRAMA_RETURN_IF_ERROR(CheckMemory(plan, options.device));

  llvm::DenseMap<FuncOp, uint32_t> kernel_index;
  std::map<std::string, uint32_t> kernel_of_hash;
  for (FuncOp func : module.getOps<FuncOp>()) {
    if (func.isPrivate() || func.isExternal()) continue;
    plan::Program* program = plan.add_programs();
    program->set_name(func.getName().str());
    for (DispatchOp dispatch : func.front().getOps<DispatchOp>()) {
      auto kernel =
          mlir::SymbolTable::lookupNearestSymbolFrom<FuncOp>(dispatch, dispatch.getKernelAttr());
      auto [entry, inserted] = kernel_index.try_emplace(kernel, 0);
      if (inserted) {
        TRAMA_ASSIGN_OR_RETURN(plan::Kernel emitted, EmitKernel(kernel));
        auto [known, fresh] = kernel_of_hash.try_emplace(emitted.hash(), plan.kernels_size());
        if (fresh) *plan.add_kernels() = std::move(emitted);
        entry->second = known->second;
      }
      plan::Dispatch* out = program->add_dispatches();
      out->set_kernel(entry->second);
      for (mlir::Value operand : dispatch->getOperands())
        out->add_operands(buffers.lookup(operand));
      for (mlir::Value result : dispatch->getResults()) out->add_results(buffers.lookup(result));
      out->set_label(LabelOf(dispatch, func, kernel));
      out->set_location(SourceLine(dispatch.getLoc()));
    }
    AddBindings(func, buffers, *program);
  }
  return plan;
}

}  // namespace trama
