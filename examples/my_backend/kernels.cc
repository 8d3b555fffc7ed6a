// The table, and the kernels whose element i depends on the operands' elements i only.
#include "kernels.h"

#include <cmath>
#include <functional>
#include <map>

namespace my_backend {
namespace {

template <typename F>
void Unary(Call& call, F f) {
  for (int64_t i = 0; i < call.results[0].size(); ++i)
    call.results[0].Set(i, f(call.operands[0].Get(i)));
}

template <typename F>
void Binary(Call& call, F f) {
  const View &a = call.operands[0], &b = call.operands[1];
  View& y = call.results[0];
  const auto along_a = BroadcastStrides(a.shape, y.shape);
  const auto along_b = BroadcastStrides(b.shape, y.shape);
  for (int64_t i = 0; i < y.size(); ++i)
    y.Set(i, f(a.Get(OffsetOf(i, y.shape, along_a)), b.Get(OffsetOf(i, y.shape, along_b))));
}

void Div(Call& call) {
  const bool exact = call.operands[0].dtype == DType::kF32;
  Binary(call, [&](double a, double b) { return exact || b != 0 ? a / b : 0; });
}

void Compare(Call& call) {
  const std::string order = call.Text("predicate");
  Binary(call, [&](double a, double b) {
    if (order == "eq") return a == b;
    if (order == "ne") return a != b;
    if (order == "lt") return a < b;
    if (order == "le") return a <= b;
    if (order == "gt") return a > b;
    return a >= b;
  });
}

void Select(Call& call) {
  View& y = call.results[0];
  std::vector<int64_t> along[3];
  for (int k = 0; k < 3; ++k) along[k] = BroadcastStrides(call.operands[k].shape, y.shape);
  for (int64_t i = 0; i < y.size(); ++i) {
    const int k = call.operands[0].Get(OffsetOf(i, y.shape, along[0])) != 0 ? 1 : 2;
    y.Set(i, call.operands[k].Get(OffsetOf(i, y.shape, along[k])));
  }
}

// A constant comes with its value where all elements are equal; load() refuses others.
void Constant(Call& call) {
  View& y = call.results[0];
  const double value =
      y.dtype == DType::kF32 ? call.Float("value") : static_cast<double>(call.Int("value"));
  for (int64_t i = 0; i < y.size(); ++i) y.Set(i, value);
}

const std::map<std::string, Function>& Table() {
  static const auto* table = new std::map<std::string, Function>{
      {"constant", Constant},
      {"cast", [](Call& c) { Unary(c, [](double x) { return x; }); }},
      {"reshape", [](Call& c) { Unary(c, [](double x) { return x; }); }},
      {"neg", [](Call& c) { Unary(c, [](double x) { return -x; }); }},
      {"abs", [](Call& c) { Unary(c, [](double x) { return std::abs(x); }); }},
      {"exp", [](Call& c) { Unary(c, [](double x) { return std::exp(x); }); }},
      {"log", [](Call& c) { Unary(c, [](double x) { return std::log(x); }); }},
      {"sqrt", [](Call& c) { Unary(c, [](double x) { return std::sqrt(x); }); }},
      {"rsqrt", [](Call& c) { Unary(c, [](double x) { return 1 / std::sqrt(x); }); }},
      {"tanh", [](Call& c) { Unary(c, [](double x) { return std::tanh(x); }); }},
      {"sigmoid", [](Call& c) { Unary(c, [](double x) { return 1 / (1 + std::exp(-x)); }); }},
      {"sign", [](Call& c) { Unary(c, [](double x) { return (x > 0) - (x < 0); }); }},
      {"not", [](Call& c) { Unary(c, [](double x) { return x == 0; }); }},
      {"add", [](Call& c) { Binary(c, std::plus<>()); }},
      {"sub", [](Call& c) { Binary(c, std::minus<>()); }},
      {"mul", [](Call& c) { Binary(c, std::multiplies<>()); }},
      {"div", Div},
      {"pow", [](Call& c) { Binary(c, [](double a, double b) { return std::pow(a, b); }); }},
      {"max", [](Call& c) { Binary(c, [](double a, double b) { return a > b ? a : b; }); }},
      {"min", [](Call& c) { Binary(c, [](double a, double b) { return a < b ? a : b; }); }},
      {"and", [](Call& c) { Binary(c, std::logical_and<>()); }},
      {"or", [](Call& c) { Binary(c, std::logical_or<>()); }},
      {"compare", Compare},
      {"select", Select},
      {"sum", Sum},
      {"reduce_max", ReduceMax},
      {"matmul", Matmul},
      {"transpose", Transpose},
      {"broadcast", Broadcast},
      {"slice", Slice},
  };
  return *table;
}

const trama::plan::Attribute* Find(const trama::plan::Kernel& kernel, const char* name) {
  const auto it = kernel.attributes().find(name);
  return it == kernel.attributes().end() ? nullptr : &it->second;
}

}  // namespace

Function FindKernel(const std::string& op) {
  const auto it = Table().find(op);
  return it == Table().end() ? nullptr : it->second;
}

std::string KernelNames() {
  std::string names;
  for (const auto& [name, function] : Table()) names += (names.empty() ? "" : ",") + name;
  return names;
}

int64_t Call::Int(const char* name) const {
  const auto* attribute = Find(kernel, name);
  return attribute ? attribute->i() : 0;
}
double Call::Float(const char* name) const {
  const auto* attribute = Find(kernel, name);
  return attribute ? attribute->f() : 0;
}
bool Call::Flag(const char* name) const {
  const auto* attribute = Find(kernel, name);
  return attribute && attribute->b();
}
std::string Call::Text(const char* name) const {
  const auto* attribute = Find(kernel, name);
  return attribute ? attribute->s() : "";
}
std::vector<int64_t> Call::Ints(const char* name) const {
  const auto* attribute = Find(kernel, name);
  if (!attribute) return {};
  return {attribute->ints().values().begin(), attribute->ints().values().end()};
}

int64_t View::size() const {
  int64_t size = 1;
  for (int64_t n : shape) size *= n;
  return size;
}

double View::Get(int64_t i) const {
  switch (dtype) {
    case DType::kF32:
      return static_cast<const float*>(data)[i];
    case DType::kI32:
      return static_cast<const int32_t*>(data)[i];
    case DType::kI64:
      return static_cast<double>(static_cast<const int64_t*>(data)[i]);
    case DType::kBool:
      return static_cast<const uint8_t*>(data)[i];
  }
  return 0;
}

void View::Set(int64_t i, double value) {
  switch (dtype) {
    case DType::kF32:
      static_cast<float*>(data)[i] = static_cast<float>(value);
      break;
    case DType::kI32:
      static_cast<int32_t*>(data)[i] = static_cast<int32_t>(value);
      break;
    case DType::kI64:
      static_cast<int64_t*>(data)[i] = static_cast<int64_t>(value);
      break;
    case DType::kBool:
      static_cast<uint8_t*>(data)[i] = value != 0;
      break;
  }
}

bool MakeView(const trama::plan::TensorType& type, View* view) {
  if (type.dtype() == "f32")
    view->dtype = DType::kF32;
  else if (type.dtype() == "i32")
    view->dtype = DType::kI32;
  else if (type.dtype() == "i64")
    view->dtype = DType::kI64;
  else if (type.dtype() == "bool")
    view->dtype = DType::kBool;
  else
    return false;
  view->shape.assign(type.shape().begin(), type.shape().end());
  view->data = nullptr;
  return true;
}

std::vector<int64_t> Strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

std::vector<int64_t> BroadcastStrides(const std::vector<int64_t>& from,
                                      const std::vector<int64_t>& to) {
  const std::vector<int64_t> dense = Strides(from);
  std::vector<int64_t> strides(to.size(), 0);
  for (size_t d = 0; d < from.size(); ++d)
    if (from[d] != 1) strides[to.size() - from.size() + d] = dense[d];
  return strides;
}

int64_t OffsetOf(int64_t i, const std::vector<int64_t>& shape,
                 const std::vector<int64_t>& strides) {
  int64_t offset = 0;
  for (size_t d = shape.size(); d-- > 0; i /= shape[d]) offset += i % shape[d] * strides[d];
  return offset;
}

}  // namespace my_backend
