// RUN: trama-opt %s --trama-autodiff --split-input-file --verify-diagnostics | FileCheck %s

// The gradient of x is not asked for and not computed; w's two uses are added; u is unused.
// CHECK-LABEL: func.func @fan_out
// CHECK-SAME: (tensor<f32> {trama.name = "loss"}, tensor<3xf32> {trama.name = "grad.w"}, tensor<2xf32> {trama.name = "grad.u"})
// CHECK-NOT: trama.differentiate
// CHECK: %[[ADDED:.*]] = trama.add
// CHECK: %[[ZERO:.*]] = trama.constant dense<0.000000e+00> : tensor<2xf32>
// CHECK: return %{{.*}}, %[[ADDED]], %[[ZERO]]
func.func @fan_out(
    %x: tensor<3xf32> {trama.name = "x", trama.role = "input"},
    %w: tensor<3xf32> {trama.name = "w", trama.role = "parameter"},
    %u: tensor<2xf32> {trama.name = "u", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64} {
  %a = trama.mul %x, %w : tensor<3xf32>, tensor<3xf32>
  %b = trama.mul %a, %w : tensor<3xf32>, tensor<3xf32>
  %y = trama.sum %b dims = [0] : tensor<3xf32>
  return %y : tensor<f32>
}

// -----

// A frozen layer costs one product, the gradient that passes through it.
// CHECK-LABEL: func.func @frozen
// CHECK-COUNT-4: trama.matmul
// CHECK-NOT: trama.matmul
func.func @frozen(
    %x: tensor<4x3xf32> {trama.name = "x", trama.role = "input"},
    %w1: tensor<3x3xf32> {trama.name = "w1", trama.role = "parameter"},
    %w2: tensor<3x3xf32> {trama.name = "w2", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"})
    attributes {trama.differentiate = 0 : i64, trama.trainable = ["w1"]} {
  %a = trama.matmul %x, %w1 : tensor<4x3xf32>, tensor<3x3xf32>
  %b = trama.matmul %a, %w2 : tensor<4x3xf32>, tensor<3x3xf32>
  %y = trama.sum %b dims = [0, 1] : tensor<4x3xf32>
  return %y : tensor<f32>
}

// -----

// A model without loss: the auxiliary sum goes, grad_output gets no gradient.
// CHECK-LABEL: func.func @of_output
// CHECK-SAME: -> (tensor<3xf32> {trama.name = "grad.x"}) {
func.func @of_output(
    %x: tensor<3xf32> {trama.name = "x", trama.role = "input"},
    %g: tensor<3xf32> {trama.name = "grad_output", trama.role = "input"})
    -> (tensor<f32> {trama.name = "sum"})
    attributes {trama.differentiate = 0 : i64, trama.input_gradients, trama.drop_result} {
  %a = trama.exp %x : tensor<3xf32>
  %b = trama.mul %a, %g : tensor<3xf32>, tensor<3xf32>
  %y = trama.sum %b dims = [0] : tensor<3xf32>
  return %y : tensor<f32>
}

// -----

func.func @no_derivative(
    %c: tensor<1x1x4x2xf32> {trama.name = "c", trama.role = "parameter"},
    %p: tensor<1xi32> {trama.name = "p", trama.role = "input"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64} {
  // expected-error @below {{gradient: cache_update has no derivative and no decomposition}}
  %u = trama.cache_update %c, %c, %p, %p
    : tensor<1x1x4x2xf32>, tensor<1x1x4x2xf32>, tensor<1xi32>, tensor<1xi32>
  %y = trama.sum %u dims = [0, 1, 2, 3] : tensor<1x1x4x2xf32>
  return %y : tensor<f32>
}

// -----

// expected-error @below {{gradient: the result is not a number but 'tensor<3xf32>'}}
func.func @not_scalar(%w: tensor<3xf32> {trama.name = "w", trama.role = "parameter"})
    -> (tensor<3xf32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64} {
  return %w : tensor<3xf32>
}
