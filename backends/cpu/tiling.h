// How a matrix product is cut into tiles, tasks and blocks of the depth, by its shape and layout.
#pragma once

#include "backends/codegen/product.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/tile.h"

namespace trama::cpu {

// Not worth cutting further.
constexpr double kTaskFlops = 150e3;

// Where a product of narrow elements has an operand that the kernel itself computed: in a buffer of
// floats, as Lane says, padded with zeros to a whole vector along the stride of 1.
struct Computed {
  bool left = false, right = false;
};

struct Tiling {
  Lane lane = Lane::kFloat;
  int64_t rows = 8, vectors = 3;  // of one tile
  int64_t row_block = 0;          // rows of a task, a multiple of `rows` unless all
  int64_t depth_block = 0;        // depth of a packed panel
  int64_t split_depth = 0;        // depth of a task, blocks of depth_block
  int64_t splits = 1;             // tasks that share one output
  bool pack = true;               // the right operand, by each task
  bool pack_left = false;         // the left one, by a phase before
  bool staged = false;            // the epilogue runs from memory, not from the accumulators
};

// The lanes in which elements of the type are multiplied.
Lane LaneOf(codegen::Type element, const Target& target);

Tiling ChooseTiling(const codegen::Product& product, const Computed& computed,
                    const Target& target);

}  // namespace trama::cpu
