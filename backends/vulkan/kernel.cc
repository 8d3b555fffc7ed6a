#include "backends/vulkan/kernel.h"

#include <map>

namespace trama::vulkan {
namespace {
// Filled before main by the emitters' files.
std::map<std::string, Emitter>& Emitters() {
  static std::map<std::string, Emitter> emitters;
  return emitters;
}
}  // namespace

bool RegisterEmitter(const char* kind, Emitter emitter) {
  return Emitters().emplace(kind, emitter).second;
}

Emitter FindEmitter(const std::string& kind) {
  auto found = Emitters().find(kind);
  return found == Emitters().end() ? nullptr : found->second;
}

std::vector<std::string> EmitterKinds() {
  std::vector<std::string> kinds;
  for (const auto& [kind, emitter] : Emitters()) kinds.push_back(kind);
  return kinds;
}

}  // namespace trama::vulkan
