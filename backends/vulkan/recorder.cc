#include "backends/vulkan/recorder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
// One submission's most: a driver that watches over its queue ends one that takes seconds. Slow
// devices do some 1e11 operations a second.
constexpr size_t kMaxSteps = 256;
constexpr double kMaxFlops = 1e11;

constexpr VkAccessFlags kShaderAccess = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;

// The first step of each submission, and the end.
std::vector<size_t> Split(absl::Span<const Step> steps) {
  std::vector<size_t> first = {0};
  double flops = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const bool full = i - first.back() == kMaxSteps || flops + steps[i].flops > kMaxFlops;
    if (full && i > first.back()) {
      first.push_back(i);
      flops = 0;
    }
    flops += steps[i].flops;
  }
  first.push_back(steps.size());
  return first;
}
}  // namespace

absl::Status AppendSteps(const LoadedKernel& kernel, absl::Span<const BlockRange> ranges,
                         size_t operands, uint32_t dispatch, double flops,
                         std::vector<Step>& steps) {
  for (const LoadedPhase& phase : kernel.phases) {
    Step step = {phase.pipeline,
                 phase.workgroups,
                 {},
                 dispatch,
                 flops / static_cast<double>(kernel.phases.size())};
    for (const BufferUse& use : phase.buffers) {
      Argument argument;
      argument.reads = use.reads;
      argument.writes = use.writes;
      const size_t index = use.kind == BufferUse::kResult ? operands + use.index : use.index;
      const size_t count = use.kind == BufferUse::kOperand     ? operands
                           : use.kind == BufferUse::kResult    ? ranges.size()
                           : use.kind == BufferUse::kWorkspace ? kernel.workspaces.size()
                                                               : kernel.constants.size();
      if (index >= count)
        return absl::InternalError(
            absl::StrCat("a kernel of dispatch ", dispatch, " uses buffer ", index, " of ", count));
      ByteRange range;
      switch (use.kind) {
        case BufferUse::kOperand:
        case BufferUse::kResult:
          argument.kind = Argument::kBlock;
          argument.block = ranges[index].block;
          range = {ranges[index].offset, ranges[index].bytes};
          break;
        case BufferUse::kWorkspace:
          argument.kind = Argument::kWorkspace;
          range = kernel.workspaces[index];
          break;
        case BufferUse::kConstant:
          argument.kind = Argument::kConstant;
          argument.constant = kernel.constant_data.get();
          range = kernel.constants[index];
          break;
      }
      if (use.offset > range.bytes)
        return absl::InternalError(absl::StrCat("a kernel of dispatch ", dispatch,
                                                " begins beyond the end of buffer ", index));
      argument.offset = range.offset + use.offset;
      argument.bytes = range.bytes - use.offset;
      step.arguments.push_back(argument);
    }
    const auto is_first = [&](const Argument& a) {
      const Argument& first = step.arguments.front();
      return a.kind == first.kind && a.block == first.block && a.offset == first.offset;
    };
    if (phase.is_copy && std::all_of(step.arguments.begin(), step.arguments.end(), is_first))
      continue;
    const auto& grid = step.workgroups;
    if (grid[0] > 0 && grid[1] > 0 && grid[2] > 0) steps.push_back(std::move(step));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Step>> MakeSteps(const plan::Plan& plan, const plan::Program& program,
                                            absl::Span<const LoadedKernel* const> kernels) {
  std::vector<Step> steps;
  for (int d = 0; d < program.dispatches_size(); ++d) {
    const plan::Dispatch& dispatch = program.dispatches(d);
    std::vector<BlockRange> ranges;
    const auto add = [&](uint32_t index) {
      const plan::Buffer& buffer = plan.buffers(static_cast<int>(index));
      ranges.push_back({buffer.block(), buffer.offset(), buffer.bytes()});
    };
    for (uint32_t operand : dispatch.operands()) add(operand);
    for (uint32_t result : dispatch.results()) add(result);
    TRAMA_RETURN_IF_ERROR(
        AppendSteps(*kernels[dispatch.kernel()], ranges,
                    static_cast<size_t>(dispatch.operands_size()), static_cast<uint32_t>(d),
                    plan.kernels(static_cast<int>(dispatch.kernel())).flops(), steps));
  }
  return steps;
}

absl::StatusOr<std::unique_ptr<Recording>> Recording::Make(Memory& memory,
                                                           absl::Span<const Step> steps,
                                                           absl::Span<Buffer* const> blocks,
                                                           const Buffer* workspace, bool profile) {
  std::unique_ptr<Recording> recording(new Recording(memory));
  recording->identity_ = Identity(blocks, workspace);
  recording->blocks_.assign(blocks.begin(), blocks.end());
  recording->workspace_ = workspace;
  TRAMA_RETURN_IF_ERROR(recording->Prepare(steps, profile));
  TRAMA_RETURN_IF_ERROR(recording->WriteAddressTables(steps));
  TRAMA_RETURN_IF_ERROR(recording->Record(steps));
  return recording;
}

Recording::~Recording() {
  device_.Wait(last_submission_).IgnoreError();
  const Functions& vk = device_.vk;
  vk.DestroyCommandPool(device_.handle(), pool_, nullptr);
  vk.DestroyDescriptorPool(device_.handle(), descriptors_, nullptr);
  vk.DestroyQueryPool(device_.handle(), queries_, nullptr);
}

std::vector<uint64_t> Recording::Identity(absl::Span<Buffer* const> blocks,
                                          const Buffer* workspace) {
  std::vector<uint64_t> identity = {workspace ? workspace->id() : 0};
  for (const Buffer* block : blocks) identity.push_back(block->id());
  return identity;
}

bool Recording::IsOf(absl::Span<Buffer* const> blocks, const Buffer* workspace) const {
  return identity_ == Identity(blocks, workspace);
}

const Buffer& Recording::BufferOf(const Argument& argument) const {
  switch (argument.kind) {
    case Argument::kBlock:
      return *blocks_[argument.block];
    case Argument::kWorkspace:
      return *workspace_;
    case Argument::kConstant:
      break;
  }
  return *argument.constant;
}

ByteRange Recording::PieceOf(const Argument& argument, uint32_t piece) const {
  const uint64_t most = device_.target().max_buffer_range;
  // Kernels read whole words; blocks are padded to them.
  const uint64_t bytes = std::max<uint64_t>((argument.bytes + 3) / 4 * 4, 4);
  const uint64_t at = std::min(piece * most, bytes - 4);
  return {argument.offset + at, std::min(bytes - at, most)};
}

absl::Status Recording::Prepare(absl::Span<const Step> steps, bool profile) {
  const Functions& vk = device_.vk;
  steps_ = steps.size();
  first_step_ = Split(steps);
  VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
  pool.queueFamilyIndex = device_.properties().queue_family;
  TRAMA_VULKAN_RETURN_IF_ERROR(vk.CreateCommandPool(device_.handle(), &pool, nullptr, &pool_),
                               "creating a command pool");
  commands_.resize(first_step_.size() - 1);
  VkCommandBufferAllocateInfo buffers = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
  buffers.commandPool = pool_;
  buffers.commandBufferCount = static_cast<uint32_t>(commands_.size());
  TRAMA_VULKAN_RETURN_IF_ERROR(
      vk.AllocateCommandBuffers(device_.handle(), &buffers, commands_.data()),
      "creating command buffers");
  if (profile) {
    VkQueryPoolCreateInfo queries = {VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO};
    queries.queryType = VK_QUERY_TYPE_TIMESTAMP;
    queries.queryCount = static_cast<uint32_t>(steps_ + 1);
    TRAMA_VULKAN_RETURN_IF_ERROR(vk.CreateQueryPool(device_.handle(), &queries, nullptr, &queries_),
                                 "creating timestamps");
  }
  if (device_.target().device_address || steps.empty()) return absl::OkStatus();

  VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 0};
  std::vector<VkDescriptorSetLayout> layouts;
  for (const Step& step : steps) {
    size.descriptorCount += step.pipeline->total_pieces();
    layouts.push_back(step.pipeline->set_layout);
  }
  VkDescriptorPoolCreateInfo descriptors = {VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO};
  descriptors.maxSets = static_cast<uint32_t>(steps_);
  descriptors.poolSizeCount = 1;
  descriptors.pPoolSizes = &size;
  TRAMA_VULKAN_RETURN_IF_ERROR(
      vk.CreateDescriptorPool(device_.handle(), &descriptors, nullptr, &descriptors_),
      "creating descriptors");
  VkDescriptorSetAllocateInfo sets = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO};
  sets.descriptorPool = descriptors_;
  sets.descriptorSetCount = static_cast<uint32_t>(steps_);
  sets.pSetLayouts = layouts.data();
  sets_.resize(steps_);
  TRAMA_VULKAN_RETURN_IF_ERROR(vk.AllocateDescriptorSets(device_.handle(), &sets, sets_.data()),
                               "creating descriptors");
  return absl::OkStatus();
}

absl::Status Recording::WriteAddressTables(absl::Span<const Step> steps) {
  if (!device_.target().device_address) return absl::OkStatus();
  std::vector<VkDeviceAddress> tables;
  for (const Step& step : steps) {
    table_offsets_.push_back(tables.size() * sizeof(VkDeviceAddress));
    if (!step.pipeline->address_table) continue;
    for (size_t a = 0; a < step.arguments.size(); ++a)
      for (uint32_t piece = 0; piece < step.pipeline->pieces[a]; ++piece)
        tables.push_back(BufferOf(step.arguments[a]).address() +
                         PieceOf(step.arguments[a], piece).offset);
    tables.resize((tables.size() + 1) / 2 * 2);  // each at a multiple of 16 bytes
  }
  if (tables.empty()) return absl::OkStatus();
  const size_t bytes = tables.size() * sizeof(VkDeviceAddress);
  TRAMA_ASSIGN_OR_RETURN(address_tables_, memory_.Alloc(bytes));
  return address_tables_->Write(0, tables.data(), bytes);
}

void Recording::Barrier(VkCommandBuffer commands) const {
  VkMemoryBarrier barrier = {VK_STRUCTURE_TYPE_MEMORY_BARRIER};
  barrier.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT;
  barrier.dstAccessMask = kShaderAccess;
  device_.vk.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1, &barrier, 0, nullptr, 0,
                                nullptr);
}

absl::Status Recording::Bind(const Step& step, size_t index, VkCommandBuffer commands) {
  const Functions& vk = device_.vk;
  const Pipeline& pipeline = *step.pipeline;
  const uint32_t count = pipeline.total_pieces();
  if (pipeline.address_table) {
    const VkDeviceAddress table = address_tables_->address() + table_offsets_[index];
    vk.CmdPushConstants(commands, pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(table),
                        &table);
    return absl::OkStatus();
  }
  std::vector<VkDeviceAddress> addresses;
  std::vector<VkDescriptorBufferInfo> descriptors;
  for (size_t a = 0; a < step.arguments.size(); ++a) {
    const Argument& argument = step.arguments[a];
    const Buffer& buffer = BufferOf(argument);
    const uint64_t most = device_.target().max_buffer_range;
    if (!device_.target().device_address && pipeline.pieces[a] * most < argument.bytes)
      return absl::UnimplementedError(
          absl::StrCat("a kernel wants a buffer of ", argument.bytes, " bytes, a descriptor of ",
                       device_.properties().name, " holds ", most, ": use abi=address"));
    for (uint32_t piece = 0; piece < pipeline.pieces[a]; ++piece) {
      const ByteRange range = PieceOf(argument, piece);
      addresses.push_back(buffer.address() + range.offset);
      descriptors.push_back({buffer.handle(), range.offset, range.bytes});
    }
  }
  if (device_.target().device_address) {
    vk.CmdPushConstants(commands, pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                        count * sizeof(VkDeviceAddress), addresses.data());
    return absl::OkStatus();
  }
  std::vector<VkWriteDescriptorSet> writes(count, {VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET});
  for (uint32_t i = 0; i < count; ++i) {
    writes[i].dstSet = sets_[index];
    writes[i].dstBinding = i;
    writes[i].descriptorCount = 1;
    writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    writes[i].pBufferInfo = &descriptors[i];
  }
  vk.UpdateDescriptorSets(device_.handle(), count, writes.data(), 0, nullptr);
  vk.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout, 0, 1,
                           &sets_[index], 0, nullptr);
  return absl::OkStatus();
}

absl::Status Recording::Record(absl::Span<const Step> steps) {
  const Functions& vk = device_.vk;
  BarrierPlanner planner;
  std::vector<Access> accesses;
  for (size_t s = 0; s < commands_.size(); ++s) {
    VkCommandBuffer commands = commands_[s];
    VkCommandBufferBeginInfo begin = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    TRAMA_VULKAN_RETURN_IF_ERROR(vk.BeginCommandBuffer(commands, &begin), "recording a program");
    if (s == 0) {
      Barrier(commands);  // after the program before
      if (queries_) {
        vk.CmdResetQueryPool(commands, queries_, 0, static_cast<uint32_t>(steps_ + 1));
        vk.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, queries_, 0);
      }
    }
    VkPipeline bound = VK_NULL_HANDLE;
    for (size_t i = first_step_[s]; i < first_step_[s + 1]; ++i) {
      const Step& step = steps[i];
      accesses.clear();
      for (const Argument& argument : step.arguments)
        accesses.push_back({BufferOf(argument).id(), argument.offset,
                            argument.offset + argument.bytes, argument.reads, argument.writes});
      // To be measured each step runs alone.
      if (planner.Next(accesses) || (queries_ && i > 0)) {
        Barrier(commands);
        ++barriers_;
      }
      if (step.pipeline->handle != bound)
        vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, step.pipeline->handle);
      bound = step.pipeline->handle;
      TRAMA_RETURN_IF_ERROR(Bind(step, i, commands));
      vk.CmdDispatch(commands, step.workgroups[0], step.workgroups[1], step.workgroups[2]);
      if (queries_)
        vk.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, queries_,
                             static_cast<uint32_t>(i + 1));
    }
    if (s + 1 == commands_.size()) {  // what was written, to the host and to copies
      VkMemoryBarrier barrier = {VK_STRUCTURE_TYPE_MEMORY_BARRIER};
      barrier.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT;
      barrier.dstAccessMask =
          VK_ACCESS_HOST_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
      vk.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                            VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1,
                            &barrier, 0, nullptr, 0, nullptr);
    }
    TRAMA_VULKAN_RETURN_IF_ERROR(vk.EndCommandBuffer(commands), "recording a program");
  }
  return absl::OkStatus();
}

absl::Status Recording::Submit() {
  // A command buffer runs once at a time.
  TRAMA_RETURN_IF_ERROR(device_.Wait(last_submission_));
  for (VkCommandBuffer commands : commands_) {
    TRAMA_RETURN_IF_ERROR(device_.Submit(commands));
    last_submission_ = device_.submitted();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> Recording::StepTimes() const {
  TRAMA_RETURN_IF_ERROR(device_.Wait(last_submission_));
  std::vector<uint64_t> ticks(steps_ + 1);
  TRAMA_VULKAN_RETURN_IF_ERROR(
      device_.vk.GetQueryPoolResults(
          device_.handle(), queries_, 0, static_cast<uint32_t>(ticks.size()),
          ticks.size() * sizeof(uint64_t), ticks.data(), sizeof(uint64_t),
          VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
      "reading timestamps");
  const uint32_t bits = device_.properties().timestamp_bits;
  const uint64_t mask = bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  std::vector<double> ns;
  for (size_t i = 0; i < steps_; ++i)
    ns.push_back(static_cast<double>((ticks[i + 1] - ticks[i]) & mask) *
                 double{device_.properties().limits.timestampPeriod});
  return ns;
}

}  // namespace trama::vulkan
