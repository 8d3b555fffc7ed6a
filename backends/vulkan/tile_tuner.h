// Measures how fast the products of a plan are with each tile that they can have.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/vulkan/memory.h"
#include "backends/vulkan/shader_cache.h"
#include "backends/vulkan/tile_table.h"

namespace trama::vulkan {

// A product and what came of it. The times are of a dispatch of the whole kernel that has it.
struct TunedProduct {
  std::string product, kind;
  std::string builtin, fastest;  // tiles, by name
  double builtin_us = 0, fastest_us = 0;
  size_t tiles = 0;  // that were tried
};

// Times the products of `sources` on the device, each once and the others of its kernel with the
// built-in tiles, and enters into `table` where another tile than the built-in one is faster by
// more than the noise.
absl::StatusOr<std::vector<TunedProduct>> TuneTiles(Memory& memory, ShaderCache& shaders,
                                                    absl::Span<const KernelSource> sources,
                                                    TileTable& table);

// A list of objects with the members' names.
std::string TunedJson(absl::Span<const TunedProduct> products);

}  // namespace trama::vulkan
