// constant, iota, random_uniform, dropout.
#include "backends/reference/evaluators.h"
#include "base/philox.h"

namespace trama::reference {

double UniformAt(const Tensor& rng, int64_t op_id, int64_t example_size, int64_t i) {
  const auto word = [&](int k) { return static_cast<uint32_t>(rng.integer[k]); };
  const uint64_t index = static_cast<uint64_t>(i) + uint64_t{word(3)} * example_size;
  const uint64_t block = index / 4;
  const auto random = Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(op_id),
                                  word(2), static_cast<uint32_t>(block >> 32)},
                                 {word(0), word(1)});
  return UniformFloat(random[index % 4]);
}

namespace {

int64_t ExampleSize(const Tensor& y) {
  return y.shape.empty() || y.shape[0] == 0 ? 1 : y.size() / y.shape[0];
}

void Constant(Inputs<ConstantOp> in, Results out) {
  Tensor& y = out[0];
  const mlir::ElementsAttr value = in.getValue();
  if (y.is_float()) {
    int64_t i = 0;
    for (const llvm::APFloat& x : value.getValues<llvm::APFloat>()) {
      llvm::APFloat wide = x;
      bool loses;
      wide.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &loses);
      y.real[i++] = wide.convertToDouble();
    }
  } else {
    int64_t i = 0;
    for (const llvm::APInt& x : value.getValues<llvm::APInt>())
      y.integer[i++] =
          y.dtype == DType::kBool ? static_cast<int64_t>(x.getZExtValue()) : x.getSExtValue();
  }
}

void Iota(Inputs<IotaOp> in, Results out) {
  Tensor& y = out[0];
  Shape along(y.shape.size(), 0);
  along[in.getDim()] = 1;
  ForEachElement<1>(y.shape, {along}, [&](int64_t i, auto at) {
    if (y.is_float())
      y.real[i] = static_cast<double>(at[0]);
    else
      y.integer[i] = at[0];
  });
}

void RandomUniform(Inputs<RandomUniformOp> in, Results out) {
  Tensor& y = out[0];
  for (int64_t i = 0; i < y.size(); ++i)
    y.real[i] = UniformAt(*in.getRng(), in.getOpId(), ExampleSize(y), i);
}

void Dropout(Inputs<DropoutOp> in, Results out) {
  Tensor& y = out[0];
  const double p = in.getP().convertToDouble();
  for (int64_t i = 0; i < y.size(); ++i) {
    const bool keep = UniformAt(*in.getRng(), in.getOpId(), ExampleSize(y), i) >= p;
    y.real[i] = keep ? in.getX()->real[i] / (1 - p) : 0;
  }
}

const bool registered[] = {
    Register<ConstantOp>(Constant),
    Register<IotaOp>(Iota),
    Register<RandomUniformOp>(RandomUniform),
    Register<DropoutOp>(Dropout),
};

}  // namespace
}  // namespace trama::reference
