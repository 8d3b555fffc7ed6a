// Dropout by a counter-based generator.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/values.mlir --trama-decompose --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @form
// CHECK: trama.dropout %arg0, %arg1 p = 1.000000e-01 op_id = 4 : tensor<2x3xf32>, tensor<4xi32>
func.func @form(%x: tensor<2x3xf32>, %rng: tensor<4xi32>) -> tensor<2x3xf32> {
  %0 = trama.dropout %x, %rng p = 1.0e-01 op_id = 4 : tensor<2x3xf32>, tensor<4xi32>
  return %0 : tensor<2x3xf32>
}

//--- rejects.mlir
func.func @everything(%x: tensor<2x3xf32>, %rng: tensor<4xi32>) {
  // expected-error@+1 {{'trama.dropout' op p = 1.000000e+00 is not in [0, 1) (C1)}}
  %y = trama.dropout %x, %rng p = 1.0 op_id = 4 : tensor<2x3xf32>, tensor<4xi32>
  return
}

// -----

func.func @rng(%x: tensor<2x3xf32>, %rng: tensor<4xi64>) {
  // expected-error@+1 {{'trama.dropout' op rng must be tensor<4xi32>, not 'tensor<4xi64>'}}
  %y = trama.dropout %x, %rng p = 0.5 op_id = 4 : tensor<2x3xf32>, tensor<4xi64>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[7, 11, 3, 2]> : tensor<4xi32>
  %c2 = trama.constant dense<[[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]]> : tensor<2x3xf32>
  %y3 = trama.dropout %c2, %c1 p = 5.0e-01 op_id = 5 : tensor<2x3xf32>, tensor<4xi32>
  %c4 = trama.constant dense<[[0.0, -4.0, 6.0], [8.0, 0.0, 0.0]]> : tensor<2x3xf32>
  trama.check_close %y3, %c4 : tensor<2x3xf32>, tensor<2x3xf32>
  %y5 = trama.dropout %c2, %c1 p = 0.0 op_id = 5 : tensor<2x3xf32>, tensor<4xi32>
  %c6 = trama.constant dense<[[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]]> : tensor<2x3xf32>
  trama.check_close %y5, %c6 : tensor<2x3xf32>, tensor<2x3xf32>
  // The second example alone, as the first of its batch with its global index: the same mask.
  %c7 = trama.constant dense<[7, 11, 3, 3]> : tensor<4xi32>
  %c8 = trama.constant dense<[[4.0, 5.0, -6.0]]> : tensor<1x3xf32>
  %y9 = trama.dropout %c8, %c7 p = 5.0e-01 op_id = 5 : tensor<1x3xf32>, tensor<4xi32>
  %c10 = trama.constant dense<[[8.0, 0.0, 0.0]]> : tensor<1x3xf32>
  trama.check_close %y9, %c10 : tensor<1x3xf32>, tensor<1x3xf32>
  // In bf16 the mask is the same: the numbers are drawn in f32.
  %b1 = trama.constant dense<[[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]]> : tensor<2x3xbf16>
  %b2 = trama.constant dense<[7, 11, 3, 2]> : tensor<4xi32>
  %b3 = trama.dropout %b1, %b2 p = 5.0e-01 op_id = 5 : tensor<2x3xbf16>, tensor<4xi32>
  %b4 = trama.constant dense<[[0.0, -4.0, 6.0], [8.0, 0.0, 0.0]]> : tensor<2x3xbf16>
  trama.check_close %b3, %b4 : tensor<2x3xbf16>, tensor<2x3xbf16>
  return
}

//--- gradient.mlir
// The gradient goes through the same mask.
// CHECK-LABEL: func.func @dropout
// CHECK: trama.dropout %arg0, %arg1 p = 1.000000e-01 op_id = 4
// CHECK: trama.dropout %{{.*}}, %arg1 p = 1.000000e-01 op_id = 4
func.func @dropout(%x: tensor<2x3xf32> {trama.name = "x", trama.role = "parameter"}, %rng: tensor<4xi32> {trama.name = "rng", trama.role = "scalar"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.dropout %x, %rng p = 1.0e-01 op_id = 4 : tensor<2x3xf32>, tensor<4xi32>
  %loss = trama.sum %y dims = [0, 1] : tensor<2x3xf32>
  return %loss : tensor<f32>
}
