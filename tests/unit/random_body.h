// Bodies of fused kernels made at random: any pointwise ops, views and reductions in any order.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/unit/kernel_test_util.h"

namespace trama::kernel_testing {

class RandomBody {
 public:
  using Sizes = std::vector<int64_t>;
  explicit RandomBody(uint32_t seed) : random_(seed) {}

  std::string Text() {
    std::string arguments;
    for (int i = 0, n = 1 + Below(3); i < n; ++i) {
      Sizes shape;
      for (int d = 0, rank = Below(4); d < rank; ++d) shape.push_back(Size());
      absl::StrAppend(&arguments, i ? ", " : "", "%", values_.size(), ": ", Tensor(shape));
      values_.push_back(shape);
    }
    for (int i = 0, n = 3 + Below(10); i < n; ++i) Op();
    std::vector<std::string> names, types;
    for (int i = 0, n = 1 + Below(3); i < n; ++i) {
      const size_t v = values_.size() - 1 - Below(std::min<size_t>(values_.size(), 4));
      names.push_back(absl::StrCat("%", v));
      types.push_back(Tensor(values_[v]));
    }
    return absl::StrCat("func.func @f(", arguments, ") -> (", absl::StrJoin(types, ", "), ") {\n",
                        text_, "  return ", absl::StrJoin(names, ", "), " : ",
                        absl::StrJoin(types, ", "), "\n}");
  }

 private:
  size_t Below(size_t n) { return random_() % n; }
  int64_t Size() {
    static constexpr int64_t kSizes[] = {1, 2, 3, 4, 5, 7, 8, 16, 17, 33};
    return kSizes[Below(std::size(kSizes))];
  }
  static int64_t Count(const Sizes& shape) {
    int64_t count = 1;
    for (int64_t size : shape) count *= size;
    return count;
  }

  void Emit(const std::string& op, const Sizes& shape) {
    if (Count(shape) > 40000) return;
    absl::StrAppend(&text_, "  %", values_.size(), " = trama.", op, "\n");
    values_.push_back(shape);
  }

  void Op() {
    const size_t v = values_.size() - 1 - Below(std::min<size_t>(values_.size(), 5));
    const Sizes x = values_[v];
    const std::string name = absl::StrCat("%", v), type = Tensor(x);
    const size_t rank = x.size();
    switch (Below(11)) {
      case 0: {
        static constexpr const char* kOps[] = {"tanh", "neg",  "sigmoid", "abs",
                                               "relu", "gelu", "erf"};
        return Emit(absl::StrCat(kOps[Below(std::size(kOps))], " ", name, " : ", type), x);
      }
      case 1:
      case 2:
      case 3:
        return EmitBinary(v);
      case 4:
      case 5: {  // a reduction, bounded again
        if (rank == 0) return;
        std::vector<int64_t> dims;
        Sizes y;
        const bool keep = Below(2);
        for (size_t d = 0; d < rank; ++d) {
          const bool reduced = Below(2);
          if (reduced) dims.push_back(static_cast<int64_t>(d));
          if (!reduced) y.push_back(x[d]);
          if (reduced && keep) y.push_back(1);
        }
        static constexpr const char* kOps[] = {"sum", "reduce_max", "mean"};
        Emit(absl::StrCat(kOps[Below(3)], " ", name, " dims = [", absl::StrJoin(dims, ", "), "]",
                          keep ? " keepdim" : "", " : ", type),
             y);
        return Emit(absl::StrCat("tanh %", values_.size() - 1, " : ", Tensor(y)), y);
      }
      case 6: {
        std::vector<int64_t> order(rank);
        for (size_t d = 0; d < rank; ++d) order[d] = static_cast<int64_t>(d);
        std::shuffle(order.begin(), order.end(), random_);
        Sizes y;
        for (int64_t d : order) y.push_back(x[d]);
        return Emit(absl::StrCat("transpose ", name, " permutation = [", absl::StrJoin(order, ", "),
                                 "] : ", type),
                    y);
      }
      case 7: {  // flattened, or regrouped by any divisor
        const int64_t count = Count(x);
        int64_t divisor = 1 + static_cast<int64_t>(Below(count));
        while (count % divisor) --divisor;
        const Sizes y = Below(3) ? Sizes{divisor, count / divisor} : Sizes{count};
        return Emit(absl::StrCat("reshape ", name, " : ", type, " -> ", Tensor(y)), y);
      }
      case 8: {
        Sizes y, starts, strides;
        for (int64_t size : x) {
          const int64_t stride = 1 + static_cast<int64_t>(Below(2));
          const int64_t start = static_cast<int64_t>(Below(size));
          y.push_back(1 + static_cast<int64_t>(Below((size - start + stride - 1) / stride)));
          starts.push_back(start);
          strides.push_back(stride);
        }
        return Emit(Boxed("slice", name, starts, strides, type, y), y);
      }
      case 9: {
        Sizes y, starts, strides;
        for (int64_t size : x) {
          const int64_t stride = 1 + static_cast<int64_t>(Below(2)), start = Below(3);
          starts.push_back(start);
          strides.push_back(stride);
          y.push_back(start + (size - 1) * stride + 1 + static_cast<int64_t>(Below(3)));
        }
        return Emit(Boxed("pad", name, starts, strides, type, y), y);
      }
      default: {
        if (rank == 0) return;
        const size_t dim = Below(rank);
        Sizes y = x;
        y[dim] *= 2;
        return Emit(
            absl::StrCat("concat ", name, ", ", name, " dim = ", dim, " : ", type, ", ", type), y);
      }
    }
  }

  std::string Boxed(const char* op, const std::string& name, const Sizes& starts,
                    const Sizes& strides, const std::string& type, const Sizes& y) {
    return absl::StrCat(op, " ", name, " starts = [", absl::StrJoin(starts, ", "), "] strides = [",
                        absl::StrJoin(strides, ", "), "] : ", type, " -> ", Tensor(y));
  }

  // With some other value that broadcasts with it.
  void EmitBinary(size_t v) {
    static constexpr const char* kOps[] = {"add", "sub", "mul", "max", "min"};
    for (int tries = 0; tries < 8; ++tries) {
      const size_t w = Below(values_.size());
      const Sizes &a = values_[v], &b = values_[w];
      Sizes y(std::max(a.size(), b.size()), 1);
      bool fits = true;
      for (size_t d = 1; d <= y.size(); ++d) {
        const int64_t m = d <= a.size() ? a[a.size() - d] : 1;
        const int64_t n = d <= b.size() ? b[b.size() - d] : 1;
        fits &= m == n || m == 1 || n == 1;
        y[y.size() - d] = std::max(m, n);
      }
      if (!fits) continue;
      return Emit(absl::StrCat(kOps[Below(std::size(kOps))], " %", v, ", %", w, " : ", Tensor(a),
                               ", ", Tensor(b)),
                  y);
    }
  }

  std::mt19937 random_;
  std::vector<Sizes> values_;
  std::string text_;
};

}  // namespace trama::kernel_testing
