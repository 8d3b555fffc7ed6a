// The head and the loss in one op, and its gradients.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/values.mlir --trama-decompose --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @forms
// CHECK: trama.linear_cross_entropy %arg0, %arg1, %arg2 : tensor<4x3xf32>, tensor<9x3xf32>, tensor<4xi32>
// CHECK: return {{.*}} : tensor<4xf32>, tensor<4x3xf32>, tensor<9x3xf32>
func.func @forms(%x: tensor<4x3xf32>, %w: tensor<9x3xf32>, %t: tensor<4xi32>) -> (tensor<4xf32>, tensor<4x3xf32>, tensor<9x3xf32>) {
  %0 = trama.linear_cross_entropy %x, %w, %t : tensor<4x3xf32>, tensor<9x3xf32>, tensor<4xi32>
  %y, %dx, %dw = trama.linear_cross_entropy_grad %0, %x, %w, %t : tensor<4xf32>, tensor<4x3xf32>, tensor<9x3xf32>, tensor<4xi32>
  return %y, %dx, %dw : tensor<4xf32>, tensor<4x3xf32>, tensor<9x3xf32>
}

// CHECK-LABEL: func.func @narrow
// CHECK: return {{.*}} : tensor<4xf32>, tensor<4xf32>, tensor<4x3xf32>, tensor<9x3xf32>
func.func @narrow(%x: tensor<4x3xbf16>, %w: tensor<9x3xbf16>, %t: tensor<4xi32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4x3xf32>, tensor<9x3xf32>) {
  %0 = trama.linear_cross_entropy %x, %w, %t : tensor<4x3xbf16>, tensor<9x3xbf16>, tensor<4xi32>
  %y, %dx, %dw = trama.linear_cross_entropy_grad %0, %x, %w, %t : tensor<4xf32>, tensor<4x3xbf16>, tensor<9x3xbf16>, tensor<4xi32>
  return %0, %y, %dx, %dw : tensor<4xf32>, tensor<4xf32>, tensor<4x3xf32>, tensor<9x3xf32>
}

//--- rejects.mlir
func.func @widths(%x: tensor<4x3xf32>, %w: tensor<9x2xf32>, %t: tensor<4xi32>) {
  // expected-error@+1 {{'trama.linear_cross_entropy' op needs x [N, C], weight [V, C] and targets [N], not 'tensor<4x3xf32>', 'tensor<9x2xf32>' and 'tensor<4xi32>'}}
  %y = trama.linear_cross_entropy %x, %w, %t : tensor<4x3xf32>, tensor<9x2xf32>, tensor<4xi32>
  return
}

// -----

func.func @grad(%g: tensor<f32>, %x: tensor<4x3xf32>, %w: tensor<9x3xf32>, %t: tensor<4xi32>) {
  // expected-error@+1 {{'trama.linear_cross_entropy_grad' op grad must be 'tensor<4xf32>', not 'tensor<f32>'}}
  %y, %dx, %dw = trama.linear_cross_entropy_grad %g, %x, %w, %t : tensor<f32>, tensor<4x3xf32>, tensor<9x3xf32>, tensor<4xi32>
  return
}

// -----

func.func @narrow_grad(%g: tensor<4xbf16>, %x: tensor<4x3xbf16>, %w: tensor<9x3xbf16>, %t: tensor<4xi32>) {
  // expected-error@+1 {{'trama.linear_cross_entropy_grad' op grad must be 'tensor<4xf32>', not 'tensor<4xbf16>'}}
  %y, %dx, %dw = trama.linear_cross_entropy_grad %g, %x, %w, %t : tensor<4xbf16>, tensor<4x3xbf16>, tensor<9x3xbf16>, tensor<4xi32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[1.0, -0.5], [0.25, 2.0], [3.0, 1.0]]> : tensor<3x2xf32>
  %c2 = trama.constant dense<[[0.5, 1.0], [-1.0, 0.2], [0.3, -0.7]]> : tensor<3x2xf32>
  %c3 = trama.constant dense<[2, 0, -100]> : tensor<3xi32>
  %c4 = trama.constant dense<[1.0, 0.5, 2.0]> : tensor<3xf32>
  %y5 = trama.linear_cross_entropy %c1, %c2, %c3 : tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>
  %c6 = trama.constant dense<[0.528166235, 0.157436944, 0.0]> : tensor<3xf32>
  trama.check_close %y5, %c6 : tensor<3xf32>, tensor<3xf32>
  %loss, %dx, %dw = trama.linear_cross_entropy_grad %c4, %c1, %c2, %c3 : tensor<3xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>
  %c7 = trama.constant dense<[0.528166235, 0.157436944, 0.0]> : tensor<3xf32>
  trama.check_close %loss, %c7 : tensor<3xf32>, tensor<3xf32>
  %c8 = trama.constant dense<[[-0.0716449807, 0.615557395], [-0.091623162, -0.0704722991], [0.0, 0.0]]> : tensor<3x2xf32>
  trama.check_close %dx, %c8 : tensor<3x2xf32>, tensor<3x2xf32>
  %c9 = trama.constant dense<[[0.289634068, -0.299590684], [0.11729045, 0.0673120745], [-0.406924518, 0.23227861]]> : tensor<3x2xf32>
  trama.check_close %dw, %c9 : tensor<3x2xf32>, tensor<3x2xf32>
  // The same of bf16 operands, which round some of these: losses are of them as they are, gradients
  // are multiplied with what bf16 makes of the logits' gradients.
  %n1 = trama.cast %c1 : tensor<3x2xf32> -> tensor<3x2xbf16>
  %n2 = trama.cast %c2 : tensor<3x2xf32> -> tensor<3x2xbf16>
  %w1 = trama.cast %n1 : tensor<3x2xbf16> -> tensor<3x2xf32>
  %w2 = trama.cast %n2 : tensor<3x2xbf16> -> tensor<3x2xf32>
  %l1 = trama.linear_cross_entropy %n1, %n2, %c3 : tensor<3x2xbf16>, tensor<3x2xbf16>, tensor<3xi32>
  %l2 = trama.linear_cross_entropy %w1, %w2, %c3 : tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>
  trama.check_close %l1, %l2 : tensor<3xf32>, tensor<3xf32>
  %l3, %dx3, %dw3 = trama.linear_cross_entropy_grad %c4, %n1, %n2, %c3 : tensor<3xf32>, tensor<3x2xbf16>, tensor<3x2xbf16>, tensor<3xi32>
  %l4, %dx4, %dw4 = trama.linear_cross_entropy_grad %c4, %w1, %w2, %c3 : tensor<3xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>
  trama.check_close %l3, %l4 : tensor<3xf32>, tensor<3xf32>
  trama.check_close %dx3, %dx4 {atol = 4.0e-3 : f64, rtol = 4.0e-3 : f64} : tensor<3x2xf32>, tensor<3x2xf32>
  trama.check_close %dw3, %dw4 {atol = 4.0e-3 : f64, rtol = 4.0e-3 : f64} : tensor<3x2xf32>, tensor<3x2xf32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @loss
// CHECK: trama.linear_cross_entropy_grad %{{.*}}, %arg0, %arg1, %arg2
func.func @loss(%x: tensor<4x3xf32> {trama.name = "x", trama.role = "parameter"}, %w: tensor<9x3xf32> {trama.name = "w", trama.role = "parameter"}, %t: tensor<4xi32> {trama.name = "t", trama.role = "input"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.linear_cross_entropy %x, %w, %t : tensor<4x3xf32>, tensor<9x3xf32>, tensor<4xi32>
  %loss = trama.sum %y dims = [0] : tensor<4xf32>
  return %loss : tensor<f32>
}
