// Which ops without an anchor become one kernel.
#pragma once

#include "passes/outline/fusion_graph.h"

namespace trama {

// Merges groups whose ops go over the same elements: chains and graphs of pointwise ops, reductions
// over rows with what feeds and follows them (softmax), reductions over columns with what feeds
// them (a bias' gradient). In a `small` program everything that may is merged, as a dispatch
// costs more than the work.
void FuseLoops(FusionGraph& graph, bool small);

}  // namespace trama
