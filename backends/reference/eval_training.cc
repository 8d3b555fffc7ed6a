// square_sum, sgd, adam.
#include <cmath>

#include "backends/reference/evaluators.h"

namespace trama::reference {
namespace {

void SquareSum(Inputs<SquareSumOp> in, Results out) {
  for (const Tensor* x : in.getXs())
    for (double value : x->real) out[0].real[0] += value * value;
}

void Sgd(Inputs<SgdOp> in, Results out) {
  const Tensor &param = *in.getParam(), &grad = *in.getGrad(), &buffer = *in.getBuffer();
  const double lr = in.getLr()->real[0], scale = in.getScale()->real[0];
  const double momentum = in.getMomentum().convertToDouble();
  const double decay = in.getWeightDecay().convertToDouble();
  const bool apply = in.getApply()->integer[0];
  for (int64_t i = 0; i < param.size(); ++i) {
    const double g = scale * grad.real[i] + decay * param.real[i];
    const double moved = momentum == 0 ? g : momentum * buffer.real[i] + g;
    out[0].real[i] = apply ? param.real[i] - lr * moved : param.real[i];
    out[1].real[i] = apply && momentum != 0 ? moved : buffer.real[i];
  }
}

void Adam(Inputs<AdamOp> in, Results out) {
  const Tensor &param = *in.getParam(), &grad = *in.getGrad();
  const Tensor &m = *in.getM(), &v = *in.getV();
  const double lr = in.getLr()->real[0], scale = in.getScale()->real[0];
  const double correction1 = in.getCorrection1()->real[0];
  const double correction2 = in.getCorrection2()->real[0];
  const double beta1 = in.getBeta1().convertToDouble(), beta2 = in.getBeta2().convertToDouble();
  const double eps = in.getEps().convertToDouble(), decay = in.getWeightDecay().convertToDouble();
  const bool apply = in.getApply()->integer[0], decoupled = in.getDecoupled();
  for (int64_t i = 0; i < param.size(); ++i) {
    const double p = param.real[i];
    const double g = scale * grad.real[i] + (decoupled ? 0 : decay * p);
    const double decayed = decoupled ? p * (1 - lr * decay) : p;
    const double m1 = beta1 * m.real[i] + (1 - beta1) * g;
    const double v1 = beta2 * v.real[i] + (1 - beta2) * g * g;
    const double step = lr / correction1 * m1 / (std::sqrt(v1) / std::sqrt(correction2) + eps);
    out[0].real[i] = apply ? decayed - step : p;
    out[1].real[i] = apply ? m1 : m.real[i];
    out[2].real[i] = apply ? v1 : v.real[i];
  }
}

const bool registered[] = {
    Register<SquareSumOp>(SquareSum),
    Register<SgdOp>(Sgd),
    Register<AdamOp>(Adam),
};

}  // namespace
}  // namespace trama::reference
