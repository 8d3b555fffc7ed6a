// Finds backend plugins: shared objects named trama_backend_NAME.so.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/api/plugin_api.h"

namespace trama {

// A plugin whose version and functions have been checked. Its code stays loaded to the end of the
// process, as its threads may still run.
struct Plugin {
  std::string name;  // of its file
  std::string path;
  const TramaBackendApi* api;

  // The status that a function of the plugin gave, which it takes over.
  absl::Status Take(TramaStatus* status) const;
};

class Registry {
 public:
  // Looks in the folders of `plugin_path` ("DIR[:DIR]"), then of TRAMA_PLUGIN_PATH, then in
  // ../lib/trama/plugins beside the executable and trama/plugins beside this library.
  explicit Registry(std::string_view plugin_path = "");

  const std::vector<std::string>& folders() const { return folders_; }

  struct Found {
    std::string name, path;
  };
  // Every plugin file by name, sorted; the first folder that has a name counts. Opens none.
  std::vector<Found> List() const;

  // Loads the plugin `name`. NotFound: suggests the nearest name and says what was found where.
  // FailedPrecondition: the file is no plugin, or one for another version.
  absl::StatusOr<Plugin> Find(std::string_view name) const;

 private:
  std::vector<std::string> folders_;
};

}  // namespace trama
