// One side of a matrix product as a kernel loads it: elements, or aligned quads of four along the
// depth or along its free dimension (the left side's rows, the right side's columns).
#pragma once

#include "backends/codegen/product.h"
#include "backends/vulkan/phase_builder.h"

namespace trama::vulkan {

using codegen::Access;
using codegen::Product;

enum class OperandForm {
  kDepthQuads,  // four neighbours along the depth are one vector of the buffer
  kFreeQuads,   // four neighbours along the free dimension are
  kElements,    // neither
};
enum class Side { kLeft, kRight };
OperandForm FormOf(mlir::func::FuncOp body, const Product& product, Side side);

class ProductOperand {
 public:
  ProductOperand(PhaseBuilder& b, mlir::func::FuncOp body, const Product& product, Side side);

  OperandForm form() const { return form_; }
  // Neighbours along the free dimension, and not along the depth, are neighbours in the buffer.
  bool free_in_order() const { return free_stride_ == 1 && depth_stride_ != 1; }
  int64_t free_size() const { return free_size_; }

  // `batch`: indices of the leading dimensions, for all loads that follow.
  void Start(ValueRange batch);
  // The part of an address that `free` decides, in the unit of Quad and of Element. Quad's is in
  // quads where the form is kFreeQuads.
  Value QuadOffset(Value free);
  Value ElementOffset(Value free);
  // Four elements from `offset` at `depth` on, which counts quads where the form is kDepthQuads; as
  // f32. A quad that begins within the operand may be loaded; those of its elements beyond have any
  // value.
  Value Quad(Value offset, Value depth);
  Value Element(Value offset, Value depth);
  // In the buffer's type.
  Value StoredQuad(Value offset, Value depth);
  Value StoredElement(Value offset, Value depth);

 private:
  PhaseBuilder& b_;
  mlir::func::FuncOp body_;
  const Access access_;
  const OperandForm form_;
  const int64_t free_stride_, depth_stride_, free_size_;
  Value start_;  // element of the batch
};

}  // namespace trama::vulkan
