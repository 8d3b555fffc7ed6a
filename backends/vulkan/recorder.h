// Programs as lists of dispatches, and their recording: command buffers made once for a set of
// blocks and run again and again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/api/plan.pb.h"
#include "backends/vulkan/barriers.h"
#include "backends/vulkan/memory.h"
#include "backends/vulkan/shader_cache.h"

namespace trama::vulkan {

// A tensor's bytes in a block of the plan.
struct BlockRange {
  uint32_t block = 0;
  uint64_t offset = 0, bytes = 0;
};

// One argument of a step's shader.
struct Argument {
  enum Kind : uint8_t { kBlock, kWorkspace, kConstant };
  Kind kind = kBlock;
  uint32_t block = 0;                // kBlock: which
  const Buffer* constant = nullptr;  // kConstant: of which buffer
  uint64_t offset = 0, bytes = 0;
  bool reads = false, writes = false;
};

// One phase of one dispatch.
struct Step {
  const Pipeline* pipeline = nullptr;
  std::array<uint32_t, 3> workgroups = {1, 1, 1};
  std::vector<Argument> arguments;
  uint32_t dispatch = 0;  // of the program
  double flops = 0;
};

// The steps of one dispatch of `kernel`; those with an empty grid are left out. ranges: of its
// operands, then its results.
absl::Status AppendSteps(const LoadedKernel& kernel, absl::Span<const BlockRange> ranges,
                         size_t operands, uint32_t dispatch, double flops,
                         std::vector<Step>& steps);

// The steps of a program. kernels: one a kernel of the plan.
absl::StatusOr<std::vector<Step>> MakeSteps(const plan::Plan& plan, const plan::Program& program,
                                            absl::Span<const LoadedKernel* const> kernels);

class Recording {
 public:
  // profile: with the time of each step, one after the other. The blocks, the workspace and what
  // the steps point to must stay while it runs.
  static absl::StatusOr<std::unique_ptr<Recording>> Make(Memory& memory,
                                                         absl::Span<const Step> steps,
                                                         absl::Span<Buffer* const> blocks,
                                                         const Buffer* workspace, bool profile);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // Whether it is of these blocks and this workspace.
  bool IsOf(absl::Span<Buffer* const> blocks, const Buffer* workspace) const;
  // Starts it, after what was submitted before. Its results are there when the device's Wait ends.
  absl::Status Submit();
  // Nanoseconds of each step, in the run that ended last; of a recording with profile.
  absl::StatusOr<std::vector<double>> StepTimes() const;

  size_t submissions() const { return commands_.size(); }
  size_t barriers() const { return barriers_; }

 private:
  explicit Recording(Memory& memory) : memory_(memory), device_(memory.device()) {}
  static std::vector<uint64_t> Identity(absl::Span<Buffer* const> blocks, const Buffer* workspace);
  absl::Status Prepare(absl::Span<const Step> steps, bool profile);
  absl::Status Record(absl::Span<const Step> steps);
  absl::Status Bind(const Step& step, size_t index, VkCommandBuffer commands);
  absl::Status WriteAddressTables(absl::Span<const Step> steps);
  const Buffer& BufferOf(const Argument& argument) const;
  // Offset and bytes of piece `piece` of an argument.
  ByteRange PieceOf(const Argument& argument, uint32_t piece) const;
  void Barrier(VkCommandBuffer commands) const;

  Memory& memory_;
  Device& device_;
  std::vector<uint64_t> identity_;
  std::vector<Buffer*> blocks_;
  const Buffer* workspace_ = nullptr;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  std::vector<VkCommandBuffer> commands_;  // one a submission
  std::vector<size_t> first_step_;         // of each, and the end
  VkDescriptorPool descriptors_ = VK_NULL_HANDLE;
  std::vector<VkDescriptorSet> sets_;  // one a step, in the descriptor ABI
  std::unique_ptr<Buffer> address_tables_;
  std::vector<uint64_t> table_offsets_;  // of each step's
  VkQueryPool queries_ = VK_NULL_HANDLE;
  size_t steps_ = 0, barriers_ = 0;
  uint64_t last_submission_ = 0;
};

}  // namespace trama::vulkan
