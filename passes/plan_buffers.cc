// Shows the buffers' places as attributes. The plan itself is made by plan/emit_plan.cc, from the
// same function.
#include "passes/plan/plan_buffers.h"
#include "absl/strings/str_cat.h"
#include "passes/passes.h"

namespace trama {
#define GEN_PASS_DEF_PLANBUFFERS
#include "passes/passes.h.inc"
namespace {

using mlir::func::FuncOp;

std::string Text(plan::Block::Kind kind) {
  return kind == plan::Block::STATE ? "state" : kind == plan::Block::IO ? "io" : "arena";
}

// "block 2 (arena) at 128, 64 bytes".
std::string Text(const plan::Plan& plan, uint32_t index) {
  const plan::Buffer& buffer = plan.buffers(static_cast<int>(index));
  return absl::StrCat("block ", buffer.block(), " (",
                      Text(plan.blocks(static_cast<int>(buffer.block())).kind()), ") at ",
                      buffer.offset(), ", ", buffer.bytes(), " bytes");
}

bool SamePlace(const plan::Buffer& a, const plan::Buffer& b) {
  return a.block() == b.block() && a.offset() == b.offset();
}

struct PlanBuffersPass : impl::PlanBuffersBase<PlanBuffersPass> {
  using PlanBuffersBase::PlanBuffersBase;

  void runOnOperation() override {
    mlir::ModuleOp module = getOperation();
    DeviceTarget device;
    device.alignment = alignment;
    device.max_block_bytes = max_block_bytes;
    plan::Plan plan;
    const absl::StatusOr<BufferOf> buffers = PlanBuffers(module, device, plan);
    if (!buffers.ok()) {
      module.emitError(std::string(buffers.status().message()));
      return signalPassFailure();
    }
    mlir::Builder b(module.getContext());
    llvm::SmallVector<mlir::Attribute> blocks;
    for (const plan::Block& block : plan.blocks())
      blocks.push_back(
          b.getStringAttr(absl::StrCat(Text(block.kind()), ", ", block.bytes(), " bytes")));
    module->setAttr("trama.blocks", b.getArrayAttr(blocks));
    for (FuncOp program : module.getOps<FuncOp>()) {
      if (program.isPrivate() || program.isExternal()) continue;
      for (mlir::BlockArgument argument : program.getArguments())
        program.setArgAttr(argument.getArgNumber(), "trama.buffer",
                           b.getStringAttr(Text(plan, buffers->lookup(argument))));
      for (DispatchOp dispatch : program.front().getOps<DispatchOp>())
        dispatch->setAttr("trama.buffers", Places(b, plan, *buffers, dispatch));
    }
  }

  static mlir::ArrayAttr Places(mlir::Builder& b, const plan::Plan& plan, const BufferOf& buffers,
                                DispatchOp dispatch) {
    llvm::SmallVector<mlir::Attribute> places;
    for (mlir::Value result : dispatch->getResults()) {
      const uint32_t index = buffers.lookup(result);
      std::string text = Text(plan, index);
      for (mlir::OpOperand& operand : dispatch->getOpOperands())
        if (SamePlace(plan.buffers(static_cast<int>(index)),
                      plan.buffers(static_cast<int>(buffers.lookup(operand.get())))))
          absl::StrAppend(&text, ", in place of operand ", operand.getOperandNumber());
      places.push_back(b.getStringAttr(text));
    }
    return b.getArrayAttr(places);
  }
};

}  // namespace
}  // namespace trama
