// A module that trains: its parameters stay f32.
// RUN: trama-opt %s --trama-precision --trama-simplify | FileCheck %s

// Weights are rounded where they are read first, for the ways forward and back.
// CHECK-LABEL: func.func @training
// CHECK: trama.cast %arg0
// CHECK: %[[W:.*]] = trama.cast %arg1
// CHECK: trama.matmul %{{.*}}, %[[W]]
// CHECK: trama.tanh
// CHECK: %[[V:.*]] = trama.cast %arg2 : tensor<4x4xf32> -> tensor<4x4xbf16>
// CHECK: %[[R:.*]] = trama.reshape %[[V]]
// CHECK: %[[S:.*]] = trama.slice %[[R]]
// CHECK: trama.matmul %[[S]], %[[W]]
// CHECK-NOT: trama.cast %arg1
// CHECK: return
func.func @training(%x: tensor<2x4xf32> {trama.name = "x", trama.role = "input"}, %w: tensor<4x4xf32> {trama.name = "training.w", trama.role = "parameter"}, %v: tensor<4x4xf32> {trama.name = "training.v", trama.role = "parameter"}) -> (tensor<2x4xf32> {trama.name = "y"}, tensor<4x4xf32> {trama.name = "training.w", trama.donates = 1 : i64}) {
  %t = trama.reshape %v : tensor<4x4xf32> -> tensor<2x2x4xf32>
  %s = trama.slice %t starts = [0, 0, 0] strides = [1, 1, 1] : tensor<2x2x4xf32> -> tensor<1x2x4xf32>
  %y = trama.matmul %x, %w : tensor<2x4xf32>, tensor<4x4xf32>
  %z = trama.tanh %y : tensor<2x4xf32>
  %p = trama.matmul %s, %w : tensor<1x2x4xf32>, tensor<4x4xf32>
  %q = trama.reshape %p : tensor<1x2x4xf32> -> tensor<2x4xf32>
  %r = trama.add %q, %z : tensor<2x4xf32>, tensor<2x4xf32>
  %n = trama.mul %w, %w : tensor<4x4xf32>, tensor<4x4xf32>
  return %r, %n : tensor<2x4xf32>, tensor<4x4xf32>
}

// So does one that is read alone, in this program or beside it.
// CHECK-LABEL: func.func @beside
// CHECK-SAME: %arg1: tensor<4x4xf32>
// CHECK: trama.cast %arg1 : tensor<4x4xf32> -> tensor<4x4xbf16>
func.func @beside(%x: tensor<2x4xf32> {trama.name = "x", trama.role = "input"}, %v: tensor<4x4xf32> {trama.name = "training.v", trama.role = "parameter"}) -> (tensor<2x4xf32> {trama.name = "y"}) {
  %y = trama.matmul %x, %v : tensor<2x4xf32>, tensor<4x4xf32>
  return %y : tensor<2x4xf32>
}
