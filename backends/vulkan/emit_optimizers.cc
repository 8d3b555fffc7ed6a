// adam and sgd: elementwise once decomposed, in one pass over parameter, gradient and moments.
// Results may lie where their operands do.
#include "backends/vulkan/fused_emitter.h"

namespace trama::vulkan {
namespace {
[[maybe_unused]] const bool registered =
    RegisterEmitter("adam", EmitFused) && RegisterEmitter("sgd", EmitFused);
}  // namespace
}  // namespace trama::vulkan
