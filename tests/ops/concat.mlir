// RUN: trama-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @alone
// CHECK-NEXT: return %arg0
func.func @alone(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %y = trama.concat %x dim = 1 : tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @columns
// CHECK: -> tensor<2x5xf32>
func.func @columns(%x: tensor<2x3xf32>, %z: tensor<2x2xf32>) -> tensor<2x5xf32> {
  %y = trama.concat %x, %z dim = 1 : tensor<2x3xf32>, tensor<2x2xf32>
  return %y : tensor<2x5xf32>
}
