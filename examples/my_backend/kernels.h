// What a kernel of this backend sees, and the table of all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/api/plan.pb.h"

namespace my_backend {

enum class DType { kF32, kI32, kI64, kBool };

// A dense row-major tensor in a block.
struct View {
  DType dtype;
  std::vector<int64_t> shape;
  void* data;

  int64_t size() const;
  double Get(int64_t i) const;        // integers and bools too
  void Set(int64_t i, double value);  // integers round towards zero
};

// A tensor's place in a plan, before it has memory. False where the dtype is not one of ours.
bool MakeView(const trama::plan::TensorType& type, View* view);

struct Call {
  const trama::plan::Kernel& kernel;
  std::vector<View> operands, results;

  int64_t Int(const char* name) const;                // an attribute, 0 where it is absent
  double Float(const char* name) const;               // 0 where it is absent
  bool Flag(const char* name) const;                  // false where it is absent
  std::string Text(const char* name) const;           // "" where it is absent
  std::vector<int64_t> Ints(const char* name) const;  // empty where it is absent
};

using Function = void (*)(Call&);
Function FindKernel(const std::string& op);  // null where there is none
std::string KernelNames();                   // "abs,add,..."

// Row-major strides of `from` seen as broadcast to `to`: 0 where it repeats.
std::vector<int64_t> BroadcastStrides(const std::vector<int64_t>& from,
                                      const std::vector<int64_t>& to);
std::vector<int64_t> Strides(const std::vector<int64_t>& shape);

// The offset that `strides` give element i of `shape`.
int64_t OffsetOf(int64_t i, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides);

// kernels_reduce.cc
void Sum(Call& call);
void ReduceMax(Call& call);
void Matmul(Call& call);
void Transpose(Call& call);
void Broadcast(Call& call);
void Slice(Call& call);

}  // namespace my_backend
