// Losses: scalars, the mean over the counted examples. Each ends in trama.weighted_mean, where
// gradient accumulation splits a training step.
#pragma once

#include "base/ignore_index.h"
#include "frontend/tensor.h"

namespace trama {

// logits: [N, C]; targets: integers [N]. The mean of -log softmax(logits)[n, targets[n]] over the
// rows whose target is not ignore_index; 0 where there is none. With label_smoothing e the target
// distribution is (1 - e) onehot + e / C. Flatten [B, T, C] to [B T, C].
Tensor cross_entropy(Tensor logits, Tensor targets, int64_t ignore_index = kIgnoreIndex,
                     double label_smoothing = 0, Loc loc = Loc::current());
// logits, targets (0 .. 1, any dtype): of one shape. -t log sigmoid(z) - (1-t) log(1 - sigmoid(z)).
Tensor binary_cross_entropy_with_logits(Tensor logits, Tensor targets, Loc loc = Loc::current());
// (x - target)^2; of one shape.
Tensor mse_loss(Tensor x, Tensor target, Loc loc = Loc::current());
// max(0, 1 - target x), target -1 or +1 of any dtype; of one shape. Cortes and Vapnik 1995.
Tensor hinge_loss(Tensor x, Tensor target, Loc loc = Loc::current());

}  // namespace trama
