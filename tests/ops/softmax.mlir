// softmax and log_softmax.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/values.mlir --trama-decompose --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @any_dim
// CHECK: trama.softmax %arg0 dim = 0 : tensor<2x3x4xf32>
// CHECK: trama.log_softmax %{{.*}} dim = 2 : tensor<2x3x4xf32>
func.func @any_dim(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = trama.softmax %x dim = 0 : tensor<2x3x4xf32>
  %1 = trama.log_softmax %0 dim = 2 : tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

//--- rejects.mlir
func.func @range(%x: tensor<2x5xf32>) {
  // expected-error@+1 {{'trama.softmax' op dim 3 is out of range for 'tensor<2x5xf32>' (C1)}}
  %y = trama.softmax %x dim = 3 : tensor<2x5xf32>
  return
}

// -----

func.func @negative(%x: tensor<2x5xf32>) {
  // expected-error@+1 {{'trama.log_softmax' op dim -1 is out of range for 'tensor<2x5xf32>' (C1)}}
  %y = trama.log_softmax %x dim = -1 : tensor<2x5xf32>
  return
}

// -----

func.func @empty(%x: tensor<2x0xf32>) {
  // expected-error@+1 {{'trama.log_softmax' op dim 1 of 'tensor<2x0xf32>' is empty (C2)}}
  %y = trama.log_softmax %x dim = 1 : tensor<2x0xf32>
  return
}

// -----

func.func @integers(%x: tensor<2x5xi32>) {
  // expected-error@+1 {{operand #0 must be float (f32, f64, bf16, f16) tensor}}
  %y = trama.softmax %x dim = 1 : tensor<2x5xi32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[1.0, 2.0, 3.0], [1000.0, -1000.0, 999.0]]> : tensor<2x3xf32>
  %y2 = trama.softmax %c1 dim = 1 : tensor<2x3xf32>
  %c3 = trama.constant dense<[[0.0900305732, 0.244728471, 0.665240956], [0.731058579, 0.0, 0.268941421]]> : tensor<2x3xf32>
  trama.check_close %y2, %c3 : tensor<2x3xf32>, tensor<2x3xf32>
  %y4 = trama.softmax %c1 dim = 0 : tensor<2x3xf32>
  %c5 = trama.constant dense<[[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]> : tensor<2x3xf32>
  trama.check_close %y4, %c5 : tensor<2x3xf32>, tensor<2x3xf32>
  %y6 = trama.log_softmax %c1 dim = 1 : tensor<2x3xf32>
  %c7 = trama.constant dense<[[-2.40760596, -1.40760596, -0.407605964], [-0.313261688, -2000.31326, -1.31326169]]> : tensor<2x3xf32>
  trama.check_close %y6, %c7 : tensor<2x3xf32>, tensor<2x3xf32>
  // A row that is masked in part, and one of nothing but -inf.
  %c8 = trama.constant dense<[[0xFF800000, 0.5, 0.5], [0xFF800000, 0xFF800000, 0xFF800000]]> : tensor<2x3xf32>
  %y9 = trama.softmax %c8 dim = 1 : tensor<2x3xf32>
  %c10 = trama.constant dense<[[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]> : tensor<2x3xf32>
  trama.check_close %y9, %c10 : tensor<2x3xf32>, tensor<2x3xf32>
  return
}

//--- gradient.mlir
// dx = y (g - sum(g y))
// CHECK-LABEL: func.func @softmax
// CHECK: %[[Y:.*]] = trama.softmax
// CHECK: %[[SUM:.*]] = trama.sum %{{.*}} dims = [0] keepdim
// CHECK: %[[D:.*]] = trama.sub %{{.*}}, %[[SUM]]
// CHECK: trama.mul %[[Y]], %[[D]]
func.func @softmax(%x: tensor<2x3xf32> {trama.name = "x", trama.role = "parameter"}, %g: tensor<2x3xf32> {trama.name = "g", trama.role = "input"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %s = trama.softmax %x dim = 0 : tensor<2x3xf32>
  %y = trama.mul %s, %g : tensor<2x3xf32>, tensor<2x3xf32>
  %loss = trama.sum %y dims = [0, 1] : tensor<2x3xf32>
  return %loss : tensor<f32>
}
