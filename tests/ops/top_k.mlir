// top_k: order, ties, NaN and infinities, its shapes, its derivative.
// RUN: split-file %s %t
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/values.mlir --trama-decompose --run-main=reference
// RUN: trama-opt %t/values.mlir --trama-decompose --run-main=cpu
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- rejects.mlir
func.func @scalar(%x: tensor<f32>) {
  // expected-error@+1 {{'trama.top_k' op a scalar has no last dimension (C1)}}
  %v, %i = trama.top_k %x k = 1 : tensor<f32>
  return
}

// -----

func.func @none(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.top_k' op k 0 is not in [1, 3] for 'tensor<2x3xf32>' (C1)}}
  %v, %i = trama.top_k %x k = 0 : tensor<2x3xf32>
  return
}

// -----

func.func @too_many(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.top_k' op k 4 is not in [1, 3] for 'tensor<2x3xf32>' (C1)}}
  %v, %i = trama.top_k %x k = 4 : tensor<2x3xf32>
  return
}

//--- values.mlir
func.func @main() {
  // Ties by index, -0 and 0 among them; all of a row.
  %x0 = trama.constant dense<[[2.0, 7.0, -1.0, 7.0], [0.0, -0.0, -3.0, 0.0]]> : tensor<2x4xf32>
  %v1, %i1 = trama.top_k %x0 k = 3 : tensor<2x4xf32>
  %c2 = trama.constant dense<[[7.0, 7.0, 2.0], [0.0, 0.0, 0.0]]> : tensor<2x3xf32>
  trama.check_close %v1, %c2 {atol = 0.0, rtol = 0.0} : tensor<2x3xf32>, tensor<2x3xf32>
  %c3 = trama.constant dense<[[1, 3, 0], [0, 1, 3]]> : tensor<2x3xi32>
  trama.check_close %i1, %c3 : tensor<2x3xi32>, tensor<2x3xi32>
  %v4, %i4 = trama.top_k %x0 k = 4 : tensor<2x4xf32>
  %c5 = trama.constant dense<[[1, 3, 0, 2], [0, 1, 3, 2]]> : tensor<2x4xi32>
  trama.check_close %i4, %c5 : tensor<2x4xi32>, tensor<2x4xi32>
  // NaN before all numbers, whatever its sign; -infinity is a number like others.
  %x6 = trama.constant dense<[0xFF800000, 0x7F800000, 0x7FC00000, 1.0, 0xFFC00000, 0xFF800000]> : tensor<6xf32>
  %v7, %i7 = trama.top_k %x6 k = 6 : tensor<6xf32>
  %c8 = trama.constant dense<[2, 4, 1, 3, 0, 5]> : tensor<6xi32>
  trama.check_close %i7, %c8 : tensor<6xi32>, tensor<6xi32>
  %c9 = trama.constant dense<[0x7FC00000, 0x7FC00000, 0x7F800000, 1.0, 0xFF800000, 0xFF800000]> : tensor<6xf32>
  trama.check_close %v7, %c9 : tensor<6xf32>, tensor<6xf32>
  %x10 = trama.constant dense<0xFF800000> : tensor<1x5xf32>
  %v11, %i11 = trama.top_k %x10 k = 3 : tensor<1x5xf32>
  %c12 = trama.constant dense<[[0, 1, 2]]> : tensor<1x3xi32>
  trama.check_close %i11, %c12 : tensor<1x3xi32>, tensor<1x3xi32>
  // Integers, the lowest among them.
  %x13 = trama.constant dense<[-2147483648, 5, -2147483648, 2147483647]> : tensor<4xi32>
  %v14, %i14 = trama.top_k %x13 k = 4 : tensor<4xi32>
  %c15 = trama.constant dense<[3, 1, 0, 2]> : tensor<4xi32>
  trama.check_close %i14, %c15 : tensor<4xi32>, tensor<4xi32>
  %c16 = trama.constant dense<[2147483647, 5, -2147483648, -2147483648]> : tensor<4xi32>
  trama.check_close %v14, %c16 : tensor<4xi32>, tensor<4xi32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @scattered
// CHECK: %[[V:.*]], %[[I:.*]] = trama.top_k %arg0 k = 2
// CHECK: trama.compare eq
// CHECK-NOT: trama.gather
func.func @scattered(%x: tensor<5xf32> {trama.name = "x", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64} {
  %v, %i = trama.top_k %x k = 2 : tensor<5xf32>
  %y = trama.sum %v dims = [0] : tensor<2xf32>
  return %y : tensor<f32>
}
