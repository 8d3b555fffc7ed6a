// sum, reduce_max, mean and argmax.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/values.mlir --trama-decompose --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @over_nothing
// CHECK: %[[R:.*]] = trama.reshape %arg0 : tensor<1x3xf32> -> tensor<3xf32>
// CHECK: return %arg0, %[[R]], %arg0
func.func @over_nothing(%x: tensor<1x3xf32>) -> (tensor<1x3xf32>, tensor<3xf32>, tensor<1x3xf32>) {
  %0 = trama.sum %x dims = [] : tensor<1x3xf32>
  %1 = trama.reduce_max %x dims = [0] : tensor<1x3xf32>
  %2 = trama.mean %x dims = [0] keepdim : tensor<1x3xf32>
  return %0, %1, %2 : tensor<1x3xf32>, tensor<3xf32>, tensor<1x3xf32>
}

// CHECK-LABEL: func.func @sum_of_sum
// CHECK-NEXT: trama.sum %arg0 dims = [1, 2, 3] : tensor<2x3x4x5xf32>
// CHECK-NEXT: return
func.func @sum_of_sum(%x: tensor<2x3x4x5xf32>) -> tensor<2xf32> {
  %0 = trama.sum %x dims = [2] : tensor<2x3x4x5xf32>
  %1 = trama.sum %0 dims = [1, 2] : tensor<2x3x5xf32>
  return %1 : tensor<2xf32>
}

// CHECK-LABEL: func.func @keepdim_stays
// CHECK-COUNT-2: trama.sum
func.func @keepdim_stays(%x: tensor<2x3xf32>) -> tensor<1xf32> {
  %0 = trama.sum %x dims = [1] keepdim : tensor<2x3xf32>
  %1 = trama.sum %0 dims = [0] : tensor<2x1xf32>
  return %1 : tensor<1xf32>
}

//--- rejects.mlir
func.func @range(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.sum' op dims 2 are not ascending dimensions of 'tensor<2x3xf32>' (C1)}}
  %y = trama.sum %x dims = [2] : tensor<2x3xf32>
  return
}

// -----

func.func @order(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.mean' op dims 1, 0 are not ascending dimensions of 'tensor<2x3xf32>' (C1)}}
  %y = trama.mean %x dims = [1, 0] : tensor<2x3xf32>
  return
}

// -----

func.func @twice(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.reduce_max' op dims 1, 1 are not ascending dimensions of 'tensor<2x3xf32>' (C1)}}
  %y = trama.reduce_max %x dims = [1, 1] : tensor<2x3xf32>
  return
}

// -----

func.func @empty(%x: tensor<2x0xf32>) {
  // expected-error@+1 {{'trama.reduce_max' op dim 1 of 'tensor<2x0xf32>' is empty (C2)}}
  %y = trama.reduce_max %x dims = [1] : tensor<2x0xf32>
  return
}

// -----

func.func @argmax_range(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.argmax' op dim -1 is out of range for 'tensor<2x3xf32>' (C1)}}
  %y = trama.argmax %x dim = -1 : tensor<2x3xf32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[1.0, 5.0, -2.0], [4.0, -3.0, 6.0]]> : tensor<2x3xf32>
  %y2 = trama.sum %c1 dims = [0] : tensor<2x3xf32>
  %c3 = trama.constant dense<[5.0, 2.0, 4.0]> : tensor<3xf32>
  trama.check_close %y2, %c3 : tensor<3xf32>, tensor<3xf32>
  %y4 = trama.sum %c1 dims = [1] keepdim : tensor<2x3xf32>
  %c5 = trama.constant dense<[[4.0], [7.0]]> : tensor<2x1xf32>
  trama.check_close %y4, %c5 : tensor<2x1xf32>, tensor<2x1xf32>
  %y6 = trama.sum %c1 dims = [0, 1] : tensor<2x3xf32>
  %c7 = trama.constant dense<11.0> : tensor<f32>
  trama.check_close %y6, %c7 : tensor<f32>, tensor<f32>
  %y8 = trama.mean %c1 dims = [1] : tensor<2x3xf32>
  %c9 = trama.constant dense<[1.33333333, 2.33333333]> : tensor<2xf32>
  trama.check_close %y8, %c9 : tensor<2xf32>, tensor<2xf32>
  %y10 = trama.mean %c1 dims = [0, 1] keepdim : tensor<2x3xf32>
  %c11 = trama.constant dense<[[1.83333333]]> : tensor<1x1xf32>
  trama.check_close %y10, %c11 : tensor<1x1xf32>, tensor<1x1xf32>
  %y12 = trama.reduce_max %c1 dims = [0] : tensor<2x3xf32>
  %c13 = trama.constant dense<[4.0, 5.0, 6.0]> : tensor<3xf32>
  trama.check_close %y12, %c13 : tensor<3xf32>, tensor<3xf32>
  %y14 = trama.reduce_max %c1 dims = [1] keepdim : tensor<2x3xf32>
  %c15 = trama.constant dense<[[5.0], [6.0]]> : tensor<2x1xf32>
  trama.check_close %y14, %c15 : tensor<2x1xf32>, tensor<2x1xf32>
  %y16 = trama.argmax %c1 dim = 1 : tensor<2x3xf32>
  %c17 = trama.constant dense<[1, 2]> : tensor<2xi32>
  trama.check_close %y16, %c17 : tensor<2xi32>, tensor<2xi32>
  %y18 = trama.argmax %c1 dim = 0 keepdim : tensor<2x3xf32>
  %c19 = trama.constant dense<[[1, 0, 1]]> : tensor<1x3xi32>
  trama.check_close %y18, %c19 : tensor<1x3xi32>, tensor<1x3xi32>
  // The lowest index on a tie; a sum over no dimension is x.
  %c20 = trama.constant dense<[2.0, 7.0, 7.0]> : tensor<3xf32>
  %y21 = trama.argmax %c20 dim = 0 : tensor<3xf32>
  %c22 = trama.constant dense<1> : tensor<i32>
  trama.check_close %y21, %c22 : tensor<i32>, tensor<i32>
  %y23 = trama.sum %c20 dims = [] : tensor<3xf32>
  %c24 = trama.constant dense<[2.0, 7.0, 7.0]> : tensor<3xf32>
  trama.check_close %y23, %c24 : tensor<3xf32>, tensor<3xf32>
  %c25 = trama.constant dense<[0x7FC00000, 1.0]> : tensor<2xf32>
  %y26 = trama.reduce_max %c25 dims = [0] : tensor<2xf32>
  %c27 = trama.constant dense<0x7FC00000> : tensor<f32>
  trama.check_close %y26, %c27 : tensor<f32>, tensor<f32>
  %c28 = trama.constant dense<[3, -9]> : tensor<2xi32>
  %y29 = trama.sum %c28 dims = [0] : tensor<2xi32>
  %c30 = trama.constant dense<-6> : tensor<i32>
  trama.check_close %y29, %c30 : tensor<i32>, tensor<i32>
  %y31 = trama.mean %c28 dims = [0] : tensor<2xi32>
  %c32 = trama.constant dense<-3> : tensor<i32>
  trama.check_close %y31, %c32 : tensor<i32>, tensor<i32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @mean
// CHECK: trama.broadcast %{{.*}} : tensor<2x1xf32> -> tensor<2x3xf32>
func.func @mean(%x: tensor<2x3xf32> {trama.name = "x", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.mean %x dims = [1] : tensor<2x3xf32>
  %loss = trama.sum %y dims = [0] : tensor<2xf32>
  return %loss : tensor<f32>
}

// The largest elements of a row share its gradient.
// CHECK-LABEL: func.func @largest
// CHECK: %[[IS:.*]] = trama.compare eq %arg0
// CHECK: trama.sum %{{.*}} dims = [1] keepdim
// CHECK: trama.select %[[IS]]
func.func @largest(%x: tensor<2x3xf32> {trama.name = "x", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.reduce_max %x dims = [1] : tensor<2x3xf32>
  %loss = trama.sum %y dims = [0] : tensor<2xf32>
  return %loss : tensor<f32>
}
