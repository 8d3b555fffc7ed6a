#include "tools/trama-opt/run_on_device.h"

#include <cmath>

#include "base/status_macros.h"
#include "ir/dialect.h"
#include "ir/element_type.h"
#include "ir/infer_util.h"
#include "ir/source_line.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "passes/pipelines.h"
#include "runtime/device.h"

namespace trama {
namespace {

using mlir::func::FuncOp;
using reference::Mismatch;

// One side of a check: a tensor known here, or a result of the program.
struct Side {
  HostTensor value;
  std::string output;  // "" where `value` is known
};

struct Check {
  std::string location;
  double atol, rtol;
  Side got, want;
};

// @main as a program: `inputs` by name, and what to check when it has run.
struct Prepared {
  TensorMap inputs;
  std::vector<Check> checks;
};

HostTensor ToHost(mlir::DenseElementsAttr attr) {
  auto type = mlir::cast<mlir::RankedTensorType>(attr.getType());
  HostTensor tensor(DTypeOf(type.getElementType()), Shape(type.getShape()));
  int64_t i = 0;
  if (mlir::isa<mlir::FloatType>(type.getElementType())) {
    for (llvm::APFloat value : attr.getValues<llvm::APFloat>()) {
      bool loses;
      value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &loses);
      tensor.set(i++, value.convertToDouble());
    }
  } else {
    for (const llvm::APInt& value : attr.getValues<llvm::APInt>())
      tensor.set(i++, static_cast<double>(type.getElementType().isInteger(1)
                                              ? static_cast<int64_t>(value.getZExtValue())
                                              : value.getSExtValue()));
  }
  return tensor;
}

// Turns @main's constants into inputs and what its checks compare into results, and leaves only the
// functions that it dispatches beside it.
Prepared Prepare(mlir::ModuleOp module, FuncOp main) {
  mlir::OpBuilder b(module.getContext());
  mlir::Block& block = main.front();
  Prepared prepared;
  llvm::DenseMap<mlir::Value, std::string> input_of;
  for (ConstantOp constant : llvm::make_early_inc_range(block.getOps<ConstantOp>())) {
    auto dense = mlir::dyn_cast<mlir::DenseElementsAttr>(constant.getValue());
    if (!dense || constant.getType().getRank() == 0) continue;
    const std::string name = absl::StrCat("in", input_of.size());
    mlir::Value argument = block.addArgument(constant.getType(), constant.getLoc());
    prepared.inputs[name] = ToHost(dense);
    input_of[argument] = name;
    constant.replaceAllUsesWith(argument);
    constant.erase();
  }

  llvm::SmallVector<mlir::Value> results;
  auto side = [&](mlir::Value value) -> Side {
    if (auto input = input_of.find(value); input != input_of.end())
      return {prepared.inputs[input->second], ""};
    if (auto constant = value.getDefiningOp<ConstantOp>())
      if (auto dense = mlir::dyn_cast<mlir::DenseElementsAttr>(constant.getValue()))
        return {ToHost(dense), ""};
    if (!llvm::is_contained(results, value)) results.push_back(value);
    const size_t i = llvm::find(results, value) - results.begin();
    return {HostTensor(DTypeOf(ElementOf(value)), Shape(ShapeOf(value))), absl::StrCat("out", i)};
  };
  for (CheckCloseOp check : llvm::make_early_inc_range(block.getOps<CheckCloseOp>())) {
    prepared.checks.push_back({LocationText(check.getLoc()), check.getAtol().convertToDouble(),
                               check.getRtol().convertToDouble(), side(check.getGot()),
                               side(check.getWant())});
    check.erase();
  }
  block.getTerminator()->setOperands(results);
  main.setType(
      b.getFunctionType(block.getArgumentTypes(), mlir::TypeRange(mlir::ValueRange(results))));
  for (auto [argument, name] : input_of) {
    const unsigned i = mlir::cast<mlir::BlockArgument>(argument).getArgNumber();
    main.setArgAttr(i, kNameAttr, b.getStringAttr(name));
    main.setArgAttr(i, kRoleAttr, b.getStringAttr("input"));
  }
  for (size_t i = 0; i < results.size(); ++i)
    main.setResultAttr(i, kNameAttr, b.getStringAttr(absl::StrCat("out", i)));

  llvm::DenseSet<mlir::StringAttr> dispatched;
  for (DispatchOp dispatch : block.getOps<DispatchOp>())
    dispatched.insert(dispatch.getKernelAttr().getAttr());
  for (FuncOp func : llvm::make_early_inc_range(module.getOps<FuncOp>()))
    if (func != main && !dispatched.contains(func.getSymNameAttr())) func.erase();
  return prepared;
}

// Runs the plan's one program and fills in the checks' outputs.
absl::Status Run(Device& device, const plan::Plan& plan, Prepared& prepared) {
  TRAMA_ASSIGN_OR_RETURN(std::vector<Buffer> blocks, device.AllocBlocks(plan));
  TRAMA_ASSIGN_OR_RETURN(Executable executable, device.Load(plan));
  const plan::Program& program = plan.programs(0);
  for (const plan::Binding& input : program.inputs()) {
    const plan::Buffer& buffer = plan.buffers(input.buffer());
    const HostTensor& tensor = prepared.inputs[input.name()];
    TRAMA_RETURN_IF_ERROR(
        blocks[buffer.block()].Write(buffer.offset(), tensor.bytes.data(), tensor.bytes.size()));
  }
  TRAMA_RETURN_IF_ERROR(executable.Run(0, blocks));
  TRAMA_RETURN_IF_ERROR(device.Wait());
  std::map<std::string, uint32_t> outputs;
  for (const plan::Binding& output : program.outputs()) outputs[output.name()] = output.buffer();
  for (Check& check : prepared.checks) {
    for (Side* side : {&check.got, &check.want}) {
      if (side->output.empty()) continue;
      const auto output = outputs.find(side->output);
      if (output == outputs.end())
        return absl::InternalError(absl::StrCat("the plan has no output ", side->output));
      const plan::Buffer& buffer = plan.buffers(output->second);
      TRAMA_RETURN_IF_ERROR(blocks[buffer.block()].Read(buffer.offset(), side->value.bytes.data(),
                                                        side->value.bytes.size()));
    }
  }
  return absl::OkStatus();
}

void Compare(const Check& check, std::vector<Mismatch>& mismatches) {
  const HostTensor &got = check.got.value, &want = check.want.value;
  for (int64_t i = 0; i < want.num_elements(); ++i) {
    const double g = got.at(i), w = want.at(i);
    if (g == w || (std::isnan(g) && std::isnan(w)) ||
        std::abs(g - w) <= check.atol + check.rtol * std::abs(w))
      continue;
    mismatches.push_back({check.location, IndexOf(i, want.shape), g, w});
  }
}

}  // namespace

absl::StatusOr<std::vector<Mismatch>> RunOnDevice(mlir::ModuleOp module,
                                                  const std::string& backend) {
  TRAMA_ASSIGN_OR_RETURN(Device device, Device::Open(backend));
  mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
  auto main = copy->lookupSymbol<FuncOp>("main");
  Prepared prepared = Prepare(*copy, main);
  CompileOptions options;
  options.device = device.target();
  if (main.front().getOps<DispatchOp>().empty()) {
    mlir::PassManager pm(copy->getContext());
    BuildKernelPipeline(pm, options.device);
    if (failed(pm.run(*copy))) return absl::InvalidArgumentError("the kernel pipeline failed");
  }
  TRAMA_ASSIGN_OR_RETURN(const plan::Plan plan, EmitPlan(*copy, options));
  TRAMA_RETURN_IF_ERROR(ValidatePlan(plan, options.device));
  TRAMA_RETURN_IF_ERROR(Run(device, plan, prepared));
  std::vector<Mismatch> mismatches;
  for (const Check& check : prepared.checks) Compare(check, mismatches);
  return mismatches;
}

}  // namespace trama
