// layer_norm and layer_norm_grad.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/values.mlir --trama-decompose --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @shapes
// CHECK: trama.layer_norm %arg0, %arg1, %arg1 eps = 1.000000e-05 : tensor<2x3x4xf32>, tensor<4xf32>, tensor<4xf32>
// CHECK: trama.layer_norm_grad
// CHECK: return {{.*}} : tensor<2x3x4xf32>, tensor<4xf32>, tensor<4xf32>
func.func @shapes(%x: tensor<2x3x4xf32>, %w: tensor<4xf32>) -> (tensor<2x3x4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = trama.layer_norm %x, %w, %w eps = 1.0e-05 : tensor<2x3x4xf32>, tensor<4xf32>, tensor<4xf32>
  %dx, %dw, %db = trama.layer_norm_grad %0, %x, %w eps = 1.0e-05 : tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<4xf32>
  return %dx, %dw, %db : tensor<2x3x4xf32>, tensor<4xf32>, tensor<4xf32>
}

//--- rejects.mlir
func.func @weight(%x: tensor<2x4xf32>, %w: tensor<2xf32>) {
  // expected-error@+1 {{'trama.layer_norm' op weight and bias must be 'tensor<4xf32>' for x 'tensor<2x4xf32>', not 'tensor<2xf32>'}}
  %y = trama.layer_norm %x, %w, %w eps = 1.0e-05 : tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>
  return
}

// -----

func.func @scalar(%x: tensor<f32>, %w: tensor<1xf32>) {
  // expected-error@+1 {{'trama.layer_norm' op x must be [.., C], C > 0, not 'tensor<f32>'}}
  %y = trama.layer_norm %x, %w, %w eps = 1.0e-05 : tensor<f32>, tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @grad(%g: tensor<4xf32>, %x: tensor<2x4xf32>, %w: tensor<4xf32>) {
  // expected-error@+1 {{'trama.layer_norm_grad' op needs grad and x [.., C] and weight [C], not 'tensor<4xf32>', 'tensor<2x4xf32>' and 'tensor<4xf32>'}}
  %a, %b, %c = trama.layer_norm_grad %g, %x, %w eps = 1.0e-05 : tensor<4xf32>, tensor<2x4xf32>, tensor<4xf32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[1.0, 2.0, 4.0], [-3.0, 0.5, 0.5]]> : tensor<2x3xf32>
  %c2 = trama.constant dense<[1.0, 0.5, -2.0]> : tensor<3xf32>
  %c3 = trama.constant dense<[0.1, 0.0, -0.1]> : tensor<3xf32>
  %c4 = trama.constant dense<[[0.3, -1.0, 0.2], [1.0, 0.5, -0.5]]> : tensor<2x3xf32>
  %y5 = trama.layer_norm %c1, %c2, %c3 eps = 1.0e-02 : tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>
  %c6 = trama.constant dense<[[-0.965625231, -0.133203154, -2.76406308], [-1.31162316, 0.35290579, -1.51162316]]> : tensor<2x3xf32>
  trama.check_close %y5, %c6 : tensor<2x3xf32>, tensor<2x3xf32>
  // The gradients, by finite differences of the formula in float64.
  %dx, %dw, %db = trama.layer_norm_grad %c4, %c1, %c2 eps = 1.0e-02 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>
  %c7 = trama.constant dense<[[0.195408743, -0.290815857, 0.0954071135], [0.000553561641, -0.227144789, 0.226591227]]> : tensor<2x3xf32>
  trama.check_close %dx, %c7 : tensor<2x3xf32>, tensor<2x3xf32>
  %c8 = trama.constant dense<[-1.73131073, 0.619312098, -0.0864994828]> : tensor<3xf32>
  trama.check_close %dw, %c8 : tensor<3xf32>, tensor<3xf32>
  %c9 = trama.constant dense<[1.3, -0.5, -0.3]> : tensor<3xf32>
  trama.check_close %db, %c9 : tensor<3xf32>, tensor<3xf32>
  // A constant row has no variance.
  %c10 = trama.constant dense<[[5.0, 5.0, 5.0]]> : tensor<1x3xf32>
  %y11 = trama.layer_norm %c10, %c2, %c3 eps = 1.0e-02 : tensor<1x3xf32>, tensor<3xf32>, tensor<3xf32>
  %c12 = trama.constant dense<[[0.1, 0.0, -0.1]]> : tensor<1x3xf32>
  trama.check_close %y11, %c12 : tensor<1x3xf32>, tensor<1x3xf32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @layer_norm
// CHECK: trama.layer_norm_grad %{{.*}}, %arg0, %arg1 eps = 1.000000e-05 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>
func.func @layer_norm(%x: tensor<2x3xf32> {trama.name = "x", trama.role = "parameter"}, %w: tensor<3xf32> {trama.name = "w", trama.role = "parameter"}, %b: tensor<3xf32> {trama.name = "b", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.layer_norm %x, %w, %b eps = 1.0e-05 : tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>
  %loss = trama.sum %y dims = [0, 1] : tensor<2x3xf32>
  return %loss : tensor<f32>
}
