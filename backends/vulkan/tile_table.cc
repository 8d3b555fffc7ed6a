#include "backends/vulkan/tile_table.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "backends/codegen/object_cache.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace trama::vulkan {
namespace {
constexpr int64_t kFormat = 1;

absl::Status Damaged(const std::string& path, const std::string& why) {
  return absl::DataLossError(
      absl::StrCat("tiles: ", path, " is no table of tiles (", why, "); remove it, or tune again"));
}
}  // namespace

absl::StatusOr<TileTable> TileTable::Read(const std::string& path, const std::string& device) {
  TileTable table(device);
  std::ifstream file(path, std::ios::binary);
  if (!file) return table;
  const std::string text(std::istreambuf_iterator<char>(file), {});
  llvm::Expected<llvm::json::Value> parsed = llvm::json::parse(text);
  if (!parsed) return Damaged(path, llvm::toString(parsed.takeError()));
  const llvm::json::Object* object = parsed->getAsObject();
  const auto format = object ? object->getInteger("format") : std::nullopt;
  const auto owner = object ? object->getString("device") : std::nullopt;
  const llvm::json::Object* tiles = object ? object->getObject("tiles") : nullptr;
  if (!format || !owner || !tiles) return Damaged(path, "it has no format, device and tiles");
  if (*format != kFormat) return Damaged(path, absl::StrCat("its format is ", *format));
  if (*owner != device)
    return absl::FailedPreconditionError(absl::StrCat("tiles: ", path, " is of ", owner->str(),
                                                      ", not of ", device,
                                                      "; remove it, or tune again"));
  for (const auto& [product, tile] : *tiles) {
    const auto name = tile.getAsString();
    if (!name) return Damaged(path, absl::StrCat("the tile of ", product.str(), " is no text"));
    table.tiles_[product.str()] = name->str();
  }
  return table;
}

absl::Status TileTable::Write(const std::string& path) const {
  llvm::json::Object tiles;
  for (const auto& [product, tile] : tiles_) tiles[product] = tile;
  const llvm::json::Value table =
      llvm::json::Object{{"format", kFormat}, {"device", device_}, {"tiles", std::move(tiles)}};
  std::string text;
  llvm::raw_string_ostream(text) << llvm::formatv("{0:2}\n", table);
  if (const std::error_code error = codegen::ReplaceFile(path, text))
    return absl::PermissionDeniedError(absl::StrCat("tiles: ", path, ": ", error.message()));
  return absl::OkStatus();
}

size_t TileTable::Choose(const std::string& product, llvm::ArrayRef<ProductTile> tiles) const {
  const auto entry = tiles_.find(product);
  if (entry == tiles_.end()) return 0;
  for (size_t i = 0; i < tiles.size(); ++i)
    if (TileName(tiles[i]) == entry->second) return i;
  return 0;
}

std::string TileTable::Identity() const {
  std::string identity;
  for (const auto& [product, tile] : tiles_) absl::StrAppend(&identity, product, ": ", tile, "\n");
  return identity;
}

std::string DeviceName(const Device& device) {
  const DeviceProperties& properties = device.properties();
  const Target& target = device.target();
  return absl::StrCat(properties.name, ", ", properties.driver, ", ",
                      target.device_address ? "address" : "descriptors");
}

std::string TileFile(const std::string& directory, const std::string& device) {
  if (directory.empty()) return "";
  return absl::StrCat(directory, "/tiles-", codegen::Sha256Hex(device).substr(0, 16), ".json");
}

}  // namespace trama::vulkan
