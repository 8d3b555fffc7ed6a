// How matrix products are cut on a device: by a built-in table keyed by the class of device and by
// shape, or as a tuner measured (tile_table.h).
#pragma once

#include <string>

#include "backends/codegen/product.h"
#include "backends/vulkan/target.h"

namespace trama::vulkan {

enum class ProductKernel {
  kRegisters,  // an invocation a few columns, all that it needs in registers
  kWorkgroup,  // a workgroup a tile, through its memory
  kMatrices,   // the same, a subgroup its cooperative matrices
  kDots,       // a workgroup a column, along the depth
};

struct ProductTile {
  ProductKernel kernel = ProductKernel::kRegisters;
  int64_t local = 64;  // invocations of a workgroup
  // kRegisters: rows, and runs of `run` neighbouring columns, of an invocation. kWorkgroup: rows of
  // an invocation and its columns / 4. kMatrices: matrices of a subgroup, down and across. kDots:
  // rows, and columns of a workgroup.
  int64_t rows = 1, runs = 1;
  int64_t run = 4;             // 1 or 4
  int64_t step = 4;            // kRegisters: depths at a time; 1 or 4
  bool shuffle = false;        // kRegisters: a subgroup loads the left side together
  int64_t workgroup_rows = 8;  // kWorkgroup: rows / `rows` of a tile; kMatrices: subgroups down
  int64_t depth = 16;          // kWorkgroup, kMatrices: depth of a tile
  MatrixShape matrix;          // kMatrices
  int64_t splits = 1;          // of the depth, over workgroups whose sums a second phase adds
  int64_t split_depth = 0;     // of each; a multiple of the depth that a kernel takes at a time

  bool operator==(const ProductTile&) const = default;
};

// All that it says, in words.
std::string TileName(const ProductTile& tile);
// What decides which tile is fast: sizes, and how the operands lie.
std::string ProductName(mlir::func::FuncOp body, const codegen::Product& product);

// The tiles that a product can have on the device: the built-in choice first, then, once each,
// what a tuner should try.
codegen::SmallVector<ProductTile> TilesOf(mlir::func::FuncOp body, const codegen::Product& product,
                                          const Target& target);

// Chooses in place of the built-in table: Target::tiles.
class TileChoice {
 public:
  virtual ~TileChoice() = default;
  // Which of TilesOf(the product of that name).
  virtual size_t Choose(const std::string& product, llvm::ArrayRef<ProductTile> tiles) const = 0;
  // Of all its choices: what was compiled is kept under it.
  virtual std::string Identity() const = 0;
};

ProductTile ChooseTile(mlir::func::FuncOp body, const codegen::Product& product,
                       const Target& target);

}  // namespace trama::vulkan
