#include "backends/conformance/plan_memory.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama::conformance {
namespace {

constexpr char kPattern = static_cast<char>(0xCD);

absl::StatusOr<plan::Binding> Find(const google::protobuf::RepeatedPtrField<plan::Binding>& list,
                                   const std::string& name) {
  for (const plan::Binding& binding : list)
    if (binding.name() == name) return binding;
  return absl::NotFoundError(absl::StrCat("the program has no ", name));
}

}  // namespace

absl::StatusOr<LoadedPlan> LoadedPlan::Make(Device& device, plan::Plan plan) {
  LoadedPlan loaded(device, std::move(plan));
  TRAMA_ASSIGN_OR_RETURN(loaded.executable_, device.Load(loaded.plan_));
  TRAMA_ASSIGN_OR_RETURN(loaded.blocks_, device.AllocBlocks(loaded.plan_));
  return loaded;
}

absl::Status LoadedPlan::Scramble() {
  for (Buffer& block : blocks_) {
    const std::vector<char> bytes(block.size(), kPattern);
    TRAMA_RETURN_IF_ERROR(block.Write(0, bytes.data(), bytes.size()));
  }
  return absl::OkStatus();
}

absl::Status LoadedPlan::Write(const plan::Binding& binding, const HostTensor& value) {
  const plan::Buffer& buffer = plan_.buffers(binding.buffer());
  return blocks_[buffer.block()].Write(buffer.offset(), value.bytes.data(), value.bytes.size());
}

absl::StatusOr<HostTensor> LoadedPlan::Read(const plan::Binding& binding) const {
  const plan::Buffer& buffer = plan_.buffers(binding.buffer());
  HostTensor value(*DTypeFromName(buffer.type().dtype()),
                   Shape(buffer.type().shape().begin(), buffer.type().shape().end()));
  TRAMA_RETURN_IF_ERROR(
      blocks_[buffer.block()].Read(buffer.offset(), value.bytes.data(), value.bytes.size()));
  return value;
}

absl::Status LoadedPlan::WriteInput(int program, const std::string& name, const HostTensor& value) {
  TRAMA_ASSIGN_OR_RETURN(const plan::Binding binding, Find(plan_.programs(program).inputs(), name));
  return Write(binding, value);
}

absl::StatusOr<HostTensor> LoadedPlan::ReadValue(int program, const std::string& name) const {
  absl::StatusOr<plan::Binding> binding = Find(plan_.programs(program).outputs(), name);
  if (!binding.ok()) binding = Find(plan_.programs(program).inputs(), name);
  if (!binding.ok()) return binding.status();
  return Read(*binding);
}

absl::Status LoadedPlan::Run(int program) {
  TRAMA_RETURN_IF_ERROR(executable_.Run(program, blocks_));
  return device_->Wait();
}

bool IsScrambled(const HostTensor& tensor, int64_t element) {
  const size_t size = SizeOf(tensor.dtype);
  const std::byte* begin = tensor.bytes.data() + element * size;
  return std::all_of(begin, begin + size,
                     [](std::byte b) { return b == static_cast<std::byte>(kPattern); });
}

}  // namespace trama::conformance
