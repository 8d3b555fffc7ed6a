// What vjps, decompositions and passes build ops with: calls that read like the math.
#pragma once

#include "ir/dialect.h"
#include "ir/infer_util.h"

namespace trama {

// Creates ops at one insertion point and location. Shapes must fit: it is for the compiler's own
// use, where they are known to. A `double` operand becomes a constant scalar that broadcasts.
class Emitter {
 public:
  Emitter(mlir::OpBuilder& b, mlir::Location loc) : b_(b), loc_(loc) {}

  mlir::OpBuilder& builder() const { return b_; }
  mlir::Location loc() const { return loc_; }

  mlir::Value Constant(mlir::RankedTensorType type, double splat) const;
  mlir::Value Scalar(mlir::Type element, double value) const;
  // The index along `dim` of a tensor of `shape`.
  mlir::Value Iota(llvm::ArrayRef<int64_t> shape, int64_t dim, mlir::Type element) const;

  template <typename Op>
  mlir::Value Unary(mlir::Value x) const {
    return Op::create(b_, loc_, x);
  }
  mlir::Value Neg(mlir::Value x) const { return Unary<NegOp>(x); }
  mlir::Value Exp(mlir::Value x) const { return Unary<ExpOp>(x); }
  mlir::Value Log(mlir::Value x) const { return Unary<LogOp>(x); }
  mlir::Value Sqrt(mlir::Value x) const { return Unary<SqrtOp>(x); }
  mlir::Value Rsqrt(mlir::Value x) const { return Unary<RsqrtOp>(x); }
  mlir::Value Not(mlir::Value x) const { return Unary<NotOp>(x); }

  template <typename Op>
  mlir::Value Binary(mlir::Value l, mlir::Value r) const {
    return Op::create(b_, loc_, l, r);
  }
  mlir::Value Add(mlir::Value l, mlir::Value r) const { return Binary<AddOp>(l, r); }
  mlir::Value Sub(mlir::Value l, mlir::Value r) const { return Binary<SubOp>(l, r); }
  mlir::Value Mul(mlir::Value l, mlir::Value r) const { return Binary<MulOp>(l, r); }
  mlir::Value Div(mlir::Value l, mlir::Value r) const { return Binary<DivOp>(l, r); }
  mlir::Value Pow(mlir::Value l, mlir::Value r) const { return Binary<PowOp>(l, r); }
  mlir::Value Max(mlir::Value l, mlir::Value r) const { return Binary<MaxOp>(l, r); }
  mlir::Value And(mlir::Value l, mlir::Value r) const { return Binary<AndOp>(l, r); }
  mlir::Value Add(mlir::Value l, double r) const { return Add(l, Scalar(ElementOf(l), r)); }
  mlir::Value Sub(double l, mlir::Value r) const { return Sub(Scalar(ElementOf(r), l), r); }
  mlir::Value Sub(mlir::Value l, double r) const { return Sub(l, Scalar(ElementOf(l), r)); }
  mlir::Value Mul(mlir::Value l, double r) const { return Mul(l, Scalar(ElementOf(l), r)); }
  mlir::Value Div(mlir::Value l, double r) const { return Div(l, Scalar(ElementOf(l), r)); }
  mlir::Value Div(double l, mlir::Value r) const { return Div(Scalar(ElementOf(r), l), r); }

  mlir::Value Compare(ComparePredicate predicate, mlir::Value l, mlir::Value r) const;
  mlir::Value Compare(ComparePredicate predicate, mlir::Value l, double r) const;
  mlir::Value Select(mlir::Value condition, mlir::Value yes, mlir::Value no) const;
  mlir::Value Select(mlir::Value condition, mlir::Value yes, double no) const;
  mlir::Value Select(mlir::Value condition, double yes, mlir::Value no) const;
  mlir::Value Cast(mlir::Value x, mlir::Type element) const;

  mlir::Value Sum(mlir::Value x, llvm::ArrayRef<int64_t> dims, bool keepdim = false) const;
  mlir::Value ReduceMax(mlir::Value x, llvm::ArrayRef<int64_t> dims, bool keepdim = false) const;
  mlir::Value Mean(mlir::Value x, llvm::ArrayRef<int64_t> dims, bool keepdim = false) const;

  // These four return x itself where nothing changes.
  mlir::Value Reshape(mlir::Value x, llvm::ArrayRef<int64_t> shape) const;
  mlir::Value Transpose(mlir::Value x, llvm::ArrayRef<int64_t> permutation) const;
  mlir::Value Broadcast(mlir::Value x, llvm::ArrayRef<int64_t> shape) const;
  // The transpose of broadcasting: sums x over what a broadcast of `shape` to x's shape repeats.
  mlir::Value SumTo(mlir::Value x, llvm::ArrayRef<int64_t> shape) const;

  // x with a dimension of size 1 inserted before `dim`.
  mlir::Value Unsqueeze(mlir::Value x, int64_t dim) const;
  // [.., C] as [N, C], N the product of what comes before; a vector as [1, C].
  mlir::Value FlattenRows(mlir::Value x) const;
  // l r of one element type, in the type that products of it are summed in.
  mlir::Value Matmul(mlir::Value l, mlir::Value r, bool transpose_l = false,
                     bool transpose_r = false) const;

 private:
  mlir::OpBuilder& b_;
  mlir::Location loc_;
};

// 0, 1, .., n - 1.
llvm::SmallVector<int64_t> Range(int64_t n);

}  // namespace trama
