// RUN: trama-opt %s --trama-precision --trama-simplify | FileCheck %s
// RUN: trama-opt %s --run-main=reference
// RUN: trama-opt %s --trama-precision --trama-simplify --run-main=reference
// RUN: trama-opt %s --trama-precision --trama-simplify --run-main=cpu

// A parameter that is multiplied alone becomes bf16, its bias does not. The residual is f32.
// CHECK-LABEL: func.func @layer
// CHECK-SAME: %arg0: tensor<2x4xf32>
// CHECK-SAME: %arg1: tensor<4x4xbf16>
// CHECK-SAME: %arg2: tensor<4xf32>
// CHECK: %[[X:.*]] = trama.cast %arg0 : tensor<2x4xf32> -> tensor<2x4xbf16>
// CHECK: %[[Y:.*]] = trama.linear %[[X]], %arg1, %arg2 activation = relu : tensor<2x4xbf16>, tensor<4x4xbf16>, tensor<4xf32>
// CHECK: trama.add %[[Y]], %arg0 : tensor<2x4xf32>
func.func @layer(%x: tensor<2x4xf32> {trama.name = "x", trama.role = "input"}, %w: tensor<4x4xf32> {trama.name = "layer.w", trama.role = "parameter"}, %b: tensor<4xf32> {trama.name = "layer.b", trama.role = "parameter"}) -> (tensor<2x4xf32> {trama.name = "y"}) {
  %0 = trama.linear %x, %w, %b activation = relu : tensor<2x4xf32>, tensor<4x4xf32>, tensor<4xf32>
  %1 = trama.add %0, %x : tensor<2x4xf32>, tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// A table whose rows are read and that is the head: both from the bf16 one.
// CHECK-LABEL: func.func @tied
// CHECK-SAME: %arg1: tensor<9x4xbf16>
// CHECK: %[[ROWS:.*]] = trama.embedding %arg1, %arg0 : tensor<9x4xbf16>, tensor<3xi32>
// CHECK: %[[WIDE:.*]] = trama.cast %[[ROWS]] : tensor<3x4xbf16> -> tensor<3x4xf32>
// CHECK: %[[X:.*]] = trama.tanh %[[WIDE]] : tensor<3x4xf32>
// CHECK: %[[N:.*]] = trama.cast %[[X]] : tensor<3x4xf32> -> tensor<3x4xbf16>
// CHECK: trama.matmul %[[N]], %arg1 transposed : tensor<3x4xbf16>, tensor<9x4xbf16>
func.func @tied(%ids: tensor<3xi32> {trama.name = "ids", trama.role = "input"}, %w: tensor<9x4xf32> {trama.name = "tied.w", trama.role = "parameter"}) -> (tensor<3x9xf32> {trama.name = "y"}) {
  %0 = trama.embedding %w, %ids : tensor<9x4xf32>, tensor<3xi32>
  %1 = trama.tanh %0 : tensor<3x4xf32>
  %2 = trama.matmul %1, %w transposed : tensor<3x4xf32>, tensor<9x4xf32>
  return %2 : tensor<3x9xf32>
}

// A table that nothing is multiplied with stays, and so does a parameter with another use.
// CHECK-LABEL: func.func @stays
// CHECK-SAME: %arg1: tensor<9x4xf32>
// CHECK-SAME: %arg2: tensor<4x4xf32>
// CHECK: trama.cast %arg2 : tensor<4x4xf32> -> tensor<4x4xbf16>
func.func @stays(%ids: tensor<4xi32> {trama.name = "ids", trama.role = "input"}, %t: tensor<9x4xf32> {trama.name = "stays.t", trama.role = "parameter"}, %w: tensor<4x4xf32> {trama.name = "stays.w", trama.role = "parameter"}) -> (tensor<4x4xf32> {trama.name = "y"}) {
  %0 = trama.embedding %t, %ids : tensor<9x4xf32>, tensor<4xi32>
  %1 = trama.matmul %0, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %2 = trama.add %1, %w : tensor<4x4xf32>, tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}

// Two programs share a parameter: it stays where one of them needs it whole.
// CHECK-LABEL: func.func @multiplies
// CHECK-SAME: %arg0: tensor<4x4xf32>
func.func @multiplies(%w: tensor<4x4xf32> {trama.name = "shared", trama.role = "parameter"}) -> (tensor<4x4xf32> {trama.name = "y"}) {
  %0 = trama.matmul %w, %w : tensor<4x4xf32>, tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
// CHECK-LABEL: func.func @adds
// CHECK-SAME: %arg0: tensor<4x4xf32>
func.func @adds(%w: tensor<4x4xf32> {trama.name = "shared", trama.role = "parameter"}) -> (tensor<4x4xf32> {trama.name = "y"}) {
  %0 = trama.add %w, %w : tensor<4x4xf32>, tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// One rounding for a value and its views; the part of a value that is multiplied alone is rounded
// alone; f64 and integers are no concern.
// CHECK-LABEL: func.func @views
// CHECK: %[[X:.*]] = trama.tanh %arg0
// CHECK: %[[N:.*]] = trama.cast %[[X]] : tensor<2x3x4xf32> -> tensor<2x3x4xbf16>
// CHECK: %[[ROWS:.*]] = trama.reshape %[[N]] : tensor<2x3x4xbf16> -> tensor<6x4xbf16>
// CHECK: trama.matmul %[[ROWS]] transposed, %[[ROWS]]
// CHECK: trama.matmul %[[N]], %[[N]] transposed
// CHECK: %[[PART:.*]] = trama.slice %[[X]]
// CHECK: %[[P:.*]] = trama.cast %[[PART]] : tensor<2x1x4xf32> -> tensor<2x1x4xbf16>
// CHECK: trama.matmul %[[P]], %[[N]] transposed
// CHECK: trama.matmul %arg1, %arg1 : tensor<2x2xf64>, tensor<2x2xf64>
func.func @views(%a: tensor<2x3x4xf32> {trama.name = "a", trama.role = "input"}, %d: tensor<2x2xf64> {trama.name = "d", trama.role = "input"}) -> (tensor<4x4xf32>, tensor<2x3x3xf32>, tensor<2x1x3xf32>, tensor<2x2xf64>) {
  %x = trama.tanh %a : tensor<2x3x4xf32>
  %rows = trama.reshape %x : tensor<2x3x4xf32> -> tensor<6x4xf32>
  %0 = trama.matmul %rows transposed, %rows : tensor<6x4xf32>, tensor<6x4xf32>
  %1 = trama.matmul %x, %x transposed : tensor<2x3x4xf32>, tensor<2x3x4xf32>
  %part = trama.slice %x starts = [0, 1, 0] strides = [1, 1, 1] : tensor<2x3x4xf32> -> tensor<2x1x4xf32>
  %2 = trama.matmul %part, %x transposed : tensor<2x1x4xf32>, tensor<2x3x4xf32>
  %3 = trama.matmul %d, %d : tensor<2x2xf64>, tensor<2x2xf64>
  return %0, %1, %2, %3 : tensor<4x4xf32>, tensor<2x3x3xf32>, tensor<2x1x3xf32>, tensor<2x2xf64>
}

// The head's gradient too; its incoming gradient and its results are f32. Attention stays as it is.
// CHECK-LABEL: func.func @head
// CHECK-SAME: %arg1: tensor<9x4xbf16>
// CHECK: %[[X:.*]] = trama.cast %arg0 : tensor<3x4xf32> -> tensor<3x4xbf16>
// CHECK: trama.linear_cross_entropy_grad %arg3, %[[X]], %arg1, %arg2 : tensor<3xf32>, tensor<3x4xbf16>, tensor<9x4xbf16>, tensor<3xi32>
// CHECK: trama.attention %arg4, %arg4, %arg4 scale = 1.000000e+00 : tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>
func.func @head(%x: tensor<3x4xf32> {trama.name = "x", trama.role = "input"}, %w: tensor<9x4xf32> {trama.name = "head.w", trama.role = "parameter"}, %t: tensor<3xi32> {trama.name = "t", trama.role = "input"}, %g: tensor<3xf32> {trama.name = "g", trama.role = "input"}, %q: tensor<1x1x3x4xf32> {trama.name = "q", trama.role = "input"}) -> (tensor<3xf32>, tensor<3x4xf32>, tensor<9x4xf32>, tensor<1x1x3x4xf32>) {
  %y, %dx, %dw = trama.linear_cross_entropy_grad %g, %x, %w, %t : tensor<3xf32>, tensor<3x4xf32>, tensor<9x4xf32>, tensor<3xi32>
  %a, %lse = trama.attention %q, %q, %q scale = 1.0 : tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>
  return %y, %dx, %dw, %a : tensor<3xf32>, tensor<3x4xf32>, tensor<9x4xf32>, tensor<1x1x3x4xf32>
}

func.func @main() {
  %x = trama.constant dense<[[1.0, -0.7], [0.3, 2.1]]> : tensor<2x2xf32>
  %w = trama.constant dense<[[0.6, 1.1], [-1.3, 0.2]]> : tensor<2x2xf32>
  %b = trama.constant dense<[0.1, -0.2]> : tensor<2xf32>
  %y = trama.linear %x, %w, %b activation = tanh : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2xf32>
  %z = trama.matmul %y, %w transposed : tensor<2x2xf32>, tensor<2x2xf32>
  %want = trama.constant dense<[[1.2590807, -1.0718926], [-0.0405579, 1.380886]]> : tensor<2x2xf32>
  trama.check_close %z, %want {atol = 1.0e-2 : f64, rtol = 1.0e-2 : f64} : tensor<2x2xf32>, tensor<2x2xf32>
  return
}
