// Functions of math that GLSL.std.450 has only to a few bits (or undefined), as arith operations.
#pragma once

#include "mlir/IR/PatternMatch.h"

namespace trama::vulkan {

// pow, sin and cos of f32. The largest errors: pow 2 ulp, with C's special values; sin and cos
// 2^-23 for |x| < 10^7, where GLSL's have 2^-11 for |x| < pi.
void PopulateMathExpansions(mlir::RewritePatternSet& patterns);

}  // namespace trama::vulkan
