#include "runtime/net/digest.h"

#include <openssl/evp.h>

#include <filesystem>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"

namespace trama {
namespace {

absl::StatusOr<std::string> Digest(const EVP_MD* kind, const std::string& before,
                                   const std::string& path) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  bool ok = context && EVP_DigestInit_ex(context.get(), kind, nullptr) &&
            EVP_DigestUpdate(context.get(), before.data(), before.size());
  TRAMA_RETURN_IF_ERROR(ReadPieces(path, [&](std::string_view piece) {
    ok = ok && EVP_DigestUpdate(context.get(), piece.data(), piece.size());
  }));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (!ok || !EVP_DigestFinal_ex(context.get(), digest, &size))
    return absl::InternalError(absl::StrCat(path, ": libcrypto makes no digest of it"));
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), size});
}

}  // namespace

absl::StatusOr<std::string> Sha256OfFile(const std::string& path) {
  return Digest(EVP_sha256(), "", path);
}

absl::StatusOr<std::string> GitBlobOfFile(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return FileError("read", path, error.value());
  std::string before = absl::StrCat("blob ", size);
  before.push_back('\0');
  return Digest(EVP_sha1(), before, path);
}

}  // namespace trama
