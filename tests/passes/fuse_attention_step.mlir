// A step of one position: a causal mask over one query and one key hides nothing, yet decoding with a
// cache needs to know that it was there.
// RUN: trama-opt %s --trama-fuse-attention --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @causal(
// CHECK: trama.attention {{.*}} causal
// CHECK-NOT: trama.softmax
func.func @causal(%q: tensor<2x3x1x4xf32>, %k: tensor<2x3x1x4xf32>, %v: tensor<2x3x1x4xf32>) -> tensor<2x3x1x4xf32> {
  %s = trama.matmul %q, %k transposed : tensor<2x3x1x4xf32>, tensor<2x3x1x4xf32>
  %i = trama.iota dim = 0 sequence : tensor<1x1xi32>
  %j = trama.iota dim = 1 sequence : tensor<1x1xi32>
  %seen = trama.compare le %j, %i : tensor<1x1xi32>, tensor<1x1xi32>
  %zero = trama.constant dense<0.0> : tensor<f32>
  %never = trama.constant dense<0xFF800000> : tensor<f32>
  %mask = trama.select %seen, %zero, %never : tensor<1x1xi1>, tensor<f32>, tensor<f32>
  %masked = trama.add %s, %mask : tensor<2x3x1x1xf32>, tensor<1x1xf32>
  %w = trama.softmax %masked dim = 3 : tensor<2x3x1x1xf32>
  %y = trama.matmul %w, %v : tensor<2x3x1x1xf32>, tensor<2x3x1x4xf32>
  return %y : tensor<2x3x1x4xf32>
}

// Indices that are no positions are 0 along a dimension of one.
// CHECK-LABEL: func.func @no_mask(
// CHECK: trama.attention
// CHECK-NOT: causal
// CHECK: return
func.func @no_mask(%q: tensor<2x3x1x4xf32>, %k: tensor<2x3x1x4xf32>, %v: tensor<2x3x1x4xf32>) -> tensor<2x3x1x4xf32> {
  %s = trama.matmul %q, %k transposed : tensor<2x3x1x4xf32>, tensor<2x3x1x4xf32>
  %i = trama.iota dim = 0 : tensor<1x1xi32>
  %j = trama.iota dim = 1 : tensor<1x1xi32>
  %seen = trama.compare le %j, %i : tensor<1x1xi32>, tensor<1x1xi32>
  %zero = trama.constant dense<0.0> : tensor<f32>
  %never = trama.constant dense<0xFF800000> : tensor<f32>
  %mask = trama.select %seen, %zero, %never : tensor<1x1xi1>, tensor<f32>, tensor<f32>
  %masked = trama.add %s, %mask : tensor<2x3x1x1xf32>, tensor<1x1xf32>
  %w = trama.softmax %masked dim = 3 : tensor<2x3x1x1xf32>
  %y = trama.matmul %w, %v : tensor<2x3x1x1xf32>, tensor<2x3x1x4xf32>
  return %y : tensor<2x3x1x4xf32>
}
