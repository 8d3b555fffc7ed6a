#include "backends/vulkan/pipeline.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama::vulkan {

uint32_t Pipeline::total_pieces() const {
  return std::accumulate(pieces.begin(), pieces.end(), uint32_t{0});
}

void ParallelFor(size_t count, int threads,
                 const std::function<void(size_t index, int thread)>& function) {
  std::atomic<size_t> next{0};
  const auto work = [&](int thread) {
    for (size_t i = next++; i < count; i = next++) function(i, thread);
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads && static_cast<size_t>(t) < count; ++t) others.emplace_back(work, t);
  work(0);
  for (std::thread& other : others) other.join();
}

Pipelines::Pipelines(Device& device, codegen::ObjectCache cache)
    : device_(device), cache_(std::move(cache)) {
  cache_key_ = codegen::Sha256Hex(absl::StrCat("vulkan pipelines\n", device.properties().identity));
  CreateDriverCache();
}

Pipelines::~Pipelines() {
  device_.Wait().IgnoreError();
  const Functions& vk = device_.vk;
  for (const auto& [digest, pipeline] : pipelines_)
    vk.DestroyPipeline(device_.handle(), pipeline->handle, nullptr);
  for (const auto& [count, layout] : layouts_) {
    vk.DestroyPipelineLayout(device_.handle(), layout.pipeline, nullptr);
    vk.DestroyDescriptorSetLayout(device_.handle(), layout.set, nullptr);
  }
  vk.DestroyPipelineCache(device_.handle(), driver_cache_, nullptr);
}

// Without it pipelines are made all the same: no error.
void Pipelines::CreateDriverCache() {
  stored_ = cache_.Find(cache_key_).value_or("");
  // A driver need not recognise what is not its own.
  const VkPipelineCacheHeaderVersionOne& header = device_.properties().cache_header;
  if (stored_.size() < sizeof(header) || std::memcmp(stored_.data(), &header, sizeof(header)) != 0)
    stored_.clear();
  VkPipelineCacheCreateInfo info = {VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
  info.initialDataSize = stored_.size();
  info.pInitialData = stored_.data();
  if (device_.vk.CreatePipelineCache(device_.handle(), &info, nullptr, &driver_cache_) !=
      VK_SUCCESS)
    driver_cache_ = VK_NULL_HANDLE;
}

void Pipelines::StoreDriverCache() {
  if (!driver_cache_) return;
  const Functions& vk = device_.vk;
  size_t size = 0;
  if (vk.GetPipelineCacheData(device_.handle(), driver_cache_, &size, nullptr) != VK_SUCCESS)
    return;
  std::string data(size, '\0');
  if (vk.GetPipelineCacheData(device_.handle(), driver_cache_, &size, data.data()) != VK_SUCCESS)
    return;
  data.resize(size);
  if (data == stored_) return;
  cache_.Store(cache_key_, data);
  stored_ = std::move(data);
}

absl::StatusOr<Pipelines::Layout> Pipelines::GetLayout(uint32_t buffers, bool address_table) {
  const Functions& vk = device_.vk;
  const bool addresses = device_.target().device_address;
  const uint32_t push_bytes = addresses ? 8 * (address_table ? 1 : buffers) : 0;
  const VkPhysicalDeviceLimits& limits = device_.properties().limits;
  if (push_bytes > limits.maxPushConstantsSize)
    return absl::InternalError(absl::StrCat("a shader wants ", push_bytes,
                                            " bytes of push constants, the device has ",
                                            limits.maxPushConstantsSize));
  const uint32_t most = device_.target().max_descriptors;
  if (!addresses && buffers > most)
    return absl::UnimplementedError(absl::StrCat("a kernel uses ", buffers,
                                                 " buffers, the device has ", most,
                                                 " descriptors: use abi=address"));
  auto [found, is_new] = layouts_.try_emplace(addresses ? push_bytes : buffers);
  Layout& layout = found->second;
  if (!is_new && layout.pipeline) return layout;
  VkPipelineLayoutCreateInfo info = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
  const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, push_bytes};
  if (push_bytes) {
    info.pushConstantRangeCount = 1;
    info.pPushConstantRanges = &push;
  }
  if (!addresses) {
    std::vector<VkDescriptorSetLayoutBinding> bindings(buffers);
    for (uint32_t i = 0; i < buffers; ++i)
      bindings[i] = {i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
    VkDescriptorSetLayoutCreateInfo set = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
    set.bindingCount = buffers;
    set.pBindings = bindings.data();
    TRAMA_VULKAN_RETURN_IF_ERROR(
        vk.CreateDescriptorSetLayout(device_.handle(), &set, nullptr, &layout.set),
        "creating a descriptor layout");
    info.setLayoutCount = 1;
    info.pSetLayouts = &layout.set;
  }
  TRAMA_VULKAN_RETURN_IF_ERROR(
      vk.CreatePipelineLayout(device_.handle(), &info, nullptr, &layout.pipeline),
      "creating a pipeline layout");
  return layout;
}

absl::Status Pipelines::Create(const Shader& shader, Pipeline& pipeline) {
  const Functions& vk = device_.vk;
  VkShaderModuleCreateInfo module_info = {VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
  module_info.codeSize = shader.words.size() * sizeof(uint32_t);
  module_info.pCode = shader.words.data();
  VkShaderModule module = VK_NULL_HANDLE;
  TRAMA_VULKAN_RETURN_IF_ERROR(
      vk.CreateShaderModule(device_.handle(), &module_info, nullptr, &module), "loading a shader");
  VkComputePipelineCreateInfo info = {VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO};
  info.stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO};
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module;
  info.stage.pName = "main";
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
      VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO};
  size.requiredSubgroupSize = shader.subgroup_size;
  if (shader.subgroup_size) {
    info.stage.pNext = &size;
    info.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
  }
  info.layout = pipeline.layout;
  const VkResult result = vk.CreateComputePipelines(device_.handle(), driver_cache_, 1, &info,
                                                    nullptr, &pipeline.handle);
  vk.DestroyShaderModule(device_.handle(), module, nullptr);
  return ToStatus(result, "compiling a shader");
}

absl::StatusOr<std::vector<const Pipeline*>> Pipelines::Get(absl::Span<const Shader* const> shaders,
                                                            int threads) {
  std::vector<std::string> digests;
  std::map<std::string, size_t> missing;  // the first shader with that digest
  for (const Shader* shader : shaders) {
    const auto bytes = [](const std::vector<uint32_t>& words) {
      return absl::string_view(reinterpret_cast<const char*>(words.data()),
                               words.size() * sizeof(uint32_t));
    };
    digests.push_back(codegen::Sha256Hex(
        absl::StrCat(shader->address_table, " ", shader->subgroup_size, " ", shader->pieces.size(),
                     " ", bytes(shader->pieces), bytes(shader->words))));
    if (!pipelines_.contains(digests.back())) missing.emplace(digests.back(), digests.size() - 1);
  }
  struct Job {
    const Shader* shader;
    const std::string* digest;
    std::unique_ptr<Pipeline> pipeline;
    absl::Status status;
  };
  std::vector<Job> jobs;
  for (const auto& [digest, index] : missing) {
    auto pipeline = std::make_unique<Pipeline>();
    pipeline->pieces = shaders[index]->pieces;
    pipeline->address_table = shaders[index]->address_table;
    TRAMA_ASSIGN_OR_RETURN(const Layout layout,
                           GetLayout(pipeline->total_pieces(), pipeline->address_table));
    pipeline->layout = layout.pipeline;
    pipeline->set_layout = layout.set;
    jobs.push_back({shaders[index], &digest, std::move(pipeline), absl::OkStatus()});
  }
  ParallelFor(jobs.size(), threads,
              [&](size_t i, int) { jobs[i].status = Create(*jobs[i].shader, *jobs[i].pipeline); });
  absl::Status status;
  for (Job& job : jobs) {
    status.Update(job.status);
    if (job.status.ok()) pipelines_[*job.digest] = std::move(job.pipeline);
  }
  TRAMA_RETURN_IF_ERROR(status);
  if (!jobs.empty()) StoreDriverCache();
  std::vector<const Pipeline*> result;
  for (const std::string& digest : digests) result.push_back(pipelines_.at(digest).get());
  return result;
}

}  // namespace trama::vulkan
