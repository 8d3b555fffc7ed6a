// adam and sgd: elementwise once decomposed, in one pass over parameter, gradient and moments, with
// the scalars' arithmetic before the loop. Results may lie where their operands do.
#include "backends/cpu/fused_emitter.h"

namespace trama::cpu {
namespace {
[[maybe_unused]] const bool registered =
    RegisterEmitter("adam", EmitFused) && RegisterEmitter("sgd", EmitFused);
}  // namespace
}  // namespace trama::cpu
