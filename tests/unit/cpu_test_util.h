// Runs a kernel body, written as MLIR text, on the cpu backend's parts and on the interpreter.
#pragma once

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/cpu/executor.h"
#include "backends/reference/interpreter.h"
#include "base/host_tensor.h"
#include "base/status_matchers.h"
#include "tests/unit/kernel_test_util.h"

namespace trama::cpu {

using kernel_testing::Tensor;

class CpuKernel {
 public:
  // `threads` of the pool; no disk cache. cpu: an LLVM name, "" for the host.
  static absl::StatusOr<std::unique_ptr<CpuKernel>> Compile(const std::string& kind,
                                                            const std::string& text,
                                                            int threads = 2,
                                                            const std::string& cpu = "") {
    auto kernel = std::make_unique<CpuKernel>();
    kernel->text_ = text;
    kernel->context_ = NewContext();
    TRAMA_ASSIGN_OR_RETURN(kernel->module_, ParseBody(*kernel->context_, text));
    kernel->body_ = *kernel->module_->getOps<mlir::func::FuncOp>().begin();
    kernel->pool_ = std::make_unique<ThreadPool>(threads);
    TRAMA_ASSIGN_OR_RETURN(kernel->jit_, Jit::Create("", cpu));
    JitStatistics statistics;
    TRAMA_ASSIGN_OR_RETURN(
        auto loaded, kernel->jit_->Load({{kind, &kernel->text_, ""}}, *kernel->pool_, &statistics));
    kernel->loaded_ = loaded[0];
    return kernel;
  }

  mlir::func::FuncOp body() { return body_; }
  const LoadedKernel& loaded() const { return *loaded_; }
  ThreadPool& pool() { return *pool_; }

  std::vector<HostTensor> RandomInputs(uint32_t seed, double low = -2, double high = 2) {
    return kernel_testing::RandomInputs(body_, seed, low, high);
  }

  // Results in buffers that start as NaN, between guard bytes that must stay; the scratch and
  // workspace start as NaN too. `parallel` runs every phase on all threads in tasks of one.
  std::vector<HostTensor> Run(const std::vector<HostTensor>& inputs, bool parallel = false) {
    constexpr size_t kGuard = 64;
    std::vector<HostTensor> results;
    std::vector<AlignedMemory> memory;
    std::vector<void*> buffers;
    auto add = [&](const void* data, size_t bytes) {
      memory.push_back(AllocateAligned(bytes + 2 * kGuard));
      char* base = static_cast<char*>(memory.back().get());
      std::memset(base, 0xFF, bytes + 2 * kGuard);
      if (data) std::memcpy(base + kGuard, data, bytes);
      buffers.push_back(base + kGuard);
    };
    for (const HostTensor& input : inputs) add(input.bytes.data(), input.bytes.size());
    for (mlir::Type type : body_.getResultTypes()) {
      results.push_back(kernel_testing::ZeroTensor(type));
      add(nullptr, results.back().bytes.size());
    }
    Workspace workspace;
    EXPECT_TRUE(
        workspace.Reserve(loaded_->workspace_floats, loaded_->scratch_floats, pool_->size()));
    for (int64_t i = 0; i < loaded_->workspace_floats; ++i) workspace.shared()[i] = NAN;
    for (int t = 0; t < pool_->size(); ++t)
      for (int64_t i = 0; i < loaded_->scratch_floats; ++i) workspace.scratch(t)[i] = NAN;
    std::vector<Step> steps;
    AppendSteps(*loaded_, buffers.data(), steps);
    for (Step& step : steps) {
      if (parallel) step.parallel = true, step.grain = 1;
      RunStep(step, workspace, *pool_);
    }
    for (size_t i = 0; i < buffers.size(); ++i) {
      const bool is_input = i < inputs.size();
      const HostTensor& tensor = is_input ? inputs[i] : results[i - inputs.size()];
      const unsigned char* base = static_cast<unsigned char*>(memory[i].get());
      for (size_t g = 0; g < kGuard; ++g) {
        EXPECT_EQ(base[g], 0xFF) << "before buffer " << i;
        EXPECT_EQ(base[kGuard + tensor.bytes.size() + g], 0xFF) << "after buffer " << i;
      }
      if (is_input) {
        EXPECT_EQ(std::memcmp(buffers[i], tensor.bytes.data(), tensor.bytes.size()), 0)
            << "operand " << i << " was written";
      } else {
        std::memcpy(results[i - inputs.size()].bytes.data(), buffers[i], tensor.bytes.size());
      }
    }
    return results;
  }

  // Against the interpreter: |got - want| <= tolerance (1 + |want|) everywhere.
  void ExpectMatches(const std::vector<HostTensor>& inputs, double tolerance) {
    auto want = reference::Evaluate(body_, inputs);
    ASSERT_OK(want);
    const auto got = Run(inputs);
    ASSERT_EQ(got.size(), want->size());
    ASSERT_NO_FATAL_FAILURE(kernel_testing::ExpectNear(got, *want, tolerance, text_));
    const auto threaded = Run(inputs, /*parallel=*/true);
    for (size_t r = 0; r < got.size(); ++r)
      EXPECT_EQ(got[r].bytes, threaded[r].bytes) << "depends on threads\n" << text_;
  }

 private:
  std::string text_;
  std::unique_ptr<mlir::MLIRContext> context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  mlir::func::FuncOp body_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<Jit> jit_;
  const LoadedKernel* loaded_ = nullptr;
};

// Compiles `text` as `kind` and compares it with the interpreter on random inputs.
inline void ExpectKernelMatches(const std::string& kind, const std::string& text,
                                double tolerance = 1e-5, double low = -2, double high = 2) {
  auto kernel = CpuKernel::Compile(kind, text);
  ASSERT_TRUE(kernel.ok()) << kernel.status().ToString() << "\n" << text;
  (*kernel)->ExpectMatches((*kernel)->RandomInputs(7, low, high), tolerance);
}

}  // namespace trama::cpu
