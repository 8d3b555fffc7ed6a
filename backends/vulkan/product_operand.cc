#include "backends/vulkan/product_operand.h"

#include "backends/codegen/pointwise.h"
#include "backends/vulkan/quads.h"

namespace trama::vulkan {
namespace {
const Access& AccessOf(const Product& p, Side side) {
  return side == Side::kLeft ? p.left : p.right;
}
int64_t DepthStride(const Product& p, Side side) {
  return side == Side::kLeft ? p.left_depth_stride : p.right_depth_stride;
}
size_t FreeDimension(const Product& p, Side side) {
  return p.sizes.size() - (side == Side::kLeft ? 2 : 1);
}
// In the unit of quads: of the dimension along which quads lie, each is a step.
int64_t QuadStride(int64_t stride, bool along) { return along ? 1 : stride / 4; }
}  // namespace

OperandForm FormOf(mlir::func::FuncOp body, const Product& p, Side side) {
  const Access& access = AccessOf(p, side);
  if (access.offset % 4 || !PhaseBuilder::CanVectorize(TypeOf(body, access)))
    return OperandForm::kElements;
  const size_t free = FreeDimension(p, side), batches = p.sizes.size() - 2;
  auto in_quads = [](int64_t stride, int64_t size) { return size == 1 || stride % 4 == 0; };
  for (size_t d = 0; d < batches; ++d)
    if (!in_quads(access.strides[d], p.sizes[d])) return OperandForm::kElements;
  const int64_t depth_stride = DepthStride(p, side), free_stride = access.strides[free];
  if (depth_stride == 1 && in_quads(free_stride, p.sizes[free])) return OperandForm::kDepthQuads;
  if (free_stride == 1 && in_quads(depth_stride, p.depth)) return OperandForm::kFreeQuads;
  return OperandForm::kElements;
}

ProductOperand::ProductOperand(PhaseBuilder& b, mlir::func::FuncOp body, const Product& p,
                               Side side)
    : b_(b),
      body_(body),
      access_(AccessOf(p, side)),
      form_(FormOf(body, p, side)),
      free_stride_(access_.strides[FreeDimension(p, side)]),
      depth_stride_(DepthStride(p, side)),
      free_size_(p.sizes[FreeDimension(p, side)]) {}

void ProductOperand::Start(ValueRange batch) {
  Access leading{access_.buffer, access_.offset, {}};
  leading.strides.assign(access_.strides.begin(), access_.strides.end() - 2);
  start_ = ElementIndex(b_, leading, batch);
}

Value ProductOperand::QuadOffset(Value free) {
  const int64_t stride = QuadStride(free_stride_, form_ == OperandForm::kFreeQuads);
  return b_.Add(Divide(b_, start_, 4), b_.Mul(free, stride));
}
Value ProductOperand::ElementOffset(Value free) {
  return b_.Add(start_, b_.Mul(free, free_stride_));
}

Value ProductOperand::Quad(Value offset, Value depth) {
  return codegen::CastElements(b_, StoredQuad(offset, depth), b_.F32());
}
Value ProductOperand::Element(Value offset, Value depth) {
  return codegen::CastElements(b_, StoredElement(offset, depth), b_.F32());
}

Value ProductOperand::StoredQuad(Value offset, Value depth) {
  const int64_t stride = QuadStride(depth_stride_, form_ == OperandForm::kDepthQuads);
  return b_.Load(BufferOf(b_, body_, access_, 4), b_.Add(offset, b_.Mul(depth, stride)));
}
Value ProductOperand::StoredElement(Value offset, Value depth) {
  return b_.Load(BufferOf(b_, body_, access_), b_.Add(offset, b_.Mul(depth, depth_stride_)));
}

}  // namespace trama::vulkan
