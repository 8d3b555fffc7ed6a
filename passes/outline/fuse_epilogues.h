// What a kernel with an anchor does besides: moves and pointwise ops of its results.
#pragma once

#include "passes/outline/fusion_graph.h"

namespace trama {

// Whether the op is a kernel's anchor rather than computed element by element.
bool IsAnchor(mlir::Operation* op);

// Matrix products take over the pointwise ops that follow, a layer_norm casts, an embedding_grad an
// addition; what else those read must be readable through views. Later anchors come first, as they
// have all of an op's operands.
void FuseEpilogues(FusionGraph& graph);

// The transposes, reshapes and concats that move the results of `group`, and nothing else, into
// one value each: the kernel writes there. `moves` gets those that no group owns; concats are
// merged into the group.
void FuseMoves(FusionGraph& graph, int group, llvm::SetVector<mlir::Operation*>& moves);

// Makes an attention's result that is read both as it is and by a transpose be read only by the
// latter, so that the kernel writes one layout and everyone reads that.
void UniteLayouts(mlir::func::FuncOp program);

}  // namespace trama
