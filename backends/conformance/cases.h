// What conformance runs: one row an op form, in the dialect's text.
#pragma once

#include <string>
#include <vector>

namespace trama::conformance {

// An op, or several, over operands whose sizes are letters, replaced by random sizes in every
// trial.
struct Case {
  // %i is operand i and $i its type. The results of the last op are compared.
  std::string text;
  // "MxNxf32 positive": the type, then what its elements are drawn from. Floats: N(0, 1), or
  // `positive` (0.5, 2), `wide` (the extremes too), `ties` (-2, -1, 0, 1 or 2), `unit` (0, 1),
  // `small` (-1/8, 1/8), so that exp of a dot product with it is no extreme.
  // Integers: -9 to 9, or `<N`, or `<N outside` with -100, -1 and N now and then. Bools: either, or
  // `false` or `true` alone. f32 stands for every float type; `acc` for the one that products of it
  // are summed in: f32 where it is narrower.
  std::vector<std::string> operands;
  // Results that are not compared: what the op leaves open.
  std::vector<int> unspecified = {};
  // Results of the type `acc` for which more is rounded to the operands' type on the way.
  std::vector<int> rounded = {};

  // "matmul", or `fused` where the text has several ops.
  std::string op() const;
  int num_ops() const;  // each may round
};

// By family; every op of the dialect that can be a kernel is in one of them.
const std::vector<Case>& PointwiseCases();
const std::vector<Case>& MovementCases();     // reductions, views, indexing
const std::vector<Case>& ContractionCases();  // matmul, linear, attention
const std::vector<Case>& CompositeCases();    // normalisations, losses, optimizers
const std::vector<Case>& FusedCases();        // bodies of several ops
const std::vector<Case>& SelectionCases();    // top_k

std::vector<Case> AllCases();

}  // namespace trama::conformance
