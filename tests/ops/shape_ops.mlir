// reshape, transpose, broadcast, slice, pad and concat.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @reshapes
// CHECK-NEXT: %[[R:.*]] = trama.reshape %arg0 : tensor<2x6xf32> -> tensor<12xf32>
// CHECK-NEXT: return %[[R]], %arg0
func.func @reshapes(%x: tensor<2x6xf32>) -> (tensor<12xf32>, tensor<2x6xf32>) {
  %0 = trama.reshape %x : tensor<2x6xf32> -> tensor<3x4xf32>
  %1 = trama.reshape %0 : tensor<3x4xf32> -> tensor<12xf32>
  %2 = trama.reshape %0 : tensor<3x4xf32> -> tensor<2x6xf32>
  return %1, %2 : tensor<12xf32>, tensor<2x6xf32>
}

// CHECK-LABEL: func.func @transposes
// CHECK-NEXT: %[[R:.*]] = trama.transpose %arg0 permutation = [2, 0, 1] : tensor<2x3x4xf32>
// CHECK-NEXT: return %[[R]], %arg0
func.func @transposes(%x: tensor<2x3x4xf32>) -> (tensor<4x2x3xf32>, tensor<2x3x4xf32>) {
  %0 = trama.transpose %x permutation = [1, 2, 0] : tensor<2x3x4xf32>
  %1 = trama.transpose %0 permutation = [1, 2, 0] : tensor<3x4x2xf32>
  %2 = trama.transpose %0 permutation = [2, 0, 1] : tensor<3x4x2xf32>
  return %1, %2 : tensor<4x2x3xf32>, tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @broadcasts
// CHECK-NEXT: %[[R:.*]] = trama.broadcast %arg0 : tensor<3xf32> -> tensor<2x4x3xf32>
// CHECK-NEXT: return %[[R]], %arg0
func.func @broadcasts(%x: tensor<3xf32>) -> (tensor<2x4x3xf32>, tensor<3xf32>) {
  %0 = trama.broadcast %x : tensor<3xf32> -> tensor<1x3xf32>
  %1 = trama.broadcast %0 : tensor<1x3xf32> -> tensor<2x4x3xf32>
  %2 = trama.broadcast %x : tensor<3xf32> -> tensor<3xf32>
  return %1, %2 : tensor<2x4x3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @slices
// CHECK-NEXT: %[[R:.*]] = trama.slice %arg0 starts = [5] strides = [6] : tensor<20xf32> -> tensor<2xf32>
// CHECK-NEXT: return %[[R]], %arg0
func.func @slices(%x: tensor<20xf32>) -> (tensor<2xf32>, tensor<20xf32>) {
  %0 = trama.slice %x starts = [3] strides = [2] : tensor<20xf32> -> tensor<8xf32>
  %1 = trama.slice %0 starts = [1] strides = [3] : tensor<8xf32> -> tensor<2xf32>
  %2 = trama.slice %x starts = [0] strides = [1] : tensor<20xf32> -> tensor<20xf32>
  return %1, %2 : tensor<2xf32>, tensor<20xf32>
}

// CHECK-LABEL: func.func @nothing_to_do
// CHECK-NEXT: return %arg0, %arg0
func.func @nothing_to_do(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = trama.concat %x dim = 1 : tensor<2x3xf32>
  %1 = trama.pad %x starts = [0, 0] strides = [1, 1] : tensor<2x3xf32> -> tensor<2x3xf32>
  return %0, %1 : tensor<2x3xf32>, tensor<2x3xf32>
}

//--- rejects.mlir
func.func @reshape_count(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.reshape' op cannot turn 'tensor<2x3xf32>' into 'tensor<7xf32>' (C1)}}
  %y = trama.reshape %x : tensor<2x3xf32> -> tensor<7xf32>
  return
}

// -----

func.func @reshape_type(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.reshape' op cannot turn 'tensor<2x3xf32>' into 'tensor<6xf64>' (C1)}}
  %y = trama.reshape %x : tensor<2x3xf32> -> tensor<6xf64>
  return
}

// -----

func.func @permutation(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.transpose' op permutation 0, 0 does not permute the dimensions of 'tensor<2x3xf32>' (C1)}}
  %y = trama.transpose %x permutation = [0, 0] : tensor<2x3xf32>
  return
}

// -----

func.func @permutation_rank(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.transpose' op permutation 0, 1, 2 does not permute the dimensions of 'tensor<2x3xf32>' (C1)}}
  %y = trama.transpose %x permutation = [0, 1, 2] : tensor<2x3xf32>
  return
}

// -----

func.func @broadcast_smaller(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.broadcast' op cannot repeat 'tensor<2x3xf32>' to 'tensor<3xf32>' (C1)}}
  %y = trama.broadcast %x : tensor<2x3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @slice_outside(%x: tensor<5xf32>) {
  // expected-error@+1 {{'trama.slice' op start 1, stride 2, size 3 leave dim 0 of 'tensor<5xf32>' (C2)}}
  %y = trama.slice %x starts = [1] strides = [2] : tensor<5xf32> -> tensor<3xf32>
  return
}

// -----

func.func @slice_backwards(%x: tensor<5xf32>) {
  // expected-error@+1 {{'trama.slice' op start 4, stride -1, size 2 leave dim 0 of 'tensor<5xf32>' (C2)}}
  %y = trama.slice %x starts = [4] strides = [-1] : tensor<5xf32> -> tensor<2xf32>
  return
}

// -----

func.func @slice_far(%x: tensor<5xf32>) {
  // expected-error@+1 {{'trama.slice' op start 1, stride 9223372036854775807, size 3 leave dim 0 of 'tensor<5xf32>' (C2)}}
  %y = trama.slice %x starts = [1] strides = [9223372036854775807] : tensor<5xf32> -> tensor<3xf32>
  return
}

// -----

func.func @slice_farther(%x: tensor<5xf32>) {
  // expected-error@+1 {{'trama.slice' op start 9223372036854775807, stride 1, size 3 leave dim 0 of 'tensor<5xf32>' (C2)}}
  %y = trama.slice %x starts = [9223372036854775807] strides = [1] : tensor<5xf32> -> tensor<3xf32>
  return
}

// -----

func.func @slice_rank(%x: tensor<5x2xf32>) {
  // expected-error@+1 {{'trama.slice' op needs one start, stride and size for each of 2 dimensions (C1)}}
  %y = trama.slice %x starts = [0] strides = [1] : tensor<5x2xf32> -> tensor<5x2xf32>
  return
}

// -----

func.func @pad_outside(%x: tensor<3xf32>) {
  // expected-error@+1 {{'trama.pad' op start 1, stride 2, size 3 leave dim 0 of 'tensor<5xf32>' (C2)}}
  %y = trama.pad %x starts = [1] strides = [2] : tensor<3xf32> -> tensor<5xf32>
  return
}

// -----

func.func @concat_sizes(%x: tensor<2x3xf32>, %z: tensor<3x3xf32>) {
  // expected-error@+1 {{'trama.concat' op cannot join 'tensor<3x3xf32>' to 'tensor<2x3xf32>' along dim 1 (C1)}}
  %y = trama.concat %x, %z dim = 1 : tensor<2x3xf32>, tensor<3x3xf32>
  return
}

// -----

func.func @concat_numbers(%x: f32) {
  // expected-error@+1 {{'trama.concat' op needs one tensor at least, and nothing else (C1)}}
  %y = trama.concat %x, %x dim = 0 : f32, f32
  return
}

// -----

func.func @concat_dim(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.concat' op dim 2 is out of range for 'tensor<2x3xf32>' (C1)}}
  %y = trama.concat %x, %x dim = 2 : tensor<2x3xf32>, tensor<2x3xf32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %y2 = trama.reshape %c1 : tensor<2x3xf32> -> tensor<3x2xf32>
  %c3 = trama.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  trama.check_close %y2, %c3 : tensor<3x2xf32>, tensor<3x2xf32>
  %y4 = trama.transpose %c1 permutation = [1, 0] : tensor<2x3xf32>
  %c5 = trama.constant dense<[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]> : tensor<3x2xf32>
  trama.check_close %y4, %c5 : tensor<3x2xf32>, tensor<3x2xf32>
  %c6 = trama.constant dense<[[[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]], [[100.0, 101.0, 102.0], [110.0, 111.0, 112.0]]]> : tensor<2x2x3xf32>
  %y7 = trama.transpose %c6 permutation = [2, 0, 1] : tensor<2x2x3xf32>
  %c8 = trama.constant dense<[[[0.0, 10.0], [100.0, 110.0]], [[1.0, 11.0], [101.0, 111.0]], [[2.0, 12.0], [102.0, 112.0]]]> : tensor<3x2x2xf32>
  trama.check_close %y7, %c8 : tensor<3x2x2xf32>, tensor<3x2x2xf32>
  %c9 = trama.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %y10 = trama.broadcast %c9 : tensor<2x1xf32> -> tensor<2x2x3xf32>
  %c11 = trama.constant dense<[[[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]]> : tensor<2x2x3xf32>
  trama.check_close %y10, %c11 : tensor<2x2x3xf32>, tensor<2x2x3xf32>
  %y12 = trama.slice %c1 starts = [1, 0] strides = [1, 2] : tensor<2x3xf32> -> tensor<1x2xf32>
  %c13 = trama.constant dense<[[4.0, 6.0]]> : tensor<1x2xf32>
  trama.check_close %y12, %c13 : tensor<1x2xf32>, tensor<1x2xf32>
  %c14 = trama.constant dense<[[7.0, 8.0]]> : tensor<1x2xf32>
  %y15 = trama.pad %c14 starts = [1, 1] strides = [1, 2] : tensor<1x2xf32> -> tensor<2x5xf32>
  %c16 = trama.constant dense<[[0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 7.0, 0.0, 8.0, 0.0]]> : tensor<2x5xf32>
  trama.check_close %y15, %c16 : tensor<2x5xf32>, tensor<2x5xf32>
  %y17 = trama.concat %c1, %c9, %c1 dim = 1 : tensor<2x3xf32>, tensor<2x1xf32>, tensor<2x3xf32>
  %c18 = trama.constant dense<[[1.0, 2.0, 3.0, 1.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 2.0, 4.0, 5.0, 6.0]]> : tensor<2x7xf32>
  trama.check_close %y17, %c18 : tensor<2x7xf32>, tensor<2x7xf32>
  %y19 = trama.concat %c14, %c14 dim = 0 : tensor<1x2xf32>, tensor<1x2xf32>
  %c20 = trama.constant dense<[[7.0, 8.0], [7.0, 8.0]]> : tensor<2x2xf32>
  trama.check_close %y19, %c20 : tensor<2x2xf32>, tensor<2x2xf32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @moves
// CHECK: trama.pad %{{.*}} starts = [1, 0] strides = [2, 1] : tensor<2x3xf32> -> tensor<4x3xf32>
// CHECK: trama.transpose %{{.*}} permutation = [1, 0] : tensor<4x3xf32>
// CHECK: trama.reshape %{{.*}} : tensor<3x4xf32> -> tensor<12xf32>
func.func @moves(%x: tensor<12xf32> {trama.name = "x", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %a = trama.reshape %x : tensor<12xf32> -> tensor<3x4xf32>
  %b = trama.transpose %a permutation = [1, 0] : tensor<3x4xf32>
  %y = trama.slice %b starts = [1, 0] strides = [2, 1] : tensor<4x3xf32> -> tensor<2x3xf32>
  %loss = trama.sum %y dims = [0, 1] : tensor<2x3xf32>
  return %loss : tensor<f32>
}

// CHECK-LABEL: func.func @joins
// CHECK-DAG: trama.slice %{{.*}} starts = [0, 0] strides = [1, 1] : tensor<2x5xf32> -> tensor<2x3xf32>
// CHECK-DAG: trama.slice %{{.*}} starts = [0, 3] strides = [1, 1] : tensor<2x5xf32> -> tensor<2x2xf32>
// CHECK-DAG: trama.sum %{{.*}} dims = [0] : tensor<2x2xf32>
func.func @joins(%x: tensor<2x3xf32> {trama.name = "x", trama.role = "parameter"}, %z: tensor<2xf32> {trama.name = "z", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %b = trama.broadcast %z : tensor<2xf32> -> tensor<2x2xf32>
  %y = trama.concat %x, %b dim = 1 : tensor<2x3xf32>, tensor<2x2xf32>
  %loss = trama.sum %y dims = [0, 1] : tensor<2x5xf32>
  return %loss : tensor<f32>
}
