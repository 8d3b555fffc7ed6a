#include "runtime/registry.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/nearest.h"
#include "base/status_macros.h"

namespace trama {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "trama_backend_", kSuffix = ".so";

void AddFolders(std::string_view path, std::vector<std::string>& folders) {
  while (!path.empty()) {
    const size_t end = path.find(':');
    if (end != 0) folders.emplace_back(path.substr(0, end));
    path = end == std::string_view::npos ? "" : path.substr(end + 1);
  }
}

absl::Status Refuse(const std::string& path, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": ", why));
}

// Frees the library of a plugin that is refused.
class Library {
 public:
  explicit Library(void* handle) : handle_(handle) {}
  ~Library() {
    if (handle_) dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  void* get() const { return handle_; }
  void Keep() { handle_ = nullptr; }

 private:
  void* handle_;
};

// "" or the first function of ABI 1.0 that the plugin lacks.
std::string MissingFunction(const TramaBackendApi* api) {
#define TRAMA_CHECK_FUNCTION(fn) \
  if (!TRAMA_HAS(api, fn)) return #fn;
  TRAMA_CHECK_FUNCTION(status_code)
  TRAMA_CHECK_FUNCTION(status_message)
  TRAMA_CHECK_FUNCTION(status_free)
  TRAMA_CHECK_FUNCTION(open)
  TRAMA_CHECK_FUNCTION(close)
  TRAMA_CHECK_FUNCTION(info)
  TRAMA_CHECK_FUNCTION(alloc)
  TRAMA_CHECK_FUNCTION(free_buffer)
  TRAMA_CHECK_FUNCTION(write)
  TRAMA_CHECK_FUNCTION(read)
  TRAMA_CHECK_FUNCTION(map)
  TRAMA_CHECK_FUNCTION(load)
  TRAMA_CHECK_FUNCTION(unload)
  TRAMA_CHECK_FUNCTION(run)
  TRAMA_CHECK_FUNCTION(wait)
  TRAMA_CHECK_FUNCTION(statistics)
#undef TRAMA_CHECK_FUNCTION
  return "";
}

absl::StatusOr<Plugin> Load(std::string name, const std::string& path) {
  // RTLD_LOCAL: two plugins may define the same names.
  Library library(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!library.get()) return Refuse(path, absl::StrCat("does not load (", dlerror(), ")"));
  const auto get_api =
      reinterpret_cast<decltype(&trama_backend_api)>(dlsym(library.get(), "trama_backend_api"));
  if (!get_api) return Refuse(path, "is no Trama plugin: it does not export trama_backend_api");
  const TramaBackendApi* api = get_api(TRAMA_ABI_MAJOR, TRAMA_ABI_MINOR);
  const std::string host = absl::StrCat(TRAMA_ABI_MAJOR, ".", TRAMA_ABI_MINOR);
  if (!api)
    return Refuse(path, absl::StrCat("does not serve ABI ", host, ", which this program has"));
  if (api->struct_size < offsetof(TramaBackendApi, name))
    return Refuse(path, absl::StrCat("its function table has ", api->struct_size, " bytes"));
  if (api->abi_major != TRAMA_ABI_MAJOR)
    return Refuse(path, absl::StrCat("is built for ABI ", api->abi_major, ".", api->abi_minor,
                                     ", this program has ", host, "; rebuild the plugin"));
  if (const std::string missing = MissingFunction(api); !missing.empty())
    return Refuse(path, absl::StrCat("lacks the function ", missing, " of ABI ", host));
  library.Keep();
  return Plugin{std::move(name), path, api};
}

}  // namespace

absl::Status Plugin::Take(TramaStatus* status) const {
  if (!status) return absl::OkStatus();
  const int code = api->status_code(status);
  const TramaStr message = api->status_message(status);
  absl::Status result(
      code >= 1 && code <= 16 ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
      absl::string_view(message.data, message.size));
  api->status_free(status);
  return result;
}

Registry::Registry(std::string_view plugin_path) {
  AddFolders(plugin_path, folders_);
  if (const char* path = std::getenv("TRAMA_PLUGIN_PATH")) AddFolders(path, folders_);
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  std::vector<fs::path> own;
  if (!error) own.push_back(executable.parent_path().parent_path() / "lib/trama/plugins");
  Dl_info here;
  if (dladdr(reinterpret_cast<const void*>(&AddFolders), &here) && here.dli_fname)
    own.push_back(fs::absolute(here.dli_fname, error).parent_path() / "trama/plugins");
  for (const fs::path& folder : own)
    if (std::find(folders_.begin(), folders_.end(), folder.string()) == folders_.end())
      folders_.push_back(folder.string());
}

std::vector<Registry::Found> Registry::List() const {
  std::map<std::string, std::string> found;
  for (const std::string& folder : folders_) {
    std::error_code error;  // a folder that is not there has no plugins
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string file = it->path().filename().string();
      if (file.size() > kPrefix.size() + kSuffix.size() && file.starts_with(kPrefix) &&
          file.ends_with(kSuffix))
        found.emplace(file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size()),
                      it->path().string());
    }
  }
  std::vector<Found> list;
  for (auto& [name, path] : found) list.push_back({name, path});
  return list;
}

absl::StatusOr<Plugin> Registry::Find(std::string_view name) const {
  std::vector<std::string> names, texts;
  for (const Found& found : List()) {
    if (found.name == name) return Load(found.name, found.path);
    names.push_back(found.name);
    texts.push_back(absl::StrCat(found.name, " (", found.path, ")"));
  }
  return absl::NotFoundError(
      absl::StrCat("no backend \"", absl::string_view(name.data(), name.size()), "\": found ",
                   texts.empty() ? "none" : absl::StrJoin(texts, ", "), " in ",
                   absl::StrJoin(folders_, ":"), DidYouMean(name, names)));
}

}  // namespace trama
