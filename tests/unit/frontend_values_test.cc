// Every function of the DSL against plain loops over random shapes, in float64 by the reference
// interpreter.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "backends/reference/interpreter.h"
#include "base/status_matchers.h"
#include "frontend/emit.h"
#include "frontend/functional.h"
#include "frontend/loss.h"
#include "models/attention/attention.h"
#include "tests/unit/frontend_testing.h"

namespace trama {
namespace {
constexpr double kTolerance = 1e-12;

HostTensor Eval(const DslFunction& f, const std::vector<HostTensor>& inputs,
                bool training = false) {
  std::vector<std::pair<DType, Shape>> specs;
  for (const HostTensor& input : inputs) specs.emplace_back(input.dtype, input.shape);
  auto module = TraceFunction(f, specs, DType::kF64, training);
  EXPECT_OK(module);
  if (!module.ok()) return {};
  std::vector<HostTensor> arguments = inputs;
  if (training) arguments.push_back(HostTensor::I32({4}, {11, 22, 3, 0}));
  auto results =
      reference::Evaluate(module->impl().module->lookupSymbol<mlir::func::FuncOp>("main"),
                          arguments, {.float64 = true});
  EXPECT_OK(results);
  return results.ok() ? results->front() : HostTensor();
}

// Calls f with every index of `shape`, in row-major order.
void ForEach(const Shape& shape, const std::function<void(const Shape&)>& f) {
  Shape index(shape.size(), 0);
  for (int64_t n = NumElements(shape).value(); n > 0; --n) {
    f(index);
    for (size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
  }
}

// x at `index`, which may belong to a shape that x broadcasts to.
double At(const HostTensor& x, const Shape& index) {
  const Shape strides = Strides(x.shape);
  int64_t at = 0;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    const int64_t i = index[d + index.size() - x.shape.size()];
    at += strides[d] * (x.shape[d] == 1 ? 0 : i);
  }
  return x.at(at);
}

using Want = std::function<double(const Shape&)>;
void ExpectValues(const HostTensor& got, const Shape& shape, const Want& want) {
  ASSERT_EQ(got.shape, shape);
  int64_t i = 0;
  ForEach(shape, [&](const Shape& index) {
    const double expected = want(index);
    EXPECT_NEAR(got.at(i), expected, kTolerance * std::max(1.0, std::abs(expected)))
        << "element " << i << " of " << ToString(shape);
    ++i;
  });
}

class Values : public testing::TestWithParam<int> {
 protected:
  std::mt19937 random_{static_cast<uint32_t>(GetParam())};
  int64_t Pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
  Shape RandomShape(int64_t min_rank, int64_t max_rank) {
    Shape shape(Pick(min_rank, max_rank));
    for (int64_t& size : shape) size = Pick(1, 5);
    return shape;
  }
  HostTensor Reals(const Shape& shape, double low = -2, double high = 2) {
    HostTensor x(DType::kF64, shape);
    for (double& v : x.data<double>()) v = std::uniform_real_distribution(low, high)(random_);
    return x;
  }
  HostTensor Ints(const Shape& shape, int64_t low, int64_t high, DType dtype = DType::kI32) {
    HostTensor x(dtype, shape);
    for (int64_t i = 0; i < x.num_elements(); ++i) x.set(i, static_cast<double>(Pick(low, high)));
    return x;
  }
  // A shape that broadcasts with `shape`: some sizes 1, some leading ones gone.
  Shape Narrowed(Shape shape) {
    for (int64_t& size : shape)
      if (Pick(0, 2) == 0) size = 1;
    shape.erase(shape.begin(), shape.begin() + Pick(0, static_cast<int64_t>(shape.size())));
    return shape;
  }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Values, testing::Range(0, 8));

TEST_P(Values, Unary) {
  const std::vector<std::pair<std::function<Tensor(Tensor)>, double (*)(double)>> cases = {
      {[](Tensor x) { return abs(x); }, [](double x) { return std::abs(x); }},
      {[](Tensor x) { return sign(x); }, [](double x) { return x > 0 ? 1.0 : -1.0; }},
      {[](Tensor x) { return exp(x); }, [](double x) { return std::exp(x); }},
      {[](Tensor x) { return log(square(x)); }, [](double x) { return std::log(x * x); }},
      {[](Tensor x) { return log1p(square(x)); }, [](double x) { return std::log1p(x * x); }},
      {[](Tensor x) { return sqrt(abs(x)); }, [](double x) { return std::sqrt(std::abs(x)); }},
      {[](Tensor x) { return rsqrt(1 + x * x); }, [](double x) { return 1 / std::hypot(1, x); }},
      {[](Tensor x) { return reciprocal(x); }, [](double x) { return 1 / x; }},
      {[](Tensor x) { return -erf(x); }, [](double x) { return -std::erf(x); }},
      {[](Tensor x) { return sin(x) + cos(x); },
       [](double x) { return std::sin(x) + std::cos(x); }},
      {[](Tensor x) { return floor(x); }, [](double x) { return std::floor(x); }},
      {[](Tensor x) { return tanh(x); }, [](double x) { return std::tanh(x); }},
      {[](Tensor x) { return sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {[](Tensor x) { return silu(x); }, [](double x) { return x / (1 + std::exp(-x)); }},
      {[](Tensor x) { return relu(x); }, [](double x) { return x > 0 ? x : 0.0; }},
      {[](Tensor x) { return softplus(x); }, [](double x) { return std::log1p(std::exp(x)); }},
      {[](Tensor x) { return gelu(x); },
       [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }},
      {[](Tensor x) { return gelu(x, Gelu::kTanh); },
       [](double x) {
         return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
       }},
      {[](Tensor x) { return clamp(x, -1, 0.5); },
       [](double x) { return std::min(std::max(x, -1.0), 0.5); }},
      {[](Tensor x) { return pow(abs(x), 1.5); },
       [](double x) { return std::pow(std::abs(x), 1.5); }},
  };
  for (const auto& [dsl, plain] : cases) {
    const HostTensor x = Reals(RandomShape(0, 4));
    ExpectValues(Eval([&](const auto& in) { return dsl(in[0]); }, {x}), x.shape,
                 [&](const Shape& i) { return plain(At(x, i)); });
  }
}

TEST_P(Values, SoftplusIsStable) {
  const HostTensor x = HostTensor::Of<double>(DType::kF64, {4}, {-800, -30, 30, 800});
  ExpectValues(Eval([](const auto& in) { return softplus(in[0]); }, {x}), {4}, [&](const Shape& i) {
    return At(x, i) > 0 ? At(x, i) + std::log1p(std::exp(-At(x, i)))
                        : std::log1p(std::exp(At(x, i)));
  });
}

TEST_P(Values, BinaryBroadcasts) {
  const std::vector<std::pair<std::function<Tensor(Tensor, Tensor)>, double (*)(double, double)>>
      cases = {
          {[](Tensor a, Tensor b) { return a + b; }, [](double a, double b) { return a + b; }},
          {[](Tensor a, Tensor b) { return a - b; }, [](double a, double b) { return a - b; }},
          {[](Tensor a, Tensor b) { return a * b; }, [](double a, double b) { return a * b; }},
          {[](Tensor a, Tensor b) { return a / b; }, [](double a, double b) { return a / b; }},
          {[](Tensor a, Tensor b) { return pow(exp(a), b); },
           [](double a, double b) { return std::exp(a * b); }},
          {[](Tensor a, Tensor b) { return maximum(a, b); },
           [](double a, double b) { return std::max(a, b); }},
          {[](Tensor a, Tensor b) { return minimum(a, b); },
           [](double a, double b) { return std::min(a, b); }},
          {[](Tensor a, Tensor b) { return a < b; },
           [](double a, double b) { return a < b ? 1.0 : 0.0; }},
          {[](Tensor a, Tensor b) { return where(a >= b, a, 7 - b); },
           [](double a, double b) { return a >= b ? a : 7 - b; }},
          {[](Tensor a, Tensor b) { return (a > 0) & ~(b <= 0); },
           [](double a, double b) { return a > 0 && b > 0 ? 1.0 : 0.0; }},
          {[](Tensor a, Tensor b) { return (a > 0) | (b != b); },
           [](double a, double b) { return a > 0 ? 1.0 : 0.0; }},
      };
  for (const auto& [dsl, plain] : cases) {
    const Shape shape = RandomShape(0, 4);
    const HostTensor a = Reals(Narrowed(shape)), b = Reals(Narrowed(shape));
    ExpectValues(Eval([&](const auto& in) { return dsl(in[0], in[1]); }, {a, b}),
                 *Broadcast(a.shape, b.shape),
                 [&](const Shape& i) { return plain(At(a, i), At(b, i)); });
  }
}

TEST_P(Values, WhereOfTwoNumbers) {
  const HostTensor x = Reals(RandomShape(0, 4));
  auto run = [&](std::function<Tensor(Tensor)> f) {
    return Eval([&](const auto& in) { return f(in[0]); }, {x});
  };
  const HostTensor real = run([](Tensor t) { return where(t > 0, 7, 2.5); });
  EXPECT_EQ(real.dtype, DType::kF64);
  ExpectValues(real, x.shape, [&](const Shape& i) { return At(x, i) > 0 ? 7 : 2.5; });
  const HostTensor whole = run([](Tensor t) { return where(t > 0, 7, -2); });
  EXPECT_EQ(whole.dtype, DType::kI32);
  ExpectValues(whole, x.shape, [&](const Shape& i) { return At(x, i) > 0 ? 7 : -2; });
}

TEST_P(Values, DtypesPromoteAsInTorch) {
  const HostTensor ids = Ints({4}, -3, 3), wide = Ints({4}, -3, 3, DType::kI64), x = Reals({4});
  auto dtype = [&](std::function<Tensor(Tensor, Tensor, Tensor)> f) {
    return Eval([&](const auto& in) { return f(in[0], in[1], in[2]); }, {ids, wide, x}).dtype;
  };
  EXPECT_EQ(dtype([](Tensor i, Tensor, Tensor) { return i + 2; }), DType::kI32);
  EXPECT_EQ(dtype([](Tensor i, Tensor w, Tensor) { return i + w; }), DType::kI64);
  EXPECT_EQ(dtype([](Tensor i, Tensor, Tensor x) { return i * x; }), DType::kF64);
  EXPECT_EQ(dtype([](Tensor i, Tensor, Tensor) { return i * 0.5; }), DType::kF64);
  EXPECT_EQ(dtype([](Tensor i, Tensor, Tensor) { return i / 2; }), DType::kF64);
  EXPECT_EQ(dtype([](Tensor i, Tensor w, Tensor) { return i == w; }), DType::kBool);
  EXPECT_EQ(dtype([](Tensor i, Tensor, Tensor) { return sum(i > 0); }), DType::kI32);
  EXPECT_EQ(dtype([](Tensor i, Tensor, Tensor) { return exp(i); }), DType::kF64);
  ExpectValues(Eval([](const auto& in) { return in[0] / 2; }, {ids}), {4},
               [&](const Shape& i) { return At(ids, i) / 2; });
}

TEST_P(Values, Reductions) {
  const HostTensor x = Reals(RandomShape(1, 4));
  const int64_t rank = static_cast<int64_t>(x.shape.size());
  Shape dims, kept = x.shape;
  for (int64_t d = 0; d < rank; ++d)
    if (Pick(0, 1)) dims.push_back(Pick(0, 1) ? d : d - rank);
  std::vector<bool> reduced(rank, dims.empty());
  for (int64_t d : dims) reduced[d < 0 ? d + rank : d] = true;
  int64_t count = 1;
  for (int64_t d = 0; d < rank; ++d)
    if (reduced[d]) count *= x.shape[d], kept[d] = 1;
  // fold(f, initial) over what is reduced into the element `at` of the kept shape.
  auto fold = [&](const Shape& at, double initial, const std::function<double(double, double)>& f) {
    ForEach(x.shape, [&](const Shape& i) {
      for (int64_t d = 0; d < rank; ++d)
        if (!reduced[d] && i[d] != at[d]) return;
      initial = f(initial, At(x, i));
    });
    return initial;
  };
  auto add = [](double a, double b) { return a + b; };
  auto run = [&](std::function<Tensor(Tensor)> f) {
    return Eval([&](const auto& in) { return f(in[0]); }, {x});
  };
  ExpectValues(run([&](Tensor t) { return sum(t, dims, true); }), kept,
               [&](const Shape& at) { return fold(at, 0, add); });
  ExpectValues(run([&](Tensor t) { return t.mean(dims, true); }), kept,
               [&](const Shape& at) { return fold(at, 0, add) / count; });
  ExpectValues(run([&](Tensor t) { return amax(t, dims, true); }), kept, [&](const Shape& at) {
    return fold(at, -INFINITY, [](double a, double b) { return std::max(a, b); });
  });
  ExpectValues(run([&](Tensor t) { return amin(t, dims, true); }), kept, [&](const Shape& at) {
    return fold(at, INFINITY, [](double a, double b) { return std::min(a, b); });
  });
  auto variance = [&](const Shape& at, double divisor) {
    const double mean = fold(at, 0, add) / count;
    return fold(at, 0, [&](double a, double b) { return a + (b - mean) * (b - mean); }) / divisor;
  };
  ExpectValues(run([&](Tensor t) { return var(t, dims, true, 0); }), kept,
               [&](const Shape& at) { return variance(at, count); });
  if (count > 1)
    ExpectValues(run([&](Tensor t) { return var(t, dims, true); }), kept,
                 [&](const Shape& at) { return variance(at, count - 1); });
  Shape gone;
  for (int64_t d = 0; d < rank; ++d)
    if (!reduced[d]) gone.push_back(x.shape[d]);
  EXPECT_EQ(run([&](Tensor t) { return t.sum(dims); }).shape, gone);
}

TEST_P(Values, AlongOneDimension) {
  const HostTensor x = Reals(RandomShape(1, 4));
  const int64_t d = Pick(0, static_cast<int64_t>(x.shape.size()) - 1), n = x.shape[d];
  auto at = [&](Shape i, int64_t j) { return i[d] = j, At(x, i); };
  auto normaliser = [&](const Shape& i) {
    double sum = 0;
    for (int64_t j = 0; j < n; ++j) sum += std::exp(at(i, j));
    return sum;
  };
  auto run = [&](std::function<Tensor(Tensor)> f) {
    return Eval([&](const auto& in) { return f(in[0]); }, {x});
  };
  ExpectValues(run([&](Tensor t) { return softmax(t, d); }), x.shape,
               [&](const Shape& i) { return std::exp(At(x, i)) / normaliser(i); });
  ExpectValues(run([&](Tensor t) { return log_softmax(t, d); }), x.shape,
               [&](const Shape& i) { return At(x, i) - std::log(normaliser(i)); });
  Shape kept = x.shape;
  kept[d] = 1;
  ExpectValues(run([&](Tensor t) { return logsumexp(t, d, true); }), kept,
               [&](const Shape& i) { return std::log(normaliser(i)); });
  ExpectValues(run([&](Tensor t) { return argmax(t, d, true); }), kept, [&](const Shape& i) {
    int64_t best = 0;
    for (int64_t j = 1; j < n; ++j)
      if (at(i, j) > at(i, best)) best = j;
    return static_cast<double>(best);
  });
  Shape few = x.shape;
  few[d] = (n + 1) / 2;
  auto ranked = [&](const Shape& i) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return at(i, a) > at(i, b) || (at(i, a) == at(i, b) && a < b);
    });
    return order[static_cast<size_t>(i[d])];
  };
  ExpectValues(run([&](Tensor t) { return topk(t, few[d], d).first; }), few,
               [&](const Shape& i) { return at(i, ranked(i)); });
  ExpectValues(run([&](Tensor t) { return topk(t, few[d], d).second; }), few,
               [&](const Shape& i) { return static_cast<double>(ranked(i)); });
  const HostTensor index = Ints(x.shape, 0, n - 1);
  ExpectValues(Eval([&](const auto& in) { return gather(in[0], d, in[1]); }, {x, index}), x.shape,
               [&](const Shape& i) { return at(i, static_cast<int64_t>(At(index, i))); });
}

TEST_P(Values, OtherShapes) {
  const HostTensor x = Reals({3, 4, 6});
  auto run = [&](std::function<Tensor(Tensor)> f) {
    return Eval([&](const auto& in) { return f(in[0]); }, {x});
  };
  auto flat = [&](int64_t i) { return x.at(i); };
  ExpectValues(run([](Tensor t) {
                 return t.view({2, -1, 9});
               }),
               {2, 4, 9}, [&](const Shape& i) { return flat((i[0] * 4 + i[1]) * 9 + i[2]); });
  ExpectValues(run([](Tensor t) { return t.flatten(1); }), {3, 24},
               [&](const Shape& i) { return flat(i[0] * 24 + i[1]); });
  ExpectValues(run([](Tensor t) {
                 return t.unflatten(-1, {2, -1});
               }),
               {3, 4, 2, 3}, [&](const Shape& i) {
                 return At(x, {i[0], i[1], i[2] * 3 + i[3]});
               });
  ExpectValues(run([](Tensor t) { return t.transpose(0, -1); }), {6, 4, 3}, [&](const Shape& i) {
    return At(x, {i[2], i[1], i[0]});
  });
  ExpectValues(run([](Tensor t) {
                 return t.permute({2, 0, 1});
               }),
               {6, 3, 4}, [&](const Shape& i) {
                 return At(x, {i[1], i[2], i[0]});
               });
  ExpectValues(run([](Tensor t) { return t.unsqueeze(-1).squeeze(-1).unsqueeze(1); }), {3, 1, 4, 6},
               [&](const Shape& i) {
                 return At(x, {i[0], i[2], i[3]});
               });
  ExpectValues(run([](Tensor t) {
                 return t.unsqueeze(0).expand({2, -1, -1, -1});
               }),
               {2, 3, 4, 6}, [&](const Shape& i) {
                 return At(x, {i[1], i[2], i[3]});
               });
  ExpectValues(run([](Tensor t) { return slice(t, 2, 1, 6, 2); }), {3, 4, 3}, [&](const Shape& i) {
    return At(x, {i[0], i[1], 1 + 2 * i[2]});
  });
  ExpectValues(run([](Tensor t) { return slice(t, 1, -2, 100); }), {3, 2, 6}, [&](const Shape& i) {
    return At(x, {i[0], 2 + i[1], i[2]});
  });
  ExpectValues(run([](Tensor t) { return t.select(1, -1); }), {3, 6}, [&](const Shape& i) {
    return At(x, {i[0], 3, i[1]});
  });
  ExpectValues(run([](Tensor t) { return chunk<3>(t, -1)[2]; }), {3, 4, 2}, [&](const Shape& i) {
    return At(x, {i[0], i[1], 4 + i[2]});
  });
  ExpectValues(run([](Tensor t) {
                 return split(t, {1, 3}, 1)[1];
               }),
               {3, 3, 6}, [&](const Shape& i) {
                 return At(x, {i[0], 1 + i[1], i[2]});
               });
  ExpectValues(run([](Tensor t) {
                 return cat({t, 2 * t}, 1);
               }),
               {3, 8, 6}, [&](const Shape& i) {
                 return i[1] < 4 ? At(x, i) : 2 * At(x, {i[0], i[1] - 4, i[2]});
               });
  ExpectValues(run([](Tensor t) {
                 return stack({t, -t}, 3);
               }),
               {3, 4, 6, 2}, [&](const Shape& i) {
                 return (i[3] ? -1 : 1) * At(x, {i[0], i[1], i[2]});
               });
}

TEST_P(Values, Constants) {
  ExpectValues(Eval([](const auto&) { return arange(5); }, {}), {5},
               [](const Shape& i) { return static_cast<double>(i[0]); });
  ExpectValues(Eval(
                   [](const auto&) {
                     return full({2, 3}, 1.5) + zeros({2, 3}) - ones({3});
                   },
                   {}),
               {2, 3}, [](const Shape&) { return 0.5; });
  const HostTensor scores = Reals({2, 3, 4});
  ExpectValues(Eval([](const auto& in) { return exp(causal_mask(in[0])); }, {scores}), {3, 4},
               [](const Shape& i) { return i[1] <= i[0] ? 1.0 : 0.0; });
  ExpectValues(Eval([](const auto& in) { return masked_fill(in[0], in[0] > 0, -3); }, {scores}),
               {2, 3, 4}, [&](const Shape& i) { return At(scores, i) > 0 ? -3 : At(scores, i); });
}

TEST_P(Values, Matmul) {
  const int64_t m = Pick(1, 5), k = Pick(1, 5), n = Pick(1, 5);
  Shape batch = RandomShape(0, 2), lhs = Narrowed(batch), rhs = Narrowed(batch);
  const Shape common = *Broadcast(lhs, rhs);
  lhs.insert(lhs.end(), {m, k}), rhs.insert(rhs.end(), {k, n});
  const HostTensor a = Reals(lhs), b = Reals(rhs), w = Reals({n, k}), bias = Reals({n}),
                   v = Reals({k});
  auto dot = [&](const std::function<double(int64_t)>& term) {
    double sum = 0;
    for (int64_t j = 0; j < k; ++j) sum += term(j);
    return sum;
  };
  auto with = [](Shape i, size_t from_end, int64_t j) { return i[i.size() - from_end] = j, i; };
  Shape shape = common;
  shape.insert(shape.end(), {m, n});
  ExpectValues(Eval([](const auto& in) { return matmul(in[0], in[1]); }, {a, b}), shape,
               [&](const Shape& i) {
                 return dot([&](int64_t j) { return At(a, with(i, 1, j)) * At(b, with(i, 2, j)); });
               });
  Shape linear_shape = lhs;
  linear_shape.back() = n;
  ExpectValues(Eval([](const auto& in) { return linear(in[0], in[1], in[2]); }, {a, w, bias}),
               linear_shape, [&](const Shape& i) {
                 return At(bias, {i.back()}) + dot([&](int64_t j) {
                          return At(a, with(i, 1, j)) * At(w, {i.back(), j});
                        });
               });
  Shape column = lhs;
  column.pop_back();
  ExpectValues(Eval([](const auto& in) { return matmul(in[0], in[1]); }, {a, v}), column,
               [&](Shape i) {
                 i.push_back(0);
                 return dot([&](int64_t j) { return At(a, with(i, 1, j)) * At(v, {j}); });
               });
  ExpectValues(Eval([](const auto& in) { return matmul(in[0], in[0]); }, {v}), {},
               [&](const Shape&) { return dot([&](int64_t j) { return v.at(j) * v.at(j); }); });
}

TEST_P(Values, LayersAndIndexing) {
  const HostTensor x = Reals({2, 3, 5}), w = Reals({5}), b = Reals({5});
  ExpectValues(Eval([](const auto& in) { return layer_norm(in[0], in[1], in[2], 0.1); }, {x, w, b}),
               x.shape, [&](Shape i) {
                 double mean = 0, square = 0;
                 const int64_t c = i[2];
                 for (i[2] = 0; i[2] < 5; ++i[2]) mean += At(x, i) / 5;
                 for (i[2] = 0; i[2] < 5; ++i[2]) square += std::pow(At(x, i) - mean, 2) / 5;
                 i[2] = c;
                 return (At(x, i) - mean) / std::sqrt(square + 0.1) * w.at(c) + b.at(c);
               });
  const HostTensor table = Reals({7, 3}), ids = Ints({2, 4}, 0, 6);
  ExpectValues(Eval([](const auto& in) { return embedding(in[0], in[1]); }, {ids, table}),
               {2, 4, 3}, [&](const Shape& i) {
                 return At(table, {static_cast<int64_t>(At(ids, {i[0], i[1]})), i[2]});
               });
  ExpectValues(Eval([](const auto& in) { return one_hot(in[0], 7); }, {ids}), {2, 4, 7},
               [&](const Shape& i) {
                 return At(ids, {i[0], i[1]}) == i[2] ? 1.0 : 0.0;
               });
  ExpectValues(Eval([](const auto& in) { return dropout(in[0], 0.5); }, {x}), x.shape,
               [&](const Shape& i) { return At(x, i); });
  ExpectValues(Eval(
                   [](const auto& in) {
                     return scan(
                                in[0], zeros({2, 5}),
                                [](Tensor sum, Tensor x) { return std::pair(sum + x, sum + x); }, 1)
                         .second;
                   },
                   {x}),
               x.shape, [&](Shape i) {
                 double sum = 0;
                 for (int64_t t = i[1]; t >= 0; --t) sum += At(x, {i[0], t, i[2]});
                 return sum;
               });
}

TEST_P(Values, DropoutKeepsTheExpectation) {
  const HostTensor y = Eval(
      [](const auto&) {
        return dropout(ones({100, 100}), 0.25);
      },
      {}, /*training=*/true);
  double kept = 0;
  for (int64_t i = 0; i < y.num_elements(); ++i) {
    EXPECT_TRUE(y.at(i) == 0 || std::abs(y.at(i) - 1 / 0.75) < 1e-15) << y.at(i);
    kept += y.at(i) > 0;
  }
  EXPECT_NEAR(kept / 1e4, 0.75, 5 * std::sqrt(0.25 * 0.75 / 1e4));
}

// The figures of Raschka's chapter 7: a target of -100 leaves the mean as it was.
TEST(CrossEntropy, LeavesOutIgnoredTargetsAsTheBook) {
  const auto loss = [](const Shape& shape, const std::vector<float>& logits,
                       const std::vector<int32_t>& targets) {
    return Eval([](const auto& in) { return cross_entropy(in[0], in[1]); },
                {HostTensor::F32(shape, logits).Cast(DType::kF64),
                 HostTensor::I32({shape[0]}, targets)})
        .at(0);
  };
  const double two = loss({2, 2}, {-1, 1, -0.5, 1.5}, {0, 1});
  EXPECT_NEAR(two, 1.1269, 5e-5);
  EXPECT_NEAR(loss({3, 2}, {-1, 1, -0.5, 1.5, -0.5, 1.5}, {0, 1, 1}), 0.7936, 5e-5);
  EXPECT_EQ(loss({3, 2}, {-1, 1, -0.5, 1.5, -0.5, 1.5}, {0, 1, -100}), two);
}

TEST_P(Values, Losses) {
  const int64_t n = Pick(1, 6), classes = Pick(2, 5);
  const HostTensor logits = Reals({n, classes});
  HostTensor targets = Ints({n}, 0, classes - 1);
  if (n > 1) targets.set(n - 1, -100);
  const double e = GetParam() % 2 ? 0.2 : 0;
  double total = 0, counted = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (targets.at(i) < 0) continue;
    double sum = 0, mean = 0;
    for (int64_t c = 0; c < classes; ++c) {
      sum += std::exp(At(logits, {i, c}));
      mean += At(logits, {i, c}) / static_cast<double>(classes);
    }
    const double picked = At(logits, {i, static_cast<int64_t>(targets.at(i))});
    total += (1 - e) * (std::log(sum) - picked) + e * (std::log(sum) - mean), counted += 1;
  }
  ExpectValues(
      Eval([&](const auto& in) { return cross_entropy(in[0], in[1], -100, e); }, {logits, targets}),
      {}, [&](const Shape&) { return total / counted; });

  const HostTensor z = Reals({n, 3}), t = Ints({n, 3}, 0, 1);
  double bce = 0, mse = 0, hinge = 0;
  for (int64_t i = 0; i < 3 * n; ++i) {
    const double p = 1 / (1 + std::exp(-z.at(i)));
    bce -= std::log(t.at(i) ? p : 1 - p);
    mse += std::pow(z.at(i) - t.at(i), 2);
    hinge += std::max(0.0, 1 - (2 * t.at(i) - 1) * z.at(i));
  }
  auto loss = [&](std::function<Tensor(Tensor, Tensor)> f) {
    return Eval([&](const auto& in) { return f(in[0], in[1]); }, {z, t});
  };
  const double count = 3.0 * static_cast<double>(n);
  ExpectValues(loss([](Tensor z, Tensor t) { return binary_cross_entropy_with_logits(z, t); }), {},
               [&](const Shape&) { return bce / count; });
  ExpectValues(loss([](Tensor z, Tensor t) { return mse_loss(z, t); }), {},
               [&](const Shape&) { return mse / count; });
  ExpectValues(loss([](Tensor z, Tensor t) { return hinge_loss(z, 2 * t - 1); }), {},
               [&](const Shape&) { return hinge / count; });
}

TEST_P(Values, Attention) {
  const bool causal = GetParam() % 2;
  const int64_t heads = 2, d = 3, T = Pick(1, 5), S = causal ? T : Pick(1, 5);
  const HostTensor q = Reals({2, T, heads * d}), k = Reals({2, S, heads * d}),
                   v = Reals({2, S, heads * d});
  HostTensor mask = Ints({2, S}, 0, 1);
  mask.set(0, 1);
  const models::Attention attention({.embed_dim = heads * d, .heads = heads, .causal = causal});
  auto weight = [&](int64_t b, int64_t h, int64_t i, int64_t s) {  // before they are normalised
    if (mask.at(b * S + s) == 0 || (causal && s > i)) return 0.0;
    double score = 0;
    for (int64_t c = h * d; c < (h + 1) * d; ++c) score += At(q, {b, i, c}) * At(k, {b, s, c});
    return std::exp(score / std::sqrt(static_cast<double>(d)));
  };
  ExpectValues(Eval([&](const auto& in) { return attention(in[0], in[1], in[2], in[3]).output; },
                    {q, k, v, mask}),
               {2, T, heads * d}, [&](const Shape& i) {
                 double sum = 0, y = 0;
                 for (int64_t s = 0; s < S; ++s) {
                   sum += weight(i[0], i[2] / d, i[1], s);
                   y += weight(i[0], i[2] / d, i[1], s) * At(v, {i[0], s, i[2]});
                 }
                 return sum > 0 ? y / sum : 0;
               });
}

// torch's types: a product of narrow tensors is as narrow, whatever it is summed in.
TEST(NarrowProducts, HaveTheirOperandsType) {
  for (const DType narrow : {DType::kBF16, DType::kF16}) {
    HostTensor x(narrow, {2, 3}), w(narrow, {4, 3}), bias(narrow, {4});
    for (HostTensor* tensor : {&x, &w, &bias})
      for (int64_t i = 0; i < tensor->num_elements(); ++i)
        tensor->set(i, std::sin(static_cast<double>(i + 1)));
    auto module =
        TraceFunction([](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); },
                      {{narrow, x.shape}, {narrow, w.shape}, {narrow, bias.shape}});
    ASSERT_OK(module);
    ASSERT_OK_AND_ASSIGN(
        const std::vector<HostTensor> y,
        reference::Evaluate(module->impl().module->lookupSymbol<mlir::func::FuncOp>("main"),
                            {x, w, bias}));
    ASSERT_EQ(y[0].dtype, narrow);
    for (int64_t m = 0; m < 2; ++m)
      for (int64_t n = 0; n < 4; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < 3; ++k) sum += x.at(m * 3 + k) * w.at(n * 3 + k);
        HostTensor want(narrow, {1});
        want.set(0, sum);
        want.set(0, want.at(0) + bias.at(n));
        EXPECT_EQ(y[0].at(m * 4 + n), want.at(0)) << Name(narrow) << " " << m << " " << n;
      }
  }
}

}  // namespace
}  // namespace trama
