// Programs run on a backend plugin.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/device.h"

namespace trama {

// The results of the module's one program, compiled for the device by the whole pipeline, which
// changes the module. `inputs`: one an argument, in its dtype.
absl::StatusOr<std::vector<HostTensor>> RunOnDevice(Device& device, mlir::ModuleOp module,
                                                    const std::vector<HostTensor>& inputs);

}  // namespace trama
