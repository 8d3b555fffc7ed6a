// Kernel emitters by kind, filled before main by the files that define them.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace trama::codegen {

// One a backend: `Emitter` is its function type.
template <typename Emitter>
class EmitterRegistry {
 public:
  bool Register(const char* kind, Emitter emitter) {
    return emitters_.emplace(kind, emitter).second;
  }
  // Null where there is none.
  Emitter Find(const std::string& kind) const {
    const auto found = emitters_.find(kind);
    return found == emitters_.end() ? nullptr : found->second;
  }
  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const auto& [kind, emitter] : emitters_) kinds.push_back(kind);
    return kinds;
  }

 private:
  std::map<std::string, Emitter> emitters_;
};

}  // namespace trama::codegen
