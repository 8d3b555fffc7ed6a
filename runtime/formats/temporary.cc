#include "runtime/formats/temporary.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"

namespace trama {
namespace {
constexpr char kMark[] = ".trama-tmp-";
}

std::string TemporaryNameFor(const std::string& path) {
  // Not a seeded generator: two processes that write the same file must not choose one name.
  std::random_device device;
  const uint64_t number = (uint64_t{device()} << 32) | device();
  return JoinPath(DirectoryOf(path),
                  absl::StrCat(".", FileNameOf(path), kMark, absl::Hex(number, absl::kZeroPad16)));
}

bool IsTemporaryName(std::string_view name) {
  return name.starts_with('.') && name.find(kMark) != name.npos;
}

absl::Status RemoveStaleTemporaries(const std::string& directory, const std::string& of) {
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory));
  for (const std::string& name : names) {
    const size_t mark = name.rfind(kMark);
    if (name[0] != '.' || mark == std::string::npos) continue;
    if (!of.empty() && name.substr(1, mark - 1) != of) continue;
    const std::string path = JoinPath(directory, name);
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    const bool stale = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    if (stale) TRAMA_RETURN_IF_ERROR(RemoveAll(path));
  }
  return absl::OkStatus();
}

}  // namespace trama
