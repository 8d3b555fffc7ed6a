// The vulkan backend's matrix products on the first device, at the shapes of GPT-2 124M: GFLOP/s
// and the GB/s that operands and results alone take, best of the repetitions. On a driver that runs
// on the processor also GFLOP/s per second of processor time, which other programs disturb less.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/vulkan/recorder.h"
#include "backends/vulkan/shader_cache.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double ProcessorTime() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return t.tv_sec + 1e-6 * t.tv_usec; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Sizes {
  int64_t m, k, n;
  double flops() const { return 2.0 * m * k * n; }
};

enum class Form { kForward, kTransposed, kInputGrad, kWeightGrad };

// Of y [M, N] = x [M, K] w [K, N]; kTransposed has w as [N, K].
std::string KernelText(Form form, Sizes s) {
  auto tensor = [](int64_t r, int64_t c) { return absl::StrCat("tensor<", r, "x", c, "xf32>"); };
  const std::string x = tensor(s.m, s.k), w = tensor(s.k, s.n), y = tensor(s.m, s.n);
  const auto [lhs, rhs, result] = form == Form::kForward      ? std::array{x, w, y}
                                  : form == Form::kTransposed ? std::array{x, tensor(s.n, s.k), y}
                                  : form == Form::kInputGrad  ? std::array{y, w, x}
                                                              : std::array{x, y, w};
  const bool right = form == Form::kInputGrad || form == Form::kTransposed;
  return absl::StrCat("func.func private @k(%a: ", lhs, ", %b: ", rhs, ") -> ", result,
                      " attributes {trama.kind = \"matmul\"} {\n  %y = trama.matmul %a",
                      form == Form::kWeightGrad ? " transposed" : "", ", %b",
                      right ? " transposed" : "", " : ", lhs, ", ", rhs, "\n  return %y : ", result,
                      "\n}\n");
}

absl::Status Measure(benchmark::State& state, Form form, Sizes s) {
  DeviceOptions options;
  options.device_address = state.range(0) == 0;
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, Device::Open(options));
  Memory memory(*device);
  ShaderCache shaders(memory, /*directory=*/"", /*threads=*/1);
  const std::string text = KernelText(form, s);
  LoadStatistics statistics;
  TRAMA_ASSIGN_OR_RETURN(auto kernels, shaders.Load({{"matmul", &text, ""}}, &statistics));

  const int64_t sizes[3] = {s.m * s.k, s.k * s.n, s.m * s.n};
  const int order[4][3] = {{0, 1, 2}, {0, 1, 2}, {2, 1, 0}, {0, 2, 1}};
  std::vector<BlockRange> ranges;
  std::vector<float> data;
  for (int which : order[static_cast<int>(form)]) {
    ranges.push_back({0, data.size() * sizeof(float), sizes[which] * sizeof(float)});
    for (int64_t i = 0; i < (sizes[which] + 63) / 64 * 64; ++i)
      data.push_back(static_cast<float>(i % 17) / 16 - 0.5f);
  }
  const uint64_t bytes = data.size() * sizeof(float);
  TRAMA_ASSIGN_OR_RETURN(auto block, memory.Alloc(bytes));
  TRAMA_RETURN_IF_ERROR(block->Write(0, data.data(), bytes));
  TRAMA_ASSIGN_OR_RETURN(auto workspace, memory.Alloc(kernels[0]->workspace_bytes));
  std::vector<Step> steps;
  TRAMA_RETURN_IF_ERROR(AppendSteps(*kernels[0], ranges, 2, 0, s.flops(), steps));
  Buffer* blocks[] = {block.get()};
  TRAMA_ASSIGN_OR_RETURN(auto recording, Recording::Make(memory, steps, blocks, workspace.get(),
                                                         /*profile=*/false));
  auto run = [&]() -> absl::Status {
    TRAMA_RETURN_IF_ERROR(recording->Submit());
    return device->Wait();
  };
  const double first = Now();
  TRAMA_RETURN_IF_ERROR(run());  // drivers compile at the first dispatch
  state.counters["first_ms"] = 1e3 * (Now() - first);
  double best = 1e9, best_processor = 1e9;
  for (auto _ : state) {
    const double start = Now(), processor = ProcessorTime();
    TRAMA_RETURN_IF_ERROR(run());
    best = std::min(best, Now() - start);
    best_processor = std::min(best_processor, ProcessorTime() - processor);
    state.SetIterationTime(Now() - start);
  }
  state.counters["ms"] = 1e3 * best;
  state.counters["GFLOP/s"] = 1e-9 * s.flops() / best;
  state.counters["GB/s"] = 1e-9 * bytes / best;
  if (device->target().is_cpu) state.counters["per_core"] = 1e-9 * s.flops() / best_processor;
  return absl::OkStatus();
}

void Register(const std::string& model, Form form, const char* name, Sizes s) {
  benchmark::RegisterBenchmark(absl::StrCat(model, "/", s.m, "x", s.k, "x", s.n, "/", name).c_str(),
                               [=](benchmark::State& state) {
                                 if (absl::Status status = Measure(state, form, s); !status.ok())
                                   state.SkipWithError(status.ToString().c_str());
                               })
      ->ArgName("descriptors")
      ->Arg(0)
      ->Arg(1)
      ->UseManualTime()
      ->Iterations(7)
      ->Unit(benchmark::kMillisecond);
}

// Registered before the library's main.
const bool registered = [] {
  const std::pair<int64_t, int64_t> layers[] = {{768, 2304}, {768, 768}, {768, 3072}, {3072, 768}};
  for (auto [k, n] : layers) Register("prefill", Form::kForward, "forward", {512, k, n});
  for (auto [k, n] : layers) {
    Register("train", Form::kForward, "forward", {64, k, n});
    Register("train", Form::kInputGrad, "dX", {64, k, n});
    Register("train", Form::kWeightGrad, "dW", {64, k, n});
  }
  Register("train", Form::kTransposed, "head", {64, 768, 50257});
  Register("train", Form::kInputGrad, "head_dX", {64, 50257, 768});
  for (auto [k, n] : layers) Register("decode", Form::kForward, "forward", {1, k, n});
  Register("decode", Form::kTransposed, "head", {1, 768, 50257});
  return true;
}();

}  // namespace
}  // namespace trama::vulkan
