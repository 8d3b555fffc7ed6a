// Every function here is also run with random inputs, before and after: unit/pass_values_test.cc.
// RUN: trama-opt %s --trama-decompose | FileCheck %s
// RUN: trama-opt %s --trama-decompose=keep=softmax,trama.linear | FileCheck %s --check-prefix=KEEP

// CHECK-LABEL: func.func @softmax
// CHECK-NOT: trama.softmax
// CHECK: trama.exp
// KEEP-LABEL: func.func @softmax
// KEEP-NEXT: trama.softmax
func.func @softmax(%x: tensor<2x3xf64>) -> tensor<2x3xf64> {
  %y = trama.softmax %x dim = 1 : tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

// What an op decomposes into is decomposed in turn.
// CHECK-LABEL: func.func @activated_linear
// CHECK-NOT: trama.linear
// CHECK-NOT: trama.gelu
// CHECK: trama.erf
// KEEP-LABEL: func.func @activated_linear
// KEEP-NEXT: trama.linear
func.func @activated_linear(%x: tensor<2x3xf64>, %w: tensor<3x4xf64>, %b: tensor<4xf64>) -> tensor<2x4xf64> {
  %y = trama.linear %x, %w, %b activation = gelu : tensor<2x3xf64>, tensor<3x4xf64>, tensor<4xf64>
  return %y : tensor<2x4xf64>
}

// CHECK-LABEL: func.func @attention
// CHECK-NOT: trama.attention
// CHECK-NOT: trama.softmax
// CHECK: trama.matmul
// KEEP-LABEL: func.func @attention
// KEEP-NOT: trama.attention
func.func @attention(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %y, %lse = trama.attention %q, %k, %v scale = 0.125 causal : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>, tensor<2x3x4x6xf64>
  return %y : tensor<2x3x4x6xf64>
}

// CHECK-LABEL: func.func @losses
// CHECK-NOT: trama.cross_entropy
// CHECK-NOT: trama.linear_cross_entropy
// CHECK-NOT: trama.mean
// CHECK: return
func.func @losses(%x: tensor<6x4xf64>, %w: tensor<8x4xf64>, %t: tensor<6xi32>) -> tensor<f64> {
  %l = trama.linear_cross_entropy %x, %w, %t : tensor<6x4xf64>, tensor<8x4xf64>, tensor<6xi32>
  %y = trama.mean %l dims = [0] : tensor<6xf64>
  return %y : tensor<f64>
}
