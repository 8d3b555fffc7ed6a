// Tensor: a value of the program being traced. It has a dtype and a static shape, and costs a
// pointer to copy. Arithmetic broadcasts as NumPy does and promotes dtypes as PyTorch does (bool to
// integer to float; a number written in C++ takes the tensor's dtype).
//
// A wrong shape is an error of the trace, kept with the DSL's line: Trace() returns the first one.
// After it, and outside of a trace, every op gives an empty tensor (f32, rank 0), so that the
// model's code runs on.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <type_traits>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"

namespace trama {

namespace nn {
class Parameter;
}

using Loc = std::source_location;  // where in the DSL an op was written

// The size of a dimension. It remembers whether that is the time axis of the model's input, so that
// arange(ids.size(1)) is a position even where the length happens to equal another size.
class Size {
 public:
  template <std::integral T>
  Size(T value, bool is_time = false) : value_(static_cast<int64_t>(value)), is_time_(is_time) {}
  operator int64_t() const { return value_; }
  bool is_time() const { return is_time_; }

  // Of two sizes; with a number the conversion above serves.
  template <std::same_as<Size> T>
  friend int64_t operator+(T a, T b) {
    return a.value_ + b.value_;
  }
  template <std::same_as<Size> T>
  friend int64_t operator-(T a, T b) {
    return a.value_ - b.value_;
  }
  template <std::same_as<Size> T>
  friend int64_t operator*(T a, T b) {
    return a.value_ * b.value_;
  }
  template <std::same_as<Size> T>
  friend int64_t operator/(T a, T b) {
    return a.value_ / b.value_;
  }
  template <std::same_as<Size> T>
  friend bool operator==(T a, T b) {
    return a.value_ == b.value_;
  }
  template <std::same_as<Size> T>
  friend auto operator<=>(T a, T b) {
    return a.value_ <=> b.value_;
  }

 private:
  int64_t value_;
  bool is_time_;
};

// {B, T, -1}, or a Shape.
class Sizes {
 public:
  Sizes(std::initializer_list<Size> sizes) : sizes_(sizes) {}
  Sizes(const Shape& shape) : sizes_(shape.begin(), shape.end()) {}
  const std::vector<Size>& get() const { return sizes_; }

 private:
  std::vector<Size> sizes_;
};

class Tensor {
 public:
  Tensor() = default;  // empty

  DType dtype() const;
  Shape shape() const;
  int64_t dim() const;  // the number of dimensions
  int64_t numel() const;
  // Dimensions count from the end where negative, everywhere.
  Size size(int64_t dim, Loc loc = Loc::current()) const;
  explicit operator bool() const { return value_ != nullptr || parameter_ != nullptr; }

  // As the functions of the same names in functional.h.
  Tensor transpose(int64_t dim0, int64_t dim1, Loc loc = Loc::current()) const;
  Tensor permute(const Shape& dims, Loc loc = Loc::current()) const;
  Tensor reshape(const Sizes& shape, Loc loc = Loc::current()) const;
  Tensor view(const Sizes& shape, Loc loc = Loc::current()) const;
  Tensor flatten(int64_t start_dim = 0, int64_t end_dim = -1, Loc loc = Loc::current()) const;
  Tensor unflatten(int64_t dim, const Sizes& sizes, Loc loc = Loc::current()) const;
  Tensor squeeze(int64_t dim, Loc loc = Loc::current()) const;
  Tensor unsqueeze(int64_t dim, Loc loc = Loc::current()) const;
  Tensor expand(const Sizes& shape, Loc loc = Loc::current()) const;
  Tensor select(int64_t dim, int64_t index, Loc loc = Loc::current()) const;
  Tensor sum(const Shape& dims = {}, bool keepdim = false, Loc loc = Loc::current()) const;
  Tensor mean(const Shape& dims = {}, bool keepdim = false, Loc loc = Loc::current()) const;
  Tensor masked_fill(Tensor mask, double value, Loc loc = Loc::current()) const;
  Tensor to(DType dtype, Loc loc = Loc::current()) const;

 protected:
  explicit Tensor(const nn::Parameter* parameter) : parameter_(parameter) {}

 private:
  friend class Recorder;
  const void* value_ = nullptr;               // an mlir::Value
  const nn::Parameter* parameter_ = nullptr;  // becomes an argument of the function when used
};

// An operand of an operator: a tensor or a number, and the line it is on.
class Operand {
 public:
  Operand(const Tensor& tensor, Loc loc = Loc::current()) : tensor_(tensor), loc_(loc) {}
  template <typename T>
  requires std::is_arithmetic_v<T> Operand(T number, Loc loc = Loc::current())
      : number_(static_cast<double>(number)),
        is_number_(true),
        is_float_(std::is_floating_point_v<T>),
        loc_(loc) {}

  Operand(Size size, Loc loc = Loc::current()) : Operand(int64_t{size}, loc) {}

  const Tensor& tensor() const { return tensor_; }
  bool is_number() const { return is_number_; }
  bool is_float() const { return is_float_; }  // of a number: written as a floating-point one
  double number() const { return number_; }
  const Loc& loc() const { return loc_; }

 private:
  Tensor tensor_;
  double number_ = 0;
  bool is_number_ = false, is_float_ = false;
  Loc loc_;
};

Tensor operator+(Operand a, Operand b);
Tensor operator-(Operand a, Operand b);
Tensor operator*(Operand a, Operand b);
Tensor operator/(Operand a, Operand b);
Tensor operator-(Operand x);
// Element by element, bool.
Tensor operator==(Operand a, Operand b);
Tensor operator!=(Operand a, Operand b);
Tensor operator<(Operand a, Operand b);
Tensor operator<=(Operand a, Operand b);
Tensor operator>(Operand a, Operand b);
Tensor operator>=(Operand a, Operand b);
// Of bools.
Tensor operator&(Operand a, Operand b);
Tensor operator|(Operand a, Operand b);
Tensor operator~(Operand x);

inline Tensor& operator+=(Tensor& a, Operand b) { return a = Operand(a, b.loc()) + b; }
inline Tensor& operator-=(Tensor& a, Operand b) { return a = Operand(a, b.loc()) - b; }
inline Tensor& operator*=(Tensor& a, Operand b) { return a = Operand(a, b.loc()) * b; }
inline Tensor& operator/=(Tensor& a, Operand b) { return a = Operand(a, b.loc()) / b; }

}  // namespace trama
