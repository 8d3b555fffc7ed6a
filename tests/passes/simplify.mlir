// Every function here is also run with random inputs, before and after: unit/pass_values_test.cc.
// RUN: trama-opt %s --trama-simplify | FileCheck %s

// The gradient of chunk.
// CHECK-LABEL: func.func @sum_of_pads
// CHECK-NEXT: trama.concat %arg0, %arg1, %arg2 dim = 1
// CHECK-NEXT: return
func.func @sum_of_pads(%a: tensor<2x1xf64>, %b: tensor<2x2xf64>, %c: tensor<2x3xf64>) -> tensor<2x6xf64> {
  %pa = trama.pad %a starts = [0, 0] strides = [1, 1] : tensor<2x1xf64> -> tensor<2x6xf64>
  %pb = trama.pad %b starts = [0, 1] strides = [1, 1] : tensor<2x2xf64> -> tensor<2x6xf64>
  %pc = trama.pad %c starts = [0, 3] strides = [1, 1] : tensor<2x3xf64> -> tensor<2x6xf64>
  %s = trama.add %pc, %pa : tensor<2x6xf64>, tensor<2x6xf64>
  %y = trama.add %s, %pb : tensor<2x6xf64>, tensor<2x6xf64>
  return %y : tensor<2x6xf64>
}

// CHECK-LABEL: func.func @overlapping_pads
// CHECK-NOT: trama.concat
func.func @overlapping_pads(%a: tensor<2x2xf64>, %b: tensor<2x2xf64>) -> tensor<2x3xf64> {
  %pa = trama.pad %a starts = [0, 0] strides = [1, 1] : tensor<2x2xf64> -> tensor<2x3xf64>
  %pb = trama.pad %b starts = [0, 1] strides = [1, 1] : tensor<2x2xf64> -> tensor<2x3xf64>
  %y = trama.add %pa, %pb : tensor<2x3xf64>, tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

// CHECK-LABEL: func.func @pads_with_a_gap
// CHECK-NOT: trama.concat
func.func @pads_with_a_gap(%a: tensor<2x1xf64>, %b: tensor<2x1xf64>) -> tensor<2x3xf64> {
  %pa = trama.pad %a starts = [0, 0] strides = [1, 1] : tensor<2x1xf64> -> tensor<2x3xf64>
  %pb = trama.pad %b starts = [0, 2] strides = [1, 1] : tensor<2x1xf64> -> tensor<2x3xf64>
  %y = trama.add %pa, %pb : tensor<2x3xf64>, tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

// Interleaved by strides: not one after another.
// CHECK-LABEL: func.func @strided_pads
// CHECK-NOT: trama.concat
func.func @strided_pads(%a: tensor<2xf64>, %b: tensor<2xf64>) -> tensor<4xf64> {
  %pa = trama.pad %a starts = [0] strides = [2] : tensor<2xf64> -> tensor<4xf64>
  %pb = trama.pad %b starts = [1] strides = [2] : tensor<2xf64> -> tensor<4xf64>
  %y = trama.add %pa, %pb : tensor<4xf64>, tensor<4xf64>
  return %y : tensor<4xf64>
}

// CHECK-LABEL: func.func @sum_of_broadcast
// CHECK: %[[C:.*]] = trama.constant dense<6.000000e+00> : tensor<f64>
// CHECK-NEXT: trama.mul %arg0, %[[C]]
// CHECK-NEXT: return
func.func @sum_of_broadcast(%x: tensor<4xf64>) -> tensor<4xf64> {
  %b = trama.broadcast %x : tensor<4xf64> -> tensor<2x3x4xf64>
  %y = trama.sum %b dims = [0, 1] : tensor<2x3x4xf64>
  return %y : tensor<4xf64>
}

// CHECK-LABEL: func.func @sum_of_another_dim
// CHECK: trama.sum
func.func @sum_of_another_dim(%x: tensor<4xf64>) -> tensor<3xf64> {
  %b = trama.broadcast %x : tensor<4xf64> -> tensor<3x4xf64>
  %y = trama.sum %b dims = [1] : tensor<3x4xf64>
  return %y : tensor<3xf64>
}

// CHECK-LABEL: func.func @factors
// CHECK: %[[C:.*]] = trama.constant dense<3.000000e+00> : tensor<f64>
// CHECK-NEXT: trama.mul %arg0, %[[C]]
// CHECK-NEXT: return
func.func @factors(%x: tensor<4xf64>) -> tensor<4xf64> {
  %a = trama.constant dense<6.0> : tensor<4xf64>
  %b = trama.constant dense<2.0> : tensor<f64>
  %m = trama.mul %x, %a : tensor<4xf64>, tensor<4xf64>
  %y = trama.div %m, %b : tensor<4xf64>, tensor<f64>
  return %y : tensor<4xf64>
}

// Integers round when they are divided.
// CHECK-LABEL: func.func @integer_factors
// CHECK: trama.mul
// CHECK: trama.div
func.func @integer_factors(%x: tensor<4xi32>) -> tensor<4xi32> {
  %a = trama.constant dense<5> : tensor<i32>
  %b = trama.constant dense<2> : tensor<i32>
  %m = trama.mul %x, %a : tensor<4xi32>, tensor<i32>
  %y = trama.div %m, %b : tensor<4xi32>, tensor<i32>
  return %y : tensor<4xi32>
}

// CHECK-LABEL: func.func @transposes_meet
// CHECK-NEXT: %[[E:.*]] = trama.exp %arg0
// CHECK-NEXT: return %[[E]]
func.func @transposes_meet(%x: tensor<2x3xf64>) -> tensor<2x3xf64> {
  %t = trama.transpose %x permutation = [1, 0] : tensor<2x3xf64>
  %e = trama.exp %t : tensor<3x2xf64>
  %y = trama.transpose %e permutation = [1, 0] : tensor<3x2xf64>
  return %y : tensor<2x3xf64>
}

// CHECK-LABEL: func.func @two_transposes_become_one
// CHECK-NEXT: %[[S:.*]] = trama.add %arg0, %arg1
// CHECK-NEXT: trama.transpose %[[S]] permutation = [1, 0]
// CHECK-NEXT: return
func.func @two_transposes_become_one(%x: tensor<2x3xf64>, %z: tensor<2x3xf64>) -> tensor<3x2xf64> {
  %a = trama.transpose %x permutation = [1, 0] : tensor<2x3xf64>
  %b = trama.transpose %z permutation = [1, 0] : tensor<2x3xf64>
  %y = trama.add %a, %b : tensor<3x2xf64>, tensor<3x2xf64>
  return %y : tensor<3x2xf64>
}

// Broadcasting a vector along the last dimension is not the same after a transpose.
// CHECK-LABEL: func.func @transpose_and_vector
// CHECK-COUNT-2: trama.transpose
func.func @transpose_and_vector(%x: tensor<2x3xf64>, %v: tensor<2xf64>) -> tensor<2x3xf64> {
  %t = trama.transpose %x permutation = [1, 0] : tensor<2x3xf64>
  %s = trama.add %t, %v : tensor<3x2xf64>, tensor<2xf64>
  %y = trama.transpose %s permutation = [1, 0] : tensor<3x2xf64>
  return %y : tensor<2x3xf64>
}

// CHECK-LABEL: func.func @broadcast_in_pointwise
// CHECK: %[[C:.*]] = trama.constant dense<1.000000e+00> : tensor<f64>
// CHECK-NEXT: trama.select %arg0, %arg1, %[[C]]
func.func @broadcast_in_pointwise(%c: tensor<2x3xi1>, %x: tensor<3xf64>) -> tensor<2x3xf64> {
  %b = trama.broadcast %x : tensor<3xf64> -> tensor<2x3xf64>
  %one = trama.constant dense<1.0> : tensor<2x3xf64>
  %y = trama.select %c, %b, %one : tensor<2x3xi1>, tensor<2x3xf64>, tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

// The constant gives the result its shape.
// CHECK-LABEL: func.func @constant_with_the_shape
// CHECK: trama.constant dense<1.000000e+00> : tensor<2x3xf64>
func.func @constant_with_the_shape(%x: tensor<3xf64>) -> tensor<2x3xf64> {
  %one = trama.constant dense<1.0> : tensor<2x3xf64>
  %y = trama.add %x, %one : tensor<3xf64>, tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

// CHECK-LABEL: func.func @reshape_of_reshape
// CHECK-NEXT: trama.reshape %arg0 : tensor<2x6xf64> -> tensor<12xf64>
// CHECK-NEXT: return
func.func @reshape_of_reshape(%x: tensor<2x6xf64>) -> tensor<12xf64> {
  %a = trama.reshape %x : tensor<2x6xf64> -> tensor<3x4xf64>
  %y = trama.reshape %a : tensor<3x4xf64> -> tensor<12xf64>
  return %y : tensor<12xf64>
}

// CHECK-LABEL: func.func @known_condition
// CHECK-NEXT: return %arg0
func.func @known_condition(%x: tensor<3xf64>, %z: tensor<3xf64>) -> tensor<3xf64> {
  %c = trama.constant dense<true> : tensor<3xi1>
  %y = trama.select %c, %x, %z : tensor<3xi1>, tensor<3xf64>, tensor<3xf64>
  return %y : tensor<3xf64>
}

// Equal values once, unused ones never.
// CHECK-LABEL: func.func @common_and_dead
// CHECK-NEXT: %[[E:.*]] = trama.exp %arg0
// CHECK-NEXT: trama.add %[[E]], %[[E]]
// CHECK-NEXT: return
func.func @common_and_dead(%x: tensor<3xf64>) -> tensor<3xf64> {
  %a = trama.exp %x : tensor<3xf64>
  %b = trama.exp %x : tensor<3xf64>
  %c = trama.tanh %x : tensor<3xf64>
  %d = trama.neg %c : tensor<3xf64>
  %y = trama.add %a, %b : tensor<3xf64>, tensor<3xf64>
  return %y : tensor<3xf64>
}

// The losses come from the gradient's kernel, which moves up to where they are wanted.
// CHECK-LABEL: func.func @losses_of_gradient
// CHECK-NOT: trama.linear_cross_entropy %
// CHECK: %[[Y:.*]], %{{.*}}, %{{.*}} = trama.linear_cross_entropy_grad
// CHECK: trama.exp %[[Y]]
func.func @losses_of_gradient(%x: tensor<2x3xf64>, %w: tensor<5x3xf64>, %t: tensor<2xi32>, %s: tensor<2xf64>) -> (tensor<2xf64>, tensor<2x3xf64>, tensor<5x3xf64>) {
  %y = trama.linear_cross_entropy %x, %w, %t : tensor<2x3xf64>, tensor<5x3xf64>, tensor<2xi32>
  %e = trama.exp %y : tensor<2xf64>
  %g = trama.neg %s : tensor<2xf64>
  %y2, %dx, %dw = trama.linear_cross_entropy_grad %g, %x, %w, %t : tensor<2xf64>, tensor<2x3xf64>, tensor<5x3xf64>, tensor<2xi32>
  return %e, %dx, %dw : tensor<2xf64>, tensor<2x3xf64>, tensor<5x3xf64>
}

// A gradient that depends on the losses cannot give them.
// CHECK-LABEL: func.func @gradient_of_losses
// CHECK: trama.linear_cross_entropy %
// CHECK: trama.linear_cross_entropy_grad
func.func @gradient_of_losses(%x: tensor<2x3xf64>, %w: tensor<5x3xf64>, %t: tensor<2xi32>) -> (tensor<2xf64>, tensor<2x3xf64>, tensor<5x3xf64>) {
  %y = trama.linear_cross_entropy %x, %w, %t : tensor<2x3xf64>, tensor<5x3xf64>, tensor<2xi32>
  %g = trama.exp %y : tensor<2xf64>
  %y2, %dx, %dw = trama.linear_cross_entropy_grad %g, %x, %w, %t : tensor<2xf64>, tensor<2x3xf64>, tensor<5x3xf64>, tensor<2xi32>
  return %y, %dx, %dw : tensor<2xf64>, tensor<2x3xf64>, tensor<5x3xf64>
}

// Another head's gradient.
// CHECK-LABEL: func.func @gradient_of_other_targets
// CHECK: trama.linear_cross_entropy %
func.func @gradient_of_other_targets(%x: tensor<2x3xf64>, %w: tensor<5x3xf64>, %t: tensor<2xi32>, %u: tensor<2xi32>, %g: tensor<2xf64>) -> (tensor<2xf64>, tensor<2x3xf64>) {
  %y = trama.linear_cross_entropy %x, %w, %t : tensor<2x3xf64>, tensor<5x3xf64>, tensor<2xi32>
  %y2, %dx, %dw = trama.linear_cross_entropy_grad %g, %x, %w, %u : tensor<2xf64>, tensor<2x3xf64>, tensor<5x3xf64>, tensor<2xi32>
  return %y, %dx : tensor<2xf64>, tensor<2x3xf64>
}
