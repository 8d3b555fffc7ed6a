// Transcendental functions on f32 scalars and vectors of any lane count, as arith operations
// without a library call. Infinities, NaN, overflow and subnormal results are those of C's libm;
// the largest errors, in units in the last place over one million points, are tested in
// tests/unit/cpu_vector_math_test.cc.
#pragma once

#include <array>

#include "backends/codegen/builder.h"

namespace trama::codegen {

Value Exp(Builder& b, Value x);      // 1.1 ulp
Value Log(Builder& b, Value x);      // 1 ulp
Value Tanh(Builder& b, Value x);     // 1.5 ulp
Value Sigmoid(Builder& b, Value x);  // 1 / (1 + e^-x)
Value Erf(Builder& b, Value x);      // 1.5 ulp
// gelu and its derivative, with the normal distribution's function or its tanh form.
Value Gelu(Builder& b, Value x, bool tanh_form);
Value GeluDerivative(Builder& b, Value x, bool tanh_form);
Value Sqrt(Builder& b, Value x);
Value Rsqrt(Builder& b, Value x);

// An unsigned 64-bit number, or a vector of them, as two of i32: not every device has i64.
struct WideIndex {
  Value low, high;
};
WideIndex MultiplyWide(Builder& b, Value x, int64_t by);  // x: i32, unsigned; by < 2^32
WideIndex AddWide(Builder& b, WideIndex x, Value y);      // y: i32, unsigned

// random_uniform of ir/ops.td: f32 in [0, 1). `index`: i64, the elements' indices counted from the
// first example of all; key, step, op_id: i32 scalars.
struct PhiloxKey {
  Value seed_low, seed_high, step, op_id;
};
Value UniformAt(Builder& b, Value index, const PhiloxKey& key);
// The same for targets without i64: the index is high * 2^32 + low, both i32.
Value UniformAt(Builder& b, Value low, Value high, const PhiloxKey& key);
// The numbers at the elements 4 q .. 4 q + 3, q = high * 2^32 + low.
std::array<Value, 4> FourUniformsAt(Builder& b, Value low, Value high, const PhiloxKey& key);

}  // namespace trama::codegen
