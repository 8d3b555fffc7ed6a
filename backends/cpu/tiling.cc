#include "backends/cpu/tiling.h"

#include <algorithm>
#include <numeric>

#include "llvm/Support/MathExtras.h"

namespace trama::cpu {
namespace {
constexpr int64_t kTasks = 12;       // enough to keep a few threads equally busy
constexpr int64_t kMaxDepth = 1536;  // a panel of 48 columns then takes a third of L2; also what
                                     // one running sum may take before it loses digits
constexpr int64_t kMaxRowBlock = 1024;
constexpr int64_t kCacheBytes = 16 << 20;  // half of an L3 cache
constexpr int64_t kLine = 16;              // floats of a cache line

// How many steps down a column of A the L2 cache holds the lines of until the next tile of rows
// takes the other half of them: a stride of many lines meets few of the cache's sets.
int64_t ColumnDepth(int64_t stride) {
  constexpr int64_t kSets = 1024, kWays = 16;  // 1 MiB
  if (stride < kLine) return kMaxDepth;
  const int64_t sets = kSets / std::gcd(std::max<int64_t>(stride / kLine, 1), kSets);
  return std::max<int64_t>(sets * kWays, 128);
}

// The left operand is packed where a lane's elements cannot be read as they lie: narrow ones to be
// widened, pairs across the rows of memory, or one whose second is not there.
bool PacksLeft(const codegen::Product& p, const Computed& computed, Lane lane) {
  if (lane == Lane::kFloat) return !p.element.isF32() && !computed.left;
  return p.left_depth_stride != 1 || (p.depth % 2 != 0 && !computed.left);
}
}  // namespace

Lane LaneOf(codegen::Type element, const Target& target) {
  return element.isBF16() && target.bf16_dots ? Lane::kPair : Lane::kFloat;
}

Tiling ChooseTiling(const codegen::Product& p, const Computed& computed, const Target& target) {
  Tiling t;
  t.lane = LaneOf(p.element, target);
  t.pack_left = PacksLeft(p, computed, t.lane);
  const int64_t lanes = target.lanes, rows = p.rows(), depth = p.depth;
  const int64_t all_vectors = (p.columns() + lanes - 1) / lanes;
  const bool wide = target.registers >= 32, contiguous = p.right.strides.back() == 1;
  const bool narrow = !p.element.isF32();
  t.staged = p.epilogue.IsHeavy() ||
             (p.activation != Activation::none && p.activation != Activation::relu);

  if (rows <= 4 && contiguous) {
    // Decoding: every weight is read once, in rows as long as the registers allow.
    const int64_t most = (wide ? 16 : 8) / rows;
    t.vectors = std::min(all_vectors, most);
    while (t.vectors > 4 && p.batch() * ((all_vectors + t.vectors - 1) / t.vectors) < 8)
      t.vectors = (t.vectors + 1) / 2;
    t.rows = rows;
  } else {
    t.vectors = std::min<int64_t>(all_vectors, wide || t.pack_left ? 3 : 2);
    if (wide && all_vectors == 4) t.vectors = 2;
    const int64_t most = t.vectors == 1 ? (wide ? 16 : 8) : wide ? 8 : t.pack_left ? 4 : 6;
    const int64_t tiles = (rows + most - 1) / most;
    t.rows = (rows + tiles - 1) / tiles;
  }
  // A packed left operand lies in groups of `lanes` rows, which no tile may straddle.
  if (t.pack_left) t.rows = llvm::PowerOf2Ceil(t.rows);
  const int64_t panels = (all_vectors + t.vectors - 1) / t.vectors;
  const int64_t tiles = (rows + t.rows - 1) / t.rows;

  // Rows are cut where the panels alone are too few, but not so far that packing shows.
  const int64_t wanted =
      std::clamp<int64_t>(static_cast<int64_t>(p.flops() / kTaskFlops), 1, kTasks);
  const int64_t least_tiles = contiguous ? 8 : 24;
  int64_t blocks = std::max<int64_t>(1, (wanted + p.batch() * panels - 1) / (p.batch() * panels));
  blocks = std::clamp<int64_t>(blocks, 1, std::max<int64_t>(1, tiles / least_tiles));
  blocks = std::max(blocks, (rows + kMaxRowBlock - 1) / kMaxRowBlock);
  const int64_t block_tiles = (tiles + blocks - 1) / blocks;
  t.row_block = block_tiles * t.rows;

  const bool panel_as_it_lies = !narrow && panels == 1 && p.columns() % lanes == 0 &&
                                p.right_depth_stride <= 2 * t.vectors * lanes;
  t.pack = !contiguous || (block_tiles > 2 && !panel_as_it_lies);
  if (t.lane == Lane::kPair) t.pack |= depth % 2 != 0 || computed.right;

  const int64_t unit = lanes * DepthOf(t.lane);
  auto cut = [&](int64_t size, int64_t pieces) {
    const int64_t piece = (size + pieces - 1) / pieces;
    return piece < size ? (piece + unit - 1) / unit * unit : size;
  };
  const int64_t left_bytes = rows * depth * (t.lane == Lane::kPair ? 2 : 4);
  if (p.batch() * panels * tiles <= 4 && depth >= 4096)
    t.splits = std::clamp<int64_t>(depth / 1024, 2, 16);
  else if (left_bytes > kCacheBytes && depth >= 8192)
    t.splits = 8;
  t.split_depth = cut(std::max<int64_t>(depth, 1), t.splits);
  t.splits = (depth + t.split_depth - 1) / t.split_depth;
  t.depth_block = t.split_depth;
  const int64_t most_depth =
      t.pack_left ? kMaxDepth : std::min(kMaxDepth, ColumnDepth(p.left_depth_stride));
  if (t.depth_block > most_depth)
    t.depth_block = cut(t.split_depth, (t.split_depth + most_depth - 1) / most_depth);
  return t;
}

}  // namespace trama::cpu
