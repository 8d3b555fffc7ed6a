// Ops that take positions from a tensor: embedding and its gradient, gather, cache_update.
#include "backends/reference/evaluators.h"

namespace trama::reference {
namespace {

void Embedding(Inputs<EmbeddingOp> in, Results out) {
  const Tensor &table = *in.getTable(), &ids = *in.getIds();
  const int64_t rows = table.shape[0], width = table.shape[1];
  for (int64_t i = 0; i < ids.size(); ++i) {
    const int64_t id = ids.integer[i];
    if (id < 0 || id >= rows) continue;
    for (int64_t d = 0; d < width; ++d) out[0].Move(i * width + d, table, id * width + d);
  }
}

void EmbeddingGrad(Inputs<EmbeddingGradOp> in, Results out) {
  const Tensor &grad = *in.getGrad(), &ids = *in.getIds();
  const int64_t rows = out[0].shape[0], width = out[0].shape[1];
  for (int64_t i = 0; i < ids.size(); ++i) {
    const int64_t id = ids.integer[i];
    if (id < 0 || id >= rows) continue;
    for (int64_t d = 0; d < width; ++d) out[0].real[id * width + d] += grad.real[i * width + d];
  }
}

void Gather(Inputs<GatherOp> in, Results out) {
  const Tensor &x = *in.getX(), &index = *in.getIndex();
  const int64_t dim = in.getDim(), step = Strides(x.shape)[dim];
  Shape strides = Strides(x.shape);
  strides[dim] = 0;
  ForEachElement<1>(index.shape, {strides}, [&](int64_t i, auto at) {
    const int64_t k = index.integer[i];
    if (k >= 0 && k < x.shape[dim]) out[0].Move(i, x, at[0] + k * step);
  });
}

void CacheUpdate(Inputs<CacheUpdateOp> in, Results out) {
  const Tensor &cache = *in.getCache(), &x = *in.getX();
  const int64_t B = x.shape[0], H = x.shape[1], C = x.shape[2], D = x.shape[3];
  const int64_t S = cache.shape[2];
  out[0].real = cache.real;
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t i = 0; i < std::min(C, in.getLength()->integer[b]); ++i) {
        const int64_t s = in.getPosition()->integer[b] + i;
        if (s < 0 || s >= S) continue;
        for (int64_t d = 0; d < D; ++d)
          out[0].Move(((b * H + h) * S + s) * D + d, x, ((b * H + h) * C + i) * D + d);
      }
}

const bool registered[] = {
    Register<EmbeddingOp>(Embedding),
    Register<EmbeddingGradOp>(EmbeddingGrad),
    Register<GatherOp>(Gather),
    Register<CacheUpdateOp>(CacheUpdate),
};

}  // namespace
}  // namespace trama::reference
