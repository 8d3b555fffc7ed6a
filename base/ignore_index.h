// The target that does not count.
#pragma once

#include <cstdint>

namespace trama {

// No loss and no gradient counts a target of this value, as in PyTorch.
inline constexpr int32_t kIgnoreIndex = -100;

}  // namespace trama
