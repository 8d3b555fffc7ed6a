// RUN: trama-opt %s --trama-widen-products=keep=f16 | FileCheck %s
// RUN: trama-opt %s --run-main=reference
// RUN: trama-opt %s --trama-widen-products --run-main=reference
// RUN: trama-opt %s --run-main=cpu

// CHECK-LABEL: func.func @products
// CHECK: %[[X:.*]] = trama.cast %arg0 : tensor<2x3xbf16> -> tensor<2x3xf32>
// CHECK: %[[W:.*]] = trama.cast %arg1 : tensor<3x3xbf16> -> tensor<3x3xf32>
// CHECK: trama.matmul %[[X]], %[[W]] transposed : tensor<2x3xf32>, tensor<3x3xf32>
// CHECK: trama.linear %{{.*}}, %{{.*}}, %arg2 : tensor<2x3xf32>, tensor<3x3xf32>, tensor<3xf32>
// CHECK: trama.linear_cross_entropy %{{.*}}, %{{.*}}, %arg3 : tensor<2x3xf32>, tensor<3x3xf32>
// CHECK: trama.linear_cross_entropy_grad %{{.*}}, %{{.*}}, %{{.*}}, %arg3 : tensor<2xf32>, tensor<2x3xf32>, tensor<3x3xf32>
func.func @products(%x: tensor<2x3xbf16>, %w: tensor<3x3xbf16>, %b: tensor<3xf32>, %t: tensor<2xi32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2xf32>, tensor<2x3xf32>) {
  %0 = trama.matmul %x, %w transposed : tensor<2x3xbf16>, tensor<3x3xbf16>
  %1 = trama.linear %x, %w, %b : tensor<2x3xbf16>, tensor<3x3xbf16>, tensor<3xf32>
  %2 = trama.linear_cross_entropy %x, %w, %t : tensor<2x3xbf16>, tensor<3x3xbf16>, tensor<2xi32>
  %3, %4, %5 = trama.linear_cross_entropy_grad %2, %x, %w, %t : tensor<2xf32>, tensor<2x3xbf16>, tensor<3x3xbf16>, tensor<2xi32>
  return %0, %1, %3, %4 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2xf32>, tensor<2x3xf32>
}

// A type that the device has, one that is not narrow, and what is no product.
// CHECK-LABEL: func.func @others
// CHECK-NOT: trama.cast
// CHECK: return
func.func @others(%a: tensor<2x2xf16>, %b: tensor<2x2xf32>, %c: tensor<2x2xbf16>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xbf16>) {
  %0 = trama.matmul %a, %a : tensor<2x2xf16>, tensor<2x2xf16>
  %1 = trama.matmul %b, %b : tensor<2x2xf32>, tensor<2x2xf32>
  %2 = trama.mul %c, %c : tensor<2x2xbf16>, tensor<2x2xbf16>
  return %0, %1, %2 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xbf16>
}

func.func @main() {
  %x = trama.constant dense<[[1.0078125, 2.0], [0.5, -3.0]]> : tensor<2x2xbf16>
  %y = trama.matmul %x, %x : tensor<2x2xbf16>, tensor<2x2xbf16>
  %want = trama.constant dense<[[2.01568603515625, -3.984375], [-0.99609375, 10.0]]> : tensor<2x2xf32>
  trama.check_close %y, %want {atol = 0.0 : f64, rtol = 0.0 : f64} : tensor<2x2xf32>, tensor<2x2xf32>
  return
}
