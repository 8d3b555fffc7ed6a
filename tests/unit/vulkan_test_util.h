// Runs a kernel body, written as MLIR text, on the first Vulkan device and on the interpreter.
// Under the validation layer, whose messages are errors, and in both ABIs.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backends/codegen/kernel_source.h"
#include "backends/reference/interpreter.h"
#include "backends/vulkan/recorder.h"
#include "backends/vulkan/shader_cache.h"
#include "base/host_tensor.h"
#include "base/status_matchers.h"
#include "tests/unit/kernel_test_util.h"

namespace trama::vulkan {

using kernel_testing::Tensor;

enum class Abi { kAddress, kDescriptors };
inline const char* Name(Abi abi) { return abi == Abi::kAddress ? "address" : "descriptors"; }

struct TestDevice {
  std::unique_ptr<Device> device;
  std::unique_ptr<Memory> memory;
  std::unique_ptr<ShaderCache> shaders;

  // Under the validation layer. cache: a directory for compiled kernels.
  static absl::StatusOr<std::unique_ptr<TestDevice>> Open(DeviceOptions options,
                                                          bool staging = false,
                                                          const std::string& cache = "") {
    auto test = std::make_unique<TestDevice>();
    options.validation = true;
    TRAMA_ASSIGN_OR_RETURN(test->device, Device::Open(options));
    test->memory = std::make_unique<Memory>(*test->device, staging);
    test->shaders = std::make_unique<ShaderCache>(*test->memory, cache, /*threads=*/2);
    return test;
  }
  // as_gpu: with the kernels that a graphics processor gets.
  static absl::StatusOr<std::unique_ptr<TestDevice>> Open(Abi abi, bool staging = false,
                                                          bool as_gpu = false) {
    DeviceOptions options;
    options.device_address = abi == Abi::kAddress;
    if (as_gpu) options.is_cpu = false;
    return Open(options, staging);
  }

  // One an ABI for the whole process, until the end of its tests: opening takes a tenth of a
  // second.
  static absl::StatusOr<TestDevice*> Get(Abi abi, bool as_gpu = false) {
    std::unique_ptr<TestDevice>& device = shared[2 * as_gpu + (abi == Abi::kAddress)];
    if (!device) {
      TRAMA_ASSIGN_OR_RETURN(device, Open(abi, /*staging=*/false, as_gpu));
    }
    return device.get();
  }

  inline static std::unique_ptr<TestDevice> shared[4];
};

// Closes them before the layer's and the driver's own destructors run, and counts what the layer
// says then about objects that were left.
class CloseDevices : public ::testing::Environment {
  void TearDown() override {
    for (std::unique_ptr<TestDevice>& device : TestDevice::shared) device.reset();
    EXPECT_EQ(Device::messages_ever(), expected_messages) << "messages of the validation layer";
  }

 public:
  inline static int64_t expected_messages = 0;  // what tests provoke
};
inline ::testing::Environment* const close_devices =
    ::testing::AddGlobalTestEnvironment(new CloseDevices);

class VulkanKernel {
 public:
  // Without the cache on disk.
  static absl::StatusOr<std::unique_ptr<VulkanKernel>> Compile(const std::string& kind,
                                                               const std::string& text,
                                                               Abi abi = Abi::kAddress,
                                                               bool as_gpu = false) {
    TRAMA_ASSIGN_OR_RETURN(TestDevice * device, TestDevice::Get(abi, as_gpu));
    return Compile(kind, text, *device);
  }
  static absl::StatusOr<std::unique_ptr<VulkanKernel>> Compile(const std::string& kind,
                                                               const std::string& text,
                                                               TestDevice& device) {
    auto kernel = std::make_unique<VulkanKernel>();
    kernel->text_ = text;
    kernel->context_ = NewContext();
    TRAMA_ASSIGN_OR_RETURN(kernel->module_, codegen::ParseBody(*kernel->context_, text));
    kernel->body_ = *kernel->module_->getOps<mlir::func::FuncOp>().begin();
    kernel->device_ = &device;
    LoadStatistics statistics;
    TRAMA_ASSIGN_OR_RETURN(
        auto loaded, kernel->device_->shaders->Load({{kind, &kernel->text_, ""}}, &statistics));
    kernel->loaded_ = loaded[0];
    return kernel;
  }

  mlir::func::FuncOp body() { return body_; }
  const LoadedKernel& loaded() const { return *loaded_; }
  const Target& target() const { return device_->device->target(); }

  std::vector<HostTensor> RandomInputs(uint32_t seed, double low = -2, double high = 2) {
    return kernel_testing::RandomInputs(body_, seed, low, high);
  }

  // Results in memory that starts as NaN, between guard bytes that must stay; the workspaces start
  // as NaN too. Result `in_place[i].first` lies on operand `in_place[i].second`.
  absl::StatusOr<std::vector<HostTensor>> Run(
      const std::vector<HostTensor>& inputs,
      const std::vector<std::pair<size_t, size_t>>& in_place = {}) {
    std::vector<HostTensor> results;
    std::vector<BlockRange> ranges;
    uint64_t end = kGuard;
    const auto place = [&](uint64_t bytes) {
      ranges.push_back({0, end, bytes});
      end =
          (end + bytes + kGuard + Memory::kAlignment - 1) / Memory::kAlignment * Memory::kAlignment;
    };
    for (const HostTensor& input : inputs) place(input.bytes.size());
    for (mlir::Type type : body_.getResultTypes()) {
      const auto on = std::find_if(in_place.begin(), in_place.end(),
                                   [&](const auto& pair) { return pair.first == results.size(); });
      results.push_back(kernel_testing::ZeroTensor(type));
      if (on == in_place.end()) {
        place(results.back().bytes.size());
      } else {
        ranges.push_back(ranges[on->second]);
      }
    }
    std::vector<char> before(end, '\xFF');
    for (size_t i = 0; i < inputs.size(); ++i)
      std::copy(inputs[i].bytes.begin(), inputs[i].bytes.end(),
                reinterpret_cast<std::byte*>(before.data()) + ranges[i].offset);
    Memory& memory = *device_->memory;
    TRAMA_ASSIGN_OR_RETURN(auto block, memory.Alloc(end));
    TRAMA_RETURN_IF_ERROR(block->Write(0, before.data(), end));
    TRAMA_ASSIGN_OR_RETURN(auto workspace, memory.Alloc(loaded_->workspace_bytes));
    const std::vector<char> undefined(loaded_->workspace_bytes, '\xFF');
    TRAMA_RETURN_IF_ERROR(workspace->Write(0, undefined.data(), undefined.size()));

    std::vector<Step> steps;
    TRAMA_RETURN_IF_ERROR(AppendSteps(*loaded_, ranges, inputs.size(), 0, 0, steps));
    Buffer* blocks[] = {block.get()};
    TRAMA_ASSIGN_OR_RETURN(auto recording, Recording::Make(memory, steps, blocks, workspace.get(),
                                                           /*profile=*/false));
    TRAMA_RETURN_IF_ERROR(recording->Submit());
    TRAMA_RETURN_IF_ERROR(device_->device->Wait());
    TRAMA_RETURN_IF_ERROR(device_->device->CheckMessages());

    std::vector<char> after(end);
    TRAMA_RETURN_IF_ERROR(block->Read(0, after.data(), end));
    for (size_t r = 0; r < results.size(); ++r) {
      const BlockRange& range = ranges[inputs.size() + r];
      std::copy_n(reinterpret_cast<const std::byte*>(after.data()) + range.offset, range.bytes,
                  results[r].bytes.begin());
      std::memcpy(before.data() + range.offset, after.data() + range.offset, range.bytes);
    }
    const auto changed = std::mismatch(before.begin(), before.end(), after.begin());
    if (changed.first != before.end()) {
      const uint64_t at = static_cast<uint64_t>(changed.first - before.begin());
      return absl::InternalError(
          absl::StrCat(Describe(at, ranges, inputs.size()), " was written\n", text_));
    }
    return results;
  }

  // Against the interpreter: |got - want| <= tolerance (1 + |want|) everywhere; and twice the same.
  void ExpectMatches(const std::vector<HostTensor>& inputs, double tolerance,
                     const std::vector<std::pair<size_t, size_t>>& in_place = {}) {
    auto want = reference::Evaluate(body_, inputs);
    ASSERT_OK(want);
    auto got = Run(inputs, in_place);
    ASSERT_OK(got) << text_;
    ASSERT_NO_FATAL_FAILURE(kernel_testing::ExpectNear(*got, *want, tolerance, text_));
    auto again = Run(inputs, in_place);
    ASSERT_OK(again);
    for (size_t r = 0; r < got->size(); ++r)
      EXPECT_EQ((*got)[r].bytes, (*again)[r].bytes) << "not determined\n" << text_;
  }

 private:
  static constexpr uint64_t kGuard = 256;

  // The buffer at byte `at` of the block, or the nearest before it.
  static std::string Describe(uint64_t at, const std::vector<BlockRange>& ranges, size_t operands) {
    std::string text = "memory before all buffers";
    uint64_t nearest = 0;
    for (size_t i = 0; i < ranges.size(); ++i) {
      if (ranges[i].offset > at || ranges[i].offset < nearest) continue;
      nearest = ranges[i].offset;
      text = absl::StrCat("byte ", at - nearest, " of the ", ranges[i].bytes, " of ",
                          i < operands ? "operand " : "result ", i < operands ? i : i - operands);
    }
    return text;
  }

  std::string text_;
  std::unique_ptr<mlir::MLIRContext> context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  mlir::func::FuncOp body_;
  TestDevice* device_ = nullptr;
  const LoadedKernel* loaded_ = nullptr;
};

// Compiles `text` as `kind` and compares it with the interpreter on random inputs, in both ABIs;
// with descriptors as for a graphics processor.
inline void ExpectKernelMatches(const std::string& kind, const std::string& text,
                                double tolerance = 1e-5, double low = -2, double high = 2,
                                const std::vector<std::pair<size_t, size_t>>& in_place = {}) {
  for (Abi abi : {Abi::kAddress, Abi::kDescriptors}) {
    SCOPED_TRACE(Name(abi));
    auto kernel = VulkanKernel::Compile(kind, text, abi, /*as_gpu=*/abi == Abi::kDescriptors);
    ASSERT_TRUE(kernel.ok()) << kernel.status().ToString() << "\n" << text;
    ASSERT_NO_FATAL_FAILURE(
        (*kernel)->ExpectMatches((*kernel)->RandomInputs(7, low, high), tolerance, in_place));
  }
}

}  // namespace trama::vulkan
