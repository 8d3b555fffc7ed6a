// A plan on a device with its memory: inputs and outputs by name.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "runtime/device.h"

namespace trama::conformance {

class LoadedPlan {
 public:
  // Its memory is zero, as alloc() promises.
  static absl::StatusOr<LoadedPlan> Make(Device& device, plan::Plan plan);

  // Fills every block with a pattern that no kernel leaves (0xCD: -4.3e8 as f32).
  absl::Status Scramble();
  absl::Status Write(const plan::Binding& binding, const HostTensor& value);
  absl::StatusOr<HostTensor> Read(const plan::Binding& binding) const;
  // The same by name, in program `program`; a value is an output or, as state that the program
  // updates, an input. NotFound.
  absl::Status WriteInput(int program, const std::string& name, const HostTensor& value);
  absl::StatusOr<HostTensor> ReadValue(int program, const std::string& name) const;
  absl::Status Run(int program);

  const plan::Plan& plan() const { return plan_; }

 private:
  LoadedPlan(Device& device, plan::Plan plan) : device_(&device), plan_(std::move(plan)) {}

  Device* device_;
  plan::Plan plan_;
  Executable executable_;
  std::vector<Buffer> blocks_;
};

// Whether `value` is still what Scramble left.
bool IsScrambled(const HostTensor& tensor, int64_t element);

}  // namespace trama::conformance
