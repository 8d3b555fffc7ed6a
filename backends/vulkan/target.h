// A Vulkan device as far as it decides the code of kernels; filled from its queries, never
// constants.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace trama::vulkan {

class TileChoice;

// A product that the invocations of a subgroup compute together (VK_KHR_cooperative_matrix):
// [m, k] times [k, n], both of `element`, added to [m, n] of f32.
struct MatrixShape {
  enum Element : uint8_t { kF16, kBF16, kF32 };
  Element element = kF16;
  uint32_t m = 16, n = 16, k = 16;

  bool operator==(const MatrixShape&) const = default;
};
// "matrix_f16_16x16x16", m x n x k.
std::string Name(const MatrixShape& shape);

struct Target {
  // How a kernel gets its buffers: addresses in push constants, or storage buffers of a descriptor
  // set.
  bool device_address = true;

  // maxComputeWorkGroupInvocations, -Size, -Count (x), maxComputeSharedMemorySize.
  uint32_t max_invocations = 128;
  uint32_t max_workgroup_size[3] = {128, 128, 64};
  uint32_t max_workgroups = 65535;  // in each dimension
  uint32_t shared_bytes = 16384;
  uint32_t max_push_bytes = 128;
  uint32_t max_descriptors = 4;                   // storage buffers of a shader
  uint64_t max_buffer_range = uint64_t{1} << 27;  // maxStorageBufferRange, a multiple of 256
  uint32_t subgroup_size = 32;
  bool subgroup_arithmetic = false;  // subgroup reductions in compute shaders
  bool subgroup_shuffle = false;     // PhaseBuilder::Shuffle

  // Arithmetic and storage beside f32 and i32.
  bool int8 = false, int16 = false, int64 = false, float16 = false, float64 = false;
  bool storage8 = false, storage16 = false;
  // f32 arithmetic can be told to keep -0, infinities and NaN
  // (shaderSignedZeroInfNanPreserveFloat32).
  bool special_values = false;

  // What subgroups of matrix_subgroup_size multiply. Not empty only where shaders may use Vulkan's
  // memory model, and a workgroup can be told to consist of whole subgroups of that size, eight of
  // them at least.
  std::vector<MatrixShape> matrices;
  uint32_t matrix_subgroup_size = 32;

  // A processor that runs shaders in software (lavapipe, SwiftShader): workgroup memory is plain
  // memory there and one invocation should do much.
  bool is_cpu = false;

  // How matrix products are cut (product_tile.h); null: by the built-in table.
  std::shared_ptr<const TileChoice> tiles;
};

}  // namespace trama::vulkan
