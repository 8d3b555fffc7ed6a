// What the compiler asks of a device, from its info().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace trama {

struct DeviceTarget {
  bool compiles_bodies = true;  // kernels may hold more than one op
  std::vector<std::string> anchors =
      {};                   // composites it has its own code for: "matmul", "attention"
  uint64_t alignment = 64;  // of buffers in a block, bytes
  uint64_t max_block_bytes = UINT64_MAX;
  uint64_t memory_bytes = UINT64_MAX;
};

}  // namespace trama
