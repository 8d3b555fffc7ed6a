// Kernels of the cpu backend that are no matrix products, on one thread and on all, and what the
// machine can do at best. GB/s counts each operand and result once.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/cpu/executor.h"
#include "benchmark/benchmark.h"
#include "benchmarks/peak.h"

namespace trama::cpu {
namespace {

std::string Tensor(std::vector<int64_t> shape) {
  std::string text = "tensor<";
  for (int64_t size : shape) absl::StrAppend(&text, size, "x");
  return text + "f32>";
}

// A compiled kernel over buffers of its own, filled with ones.
struct Bench {
  std::string text;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Jit> jit;
  std::vector<AlignedMemory> memory;
  std::vector<void*> buffers;
  std::vector<Step> steps;
  Workspace workspace;
  double bytes = 0;

  bool Init(const std::string& kind, const std::string& body, int threads,
            benchmark::State& state) {
    text = body;
    pool = std::make_unique<ThreadPool>(threads);
    auto made = Jit::Create("", "");
    JitStatistics statistics;
    if (made.ok()) jit = *std::move(made);
    auto loaded = jit->Load({{kind, &text, ""}}, *pool, &statistics);
    if (!loaded.ok()) {
      state.SkipWithError(loaded.status().ToString().c_str());
      return false;
    }
    auto context = NewContext();
    auto module = ParseBody(*context, text);
    auto function = *(*module)->getOps<mlir::func::FuncOp>().begin();
    auto add = [&](mlir::Type type) {
      auto tensor = mlir::cast<mlir::RankedTensorType>(type);
      const size_t size =
          tensor.getNumElements() * std::max(1u, tensor.getElementTypeBitWidth() / 8);
      memory.push_back(AllocateAligned(size));
      if (tensor.getElementType().isF32())
        std::fill_n(static_cast<float*>(memory.back().get()), tensor.getNumElements(), 1.0f);
      buffers.push_back(memory.back().get());
      bytes += static_cast<double>(size);
    };
    for (mlir::Type type : function.getArgumentTypes()) add(type);
    for (mlir::Type type : function.getResultTypes()) add(type);
    AppendSteps(*(*loaded)[0], buffers.data(), steps);
    return workspace.Reserve((*loaded)[0]->workspace_floats, (*loaded)[0]->scratch_floats, threads);
  }

  void Run() {
    for (const Step& step : steps) RunStep(step, workspace, *pool);
  }
};

void RunKernel(benchmark::State& state, const std::string& kind, const std::string& body) {
  Bench bench;
  if (!bench.Init(kind, body, static_cast<int>(state.range(0)), state)) return;
  for (auto _ : state) bench.Run();
  state.counters["GB/s"] =
      benchmark::Counter(bench.bytes / 1e9 * state.iterations(), benchmark::Counter::kIsRate);
}

void BM_Softmax(benchmark::State& state) {
  const std::string t = Tensor({state.range(1), state.range(2)});
  RunKernel(state, "fused",
            absl::StrCat("func.func @f(%x: ", t, ") -> ", t,
                         " { %0 = trama.softmax %x dim = 1 : ", t, "\n return %0 : ", t, "}"));
}
BENCHMARK(BM_Softmax)
    ->ArgNames({"threads", "rows", "columns"})
    ->Args({1, 256, 1024})
    ->Args({2, 256, 1024})
    ->Args({1, 12288, 1024})
    ->Args({2, 12288, 1024})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void BM_LayerNorm(benchmark::State& state) {
  const std::string x = Tensor({state.range(1), state.range(2)}), w = Tensor({state.range(2)});
  RunKernel(state, "fused",
            absl::StrCat("func.func @f(%x: ", x, ", %w: ", w, ", %b: ", w, ") -> ", x,
                         " { %0 = trama.layer_norm %x, %w, %b eps = 1.0e-5 : ", x, ", ", w, ", ", w,
                         "\n return %0 : ", x, "}"));
}
BENCHMARK(BM_LayerNorm)
    ->ArgNames({"threads", "rows", "columns"})
    ->Args({1, 256, 768})
    ->Args({2, 256, 768})
    ->Args({1, 1024, 768})
    ->Args({2, 1024, 768})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void BM_LayerNormGrad(benchmark::State& state) {
  const std::string x = Tensor({state.range(1), state.range(2)}), w = Tensor({state.range(2)});
  RunKernel(
      state, "fused",
      absl::StrCat("func.func @f(%g: ", x, ", %x: ", x, ", %w: ", w, ") -> (", x, ", ", w, ", ", w,
                   ") { %0:3 = trama.layer_norm_grad %g, %x, %w eps = 1.0e-5 : ", x, ", ", x, ", ",
                   w, "\n return %0#0, %0#1, %0#2 : ", x, ", ", w, ", ", w, "}"));
}
BENCHMARK(BM_LayerNormGrad)
    ->ArgNames({"threads", "rows", "columns"})
    ->Args({1, 1024, 768})
    ->Args({2, 1024, 768})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void BM_GeluGradAndBiasGrad(benchmark::State& state) {
  const std::string x = Tensor({state.range(1), state.range(2)}), w = Tensor({state.range(2)});
  RunKernel(
      state, "fused",
      absl::StrCat("func.func @f(%g: ", x, ", %x: ", x, ") -> (", x, ", ", w, ") {\n",
                   "%0 = trama.gelu_grad %g, %x tanh : ", x, ", ", x, "\n",
                   "%1 = trama.sum %0 dims = [0] : ", x, "\n return %0, %1 : ", x, ", ", w, "\n}"));
}
BENCHMARK(BM_GeluGradAndBiasGrad)
    ->ArgNames({"threads", "rows", "columns"})
    ->Args({1, 1024, 3072})
    ->Args({2, 1024, 3072})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void BM_Adam(benchmark::State& state) {
  const std::string t = Tensor({state.range(1)}), s = "tensor<f32>";
  RunKernel(
      state, "adam",
      absl::StrCat("func.func @f(%p: ", t, ", %g: ", t, ", %m: ", t, ", %v: ", t, ", %lr: ", s,
                   ", %scale: ", s, ", %c1: ", s, ", %c2: ", s, ", %apply: tensor<i1>) -> (", t,
                   ", ", t, ", ", t, ") {\n %0:3 = trama.adam %p, %g, %m, %v lr %lr scale ",
                   "%scale corrections %c1, %c2 apply %apply {beta1 = 0.9 : f64, beta2 = ",
                   "0.99 : f64, eps = 1.0e-8 : f64, weight_decay = 0.1 : f64, decoupled} : ", t,
                   ", ", t, ", ", t, ", ", t,
                   ", tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<i1>\n return ",
                   "%0#0, %0#1, %0#2 : ", t, ", ", t, ", ", t, "\n}"));
}
BENCHMARK(BM_Adam)
    ->ArgNames({"threads", "parameters"})
    ->Args({1, 1 << 18})
    ->Args({2, 1 << 18})
    ->Args({1, 1 << 24})
    ->Args({2, 1 << 24})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// A program of many kernels that have almost nothing to do.
void BM_Dispatch(benchmark::State& state) {
  Bench bench;
  const std::string t = Tensor({4});
  if (!bench.Init("fused",
                  absl::StrCat("func.func @f(%x: ", t, ") -> ", t, " { %0 = trama.neg %x : ", t,
                               "\n return %0 : ", t, "}"),
                  static_cast<int>(state.range(0)), state))
    return;
  for (auto _ : state) bench.Run();
}
BENCHMARK(BM_Dispatch)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();

// One parallel region: what waking threads that still spin costs.
void BM_ParallelFor(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  for (auto _ : state)
    pool.ParallelFor([](void*, int64_t, int64_t, int) {}, nullptr, pool.size(), 1);
}
BENCHMARK(BM_ParallelFor)->ArgName("threads")->Arg(2)->UseRealTime();

void BM_PeakFma(benchmark::State& state) {
  for (auto _ : state) state.counters["GFLOP/s"] = PeakFmaGflops(static_cast<int>(state.range(0)));
}
BENCHMARK(BM_PeakFma)->ArgName("threads")->Arg(1)->Arg(2)->Iterations(1)->UseRealTime();

void BM_PeakRead(benchmark::State& state) {
  for (auto _ : state)
    state.counters["GB/s"] =
        PeakReadGbs(static_cast<int>(state.range(0)), static_cast<size_t>(state.range(1)) << 20);
}
BENCHMARK(BM_PeakRead)
    ->ArgNames({"threads", "MiB"})
    ->Args({1, 256})
    ->Args({2, 256})
    ->Args({1, 16})
    ->Args({2, 16})
    ->Iterations(1)
    ->UseRealTime();

}  // namespace
}  // namespace trama::cpu
