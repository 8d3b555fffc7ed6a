#include "backends/vulkan/product_tile.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "backends/vulkan/matrix_product.h"
#include "backends/vulkan/product_operand.h"
#include "backends/vulkan/quads.h"

namespace trama::vulkan {
namespace {
using codegen::SmallVector;

// Drivers on processors: an invocation is a lane of a vector, and the sums of these many rows and
// quads of columns stay in the first cache. Of few rows the right side decides, of which each
// element is used once or twice. Where its columns lie side by side, this many sums of a quad, a
// depth at a time, so that a workgroup reads up to 3 KiB in a row; else this many columns, from
// their first element to their last. The depth is split until there are some workgroups, which keep
// a few threads equally busy. The first entry was measured on lavapipe with 8 lanes.
struct ProcessorEntry {
  int64_t rows, runs, few_rows_sums, few_rows_columns, workgroups;
};
constexpr ProcessorEntry kProcessor[] = {
    {16, 2, 24, 1, 32}, {8, 2, 12, 2, 32},   {8, 4, 48, 4, 32}, {12, 2, 6, 1, 32},
    {12, 3, 16, 1, 32}, {24, 1, 24, 1, 8},   {16, 1, 24, 1, 1}, {16, 2, 24, 2, 1},
    {16, 2, 24, 4, 8},  {16, 2, 12, 1, 128},
};
// What of the left side the second cache should hold while tiles of columns go over it, and the
// most that partial sums may take for that.
constexpr int64_t kCacheFloats = 1 << 18, kPartialFloats = 1 << 24;

// Products of up to these rows are cut for one row.
constexpr int64_t kFewRows = 4;
// Of up to these rows all sums of a run of columns fit into an invocation's registers.
constexpr int64_t kSomeRows = 16;

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

ProductTile ProcessorTile(mlir::func::FuncOp body, const codegen::Product& p, const Target& target,
                          const ProcessorEntry& entry) {
  ProductTile t;
  t.shuffle = target.subgroup_shuffle && target.subgroup_size % 4 == 0 &&
              target.subgroup_size <= target.max_invocations;
  t.local = t.shuffle ? target.subgroup_size : std::min<int64_t>(8, target.max_invocations);
  t.rows = p.rows();
  int64_t least_depth = 1024;
  if (p.rows() > kFewRows) {
    t.rows = CeilDiv(p.rows(), CeilDiv(p.rows(), entry.rows));
    if (FormOf(body, p, Side::kLeft) == OperandForm::kFreeQuads) t.rows = RoundUp(t.rows, 4);
    t.runs = entry.runs;
  } else if (FormOf(body, p, Side::kRight) == OperandForm::kFreeQuads) {
    t.runs = std::max<int64_t>(entry.few_rows_sums / std::max<int64_t>(p.rows(), 1), 1);
    t.step = 1;
    least_depth = 64;
  } else {
    t.run = 1;
    t.runs = entry.few_rows_columns;
  }
  const int64_t width = t.local * t.run;
  t.runs = std::min(t.runs, CeilDiv(p.columns(), width));
  const int64_t workgroups =
      p.batch() * CeilDiv(p.rows(), t.rows) * CeilDiv(p.columns(), width * t.runs);
  int64_t splits = SplitsFor(workgroups, entry.workgroups, p.depth, least_depth);
  const int64_t cached = std::max<int64_t>(kCacheFloats / std::max<int64_t>(p.rows(), 1), 256);
  const int64_t results = std::max<int64_t>(p.batch() * p.rows() * p.columns(), 1);
  if (p.depth >= 2 * cached)
    splits = std::max(splits, std::min(CeilDiv(p.depth, cached), kPartialFloats / results));
  SplitDepth(t, p.depth, splits, /*unit=*/4 * t.local);
  return t;
}

// Few rows: every element of the right side serves one invocation alone.
ProductTile FewRowsTile(mlir::func::FuncOp body, const codegen::Product& p, const Target& target,
                        int64_t local, int64_t wanted) {
  ProductTile t;
  t.local = std::min<int64_t>(local, target.max_invocations);
  t.rows = p.rows();
  if (FormOf(body, p, Side::kRight) != OperandForm::kFreeQuads) t.run = 1;
  const int64_t workgroups = p.batch() * CeilDiv(p.columns(), t.local * t.run);
  SplitDepth(t, p.depth, SplitsFor(workgroups, wanted, p.depth, /*least_depth=*/128), /*unit=*/4);
  return t;
}

// Down the columns of a transposed right side.
ProductTile DotsTile(const codegen::Product& p, const Target& target, int64_t local) {
  ProductTile t;
  t.kernel = ProductKernel::kDots;
  t.local = std::min<int64_t>(local, target.max_invocations);
  t.split_depth = p.depth;
  return t;
}

bool Fits(const GpuEntry& entry, const Target& target) {
  const int64_t sides =
      entry.workgroup_rows * entry.rows + entry.local / entry.workgroup_rows * entry.runs * 4;
  return entry.local <= target.max_invocations && entry.depth * sides * 4 <= target.shared_bytes;
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

ProductTile MatrixTile(const codegen::Product& p, const MatrixEntry& e, const MatrixShape& shape,
                       const Target& target, int64_t wanted) {
  ProductTile t;
  t.kernel = ProductKernel::kMatrices;
  t.matrix = shape;
  t.local = e.down * e.across * target.matrix_subgroup_size;
  t.workgroup_rows = e.down;
  t.rows = e.rows;
  t.runs = e.runs;
  const int64_t bytes = shape.element == MatrixShape::kF32 ? 4 : 2;
  t.depth = RoundUp(kMatrixDepthBytes / bytes, shape.k);
  const int64_t workgroups = p.batch() * CeilDiv(p.rows(), e.down * e.rows * shape.m) *
                             CeilDiv(p.columns(), e.across * e.runs * shape.n);
  SplitDepth(t, p.depth, SplitsFor(workgroups, wanted, p.depth, /*least_depth=*/512), t.depth);
  return t;
}

bool Fits(const ProductTile& t, const Target& target) {
  return t.local <= std::min(target.max_invocations, target.max_workgroup_size[0]) &&
         MatrixProductBytes(t, target.matrix_subgroup_size) <= target.shared_bytes;
}

ProductTile WorkgroupTile(const codegen::Product& p, const GpuEntry& entry, int64_t wanted) {
  ProductTile t;
  t.kernel = ProductKernel::kWorkgroup;
  t.local = entry.local;
  t.workgroup_rows = entry.workgroup_rows;
  t.rows = entry.rows;
  t.runs = entry.runs;
  t.depth = entry.depth;
  const int64_t columns = t.local / t.workgroup_rows * t.runs * 4;
  const int64_t workgroups =
      p.batch() * CeilDiv(p.rows(), t.workgroup_rows * t.rows) * CeilDiv(p.columns(), columns);
  SplitDepth(t, p.depth, SplitsFor(workgroups, wanted, p.depth, /*least_depth=*/512), t.depth);
  return t;
}

// The built-in choice comes first.
SmallVector<ProductTile> GpuTiles(mlir::func::FuncOp body, const codegen::Product& p,
                                  const Target& target) {
  SmallVector<ProductTile> tiles;
  constexpr int64_t kWanted[] = {kGpuWorkgroups, 1, 4 * kGpuWorkgroups};
  if (p.rows() <= kFewRows) {
    if (p.right_depth_stride == 1 && p.right.strides.back() != 1)
      for (int64_t local : {64, 32, 128, 256}) tiles.push_back(DotsTile(p, target, local));
    for (int64_t wanted : kWanted)
      for (int64_t local : {64, 32, 128})
        tiles.push_back(FewRowsTile(body, p, target, local, wanted));
    return tiles;
  }
  if (const auto shape = ShapeFor(p, target)) {
    for (int64_t wanted : kWanted)
      for (const MatrixEntry& e : kMatrices) {
        const ProductTile tile = MatrixTile(p, e, *shape, target, wanted);
        const bool fits = p.rows() >= e.least_rows && p.columns() >= e.least_columns;
        if (fits && Fits(tile, target)) tiles.push_back(tile);
      }
  }
  SmallVector<GpuEntry> entries;  // the last one is for every device and product
  for (const GpuEntry& entry : kGpu)
    if (Fits(entry, target)) entries.push_back(entry);
  auto builtin = llvm::find_if(entries, [&](const GpuEntry& e) {
    return p.rows() >= e.least_rows && p.columns() >= e.least_columns;
  });
  std::rotate(entries.begin(), builtin, builtin + 1);
  for (int64_t wanted : kWanted)
    for (const GpuEntry& entry : entries) tiles.push_back(WorkgroupTile(p, entry, wanted));
  if (p.rows() <= kSomeRows)
    for (int64_t wanted : kWanted) tiles.push_back(FewRowsTile(body, p, target, 64, wanted));
  return tiles;
}

const char* FormName(OperandForm form) {
  switch (form) {
    case OperandForm::kDepthQuads:
      return "depth";
    case OperandForm::kFreeQuads:
      return "free";
    case OperandForm::kElements:
      return "single";
  }
  return "";
}

}  // namespace

std::string TileName(const ProductTile& t) {
  const std::string kernel = t.kernel == ProductKernel::kRegisters   ? "registers"
                             : t.kernel == ProductKernel::kWorkgroup ? "workgroup"
                             : t.kernel == ProductKernel::kMatrices  ? Name(t.matrix)
                                                                     : "dots";
  return absl::StrCat(kernel, " local=", t.local, " rows=", t.rows, " runs=", t.runs,
                      " run=", t.run, " step=", t.step, " shuffle=", t.shuffle ? 1 : 0,
                      " workgroup_rows=", t.workgroup_rows, " depth=", t.depth,
                      " splits=", t.splits, "x", t.split_depth);
}

std::string ProductName(mlir::func::FuncOp body, const codegen::Product& p) {
  const char* element = p.element.isF16() ? "f16 " : p.element.isBF16() ? "bf16 " : "";
  return absl::StrCat(p.batch(), " of ", p.rows(), "x", p.depth, "x", p.columns(), " ", element,
                      FormName(FormOf(body, p, Side::kLeft)), "-",
                      FormName(FormOf(body, p, Side::kRight)));
}

SmallVector<ProductTile> TilesOf(mlir::func::FuncOp body, const codegen::Product& p,
                                 const Target& target) {
  SmallVector<ProductTile> all, tiles;
  if (target.is_cpu)
    for (const ProcessorEntry& entry : kProcessor)
      all.push_back(ProcessorTile(body, p, target, entry));
  else
    all = GpuTiles(body, p, target);
  for (const ProductTile& tile : all)
    if (!llvm::is_contained(tiles, tile)) tiles.push_back(tile);
  return tiles;
}

ProductTile ChooseTile(mlir::func::FuncOp body, const codegen::Product& p, const Target& target) {
  const SmallVector<ProductTile> tiles = TilesOf(body, p, target);
  return tiles[target.tiles ? target.tiles->Choose(ProductName(body, p), tiles) : 0];
}

}  // namespace trama::vulkan
