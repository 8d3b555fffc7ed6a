#include "backends/cpu/kernel.h"

#include "backends/codegen/emitter_registry.h"

namespace trama::cpu {
namespace {
codegen::EmitterRegistry<Emitter>& Registry() {
  static codegen::EmitterRegistry<Emitter> registry;
  return registry;
}
}  // namespace

bool RegisterEmitter(const char* kind, Emitter emitter) {
  return Registry().Register(kind, emitter);
}
Emitter FindEmitter(const std::string& kind) { return Registry().Find(kind); }
std::vector<std::string> EmitterKinds() { return Registry().Kinds(); }

}  // namespace trama::cpu
