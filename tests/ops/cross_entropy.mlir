// cross_entropy, its gradient and weighted_mean.
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
// CHECK: trama.cross_entropy %arg0, %arg1 {label_smoothing = 1.000000e-01 : f64} : tensor<4x9xf32>, tensor<4xi64>
// CHECK: trama.cross_entropy_grad
// CHECK: return {{.*}} : tensor<4x9xf32>
func.func @forms(%l: tensor<4x9xf32>, %t: tensor<4xi64>) -> tensor<4x9xf32> {
  %y, %lse = trama.cross_entropy %l, %t {label_smoothing = 1.0e-01 : f64} : tensor<4x9xf32>, tensor<4xi64>
  %g = trama.cross_entropy_grad %y, %l, %t, %lse : tensor<4xf32>, tensor<4x9xf32>, tensor<4xi64>, tensor<4xf32>
  return %g : tensor<4x9xf32>
}

//--- rejects.mlir
func.func @rows(%l: tensor<4x9xf32>, %t: tensor<5xi64>) {
  // expected-error@+1 {{'trama.cross_entropy' op needs logits [N, V], V > 0, and targets [N], not 'tensor<4x9xf32>' and 'tensor<5xi64>'}}
  %y, %lse = trama.cross_entropy %l, %t : tensor<4x9xf32>, tensor<5xi64>
  return
}

// -----

func.func @no_class(%l: tensor<4x0xf32>, %t: tensor<4xi64>) {
  // expected-error@+1 {{'trama.cross_entropy' op needs logits [N, V], V > 0, and targets [N], not 'tensor<4x0xf32>' and 'tensor<4xi64>'}}
  %y, %lse = trama.cross_entropy %l, %t : tensor<4x0xf32>, tensor<4xi64>
  return
}

// -----

func.func @smoothing(%l: tensor<4x9xf32>, %t: tensor<4xi64>) {
  // expected-error@+1 {{'trama.cross_entropy' op label_smoothing 1.500000e+00 is not in [0, 1]}}
  %y, %lse = trama.cross_entropy %l, %t {label_smoothing = 1.5 : f64} : tensor<4x9xf32>, tensor<4xi64>
  return
}

// -----

func.func @grad(%g: tensor<f32>, %l: tensor<4x9xf32>, %t: tensor<4xi64>, %lse: tensor<4xf32>) {
  // expected-error@+1 {{'trama.cross_entropy_grad' op grad and lse must be 'tensor<4xf32>', not 'tensor<f32>'}}
  %y = trama.cross_entropy_grad %g, %l, %t, %lse : tensor<f32>, tensor<4x9xf32>, tensor<4xi64>, tensor<4xf32>
  return
}

// -----

func.func @mean(%x: tensor<4xf32>, %w: tensor<4x1xf32>) {
  // expected-error@+1 {{'trama.weighted_mean' op x and weights must be [N] of one type, N > 0, not 'tensor<4xf32>' and 'tensor<4x1xf32>'}}
  %y = trama.weighted_mean %x, %w : tensor<4xf32>, tensor<4x1xf32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[1.0, 2.0, 0.5], [-1.0, 0.0, 3.0], [0.2, 0.2, 0.2], [100.0, 0.0, -100.0]]> : tensor<4x3xf32>
  %c2 = trama.constant dense<[1, 0, -100, 0]> : tensor<4xi32>
  %c3 = trama.constant dense<[1.0, 0.5, 2.0, 3.0]> : tensor<4xf32>
  %loss0, %lse0 = trama.cross_entropy %c1, %c2 : tensor<4x3xf32>, tensor<4xi32>
  %c4 = trama.constant dense<[0.464368784, 4.0658839, 0.0, 0.0]> : tensor<4xf32>
  trama.check_close %loss0, %c4 : tensor<4xf32>, tensor<4xf32>
  %c5 = trama.constant dense<[2.46436878, 3.0658839, 1.29861229, 100.0]> : tensor<4xf32>
  trama.check_close %lse0, %c5 : tensor<4xf32>, tensor<4xf32>
  %y6 = trama.cross_entropy_grad %c3, %c1, %c2, %lse0 : tensor<4xf32>, tensor<4x3xf32>, tensor<4xi32>, tensor<4xf32>
  %c7 = trama.constant dense<[[0.231223898, -0.371468281, 0.140244383], [-0.491426087, 0.0233063113, 0.468119776], [0.0, 0.0, 0.0], [0.0, 1.11602279e-43, 4.15168958e-87]]> : tensor<4x3xf32>
  trama.check_close %y6, %c7 : tensor<4x3xf32>, tensor<4x3xf32>
  %loss1, %lse1 = trama.cross_entropy %c1, %c2 {label_smoothing = 1.0e-01 : f64} : tensor<4x3xf32>, tensor<4xi32>
  %c8 = trama.constant dense<[0.547702117, 3.89921724, 0.0, 10.0]> : tensor<4xf32>
  trama.check_close %loss1, %c8 : tensor<4xf32>, tensor<4xf32>
  %c9 = trama.constant dense<[2.46436878, 3.0658839, 1.29861229, 100.0]> : tensor<4xf32>
  trama.check_close %lse1, %c9 : tensor<4xf32>, tensor<4xf32>
  %y10 = trama.cross_entropy_grad %c3, %c1, %c2, %lse1 {label_smoothing = 1.0e-01 : f64} : tensor<4xf32>, tensor<4x3xf32>, tensor<4xi32>, tensor<4xf32>
  %c11 = trama.constant dense<[[0.197890564, -0.304801614, 0.10691105], [-0.458092754, 0.00663964462, 0.451453109], [0.0, 0.0, 0.0], [0.2, -0.1, -0.1]]> : tensor<4x3xf32>
  trama.check_close %y10, %c11 : tensor<4x3xf32>, tensor<4x3xf32>
  // Another ignored index.
  %loss2, %lse2 = trama.cross_entropy %c1, %c2 {ignore_index = 0 : i64} : tensor<4x3xf32>, tensor<4xi32>
  // (the target -100 is out of range here: nothing is picked)
  %c12 = trama.constant dense<[0.464368784, 0.0, 1.29861229, 0.0]> : tensor<4xf32>
  trama.check_close %loss2, %c12 : tensor<4xf32>, tensor<4xf32>
  %c13 = trama.constant dense<[1.0, 2.0, 4.0]> : tensor<3xf32>
  %c14 = trama.constant dense<[1.0, 0.0, 3.0]> : tensor<3xf32>
  %c15 = trama.constant dense<[0.0, 0.0, 0.0]> : tensor<3xf32>
  %y16 = trama.weighted_mean %c13, %c14 : tensor<3xf32>, tensor<3xf32>
  %c17 = trama.constant dense<3.25> : tensor<f32>
  trama.check_close %y16, %c17 : tensor<f32>, tensor<f32>
  %y18 = trama.weighted_mean %c13, %c15 : tensor<3xf32>, tensor<3xf32>
  %c19 = trama.constant dense<0.0> : tensor<f32>
  trama.check_close %y18, %c19 : tensor<f32>, tensor<f32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @loss
// CHECK: %[[Y:.*]], %[[LSE:.*]] = trama.cross_entropy
// CHECK: trama.cross_entropy_grad %{{.*}}, %arg0, %arg1, %[[LSE]] {label_smoothing = 1.000000e-01 : f64}
func.func @loss(%x: tensor<4x9xf32> {trama.name = "x", trama.role = "parameter"}, %t: tensor<4xi32> {trama.name = "t", trama.role = "input"}, %w: tensor<4xf32> {trama.name = "w", trama.role = "input"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %l, %lse = trama.cross_entropy %x, %t {label_smoothing = 1.0e-01 : f64} : tensor<4x9xf32>, tensor<4xi32>
  %y = trama.weighted_mean %l, %w : tensor<4xf32>, tensor<4xf32>
  return %y : tensor<f32>
}
