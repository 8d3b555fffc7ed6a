// An affine map and an activation.
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
// CHECK: trama.linear %arg0, %arg1 : tensor<5x2x3xf32>, tensor<3x4xf32>
// CHECK: trama.linear %arg0, %arg2 transposed, %arg3 activation = gelu : tensor<5x2x3xf32>, tensor<4x3xf32>, tensor<4xf32>
// CHECK: return {{.*}} : tensor<5x2x4xf32>, tensor<5x2x4xf32>
func.func @forms(%x: tensor<5x2x3xf32>, %w: tensor<3x4xf32>, %t: tensor<4x3xf32>, %b: tensor<4xf32>) -> (tensor<5x2x4xf32>, tensor<5x2x4xf32>) {
  %0 = trama.linear %x, %w : tensor<5x2x3xf32>, tensor<3x4xf32>
  %1 = trama.linear %x, %t transposed, %b activation = gelu : tensor<5x2x3xf32>, tensor<4x3xf32>, tensor<4xf32>
  return %0, %1 : tensor<5x2x4xf32>, tensor<5x2x4xf32>
}

// Narrow operands are summed in f32, where the bias is added.
// CHECK-LABEL: func.func @narrow
// CHECK: trama.linear %arg0, %arg1, %arg2 activation = tanh : tensor<2x3xbf16>, tensor<3x4xbf16>, tensor<4xf32>
// CHECK: return {{.*}} : tensor<2x4xf32>
func.func @narrow(%x: tensor<2x3xbf16>, %w: tensor<3x4xbf16>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %0 = trama.linear %x, %w, %b activation = tanh : tensor<2x3xbf16>, tensor<3x4xbf16>, tensor<4xf32>
  return %0 : tensor<2x4xf32>
}

//--- rejects.mlir
func.func @inner(%x: tensor<2x3xf32>, %w: tensor<3x4xf32>) {
  // expected-error@+1 {{'trama.linear' op x 'tensor<2x3xf32>' does not fit weight 'tensor<3x4xf32>' transposed}}
  %y = trama.linear %x, %w transposed : tensor<2x3xf32>, tensor<3x4xf32>
  return
}

// -----

func.func @bias(%x: tensor<2x3xf32>, %w: tensor<3x4xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{'trama.linear' op bias 'tensor<3xf32>' must have 4 elements of 'f32'}}
  %y = trama.linear %x, %w, %b : tensor<2x3xf32>, tensor<3x4xf32>, tensor<3xf32>
  return
}

// -----

func.func @matrix(%x: tensor<2x3xf32>, %w: tensor<5x3x4xf32>) {
  // expected-error@+1 {{'trama.linear' op needs x [.., K] and a matrix: 'tensor<2x3xf32>', 'tensor<5x3x4xf32>'}}
  %y = trama.linear %x, %w : tensor<2x3xf32>, tensor<5x3x4xf32>
  return
}

// -----

func.func @narrow_bias(%x: tensor<2x3xbf16>, %w: tensor<3x4xbf16>, %b: tensor<4xbf16>) {
  // expected-error@+1 {{'trama.linear' op bias 'tensor<4xbf16>' must have 4 elements of 'f32'}}
  %y = trama.linear %x, %w, %b : tensor<2x3xbf16>, tensor<3x4xbf16>, tensor<4xbf16>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[[1.0, -2.0]], [[0.5, 3.0]]]> : tensor<2x1x2xf32>
  %c2 = trama.constant dense<[[2.0, -1.0, 0.25], [1.0, 0.5, 4.0]]> : tensor<2x3xf32>
  %c3 = trama.constant dense<[[2.0, 1.0], [-1.0, 0.5], [0.25, 4.0]]> : tensor<3x2xf32>
  %c4 = trama.constant dense<[0.1, -0.2, 0.3]> : tensor<3xf32>
  %y5 = trama.linear %c1, %c2 : tensor<2x1x2xf32>, tensor<2x3xf32>
  %c6 = trama.constant dense<[[[0.0, -2.0, -7.75]], [[4.0, 1.0, 12.125]]]> : tensor<2x1x3xf32>
  trama.check_close %y5, %c6 : tensor<2x1x3xf32>, tensor<2x1x3xf32>
  %y7 = trama.linear %c1, %c3 transposed, %c4 activation = none : tensor<2x1x2xf32>, tensor<3x2xf32>, tensor<3xf32>
  %c8 = trama.constant dense<[[[0.1, -2.2, -7.45]], [[4.1, 0.8, 12.425]]]> : tensor<2x1x3xf32>
  trama.check_close %y7, %c8 : tensor<2x1x3xf32>, tensor<2x1x3xf32>
  %y9 = trama.linear %c1, %c3 transposed, %c4 activation = relu : tensor<2x1x2xf32>, tensor<3x2xf32>, tensor<3xf32>
  %c10 = trama.constant dense<[[[0.1, 0.0, 0.0]], [[4.1, 0.8, 12.425]]]> : tensor<2x1x3xf32>
  trama.check_close %y9, %c10 : tensor<2x1x3xf32>, tensor<2x1x3xf32>
  %y11 = trama.linear %c1, %c3 transposed, %c4 activation = gelu : tensor<2x1x2xf32>, tensor<3x2xf32>, tensor<3xf32>
  %c12 = trama.constant dense<[[[0.0539827837, -0.0305875845, -3.47802342e-13]], [[4.0999153, 0.630515681, 12.425]]]> : tensor<2x1x3xf32>
  trama.check_close %y11, %c12 : tensor<2x1x3xf32>, tensor<2x1x3xf32>
  %y13 = trama.linear %c1, %c3 transposed, %c4 activation = gelu_tanh : tensor<2x1x2xf32>, tensor<3x2xf32>, tensor<3xf32>
  %c14 = trama.constant dense<[[[0.053982751, -0.030321473, -0.0]], [[4.09995679, 0.630431691, 12.425]]]> : tensor<2x1x3xf32>
  trama.check_close %y13, %c14 : tensor<2x1x3xf32>, tensor<2x1x3xf32>
  %y15 = trama.linear %c1, %c3 transposed, %c4 activation = tanh : tensor<2x1x2xf32>, tensor<3x2xf32>, tensor<3xf32>
  %c16 = trama.constant dense<[[[0.0996679946, -0.97574313, -0.999999324]], [[0.999450844, 0.66403677, 1.0]]]> : tensor<2x1x3xf32>
  trama.check_close %y15, %c16 : tensor<2x1x3xf32>, tensor<2x1x3xf32>
  %y17 = trama.linear %c1, %c3 transposed, %c4 activation = sigmoid : tensor<2x1x2xf32>, tensor<3x2xf32>, tensor<3xf32>
  %c18 = trama.constant dense<[[[0.524979187, 0.0997504891, 0.000581103734]], [[0.983697501, 0.689974481, 0.999995983]]]> : tensor<2x1x3xf32>
  trama.check_close %y17, %c18 : tensor<2x1x3xf32>, tensor<2x1x3xf32>
  %c19 = trama.constant dense<[1.0, -2.0]> : tensor<2xf32>
  %y20 = trama.linear %c19, %c2, %c4 : tensor<2xf32>, tensor<2x3xf32>, tensor<3xf32>
  %c21 = trama.constant dense<[0.1, -2.2, -7.45]> : tensor<3xf32>
  trama.check_close %y20, %c21 : tensor<3xf32>, tensor<3xf32>
  %c22 = trama.constant dense<[[1.0078125, -1.0]]> : tensor<1x2xbf16>
  %c23 = trama.constant dense<[[1.0078125], [0.25]]> : tensor<2x1xbf16>
  %c24 = trama.constant dense<[0.1]> : tensor<1xf32>
  %y25 = trama.linear %c22, %c23, %c24 activation = relu : tensor<1x2xbf16>, tensor<2x1xbf16>, tensor<1xf32>
  %c26 = trama.constant dense<[[0.86568603515625]]> : tensor<1x1xf32>
  trama.check_close %y25, %c26 {atol = 0.0 : f64, rtol = 1.0e-7 : f64} : tensor<1x1xf32>, tensor<1x1xf32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @affine
// CHECK-DAG: trama.matmul %{{.*}}, %arg1 : tensor<5x2x4xf32>, tensor<4x3xf32>
// CHECK-DAG: trama.matmul %{{.*}} transposed, %{{.*}} : tensor<10x4xf32>, tensor<10x3xf32>
// CHECK-DAG: trama.sum %{{.*}} dims = [0] : tensor<10x4xf32>
func.func @affine(%x: tensor<5x2x3xf32> {trama.name = "x", trama.role = "parameter"}, %w: tensor<4x3xf32> {trama.name = "w", trama.role = "parameter"}, %b: tensor<4xf32> {trama.name = "b", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.linear %x, %w transposed, %b : tensor<5x2x3xf32>, tensor<4x3xf32>, tensor<4xf32>
  %loss = trama.sum %y dims = [0, 1, 2] : tensor<5x2x4xf32>
  return %loss : tensor<f32>
}

// The products are of narrow operands, the bias is not one.
// CHECK-LABEL: func.func @narrow
// CHECK: %[[G:.*]] = trama.cast %[[GRAD:.*]] : tensor<2x4xf32> -> tensor<2x4xbf16>
// CHECK-DAG: trama.matmul %[[G]], %arg1 : tensor<2x4xbf16>, tensor<4x3xbf16>
// CHECK-DAG: trama.matmul %[[G]] transposed, %arg0 : tensor<2x4xbf16>, tensor<2x3xbf16>
// CHECK-DAG: trama.sum %[[GRAD]] dims = [0] : tensor<2x4xf32>
func.func @narrow(%x: tensor<2x3xbf16> {trama.name = "x", trama.role = "parameter"}, %w: tensor<4x3xbf16> {trama.name = "w", trama.role = "parameter"}, %b: tensor<4xf32> {trama.name = "b", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.linear %x, %w transposed, %b : tensor<2x3xbf16>, tensor<4x3xbf16>, tensor<4xf32>
  %loss = trama.sum %y dims = [0, 1] : tensor<2x4xf32>
  return %loss : tensor<f32>
}

// An activation comes off first; the bias stays with the product.
// CHECK-LABEL: func.func @activated
// CHECK: %[[A:.*]] = trama.linear %arg0, %arg1, %arg2 : tensor<2x3xf32>, tensor<3x4xf32>, tensor<4xf32>
// CHECK: trama.gelu %[[A]] tanh
// CHECK: trama.gelu_grad %{{.*}}, %[[A]] tanh
func.func @activated(%x: tensor<2x3xf32> {trama.name = "x", trama.role = "parameter"}, %w: tensor<3x4xf32> {trama.name = "w", trama.role = "parameter"}, %b: tensor<4xf32> {trama.name = "b", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.linear %x, %w, %b activation = gelu_tanh : tensor<2x3xf32>, tensor<3x4xf32>, tensor<4xf32>
  %loss = trama.sum %y dims = [0, 1] : tensor<2x4xf32>
  return %loss : tensor<f32>
}
