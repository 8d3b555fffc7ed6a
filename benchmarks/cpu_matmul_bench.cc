// The cpu backend's matrix products of f32 and of bf16 against the machine's peak for either, which
// is measured in the same run: GFLOP/s and the share of the peak at the shapes of nano GPT, GPT-2
// and Iris, forward, gradient of the input (dX) and of the weight (dW). Best of the repetitions, on
// 1 and 2 threads.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/cpu/executor.h"
#include "base/clock.h"
#include "base/dtype.h"
#include "benchmarks/peak.h"

namespace trama::cpu {
namespace {

enum class Form { kForward, kInputGrad, kWeightGrad };
using Forms = std::vector<Form>;

// Of y [M, N] = x [M, K] w [K, N]: operands of `type`, a result of f32.
std::string KernelText(Form form, int64_t m, int64_t k, int64_t n, const std::string& type) {
  const std::string x = absl::StrCat("tensor<", m, "x", k, "x"),
                    w = absl::StrCat("tensor<", k, "x", n, "x"),
                    y = absl::StrCat("tensor<", m, "x", n, "x");
  auto [lhs, rhs, result] = form == Form::kForward     ? std::array{x, w, y}
                            : form == Form::kInputGrad ? std::array{y, w, x}
                                                       : std::array{x, y, w};
  absl::StrAppend(&lhs, type, ">");
  absl::StrAppend(&rhs, type, ">");
  absl::StrAppend(&result, "f32>");
  return absl::StrCat("func.func private @k(%a: ", lhs, ", %b: ", rhs, ") -> ", result,
                      " attributes {trama.kind = \"matmul\"} {\n  %y = trama.matmul %a",
                      form == Form::kWeightGrad ? " transposed" : "", ", %b",
                      form == Form::kInputGrad ? " transposed" : "", " : ", lhs, ", ", rhs,
                      "\n  return %y : ", result, "\n}\n");
}

void RunProduct(benchmark::State& state, Form form, int64_t m, int64_t k, int64_t n, bool bf16) {
  const int threads = static_cast<int>(state.range(0));
  ThreadPool pool(threads);
  auto jit = Jit::Create("", "");
  if (!jit.ok()) return state.SkipWithError(std::string(jit.status().message()).c_str());
  const std::string text = KernelText(form, m, k, n, bf16 ? "bf16" : "f32");
  JitStatistics statistics;
  auto kernels = (*jit)->Load({{"matmul", &text, ""}}, pool, &statistics);
  if (!kernels.ok()) return state.SkipWithError(std::string(kernels.status().message()).c_str());
  const LoadedKernel& kernel = *(*kernels)[0];

  const int64_t sizes[3] = {m * k, k * n, m * n};
  const int order[3][3] = {{0, 1, 2}, {2, 1, 0}, {0, 2, 1}};
  std::vector<AlignedMemory> memory;
  std::vector<void*> buffers;
  for (int which : order[static_cast<int>(form)]) {
    memory.push_back(AllocateAligned(sizes[which] * sizeof(float)));
    void* data = memory.back().get();
    for (int64_t i = 0; i < sizes[which]; ++i) {
      const float value = static_cast<float>(i % 17) / 16 - 0.5f;
      if (bf16)
        static_cast<uint16_t*>(data)[i] = ToBF16(value);
      else
        static_cast<float*>(data)[i] = value;
    }
    buffers.push_back(data);
  }
  Workspace workspace;
  if (!workspace.Reserve(kernel.workspace_floats, kernel.scratch_floats, threads))
    return state.SkipWithError("out of memory");
  std::vector<Step> steps;
  AppendSteps(kernel, buffers.data(), steps);

  const auto measure_peak = [&] {
    const double dots = bf16 ? PeakBf16Gflops(threads) : 0;
    return dots > 0 ? dots : PeakFmaGflops(threads);
  };
  double best = 1e9, peak = measure_peak();
  for (auto _ : state) {
    const double start = MonotonicSeconds();
    for (const Step& step : steps) RunStep(step, workspace, pool);
    const double seconds = MonotonicSeconds() - start;
    best = std::min(best, seconds);
    state.SetIterationTime(seconds);
  }
  peak = std::max(peak, measure_peak());
  const double rate = 2.0 * m * k * n / best / 1e9;
  state.counters["us"] = best * 1e6;
  state.counters["GFLOP/s"] = rate;
  state.counters["share"] = rate / peak;
}

void Register(const std::string& model, int64_t m, int64_t k, int64_t n,
              const Forms& forms = {Form::kForward, Form::kInputGrad, Form::kWeightGrad}) {
  for (Form form : forms) {
    const char* name = form == Form::kForward ? "forward" : form == Form::kInputGrad ? "dX" : "dW";
    for (bool bf16 : {false, true})
      benchmark::RegisterBenchmark(
          absl::StrCat(model, "/", m, "x", k, "x", n, "/", name, bf16 ? "/bf16" : "/f32").c_str(),
          [=](benchmark::State& state) { RunProduct(state, form, m, k, n, bf16); })
          ->Arg(1)
          ->Arg(2)
          ->ArgName("threads")
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
  }
}

// Registered before the library's main.
const bool registered = [] {
  for (auto [k, n] :
       {std::pair<int64_t, int64_t>{128, 384}, {128, 128}, {128, 512}, {512, 128}, {128, 65}})
    Register("nano", 768, k, n);
  for (int64_t m : {256, 1024})
    for (auto [k, n] :
         {std::pair<int64_t, int64_t>{768, 2304}, {768, 768}, {768, 3072}, {3072, 768}})
      Register("gpt2", m, k, n);
  for (auto [k, n] : {std::pair<int64_t, int64_t>{768, 2304}, {768, 768}, {768, 3072}, {3072, 768}})
    Register("gpt2-chunk", 64, k, n, {Form::kForward});
  Register("gpt2-head", 256, 768, 50257, {Form::kForward});
  for (auto [k, n] : {std::pair<int64_t, int64_t>{768, 2304}, {3072, 768}})
    Register("gpt2-decode", 1, k, n, {Form::kForward});
  // A token's logits: the tied head's rows lie along the depth.
  Register("gpt2-decode-head", 1, 50257, 768, {Form::kInputGrad});
  for (auto [k, n] : {std::pair<int64_t, int64_t>{4, 1}, {4, 16}, {16, 1}})
    Register("iris", 150, k, n);
  return true;
}();

}  // namespace
}  // namespace trama::cpu
