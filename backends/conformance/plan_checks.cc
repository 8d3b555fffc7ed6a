#include "backends/conformance/plan_checks.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "backends/check/compare.h"
#include "backends/conformance/grade.h"
#include "backends/conformance/plan_memory.h"
#include "backends/conformance/trial.h"
#include "base/status_macros.h"
#include "mlir/Parser/Parser.h"

namespace trama::conformance {
namespace {

// A step that updates `w` in place, one that reads it, and one that replaces it by its double.
constexpr char kState[] = R"(
  func.func @step(
      %w: tensor<37xf32> {trama.name = "w", trama.role = "parameter"},
      %g: tensor<37xf32> {trama.name = "g", trama.role = "input"})
      -> (tensor<37xf32> {trama.name = "w", trama.donates = 0 : i64}) {
    %0 = trama.sub %w, %g : tensor<37xf32>, tensor<37xf32>
    return %0 : tensor<37xf32>
  }
  func.func @forward(
      %w: tensor<37xf32> {trama.name = "w", trama.role = "parameter"},
      %x: tensor<5x37xf32> {trama.name = "x", trama.role = "input"})
      -> (tensor<5x37xf32> {trama.name = "y"}) {
    %0 = trama.mul %x, %w : tensor<5x37xf32>, tensor<37xf32>
    return %0 : tensor<5x37xf32>
  }
  func.func @double(%w: tensor<37xf32> {trama.name = "w", trama.role = "parameter"})
      -> (tensor<37xf32> {trama.name = "w", trama.donates = 0 : i64}) {
    %0 = trama.add %w, %w : tensor<37xf32>, tensor<37xf32>
    return %0 : tensor<37xf32>
  })";

// Values that live across others, so that the arena's ranges are used again; their sizes differ.
constexpr char kReuse[] = R"(
  func.func @main(
      %x: tensor<9x70xf32> {trama.name = "x", trama.role = "input"},
      %r: tensor<70xf32> {trama.name = "r", trama.role = "input"},
      %w: tensor<70x3xf32> {trama.name = "w", trama.role = "input"})
      -> (tensor<9x3xf32> {trama.name = "y"}, tensor<9x70xf32> {trama.name = "z"}) {
    %a = trama.add %x, %r : tensor<9x70xf32>, tensor<70xf32>
    %p = trama.matmul %a, %w : tensor<9x70xf32>, tensor<70x3xf32>
    %b = trama.mul %a, %x : tensor<9x70xf32>, tensor<9x70xf32>
    %q = trama.matmul %b, %w : tensor<9x70xf32>, tensor<70x3xf32>
    %c = trama.add %b, %a : tensor<9x70xf32>, tensor<9x70xf32>
    %s = trama.matmul %c, %w : tensor<9x70xf32>, tensor<70x3xf32>
    %t = trama.add %p, %q : tensor<9x3xf32>, tensor<9x3xf32>
    %u = trama.mul %t, %s : tensor<9x3xf32>, tensor<9x3xf32>
    return %u, %c : tensor<9x3xf32>, tensor<9x70xf32>
  })";

HostTensor Ramp(Shape shape, float scale) {
  HostTensor tensor(DType::kF32, std::move(shape));
  for (int64_t i = 0; i < tensor.num_elements(); ++i)
    tensor.data<float>()[i] = scale * (1.5f + std::sin(static_cast<float>(i)));
  return tensor;
}

// Unimplemented where the device has no kernel for an op of the plan.
absl::StatusOr<LoadedPlan> Load(Device& device, mlir::MLIRContext& context, const char* text) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module) return absl::InternalError("the suite's program does not parse");
  TRAMA_ASSIGN_OR_RETURN(plan::Plan plan, PlanOf(*module, device.target()));
  const std::vector<std::string>& has = device.info().kernels;
  for (const plan::Kernel& kernel : plan.kernels())
    if (!device.target().compiles_bodies &&
        std::find(has.begin(), has.end(), kernel.op()) == has.end())
      return absl::UnimplementedError(kernel.op());
  absl::StatusOr<LoadedPlan> loaded = LoadedPlan::Make(device, std::move(plan));
  if (absl::IsUnimplemented(loaded.status()))  // it said that it had them
    return absl::InternalError(loaded.status().message());
  return loaded;
}

absl::Status Near(const std::string& what, const HostTensor& got, const HostTensor& want) {
  const Error error = ErrorOf(got, want);
  if (error.value <= AllowedError(got.dtype)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(
      what, ": element ", IndexText(error.worst, got.shape), " is ", got.at(error.worst), ", want ",
      want.at(error.worst), IsScrambled(got, error.worst) ? " (never written)" : ""));
}

// programs of kState: by name, as the plan orders them.
int ProgramOf(const LoadedPlan& loaded, const std::string& name) {
  for (int i = 0; i < loaded.plan().programs_size(); ++i)
    if (loaded.plan().programs(i).name() == name) return i;
  return 0;
}

absl::Status State(Device& device, mlir::MLIRContext& context) {
  TRAMA_ASSIGN_OR_RETURN(LoadedPlan loaded, Load(device, context, kState));
  TRAMA_RETURN_IF_ERROR(loaded.Scramble());
  const int step = ProgramOf(loaded, "step"), forward = ProgramOf(loaded, "forward"),
            twice = ProgramOf(loaded, "double");
  const HostTensor w = Ramp({37}, 1), g = Ramp({37}, 0.25f), x = Ramp({5, 37}, 2);
  HostTensor want = w;
  TRAMA_RETURN_IF_ERROR(loaded.WriteInput(step, "w", w));
  for (int i = 0; i < 3; ++i) {
    TRAMA_RETURN_IF_ERROR(loaded.WriteInput(step, "g", g));
    TRAMA_RETURN_IF_ERROR(loaded.Run(step));
    for (int64_t j = 0; j < 37; ++j) want.set(j, want.at(j) - g.at(j));
    TRAMA_ASSIGN_OR_RETURN(const HostTensor got, loaded.ReadValue(step, "w"));
    TRAMA_RETURN_IF_ERROR(Near(absl::StrCat("state after run ", i + 1), got, want));
  }
  TRAMA_RETURN_IF_ERROR(loaded.Run(twice));
  for (int64_t j = 0; j < 37; ++j) want.set(j, 2 * want.at(j));
  TRAMA_RETURN_IF_ERROR(loaded.WriteInput(forward, "x", x));
  TRAMA_RETURN_IF_ERROR(loaded.Run(forward));
  HostTensor product = x;
  for (int64_t j = 0; j < x.num_elements(); ++j) product.set(j, x.at(j) * want.at(j % 37));
  TRAMA_ASSIGN_OR_RETURN(const HostTensor y, loaded.ReadValue(forward, "y"));
  return Near("another program's view of the state", y, product);
}

absl::Status Reuse(Device& device, mlir::MLIRContext& context) {
  TRAMA_ASSIGN_OR_RETURN(LoadedPlan loaded, Load(device, context, kReuse));
  const HostTensor x = Ramp({9, 70}, 1), r = Ramp({70}, 0.5f), w = Ramp({70, 3}, 0.3f);
  HostTensor z = x, y(DType::kF64, {9, 3});
  for (int64_t i = 0; i < 9; ++i)
    for (int64_t n = 0; n < 3; ++n) {
      double p = 0, q = 0, s = 0;
      for (int64_t k = 0; k < 70; ++k) {
        const double xx = x.at(i * 70 + k), a = xx + r.at(k), b = a * xx;
        p += a * w.at(k * 3 + n);
        q += b * w.at(k * 3 + n);
        s += (b + a) * w.at(k * 3 + n);
        z.set(i * 70 + k, b + a);
      }
      y.set(i * 3 + n, (p + q) * s);
    }
  HostTensor first;
  for (int run = 0; run < 2; ++run) {
    TRAMA_RETURN_IF_ERROR(loaded.Scramble());
    TRAMA_RETURN_IF_ERROR(loaded.WriteInput(0, "x", x));
    TRAMA_RETURN_IF_ERROR(loaded.WriteInput(0, "r", r));
    TRAMA_RETURN_IF_ERROR(loaded.WriteInput(0, "w", w));
    TRAMA_RETURN_IF_ERROR(loaded.Run(0));
    TRAMA_ASSIGN_OR_RETURN(const HostTensor got_y, loaded.ReadValue(0, "y"));
    TRAMA_ASSIGN_OR_RETURN(const HostTensor got_z, loaded.ReadValue(0, "z"));
    TRAMA_RETURN_IF_ERROR(Near("y", got_y, y));
    TRAMA_RETURN_IF_ERROR(Near("z", got_z, z));
    if (run == 1 && got_y.bytes != first.bytes)
      return absl::InternalError("equal runs give different bits");
    first = got_y;
  }
  return absl::OkStatus();
}

// Two loaded plans, each with memory of its own, in turns.
absl::Status TwoPlans(Device& device, mlir::MLIRContext& context) {
  TRAMA_ASSIGN_OR_RETURN(LoadedPlan a, Load(device, context, kState));
  TRAMA_ASSIGN_OR_RETURN(LoadedPlan b, Load(device, context, kState));
  const int twice = ProgramOf(a, "double");
  const HostTensor w = Ramp({37}, 1), v = Ramp({37}, 3);
  TRAMA_RETURN_IF_ERROR(a.WriteInput(twice, "w", w));
  TRAMA_RETURN_IF_ERROR(b.WriteInput(twice, "w", v));
  for (LoadedPlan* plan : {&a, &b, &a}) TRAMA_RETURN_IF_ERROR(plan->Run(twice));
  TRAMA_ASSIGN_OR_RETURN(const HostTensor got_a, a.ReadValue(twice, "w"));
  TRAMA_ASSIGN_OR_RETURN(const HostTensor got_b, b.ReadValue(twice, "w"));
  TRAMA_RETURN_IF_ERROR(Near("the first plan", got_a, Ramp({37}, 4)));
  return Near("the second plan", got_b, Ramp({37}, 6));
}

absl::Status Memory(Device& device, mlir::MLIRContext&) {
  TRAMA_ASSIGN_OR_RETURN(Buffer buffer, device.Alloc(1003));
  HostTensor bytes(DType::kU8, {1003});
  TRAMA_RETURN_IF_ERROR(buffer.Read(0, bytes.bytes.data(), 1003));
  for (int64_t i = 0; i < 1003; ++i)
    if (bytes.at(i) != 0) return absl::InternalError(absl::StrCat("alloc: byte ", i, " is not 0"));
  const char text[] = "trama";
  TRAMA_RETURN_IF_ERROR(buffer.Write(998, text, 5));
  char got[5];
  TRAMA_RETURN_IF_ERROR(buffer.Read(998, got, 5));
  if (!std::equal(got, got + 5, text))
    return absl::InternalError("read gives not what was written");
  if (buffer.Write(999, text, 5).ok()) return absl::InternalError("a write beyond the end passes");
  if (buffer.Read(SIZE_MAX, got, 2).ok()) return absl::InternalError("a read beyond it passes");
  TRAMA_RETURN_IF_ERROR(device.Alloc(0).status());
  return absl::OkStatus();
}

absl::Status Errors(Device& device, mlir::MLIRContext& context) {
  TRAMA_ASSIGN_OR_RETURN(LoadedPlan loaded, Load(device, context, kState));
  if (loaded.Run(99).ok()) return absl::InternalError("run of a program that is not there passes");
  TRAMA_ASSIGN_OR_RETURN(Executable executable, device.Load(loaded.plan()));
  if (executable.Run(0, std::vector<Buffer>()).ok())
    return absl::InternalError("run without the plan's blocks passes");
  plan::Plan bad = loaded.plan();
  bad.mutable_kernels(0)->set_kind("no_such_kind");
  bad.mutable_kernels(0)->set_op("no_such_op");
  bad.mutable_kernels(0)->set_body("no body");
  if (device.Load(bad).ok()) return absl::InternalError("a kernel that nobody knows loads");
  return absl::OkStatus();
}

}  // namespace

const std::vector<PlanCheck>& PlanChecks() {
  static const auto* checks = new std::vector<PlanCheck>{
      {"state", State},   {"reuse", Reuse},   {"two_plans", TwoPlans},
      {"memory", Memory}, {"errors", Errors},
  };
  return *checks;
}

}  // namespace trama::conformance
