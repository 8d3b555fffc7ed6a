// What the compiler asks of a device, from its info().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace trama {

struct DeviceTarget {
  bool compiles_bodies = true;  // kernels may hold more than one op
  std::vector<std::string> anchors =
      {};  // composites it has its own code for: "matmul", "attention"
  // Element types below f32 whose products it computes; operands of others are widened before.
  std::vector<std::string> narrow_products = {"bf16", "f16"};
  uint64_t alignment = 64;  // of buffers in a block, bytes
  uint64_t max_block_bytes = UINT64_MAX;
  uint64_t memory_bytes = UINT64_MAX;
};

}  // namespace trama
