// Pointwise arithmetic as a polynomial in a few values: what a formula computes, however it is
// spelled.
#pragma once

#include <array>
#include <map>
#include <optional>

#include "ir/dialect.h"

namespace trama {

// The coefficient of x^i t^j at (i, j). Absent: 0.
using Polynomial = std::map<std::array<int, 2>, double>;

// `v` through add, sub, mul, div by a constant, neg and pow with a small whole exponent, in the
// variables x and t (t may be null). nullopt where something else is in it or the degree exceeds 6.
std::optional<Polynomial> ReadPolynomial(mlir::Value v, mlir::Value x, mlir::Value t = {});

// a = b but for the rounding of constants in `element`.
bool NearlyEqual(const Polynomial& a, const Polynomial& b, mlir::Type element);

}  // namespace trama
