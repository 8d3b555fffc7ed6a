#include "passes/support/polynomial.h"

#include <cmath>

#include "passes/support/match.h"

namespace trama {
namespace {

using mlir::Value;

constexpr int kMaxDegree = 6, kMaxDepth = 12;

Polynomial Scaled(const Polynomial& a, double c) {
  Polynomial result;
  for (const auto& [term, coefficient] : a) result[term] = coefficient * c;
  return result;
}

Polynomial Sum(const Polynomial& a, const Polynomial& b) {
  Polynomial result = a;
  for (const auto& [term, coefficient] : b) result[term] += coefficient;
  return result;
}

std::optional<Polynomial> Multiply(const Polynomial& a, const Polynomial& b) {
  Polynomial result;
  for (const auto& [m, p] : a) {
    for (const auto& [n, q] : b) {
      const std::array<int, 2> term = {m[0] + n[0], m[1] + n[1]};
      if (term[0] + term[1] > kMaxDegree) return std::nullopt;
      result[term] += p * q;
    }
  }
  return result;
}

std::optional<Polynomial> Power(const Polynomial& a, double exponent) {
  if (exponent != std::floor(exponent) || exponent < 1 || exponent > kMaxDegree)
    return std::nullopt;
  std::optional<Polynomial> result = a;
  for (int i = 1; i < exponent && result; ++i) result = Multiply(*result, a);
  return result;
}

std::optional<Polynomial> Read(Value v, Value x, Value t, int depth) {
  if (v == x) return Polynomial{{{1, 0}, 1}};
  if (v == t) return Polynomial{{{0, 1}, 1}};
  if (std::optional<double> c = Splat(v)) return Polynomial{{{0, 0}, *c}};
  mlir::Operation* op = v.getDefiningOp();
  if (!op || depth > kMaxDepth) return std::nullopt;
  auto operand = [&](int i) { return Read(op->getOperand(i), x, t, depth + 1); };
  if (mlir::isa<NegOp, BroadcastOp>(op)) {
    auto a = operand(0);
    return a && mlir::isa<NegOp>(op) ? Scaled(*a, -1) : a;
  }
  if (!mlir::isa<AddOp, SubOp, MulOp, DivOp, PowOp>(op)) return std::nullopt;
  auto a = operand(0);
  if (!a) return std::nullopt;
  if (mlir::isa<DivOp, PowOp>(op)) {
    const std::optional<double> c = Splat(op->getOperand(1));
    if (!c) return std::nullopt;
    return mlir::isa<DivOp>(op) ? Scaled(*a, 1 / *c) : Power(*a, *c);
  }
  auto b = operand(1);
  if (!b) return std::nullopt;
  if (mlir::isa<MulOp>(op)) return Multiply(*a, *b);
  return Sum(*a, mlir::isa<SubOp>(op) ? Scaled(*b, -1) : *b);
}

}  // namespace

std::optional<Polynomial> ReadPolynomial(Value v, Value x, Value t) { return Read(v, x, t, 0); }

bool NearlyEqual(const Polynomial& a, const Polynomial& b, mlir::Type element) {
  auto at = [](const Polynomial& p, const std::array<int, 2>& term) {
    auto it = p.find(term);
    return it == p.end() ? 0 : it->second;
  };
  for (const auto& [term, coefficient] : a)
    if (!NearlyEqual(coefficient, at(b, term), element)) return false;
  return llvm::all_of(b,
                      [&](const auto& entry) { return entry.second == 0 || a.count(entry.first); });
}

}  // namespace trama
