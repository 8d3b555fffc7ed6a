#include "tests/program_on_device.h"

#include <map>

#include "base/status_macros.h"
#include "ir/dialect.h"
#include "ir/element_type.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/pipelines.h"

namespace trama {

absl::StatusOr<std::vector<HostTensor>> RunOnDevice(Device& device, mlir::ModuleOp module,
                                                    const std::vector<HostTensor>& inputs) {
  auto main = *module.getOps<mlir::func::FuncOp>().begin();
  std::map<std::string, const HostTensor*> by_name;
  for (auto [i, input] : llvm::enumerate(inputs))
    by_name[main.getArgAttrOfType<mlir::StringAttr>(i, kNameAttr).str()] = &input;
  std::map<std::string, size_t> result_of;
  std::vector<HostTensor> results;
  for (auto [i, type] : llvm::enumerate(main.getResultTypes())) {
    auto tensor = mlir::cast<mlir::RankedTensorType>(type);
    results.emplace_back(DTypeOf(tensor.getElementType()),
                         Shape(tensor.getShape().begin(), tensor.getShape().end()));
    result_of[main.getResultAttrOfType<mlir::StringAttr>(i, kNameAttr).str()] = i;
  }

  CompileOptions options;
  options.device = device.target();
  TRAMA_ASSIGN_OR_RETURN(const plan::Plan plan, Compile(module, options));
  TRAMA_RETURN_IF_ERROR(ValidatePlan(plan, options.device));
  TRAMA_ASSIGN_OR_RETURN(std::vector<Buffer> blocks, device.AllocBlocks(plan));
  TRAMA_ASSIGN_OR_RETURN(Executable executable, device.Load(plan));
  for (const plan::Binding& input : plan.programs(0).inputs()) {
    const plan::Buffer& buffer = plan.buffers(input.buffer());
    const HostTensor& tensor = *by_name.at(input.name());
    TRAMA_RETURN_IF_ERROR(
        blocks[buffer.block()].Write(buffer.offset(), tensor.bytes.data(), tensor.bytes.size()));
  }
  TRAMA_RETURN_IF_ERROR(executable.Run(0, blocks));
  TRAMA_RETURN_IF_ERROR(device.Wait());
  for (const plan::Binding& output : plan.programs(0).outputs()) {
    const plan::Buffer& buffer = plan.buffers(output.buffer());
    HostTensor& tensor = results[result_of.at(output.name())];
    TRAMA_RETURN_IF_ERROR(
        blocks[buffer.block()].Read(buffer.offset(), tensor.bytes.data(), tensor.bytes.size()));
  }
  return results;
}

}  // namespace trama
