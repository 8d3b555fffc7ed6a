#include "ir/fold_util.h"

#include <cmath>
#include <limits>

namespace trama {
namespace {

double ToDouble(const llvm::APFloat& value) {
  llvm::APFloat copy = value;
  bool lost;
  copy.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &lost);
  return copy.convertToDouble();
}

int64_t ToInt(const llvm::APInt& value) {
  return value.getBitWidth() == 1 ? value.getZExtValue() : value.getSExtValue();
}

mlir::Attribute ElementAttr(mlir::Type element, int64_t value) {
  if (mlir::isa<mlir::FloatType>(element))
    return mlir::FloatAttr::get(element, static_cast<double>(value));
  if (element.isInteger(1)) value = value != 0;
  return mlir::IntegerAttr::get(
      element, llvm::APInt(element.getIntOrFloatBitWidth(), value, /*isSigned=*/true,
                           /*implicitTrunc=*/true));
}

// To integers as trama.cast does: truncated, NaN to 0, out of range to the nearest of int64.
mlir::Attribute ElementAttr(mlir::Type element, double value) {
  if (mlir::isa<mlir::FloatType>(element)) return mlir::FloatAttr::get(element, value);
  if (element.isInteger(1)) return ElementAttr(element, int64_t{value != 0});
  if (std::isnan(value)) return ElementAttr(element, int64_t{0});
  return ElementAttr(element, value >= 0x1p63    ? std::numeric_limits<int64_t>::max()
                              : value <= -0x1p63 ? std::numeric_limits<int64_t>::min()
                                                 : static_cast<int64_t>(value));
}

// The elements of a constant, addressed by a row-major index; a splat has one.
struct Elements {
  llvm::SmallVector<double> floats;
  llvm::SmallVector<int64_t> ints;
  llvm::SmallVector<int64_t> strides;  // of its shape seen from the broadcast result; 0 repeats

  bool is_float() const { return !floats.empty(); }
};

std::optional<Elements> Read(mlir::Attribute attr, llvm::ArrayRef<int64_t> result_shape) {
  auto dense = mlir::dyn_cast_or_null<mlir::DenseElementsAttr>(attr);
  if (!dense || dense.getNumElements() == 0) return std::nullopt;
  if (!dense.isSplat() && dense.getNumElements() > kMaxFoldedElements) return std::nullopt;
  auto type = mlir::cast<mlir::RankedTensorType>(dense.getType());
  Elements e;
  const bool is_float = mlir::isa<mlir::FloatType>(type.getElementType());
  auto take = [&](auto values) {
    for (const auto& value : values) {
      if constexpr (std::is_same_v<std::decay_t<decltype(value)>, llvm::APFloat>) {
        e.floats.push_back(ToDouble(value));
      } else {
        e.ints.push_back(ToInt(value));
      }
      if (dense.isSplat()) break;
    }
  };
  is_float ? take(dense.getValues<llvm::APFloat>()) : take(dense.getValues<llvm::APInt>());
  e.strides.assign(result_shape.size(), 0);
  if (dense.isSplat()) return e;
  int64_t stride = 1;
  for (int64_t i = type.getRank() - 1, r = result_shape.size() - 1; i >= 0; --i, --r) {
    e.strides[r] = type.getDimSize(i) == 1 ? 0 : stride;
    stride *= type.getDimSize(i);
  }
  return e;
}

// Calls f with every index of `shape` in row-major order.
void ForEachIndex(llvm::ArrayRef<int64_t> shape,
                  llvm::function_ref<void(llvm::ArrayRef<int64_t>)> f) {
  llvm::SmallVector<int64_t> index(shape.size(), 0);
  for (;;) {
    f(index);
    int64_t d = shape.size() - 1;
    while (d >= 0 && ++index[d] == shape[d]) index[d--] = 0;
    if (d < 0) return;
  }
}

int64_t At(const Elements& e, llvm::ArrayRef<int64_t> index) {
  int64_t at = 0;
  for (auto [i, stride] : llvm::zip_equal(index, e.strides)) at += i * stride;
  return at;
}

}  // namespace

std::optional<double> SplatValue(mlir::Attribute attr) {
  auto dense = mlir::dyn_cast_or_null<mlir::DenseElementsAttr>(attr);
  if (!dense || !dense.isSplat()) return std::nullopt;
  if (mlir::isa<mlir::FloatType>(dense.getElementType()))
    return ToDouble(dense.getSplatValue<llvm::APFloat>());
  return static_cast<double>(ToInt(dense.getSplatValue<llvm::APInt>()));
}

std::optional<double> SplatValue(mlir::Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant ? SplatValue(constant.getValueAttr()) : std::nullopt;
}

mlir::DenseElementsAttr SplatAttr(mlir::RankedTensorType type, double value) {
  return mlir::DenseElementsAttr::get(type, ElementAttr(type.getElementType(), value));
}

mlir::Attribute FoldUnary(mlir::Attribute x, mlir::RankedTensorType type,
                          llvm::function_ref<double(double)> on_floats,
                          llvm::function_ref<int64_t(int64_t)> on_ints) {
  auto read = Read(x, type.getShape());
  if (!read || (read->is_float() ? !on_floats : !on_ints)) return {};
  llvm::SmallVector<mlir::Attribute> values;
  for (double f : read->floats) values.push_back(ElementAttr(type.getElementType(), on_floats(f)));
  for (int64_t i : read->ints) values.push_back(ElementAttr(type.getElementType(), on_ints(i)));
  return mlir::DenseElementsAttr::get(type, values);
}

mlir::Attribute FoldBinary(mlir::Attribute lhs, mlir::Attribute rhs, mlir::RankedTensorType type,
                           llvm::function_ref<double(double, double)> on_floats,
                           llvm::function_ref<int64_t(int64_t, int64_t)> on_ints) {
  auto l = Read(lhs, type.getShape()), r = Read(rhs, type.getShape());
  if (!l || !r || (l->is_float() ? !on_floats : !on_ints)) return {};
  auto element = [&](int64_t i, int64_t j) {
    if (l->is_float())
      return ElementAttr(type.getElementType(), on_floats(l->floats[i], r->floats[j]));
    return ElementAttr(type.getElementType(), on_ints(l->ints[i], r->ints[j]));
  };
  const size_t count =
      std::max(l->floats.size() + l->ints.size(), r->floats.size() + r->ints.size());
  if (count == 1) return mlir::DenseElementsAttr::get(type, element(0, 0));
  if (type.getNumElements() > kMaxFoldedElements) return {};
  llvm::SmallVector<mlir::Attribute> values;
  ForEachIndex(type.getShape(), [&](llvm::ArrayRef<int64_t> index) {
    values.push_back(element(At(*l, index), At(*r, index)));
  });
  return mlir::DenseElementsAttr::get(type, values);
}

mlir::Attribute FoldMove(mlir::Attribute x, mlir::RankedTensorType type,
                         llvm::function_ref<int64_t(llvm::ArrayRef<int64_t>)> source) {
  auto dense = mlir::dyn_cast_or_null<mlir::DenseElementsAttr>(x);
  if (!dense || type.getNumElements() == 0 || dense.getNumElements() == 0) return {};
  if (dense.isSplat()) return dense.resizeSplat(type);
  if (std::max(dense.getNumElements(), type.getNumElements()) > kMaxFoldedElements) return {};
  auto from = dense.getValues<mlir::Attribute>();
  llvm::SmallVector<mlir::Attribute> values;
  ForEachIndex(type.getShape(),
               [&](llvm::ArrayRef<int64_t> index) { values.push_back(from[source(index)]); });
  return mlir::DenseElementsAttr::get(type, values);
}

}  // namespace trama
