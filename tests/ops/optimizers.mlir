// square_sum, sgd and adam.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/values.mlir --trama-decompose --run-main=reference

//--- accepts.mlir
// CHECK-LABEL: func.func @forms
// CHECK: trama.square_sum %arg0, %arg1 : tensor<2x3xf32>, tensor<f32>
// CHECK: trama.sgd %arg0, %arg0, %arg0 lr %arg1 scale %arg1 apply %arg2 {momentum = 0.000000e+00 : f64, weight_decay = 0.000000e+00 : f64}
func.func @forms(%p: tensor<2x3xf32>, %s: tensor<f32>, %apply: tensor<i1>) -> (tensor<f32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = trama.square_sum %p, %s : tensor<2x3xf32>, tensor<f32>
  %1, %2 = trama.sgd %p, %p, %p lr %s scale %s apply %apply {momentum = 0.0 : f64, weight_decay = 0.0 : f64} : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<f32>, tensor<f32>, tensor<i1>
  return %0, %1, %2 : tensor<f32>, tensor<2x3xf32>, tensor<2x3xf32>
}

//--- rejects.mlir
func.func @grad(%p: tensor<2x3xf32>, %g: tensor<3xf32>, %s: tensor<f32>, %a: tensor<i1>) {
  // expected-error@+1 {{'trama.sgd' op gradient and state must be 'tensor<2x3xf32>' as the parameter, not 'tensor<3xf32>'}}
  %0, %1 = trama.sgd %p, %g, %p lr %s scale %s apply %a {momentum = 0.0 : f64, weight_decay = 0.0 : f64} : tensor<2x3xf32>, tensor<3xf32>, tensor<2x3xf32>, tensor<f32>, tensor<f32>, tensor<i1>
  return
}

// -----

func.func @lr(%p: tensor<2x3xf32>, %s: tensor<1xf32>, %a: tensor<i1>) {
  // expected-error@+1 {{'trama.sgd' op needs scalars of 'f32', not 'tensor<1xf32>'}}
  %0, %1 = trama.sgd %p, %p, %p lr %s scale %s apply %a {momentum = 0.0 : f64, weight_decay = 0.0 : f64} : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<1xf32>, tensor<1xf32>, tensor<i1>
  return
}

// -----

func.func @numbers(%s: f32) {
  // expected-error@+1 {{'trama.square_sum' op needs one tensor at least, and nothing else}}
  %0 = trama.square_sum %s : f32
  return
}

// -----

func.func @types(%p: tensor<2x3xf32>, %s: tensor<f64>) {
  // expected-error@+1 {{'trama.square_sum' op element types differ: 'tensor<2x3xf32>', 'tensor<f64>'}}
  %0 = trama.square_sum %p, %s : tensor<2x3xf32>, tensor<f64>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[1.0, -2.0]> : tensor<2xf32>
  %c2 = trama.constant dense<[0.5, 3.0]> : tensor<2xf32>
  %c3 = trama.constant dense<[0.1, -0.2]> : tensor<2xf32>
  %c4 = trama.constant dense<[0.04, 0.09]> : tensor<2xf32>
  %c5 = trama.constant dense<0.1> : tensor<f32>
  %c6 = trama.constant dense<0.5> : tensor<f32>
  %c7 = trama.constant dense<0.271> : tensor<f32>
  %c8 = trama.constant dense<0.0199> : tensor<f32>
  %c9 = trama.constant dense<true> : tensor<i1>
  %c10 = trama.constant dense<false> : tensor<i1>
  %p_0, %b_0 = trama.sgd %c1, %c2, %c3 lr %c5 scale %c6 apply %c9 {momentum = 0.0 : f64, weight_decay = 0.0 : f64} : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f32>, tensor<i1>
  %c11 = trama.constant dense<[0.975, -2.15]> : tensor<2xf32>
  trama.check_close %p_0, %c11 : tensor<2xf32>, tensor<2xf32>
  %c12 = trama.constant dense<[0.1, -0.2]> : tensor<2xf32>
  trama.check_close %b_0, %c12 : tensor<2xf32>, tensor<2xf32>
  %p_1, %b_1 = trama.sgd %c1, %c2, %c3 lr %c5 scale %c6 apply %c9 {momentum = 0.9 : f64, weight_decay = 0.01 : f64} : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f32>, tensor<i1>
  %c13 = trama.constant dense<[0.965, -2.13]> : tensor<2xf32>
  trama.check_close %p_1, %c13 : tensor<2xf32>, tensor<2xf32>
  %c14 = trama.constant dense<[0.35, 1.3]> : tensor<2xf32>
  trama.check_close %b_1, %c14 : tensor<2xf32>, tensor<2xf32>
  %p_2, %m_2, %v_2 = trama.adam %c1, %c2, %c3, %c4 lr %c5 scale %c6 corrections %c7, %c8 apply %c9 {beta1 = 9.0e-01 : f64, beta2 = 9.9e-01 : f64, eps = 1.0e-03 : f64, weight_decay = 1.0e-01 : f64} : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<i1>
  %c15 = trama.constant dense<[0.967818887, -1.99200927]> : tensor<2xf32>
  trama.check_close %p_2, %c15 : tensor<2xf32>, tensor<2xf32>
  %c16 = trama.constant dense<[0.125, -0.05]> : tensor<2xf32>
  trama.check_close %m_2, %c16 : tensor<2xf32>, tensor<2xf32>
  %c17 = trama.constant dense<[0.040825, 0.106]> : tensor<2xf32>
  trama.check_close %v_2, %c17 : tensor<2xf32>, tensor<2xf32>
  %p_3, %m_3, %v_3 = trama.adam %c1, %c2, %c3, %c4 lr %c5 scale %c6 corrections %c7, %c8 apply %c9 {beta1 = 9.0e-01 : f64, beta2 = 9.9e-01 : f64, eps = 1.0e-03 : f64, weight_decay = 1.0e-01 : f64, decoupled} : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<i1>
  %c18 = trama.constant dense<[0.960173541, -1.97532735]> : tensor<2xf32>
  trama.check_close %p_3, %c18 : tensor<2xf32>, tensor<2xf32>
  %c19 = trama.constant dense<[0.115, -0.03]> : tensor<2xf32>
  trama.check_close %m_3, %c19 : tensor<2xf32>, tensor<2xf32>
  %c20 = trama.constant dense<[0.040225, 0.1116]> : tensor<2xf32>
  trama.check_close %v_3, %c20 : tensor<2xf32>, tensor<2xf32>
  %p_4, %b_4 = trama.sgd %c1, %c2, %c3 lr %c5 scale %c6 apply %c10 {momentum = 0.0 : f64, weight_decay = 0.0 : f64} : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f32>, tensor<i1>
  %c21 = trama.constant dense<[1.0, -2.0]> : tensor<2xf32>
  trama.check_close %p_4, %c21 : tensor<2xf32>, tensor<2xf32>
  %c22 = trama.constant dense<[0.1, -0.2]> : tensor<2xf32>
  trama.check_close %b_4, %c22 : tensor<2xf32>, tensor<2xf32>
  %p_5, %b_5 = trama.sgd %c1, %c2, %c3 lr %c5 scale %c6 apply %c10 {momentum = 0.9 : f64, weight_decay = 0.01 : f64} : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f32>, tensor<i1>
  %c23 = trama.constant dense<[1.0, -2.0]> : tensor<2xf32>
  trama.check_close %p_5, %c23 : tensor<2xf32>, tensor<2xf32>
  %c24 = trama.constant dense<[0.1, -0.2]> : tensor<2xf32>
  trama.check_close %b_5, %c24 : tensor<2xf32>, tensor<2xf32>
  %p_6, %m_6, %v_6 = trama.adam %c1, %c2, %c3, %c4 lr %c5 scale %c6 corrections %c7, %c8 apply %c10 {beta1 = 9.0e-01 : f64, beta2 = 9.9e-01 : f64, eps = 1.0e-03 : f64, weight_decay = 1.0e-01 : f64} : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<i1>
  %c25 = trama.constant dense<[1.0, -2.0]> : tensor<2xf32>
  trama.check_close %p_6, %c25 : tensor<2xf32>, tensor<2xf32>
  %c26 = trama.constant dense<[0.1, -0.2]> : tensor<2xf32>
  trama.check_close %m_6, %c26 : tensor<2xf32>, tensor<2xf32>
  %c27 = trama.constant dense<[0.04, 0.09]> : tensor<2xf32>
  trama.check_close %v_6, %c27 : tensor<2xf32>, tensor<2xf32>
  %p_7, %m_7, %v_7 = trama.adam %c1, %c2, %c3, %c4 lr %c5 scale %c6 corrections %c7, %c8 apply %c10 {beta1 = 9.0e-01 : f64, beta2 = 9.9e-01 : f64, eps = 1.0e-03 : f64, weight_decay = 1.0e-01 : f64, decoupled} : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<i1>
  %c28 = trama.constant dense<[1.0, -2.0]> : tensor<2xf32>
  trama.check_close %p_7, %c28 : tensor<2xf32>, tensor<2xf32>
  %c29 = trama.constant dense<[0.1, -0.2]> : tensor<2xf32>
  trama.check_close %m_7, %c29 : tensor<2xf32>, tensor<2xf32>
  %c30 = trama.constant dense<[0.04, 0.09]> : tensor<2xf32>
  trama.check_close %v_7, %c30 : tensor<2xf32>, tensor<2xf32>
  %c31 = trama.constant dense<[[1.0, 2.0], [3.0, -4.0]]> : tensor<2x2xf32>
  %y32 = trama.square_sum %c31, %c1, %c6 : tensor<2x2xf32>, tensor<2xf32>, tensor<f32>
  %c33 = trama.constant dense<35.25> : tensor<f32>
  trama.check_close %y32, %c33 : tensor<f32>, tensor<f32>
  return
}
