// Fresh parameters.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "frontend/nn.h"

namespace trama {

// Every parameter of `module` (f32) drawn as its declaration says. An element depends on the seed,
// the parameter's name and its own index alone: not on the other parameters, nor on the platform.
// ResourceExhausted where the machine's memory does not hold them.
absl::StatusOr<TensorMap> InitialParameters(const nn::Module& module, uint64_t seed);

// One of them.
HostTensor InitialParameter(const nn::Parameter& parameter, uint64_t seed);

}  // namespace trama
