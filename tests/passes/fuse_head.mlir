// Every function here is also run with random inputs, before and after: unit/pass_values_test.cc.
// RUN: trama-opt %s --trama-fuse-head=vocabulary=8 | FileCheck %s
// RUN: trama-opt %s --trama-fuse-head=vocabulary=8 --remarks-filter=trama.fuse-head 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: trama-opt %s --trama-fuse-head | FileCheck %s --check-prefix=SMALL

// SMALL-NOT: trama.linear_cross_entropy

// A tied head: W is [V, C].
// CHECK-LABEL: func.func @tied
// CHECK: %[[X:.*]] = trama.reshape %arg0 : tensor<2x3x4xf64> -> tensor<6x4xf64>
// CHECK-NEXT: trama.linear_cross_entropy %[[X]], %arg1, %arg2
// CHECK-NEXT: return
func.func @tied(%x: tensor<2x3x4xf64>, %w: tensor<8x4xf64>, %t: tensor<6xi32>) -> tensor<6xf64> {
  %l = trama.matmul %x, %w transposed : tensor<2x3x4xf64>, tensor<8x4xf64>
  %r = trama.reshape %l : tensor<2x3x8xf64> -> tensor<6x8xf64>
  %y, %lse = trama.cross_entropy %r, %t : tensor<6x8xf64>, tensor<6xi32>
  return %y : tensor<6xf64>
}

// The last position predicts nothing: the slice moves in front of the projection.
// CHECK-LABEL: func.func @shifted
// CHECK: trama.slice %arg0 {{.*}} -> tensor<2x2x4xf64>
// CHECK: trama.linear_cross_entropy
// CHECK-SAME: ignore_index = -1
func.func @shifted(%x: tensor<2x3x4xf64>, %w: tensor<8x4xf64>, %t: tensor<4xi32>) -> tensor<4xf64> {
  %l = trama.matmul %x, %w transposed : tensor<2x3x4xf64>, tensor<8x4xf64>
  %s = trama.slice %l starts = [0, 0, 0] strides = [1, 1, 1] : tensor<2x3x8xf64> -> tensor<2x2x8xf64>
  %r = trama.reshape %s : tensor<2x2x8xf64> -> tensor<4x8xf64>
  %y, %lse = trama.cross_entropy %r, %t {ignore_index = -1 : i64} : tensor<4x8xf64>, tensor<4xi32>
  return %y : tensor<4xf64>
}

// CHECK-LABEL: func.func @untransposed
// CHECK: %[[W:.*]] = trama.transpose %arg1
// CHECK: trama.linear_cross_entropy %arg0, %[[W]], %arg2
func.func @untransposed(%x: tensor<6x4xf64>, %w: tensor<4x8xf64>, %t: tensor<6xi32>) -> tensor<6xf64> {
  %l = trama.matmul %x, %w : tensor<6x4xf64>, tensor<4x8xf64>
  %y, %lse = trama.cross_entropy %l, %t : tensor<6x8xf64>, tensor<6xi32>
  return %y : tensor<6xf64>
}

// ---- what stays

// CHECK-LABEL: func.func @logits_returned
// CHECK-NOT: trama.linear_cross_entropy
// REMARK: not fused: the logits are used elsewhere too
func.func @logits_returned(%x: tensor<6x4xf64>, %w: tensor<8x4xf64>, %t: tensor<6xi32>) -> (tensor<6xf64>, tensor<6x8xf64>) {
  %l = trama.matmul %x, %w transposed : tensor<6x4xf64>, tensor<8x4xf64>
  %y, %lse = trama.cross_entropy %l, %t : tensor<6x8xf64>, tensor<6xi32>
  return %y, %l : tensor<6xf64>, tensor<6x8xf64>
}

// CHECK-LABEL: func.func @head_with_bias
// CHECK-NOT: trama.linear_cross_entropy
// REMARK: not fused: the projection has a bias or an activation
func.func @head_with_bias(%x: tensor<6x4xf64>, %w: tensor<8x4xf64>, %b: tensor<8xf64>, %t: tensor<6xi32>) -> tensor<6xf64> {
  %l = trama.linear %x, %w transposed, %b : tensor<6x4xf64>, tensor<8x4xf64>, tensor<8xf64>
  %y, %lse = trama.cross_entropy %l, %t : tensor<6x8xf64>, tensor<6xi32>
  return %y : tensor<6xf64>
}

// CHECK-LABEL: func.func @smoothed
// CHECK-NOT: trama.linear_cross_entropy
// REMARK: not fused: the loss smooths its labels
func.func @smoothed(%x: tensor<6x4xf64>, %w: tensor<8x4xf64>, %t: tensor<6xi32>) -> tensor<6xf64> {
  %l = trama.matmul %x, %w transposed : tensor<6x4xf64>, tensor<8x4xf64>
  %y, %lse = trama.cross_entropy %l, %t {label_smoothing = 0.1 : f64} : tensor<6x8xf64>, tensor<6xi32>
  return %y : tensor<6xf64>
}

// CHECK-LABEL: func.func @scaled_logits
// CHECK-NOT: trama.linear_cross_entropy
// REMARK: not fused: the logits are no product with one weight matrix
func.func @scaled_logits(%x: tensor<6x4xf64>, %w: tensor<8x4xf64>, %t: tensor<6xi32>) -> tensor<6xf64> {
  %c = trama.constant dense<0.5> : tensor<f64>
  %l = trama.matmul %x, %w transposed : tensor<6x4xf64>, tensor<8x4xf64>
  %s = trama.mul %l, %c : tensor<6x8xf64>, tensor<f64>
  %y, %lse = trama.cross_entropy %s, %t : tensor<6x8xf64>, tensor<6xi32>
  return %y : tensor<6xf64>
}

// Classes are columns of the slice.
// CHECK-LABEL: func.func @classes_sliced
// CHECK-NOT: trama.linear_cross_entropy
// REMARK: not fused: the logits are no product with one weight matrix
func.func @classes_sliced(%x: tensor<6x4xf64>, %w: tensor<16x4xf64>, %t: tensor<6xi32>) -> tensor<6xf64> {
  %l = trama.matmul %x, %w transposed : tensor<6x4xf64>, tensor<16x4xf64>
  %s = trama.slice %l starts = [0, 0] strides = [1, 1] : tensor<6x16xf64> -> tensor<6x8xf64>
  %y, %lse = trama.cross_entropy %s, %t : tensor<6x8xf64>, tensor<6xi32>
  return %y : tensor<6xf64>
}
