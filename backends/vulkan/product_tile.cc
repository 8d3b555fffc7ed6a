#include "backends/vulkan/product_tile.h"

#include <algorithm>
#include <optional>

#include "backends/vulkan/matrix_product.h"
#include "backends/vulkan/product_operand.h"
#include "backends/vulkan/quads.h"

namespace trama::vulkan {
namespace {

// Drivers on processors: an invocation is a lane of a vector, and the sums of these many rows and
// quads of columns stay in the first cache. Measured on lavapipe with 8 lanes.
constexpr int64_t kProcessorRows = 16, kProcessorRuns = 2;
constexpr int64_t kProcessorWorkgroups = 32;  // keep a few threads equally busy
// What of the left side the second cache should hold while tiles of columns go over it, and the
// most that partial sums may take for that.
constexpr int64_t kCacheFloats = 1 << 18, kPartialFloats = 1 << 24;

// Of few rows the right side decides, of which each element is used once or twice: this many sums
// of a quad, a depth at a time, so that a workgroup reads up to 3 KiB in a row.
constexpr int64_t kFewRows = 4;
constexpr int64_t kFewRowsSums = 24;

// Graphics processors, of products of at least these rows and columns; the first that the device
// has room for.
struct GpuEntry {
  int64_t least_rows, least_columns;
  int64_t local, workgroup_rows, rows, runs, depth;
};
constexpr GpuEntry kGpu[] = {
    {96, 96, 256, 16, 8, 2, 16},  // tiles of 128 x 128, 16 KiB of workgroup memory
    {32, 32, 64, 8, 8, 2, 16},    // 64 x 64, 8 KiB
    {0, 0, 64, 8, 4, 2, 16},      // 32 x 64, 6 KiB
};
// The same with cooperative matrices: subgroups and each one's matrices, down and across.
struct MatrixEntry {
  int64_t least_rows, least_columns;
  int64_t down, across, rows, runs;
};
constexpr MatrixEntry kMatrices[] = {
    // Of 16 x 16 sums, tiles of 128 x 128 ..
    {96, 96, 2, 4, 4, 2},
    {32, 32, 2, 2, 2, 2},  // 64 x 64
    {0, 0, 1, 4, 1, 1},    // 16 x 64
};
constexpr int64_t kMatrixDepthBytes = 64;  // of a tile's row

constexpr int64_t kGpuWorkgroups = 128;  // occupy most devices

// One sum of more products than that loses digits: the small ones at its end vanish.
constexpr int64_t kLongestSum = 8192;

void SplitDepth(ProductTile& t, int64_t depth, int64_t splits, int64_t unit) {
  depth = std::max<int64_t>(depth, 1);
  splits = std::max({splits, CeilDiv(depth, kLongestSum), int64_t{1}});
  t.split_depth = RoundUp(CeilDiv(depth, splits), unit);
  t.splits = CeilDiv(depth, t.split_depth);
}

// So that `workgroups` become `wanted`, if each then has that depth at least.
int64_t SplitsFor(int64_t workgroups, int64_t wanted, int64_t depth, int64_t least_depth) {
  return std::min(wanted / std::max<int64_t>(workgroups, 1), depth / least_depth);
}

ProductTile ProcessorTile(mlir::func::FuncOp body, const codegen::Product& p,
                          const Target& target) {
  ProductTile t;
  t.shuffle = target.subgroup_shuffle && target.subgroup_size % 4 == 0 &&
              target.subgroup_size <= target.max_invocations;
  t.local = t.shuffle ? target.subgroup_size : std::min<int64_t>(8, target.max_invocations);
  t.rows = p.rows();
  int64_t least_depth = 1024;
  if (p.rows() > kFewRows) {
    t.rows = CeilDiv(p.rows(), CeilDiv(p.rows(), kProcessorRows));
    if (FormOf(body, p, Side::kLeft) == OperandForm::kFreeQuads) t.rows = RoundUp(t.rows, 4);
    t.runs = kProcessorRuns;
  } else if (FormOf(body, p, Side::kRight) == OperandForm::kFreeQuads) {
    t.runs = kFewRowsSums / std::max<int64_t>(p.rows(), 1);
    t.step = 1;
    least_depth = 64;
  } else {
    t.run = 1;  // an invocation reads one column from its first element to its last
  }
  const int64_t width = t.local * t.run;
  t.runs = std::min(t.runs, CeilDiv(p.columns(), width));
  const int64_t workgroups =
      p.batch() * CeilDiv(p.rows(), t.rows) * CeilDiv(p.columns(), width * t.runs);
  int64_t splits = SplitsFor(workgroups, kProcessorWorkgroups, p.depth, least_depth);
  const int64_t cached = std::max<int64_t>(kCacheFloats / std::max<int64_t>(p.rows(), 1), 256);
  const int64_t results = std::max<int64_t>(p.batch() * p.rows() * p.columns(), 1);
  if (p.depth >= 2 * cached)
    splits = std::max(splits, std::min(CeilDiv(p.depth, cached), kPartialFloats / results));
  SplitDepth(t, p.depth, splits, /*unit=*/4 * t.local);
  return t;
}

// Few rows: every element of the right side serves one invocation alone.
ProductTile FewRowsTile(mlir::func::FuncOp body, const codegen::Product& p, const Target& target) {
  ProductTile t;
  t.local = std::min<int64_t>(64, target.max_invocations);
  t.split_depth = p.depth;
  if (p.right_depth_stride == 1 && p.right.strides.back() != 1) {
    t.kernel = ProductKernel::kDots;
    return t;
  }
  t.rows = p.rows();
  if (FormOf(body, p, Side::kRight) != OperandForm::kFreeQuads) t.run = 1;
  const int64_t workgroups = p.batch() * CeilDiv(p.columns(), t.local * t.run);
  SplitDepth(t, p.depth, SplitsFor(workgroups, kGpuWorkgroups, p.depth, /*least_depth=*/128),
             /*unit=*/4);
  return t;
}

// The largest shape for the operands' type; f32's where narrow ones have none of their own. None of
// f32 operands is rounded to a narrower type.
std::optional<MatrixShape> ShapeFor(const codegen::Product& p, const Target& target) {
  const MatrixShape::Element element = p.element.isF16()    ? MatrixShape::kF16
                                       : p.element.isBF16() ? MatrixShape::kBF16
                                                            : MatrixShape::kF32;
  const MatrixShape* best = nullptr;
  const auto rank = [&](const MatrixShape& s) {
    return std::pair(s.element == element, uint64_t{s.m} * s.n * s.k);
  };
  for (const MatrixShape& s : target.matrices) {
    if (s.element != element && s.element != MatrixShape::kF32) continue;
    if (s.m % 4 || s.n % 4 || s.k % 4) continue;  // copied in fours
    if (!best || rank(*best) < rank(s)) best = &s;
  }
  return best ? std::optional(*best) : std::nullopt;
}

std::optional<ProductTile> MatrixTile(const codegen::Product& p, const Target& target) {
  const std::optional<MatrixShape> shape = ShapeFor(p, target);
  if (!shape) return std::nullopt;
  ProductTile t;
  t.kernel = ProductKernel::kMatrices;
  t.matrix = *shape;
  const int64_t bytes = shape->element == MatrixShape::kF32 ? 4 : 2;
  t.depth = RoundUp(kMatrixDepthBytes / bytes, shape->k);
  for (const MatrixEntry& e : kMatrices) {
    t.local = e.down * e.across * target.subgroup_size;
    t.workgroup_rows = e.down;
    t.rows = e.rows;
    t.runs = e.runs;
    if (p.rows() < e.least_rows || p.columns() < e.least_columns ||
        t.local > std::min(target.max_invocations, target.max_workgroup_size[0]) ||
        MatrixProductBytes(t, target.subgroup_size) > target.shared_bytes)
      continue;
    const int64_t workgroups = p.batch() * CeilDiv(p.rows(), e.down * e.rows * shape->m) *
                               CeilDiv(p.columns(), e.across * e.runs * shape->n);
    SplitDepth(t, p.depth, SplitsFor(workgroups, kGpuWorkgroups, p.depth, /*least_depth=*/512),
               t.depth);
    return t;
  }
  return std::nullopt;
}

ProductTile GpuTile(mlir::func::FuncOp body, const codegen::Product& p, const Target& target) {
  if (p.rows() <= kFewRows) return FewRowsTile(body, p, target);
  if (const auto tile = MatrixTile(p, target)) return *tile;
  const auto entry = llvm::find_if(kGpu, [&](const GpuEntry& e) {
    const int64_t sides = e.workgroup_rows * e.rows + e.local / e.workgroup_rows * e.runs * 4;
    return p.rows() >= e.least_rows && p.columns() >= e.least_columns &&
           e.local <= target.max_invocations && e.depth * sides * 4 <= target.shared_bytes;
  });
  ProductTile t;
  t.kernel = ProductKernel::kWorkgroup;
  t.local = entry->local;
  t.workgroup_rows = entry->workgroup_rows;
  t.rows = entry->rows;
  t.runs = entry->runs;
  t.depth = entry->depth;
  const int64_t columns = t.local / t.workgroup_rows * t.runs * 4;
  const int64_t workgroups =
      p.batch() * CeilDiv(p.rows(), t.workgroup_rows * t.rows) * CeilDiv(p.columns(), columns);
  SplitDepth(t, p.depth, SplitsFor(workgroups, kGpuWorkgroups, p.depth, /*least_depth=*/512),
             t.depth);
  return t;
}

}  // namespace

ProductTile ChooseTile(mlir::func::FuncOp body, const codegen::Product& p, const Target& target) {
  return target.is_cpu ? ProcessorTile(body, p, target) : GpuTile(body, p, target);
}

}  // namespace trama::vulkan
