// The tiles that were measured on a device: a file that a tuner writes (tile_tuner.h) and each
// opening of that device reads. An entry counts as long as TilesOf(its product) has that tile, so
// that no file makes a kernel wrong.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/vulkan/device.h"
#include "backends/vulkan/product_tile.h"

namespace trama::vulkan {

class TileTable : public TileChoice {
 public:
  // Of no tiles. device: what they are measured on, DeviceName.
  explicit TileTable(std::string device) : device_(std::move(device)) {}

  // The table in `path`, of no tiles where there is no such file. DataLoss where it is not such a
  // table, FailedPrecondition where it is another device's.
  static absl::StatusOr<TileTable> Read(const std::string& path, const std::string& device);
  // Written aside and renamed. PermissionDenied where it cannot be.
  absl::Status Write(const std::string& path) const;

  void Set(const std::string& product, const ProductTile& tile) {
    tiles_[product] = TileName(tile);
  }
  void Erase(const std::string& product) { tiles_.erase(product); }
  size_t size() const { return tiles_.size(); }

  size_t Choose(const std::string& product, llvm::ArrayRef<ProductTile> tiles) const override;
  std::string Identity() const override;  // "" of no tiles

 private:
  std::string device_;
  std::map<std::string, std::string> tiles_;  // names by products' names
};

// A device, its driver and how its kernels get their buffers, in words.
std::string DeviceName(const Device& device);
// The file of that device in `directory`; "" where that is "".
std::string TileFile(const std::string& directory, const std::string& device);

}  // namespace trama::vulkan
