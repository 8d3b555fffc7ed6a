// The vulkan backend's matrix products on the first device, at the shapes of GPT-2 124M: GFLOP/s
// and the GB/s that operands and results alone take, best of the repetitions. On a driver that runs
// on the processor also GFLOP/s per second of processor time, which other programs disturb less.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/vulkan/recorder.h"
#include "backends/vulkan/shader_cache.h"
#include "base/clock.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {

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

// Of y [M, N] = x [M, K] w [K, N]; kTransposed has w as [N, K]. Operands are of `type`.
std::string KernelText(Form form, Sizes s, const std::string& type) {
  auto tensor = [](int64_t r, int64_t c, const std::string& element) {
    return absl::StrCat("tensor<", r, "x", c, "x", element, ">");
  };
  auto x = [&](const std::string& element) { return tensor(s.m, s.k, element); };
  auto w = [&](const std::string& element) { return tensor(s.k, s.n, element); };
  auto y = [&](const std::string& element) { return tensor(s.m, s.n, element); };
  const auto [lhs, rhs, result] =
      form == Form::kForward      ? std::array{x(type), w(type), y("f32")}
      : form == Form::kTransposed ? std::array{x(type), tensor(s.n, s.k, type), y("f32")}
      : form == Form::kInputGrad  ? std::array{y(type), w(type), x("f32")}
                                  : std::array{x(type), y(type), w("f32")};
  const bool right = form == Form::kInputGrad || form == Form::kTransposed;
  return absl::StrCat("func.func private @k(%a: ", lhs, ", %b: ", rhs, ") -> ", result,
                      " attributes {trama.kind = \"matmul\"} {\n  %y = trama.matmul %a",
                      form == Form::kWeightGrad ? " transposed" : "", ", %b",
                      right ? " transposed" : "", " : ", lhs, ", ", rhs, "\n  return %y : ", result,
                      "\n}\n");
}

absl::Status Measure(benchmark::State& state, Form form, Sizes s, const std::string& type) {
  DeviceOptions options;
  options.device_address = state.range(0) == 0;
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, Device::Open(options));
  Memory memory(*device);
  ShaderCache shaders(memory, /*directory=*/"", /*threads=*/1);
  const std::string text = KernelText(form, s, type);
  LoadStatistics statistics;
  TRAMA_ASSIGN_OR_RETURN(auto kernels, shaders.Load({{"matmul", &text, ""}}, &statistics));

  const int64_t sizes[3] = {s.m * s.k, s.k * s.n, s.m * s.n};
  const int order[4][3] = {{0, 1, 2}, {0, 1, 2}, {2, 1, 0}, {0, 2, 1}};
  std::vector<BlockRange> ranges;
  std::vector<uint16_t> data;  // two an f32: numbers in every type
  for (int which : order[static_cast<int>(form)]) {
    const int64_t halves = sizes[which] * (ranges.size() == 2 || type == "f32" ? 2 : 1);
    ranges.push_back({0, data.size() * sizeof(uint16_t), halves * sizeof(uint16_t)});
    for (int64_t i = 0; i < (halves + 127) / 128 * 128; ++i)
      data.push_back(static_cast<uint16_t>(0x3800 + i % 17));
  }
  const uint64_t bytes = data.size() * sizeof(uint16_t);
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
  const double first = MonotonicSeconds();
  TRAMA_RETURN_IF_ERROR(run());  // drivers compile at the first dispatch
  state.counters["first_ms"] = 1e3 * (MonotonicSeconds() - first);
  double best = 1e9, best_processor = 1e9;
  for (auto _ : state) {
    const double start = MonotonicSeconds(), processor = ProcessorTime();
    TRAMA_RETURN_IF_ERROR(run());
    best = std::min(best, MonotonicSeconds() - start);
    best_processor = std::min(best_processor, ProcessorTime() - processor);
    state.SetIterationTime(MonotonicSeconds() - start);
  }
  state.counters["ms"] = 1e3 * best;
  state.counters["GFLOP/s"] = 1e-9 * s.flops() / best;
  state.counters["GB/s"] = 1e-9 * bytes / best;
  if (device->target().is_cpu) state.counters["per_core"] = 1e-9 * s.flops() / best_processor;
  return absl::OkStatus();
}

void Register(const std::string& model, Form form, const char* name, Sizes s,
              const std::string& type = "f32") {
  benchmark::RegisterBenchmark(
      absl::StrCat(model, "/", s.m, "x", s.k, "x", s.n, "/", name, "/", type).c_str(),
      [=](benchmark::State& state) {
        if (absl::Status status = Measure(state, form, s, type); !status.ok())
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
  for (const char* type : {"bf16", "f16"}) {
    Register("prefill", Form::kForward, "forward", {512, 768, 2304}, type);
    Register("train", Form::kForward, "forward", {64, 768, 3072}, type);
    Register("train", Form::kInputGrad, "dX", {64, 768, 3072}, type);
    Register("train", Form::kWeightGrad, "dW", {64, 768, 3072}, type);
    Register("decode", Form::kTransposed, "head", {1, 768, 50257}, type);
  }
  return true;
}();

}  // namespace
}  // namespace trama::vulkan
