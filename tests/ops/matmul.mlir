// The batched matrix product.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @flags
// CHECK-NEXT: trama.matmul %arg0, %arg1 transposed : tensor<5x2x3xf32>, tensor<4x3xf32>
// CHECK-NEXT: trama.matmul %arg0 transposed, %arg0 : tensor<5x2x3xf32>, tensor<5x2x3xf32>
// CHECK-NEXT: return
func.func @flags(%x: tensor<5x2x3xf32>, %w: tensor<4x3xf32>) -> (tensor<5x2x4xf32>, tensor<5x3x3xf32>) {
  %t = trama.transpose %w permutation = [1, 0] : tensor<4x3xf32>
  %0 = trama.matmul %x, %t : tensor<5x2x3xf32>, tensor<3x4xf32>
  %s = trama.transpose %x permutation = [0, 2, 1] : tensor<5x2x3xf32>
  %1 = trama.matmul %s, %x : tensor<5x3x2xf32>, tensor<5x2x3xf32>
  return %0, %1 : tensor<5x2x4xf32>, tensor<5x3x3xf32>
}

// CHECK-LABEL: func.func @flag_of_transpose
// CHECK-NEXT: trama.matmul %arg0, %arg0 transposed
func.func @flag_of_transpose(%x: tensor<2x3xf32>) -> tensor<2x2xf32> {
  %t = trama.transpose %x permutation = [1, 0] : tensor<2x3xf32>
  %u = trama.transpose %x permutation = [1, 0] : tensor<2x3xf32>
  %0 = trama.matmul %t transposed, %u : tensor<3x2xf32>, tensor<3x2xf32>
  return %0 : tensor<2x2xf32>
}

// It moves a leading dimension too.
// CHECK-LABEL: func.func @another_transpose
// CHECK: trama.transpose
func.func @another_transpose(%x: tensor<5x2x3xf32>, %w: tensor<2x4xf32>) -> tensor<3x5x4xf32> {
  %t = trama.transpose %x permutation = [2, 0, 1] : tensor<5x2x3xf32>
  %0 = trama.matmul %t, %w : tensor<3x5x2xf32>, tensor<2x4xf32>
  return %0 : tensor<3x5x4xf32>
}

// CHECK-LABEL: func.func @repeated_matrix
// CHECK-NEXT: trama.matmul %arg0, %arg1 : tensor<5x2x3xf32>, tensor<3x4xf32>
func.func @repeated_matrix(%x: tensor<5x2x3xf32>, %w: tensor<3x4xf32>) -> tensor<5x2x4xf32> {
  %b = trama.broadcast %w : tensor<3x4xf32> -> tensor<5x3x4xf32>
  %0 = trama.matmul %x, %b : tensor<5x2x3xf32>, tensor<5x3x4xf32>
  return %0 : tensor<5x2x4xf32>
}

// Narrow operands are summed in f32.
// CHECK-LABEL: func.func @narrow
// CHECK-NEXT: trama.matmul %arg0, %arg1 : tensor<2x3xbf16>, tensor<3x4xbf16>
// CHECK-NEXT: trama.matmul %arg2, %arg3 transposed : tensor<2x3xf16>, tensor<4x3xf16>
// CHECK-NEXT: return {{.*}} : tensor<2x4xf32>, tensor<2x4xf32>
func.func @narrow(%a: tensor<2x3xbf16>, %b: tensor<3x4xbf16>, %c: tensor<2x3xf16>, %d: tensor<4x3xf16>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %0 = trama.matmul %a, %b : tensor<2x3xbf16>, tensor<3x4xbf16>
  %t = trama.transpose %d permutation = [1, 0] : tensor<4x3xf16>
  %1 = trama.matmul %c, %t : tensor<2x3xf16>, tensor<3x4xf16>
  return %0, %1 : tensor<2x4xf32>, tensor<2x4xf32>
}

//--- rejects.mlir
func.func @rank(%x: tensor<3xf32>, %w: tensor<3x4xf32>) {
  // expected-error@+1 {{'trama.matmul' op operands need two dimensions: 'tensor<3xf32>', 'tensor<3x4xf32>' (C1)}}
  %y = trama.matmul %x, %w : tensor<3xf32>, tensor<3x4xf32>
  return
}

// -----

func.func @inner(%x: tensor<2x3xf32>, %w: tensor<3x4xf32>) {
  // expected-error@+1 {{'trama.matmul' op inner sizes 3 and 4 of 'tensor<2x3xf32>' and 'tensor<3x4xf32>' transposed differ (C2)}}
  %y = trama.matmul %x, %w transposed : tensor<2x3xf32>, tensor<3x4xf32>
  return
}

// -----

func.func @batch(%x: tensor<2x2x3xf32>, %w: tensor<5x3x4xf32>) {
  // expected-error@+1 {{'trama.matmul' op leading dimensions of 'tensor<2x2x3xf32>' and 'tensor<5x3x4xf32>' do not broadcast}}
  %y = trama.matmul %x, %w : tensor<2x2x3xf32>, tensor<5x3x4xf32>
  return
}

// -----

func.func @types(%x: tensor<2x3xf32>, %w: tensor<3x4xf64>) {
  // expected-error@+1 {{'trama.matmul' op element types differ: 'tensor<2x3xf32>', 'tensor<3x4xf64>' (C3)}}
  %y = trama.matmul %x, %w : tensor<2x3xf32>, tensor<3x4xf64>
  return
}

// -----

func.func @narrow_types(%x: tensor<2x3xbf16>, %w: tensor<3x4xf32>) {
  // expected-error@+1 {{'trama.matmul' op element types differ: 'tensor<2x3xbf16>', 'tensor<3x4xf32>' (C3)}}
  %y = trama.matmul %x, %w : tensor<2x3xbf16>, tensor<3x4xf32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[1.0, 2.0, -1.0], [0.5, 3.0, 2.0]]> : tensor<2x3xf32>
  %c2 = trama.constant dense<[[2.0, 1.0], [0.0, -1.0], [4.0, 0.25]]> : tensor<3x2xf32>
  %c3 = trama.constant dense<[[1.0, 0.5], [2.0, 3.0], [-1.0, 2.0]]> : tensor<3x2xf32>
  %c4 = trama.constant dense<[[2.0, 0.0, 4.0], [1.0, -1.0, 0.25]]> : tensor<2x3xf32>
  %y5 = trama.matmul %c1, %c2 : tensor<2x3xf32>, tensor<3x2xf32>
  %c6 = trama.constant dense<[[-2.0, -1.25], [9.0, -2.0]]> : tensor<2x2xf32>
  trama.check_close %y5, %c6 : tensor<2x2xf32>, tensor<2x2xf32>
  %y7 = trama.matmul %c1, %c4 transposed : tensor<2x3xf32>, tensor<2x3xf32>
  %c8 = trama.constant dense<[[-2.0, -1.25], [9.0, -2.0]]> : tensor<2x2xf32>
  trama.check_close %y7, %c8 : tensor<2x2xf32>, tensor<2x2xf32>
  %y9 = trama.matmul %c3 transposed, %c2 : tensor<3x2xf32>, tensor<3x2xf32>
  %c10 = trama.constant dense<[[-2.0, -1.25], [9.0, -2.0]]> : tensor<2x2xf32>
  trama.check_close %y9, %c10 : tensor<2x2xf32>, tensor<2x2xf32>
  %y11 = trama.matmul %c3 transposed, %c4 transposed : tensor<3x2xf32>, tensor<2x3xf32>
  %c12 = trama.constant dense<[[-2.0, -1.25], [9.0, -2.0]]> : tensor<2x2xf32>
  trama.check_close %y11, %c12 : tensor<2x2xf32>, tensor<2x2xf32>
  // Leading dimensions broadcast: [2, 1] against [3].
  %c13 = trama.constant dense<[[[[1.0, 2.0, -1.0], [0.5, 3.0, 2.0]]], [[[2.0, 4.0, -2.0], [1.0, 6.0, 4.0]]]]> : tensor<2x1x2x3xf32>
  %c14 = trama.constant dense<[[[2.0, 1.0], [0.0, -1.0], [4.0, 0.25]], [[-2.0, -1.0], [-0.0, 1.0], [-4.0, -0.25]], [[6.0, 3.0], [0.0, -3.0], [12.0, 0.75]]]> : tensor<3x3x2xf32>
  %y15 = trama.matmul %c13, %c14 : tensor<2x1x2x3xf32>, tensor<3x3x2xf32>
  %c16 = trama.constant dense<[[[[-2.0, -1.25], [9.0, -2.0]], [[2.0, 1.25], [-9.0, 2.0]], [[-6.0, -3.75], [27.0, -6.0]]], [[[-4.0, -2.5], [18.0, -4.0]], [[4.0, 2.5], [-18.0, 4.0]], [[-12.0, -7.5], [54.0, -12.0]]]]> : tensor<2x3x2x2xf32>
  trama.check_close %y15, %c16 : tensor<2x3x2x2xf32>, tensor<2x3x2x2xf32>
  // A batch of products of one row each.
  %c17 = trama.constant dense<[[[1.0, 2.0]], [[3.0, -1.0]], [[0.5, 4.0]]]> : tensor<3x1x2xf32>
  %c18 = trama.constant dense<[[[2.0, 1.0]], [[1.0, -2.0]], [[4.0, 0.5]]]> : tensor<3x1x2xf32>
  %y19 = trama.matmul %c17, %c18 transposed : tensor<3x1x2xf32>, tensor<3x1x2xf32>
  %c20 = trama.constant dense<[[[4.0]], [[5.0]], [[4.0]]]> : tensor<3x1x1xf32>
  trama.check_close %y19, %c20 : tensor<3x1x1xf32>, tensor<3x1x1xf32>
  // 1 + 2^-7 is a number of bf16, its square and the sum of two of those are none.
  %c21 = trama.constant dense<[[1.0078125, 1.0078125]]> : tensor<1x2xbf16>
  %y22 = trama.matmul %c21, %c21 transposed : tensor<1x2xbf16>, tensor<1x2xbf16>
  %c23 = trama.constant dense<[[2.0313720703125]]> : tensor<1x1xf32>
  trama.check_close %y22, %c23 {atol = 0.0 : f64, rtol = 0.0 : f64} : tensor<1x1xf32>, tensor<1x1xf32>
  %c24 = trama.constant dense<[[1.0009765625, -3.0], [0.5, 60000.0]]> : tensor<2x2xf16>
  %y25 = trama.matmul %c24 transposed, %c24 : tensor<2x2xf16>, tensor<2x2xf16>
  %c26 = trama.constant dense<[[1.251954078674316, 29996.9970703125], [29996.9970703125, 3.6e9]]> : tensor<2x2xf32>
  trama.check_close %y25, %c26 {atol = 0.0 : f64, rtol = 1.0e-7 : f64} : tensor<2x2xf32>, tensor<2x2xf32>
  return
}

//--- gradient.mlir
// A matrix that multiplies a batch gets its gradient from one product over all rows.
// CHECK-LABEL: func.func @shared
// CHECK: %[[Y:.*]] = trama.matmul %arg0, %arg1
// CHECK-NOT: trama.transpose
// CHECK-DAG: trama.matmul %{{.*}}, %arg1 transposed : tensor<5x2x4xf32>, tensor<3x4xf32>
// CHECK-DAG: %[[ROWS:.*]] = trama.reshape %arg0 : tensor<5x2x3xf32> -> tensor<10x3xf32>
// CHECK-DAG: trama.matmul %[[ROWS]] transposed, %{{.*}} : tensor<10x3xf32>, tensor<10x4xf32>
// CHECK: return
func.func @shared(%x: tensor<5x2x3xf32> {trama.name = "x", trama.role = "parameter"}, %w: tensor<3x4xf32> {trama.name = "w", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.matmul %x, %w : tensor<5x2x3xf32>, tensor<3x4xf32>
  %loss = trama.sum %y dims = [0, 1, 2] : tensor<5x2x4xf32>
  return %loss : tensor<f32>
}

// CHECK-LABEL: func.func @scores
// CHECK-NOT: trama.transpose
// CHECK-DAG: trama.matmul %{{.*}}, %arg1 : tensor<5x2x7xf32>, tensor<5x7x3xf32>
// CHECK-DAG: trama.matmul %{{.*}} transposed, %arg0 : tensor<5x2x7xf32>, tensor<5x2x3xf32>
// CHECK: return
func.func @scores(%q: tensor<5x2x3xf32> {trama.name = "q", trama.role = "parameter"}, %k: tensor<5x7x3xf32> {trama.name = "k", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.matmul %q, %k transposed : tensor<5x2x3xf32>, tensor<5x7x3xf32>
  %loss = trama.sum %y dims = [0, 1, 2] : tensor<5x2x7xf32>
  return %loss : tensor<f32>
}

// What is multiplied on the way back is narrow too.
// CHECK-LABEL: func.func @narrow
// CHECK: %[[G:.*]] = trama.cast %{{.*}} : tensor<2x4xf32> -> tensor<2x4xbf16>
// CHECK-DAG: %[[DX:.*]] = trama.matmul %[[G]], %arg1 transposed : tensor<2x4xbf16>, tensor<3x4xbf16>
// CHECK-DAG: trama.cast %[[DX]] : tensor<2x3xf32> -> tensor<2x3xbf16>
// CHECK-DAG: %[[DW:.*]] = trama.matmul %arg0 transposed, %[[G]] : tensor<2x3xbf16>, tensor<2x4xbf16>
// CHECK-DAG: trama.cast %[[DW]] : tensor<3x4xf32> -> tensor<3x4xbf16>
func.func @narrow(%x: tensor<2x3xbf16> {trama.name = "x", trama.role = "parameter"}, %w: tensor<3x4xbf16> {trama.name = "w", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.matmul %x, %w : tensor<2x3xbf16>, tensor<3x4xbf16>
  %loss = trama.sum %y dims = [0, 1] : tensor<2x4xf32>
  return %loss : tensor<f32>
}

// CHECK-LABEL: func.func @batch_is_summed
// CHECK: trama.sum %{{.*}} dims = [0] : tensor<5x2x3xf32>
func.func @batch_is_summed(%a: tensor<2x3xf32> {trama.name = "a", trama.role = "parameter"}, %b: tensor<5x3x4xf32> {trama.name = "b", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.matmul %a, %b : tensor<2x3xf32>, tensor<5x3x4xf32>
  %loss = trama.sum %y dims = [0, 1, 2] : tensor<5x2x4xf32>
  return %loss : tensor<f32>
}
