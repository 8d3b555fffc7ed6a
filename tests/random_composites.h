// The parts of tests/random_program.h: what a program is built with, and steps that make
// composites.
#pragma once

#include <random>

#include "ir/builder_util.h"

namespace trama {

class RandomBuilder {
 public:
  static constexpr int64_t kMaxElements = 2000;  // of one tensor

  RandomBuilder(mlir::OpBuilder& b, mlir::Block* block, uint64_t seed, bool float32)
      : e(b, b.getUnknownLoc()),
        float_type(float32 ? mlir::Type(b.getF32Type()) : mlir::Type(b.getF64Type())),
        block_(block),
        random_(seed) {}

  Emitter e;
  mlir::Type float_type;
  mlir::Type i1() const { return e.builder().getI1Type(); }
  mlir::Type i32() const { return e.builder().getI32Type(); }
  mlir::Type i64() const { return e.builder().getI64Type(); }

  int64_t Pick(int64_t n);  // one of 0 .. n - 1
  int64_t Size();           // of a dimension
  llvm::SmallVector<int64_t> RandomShape(int64_t min_rank, int64_t max_rank);
  mlir::Value Input(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  mlir::Value Rng();  // the program's one rng input

  // A value made before, or a new input. The values have bounds of their magnitude.
  mlir::Value Any();
  mlir::Value AnyOfRank(int64_t rank);
  double& Bound(mlir::Value v);
  void Keep(mlir::Value v, double bound);
  mlir::Value Tame(mlir::Value v, double limit);  // tanh(v) where its bound is larger
  mlir::Value Partner(mlir::Value x);             // something that broadcasts with x
  mlir::Value Splat(llvm::ArrayRef<int64_t> shape, double c);

 private:
  mlir::Block* block_;
  std::mt19937_64 random_;
  llvm::SmallVector<mlir::Value> pool_;
  llvm::DenseMap<mlir::Value, double> bounds_;
  mlir::Value rng_;
};

void RandomSoftmax(RandomBuilder& r);  // also log_softmax
void RandomLayerNorm(RandomBuilder& r);
void RandomActivation(RandomBuilder& r);  // gelu, relu, SiLU, dropout
void RandomLinear(RandomBuilder& r);
void RandomLoss(RandomBuilder& r);  // cross entropy, with and without its projection
void RandomAttention(RandomBuilder& r);

}  // namespace trama
