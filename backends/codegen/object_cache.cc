#include "backends/codegen/object_cache.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/SHA256.h"

namespace trama::codegen {
namespace {
constexpr std::string_view kMagic = "trama object 1\n";
constexpr size_t kDigest = 64;
}  // namespace

std::string Sha256Hex(std::string_view bytes) {
  const auto digest = llvm::SHA256::hash(
      llvm::ArrayRef(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string ObjectCache::DefaultDirectory() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache == '/') return absl::StrCat(cache, "/trama");
  const char* home = std::getenv("HOME");
  return home && *home ? absl::StrCat(home, "/.cache/trama") : "";
}

std::string ObjectCache::Path(std::string_view key) const {
  return absl::StrCat(directory_, "/", absl::string_view(key.data(), key.size()), ".o");
}

std::optional<std::string> ObjectCache::Find(std::string_view key) const {
  if (directory_.empty()) return std::nullopt;
  std::ifstream file(Path(key), std::ios::binary);
  if (!file) return std::nullopt;
  std::string content(std::istreambuf_iterator<char>(file), {});
  const std::string_view view = content;
  if (!view.starts_with(kMagic) || view.size() < kMagic.size() + kDigest) return std::nullopt;
  std::string payload(view.substr(kMagic.size() + kDigest));
  if (Sha256Hex(payload) != view.substr(kMagic.size(), kDigest)) return std::nullopt;
  return payload;
}

void ObjectCache::Store(std::string_view key, std::string_view content) const {
  if (directory_.empty()) return;
  std::string file(kMagic);
  file.append(Sha256Hex(content)).append(content);
  static_cast<void>(ReplaceFile(Path(key), file));
}

std::error_code ReplaceFile(const std::string& path, std::string_view content) {
  std::error_code error, ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  static std::atomic<int> serial{0};
  const std::string aside = absl::StrCat(path, ".", getpid(), ".", serial.fetch_add(1));
  std::ofstream file(aside, std::ios::binary);
  file << content;
  file.close();
  if (file.fail())
    error = std::make_error_code(std::errc::io_error);
  else
    std::filesystem::rename(aside, path, error);
  if (error) std::filesystem::remove(aside, ignored);
  return error;
}

}  // namespace trama::codegen
