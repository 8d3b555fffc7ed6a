// Every function here is also run with random inputs, before and after: unit/pass_values_test.cc.
// RUN: trama-opt %s --trama-raise-cross-entropy --canonicalize | FileCheck %s
// RUN: trama-opt %s --trama-raise-cross-entropy --remarks-filter=trama.raise-cross-entropy 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// CHECK-LABEL: func.func @gather
// CHECK-NOT: softmax
// CHECK: %[[Y:.*]], %{{.*}} = trama.cross_entropy %arg0, %arg1
// CHECK-NEXT: %[[MEAN:.*]] = trama.mean %[[Y]]
// CHECK-NEXT: return %[[MEAN]]
func.func @gather(%x: tensor<4x5xf64>, %t: tensor<4xi32>) -> tensor<f64> {
  %l = trama.log_softmax %x dim = 1 : tensor<4x5xf64>
  %i = trama.reshape %t : tensor<4xi32> -> tensor<4x1xi32>
  %g = trama.gather %l, %i dim = 1 : tensor<4x5xf64>, tensor<4x1xi32>
  %p = trama.reshape %g : tensor<4x1xf64> -> tensor<4xf64>
  %n = trama.neg %p : tensor<4xf64>
  %y = trama.mean %n dims = [0] : tensor<4xf64>
  return %y : tensor<f64>
}

// The sign after the mean; batch and time as two dimensions.
// CHECK-LABEL: func.func @negative_mean
// CHECK-NOT: softmax
// CHECK: trama.cross_entropy %{{.*}} : tensor<6x5xf64>, tensor<6xi64>
// CHECK-NOT: trama.neg
// CHECK: trama.mean
func.func @negative_mean(%x: tensor<2x3x5xf64>, %t: tensor<2x3x1xi64>) -> tensor<f64> {
  %l = trama.log_softmax %x dim = 2 : tensor<2x3x5xf64>
  %g = trama.gather %l, %t dim = 2 : tensor<2x3x5xf64>, tensor<2x3x1xi64>
  %m = trama.mean %g dims = [0, 1, 2] : tensor<2x3x1xf64>
  %y = trama.neg %m : tensor<f64>
  return %y : tensor<f64>
}

// CHECK-LABEL: func.func @one_hot
// CHECK-NOT: softmax
// CHECK: trama.cross_entropy
// CHECK-NOT: trama.compare
func.func @one_hot(%x: tensor<4x5xf64>, %t: tensor<4xi32>) -> tensor<4xf64> {
  %l = trama.log_softmax %x dim = 1 : tensor<4x5xf64>
  %tk = trama.reshape %t : tensor<4xi32> -> tensor<4x1xi32>
  %c = trama.iota dim = 0 : tensor<5xi32>
  %e = trama.compare eq %tk, %c : tensor<4x1xi32>, tensor<5xi32>
  %h = trama.cast %e : tensor<4x5xi1> -> tensor<4x5xf64>
  %p = trama.mul %h, %l : tensor<4x5xf64>, tensor<4x5xf64>
  %s = trama.sum %p dims = [1] : tensor<4x5xf64>
  %y = trama.neg %s : tensor<4xf64>
  return %y : tensor<4xf64>
}

// CHECK-LABEL: func.func @select_and_sum
// CHECK-NOT: softmax
// CHECK: trama.cross_entropy
func.func @select_and_sum(%x: tensor<4x5xf64>, %t: tensor<4x1xi32>) -> tensor<4x1xf64> {
  %zero = trama.constant dense<0.0> : tensor<f64>
  %l = trama.log_softmax %x dim = 1 : tensor<4x5xf64>
  %c = trama.iota dim = 1 : tensor<4x5xi32>
  %e = trama.compare eq %c, %t : tensor<4x5xi32>, tensor<4x1xi32>
  %p = trama.select %e, %l, %zero : tensor<4x5xi1>, tensor<4x5xf64>, tensor<f64>
  %s = trama.sum %p dims = [1] keepdim : tensor<4x5xf64>
  %y = trama.neg %s : tensor<4x1xf64>
  return %y : tensor<4x1xf64>
}

// -log(softmax(x)[target])
// CHECK-LABEL: func.func @log_of_probability
// CHECK-NOT: softmax
// CHECK: trama.cross_entropy
func.func @log_of_probability(%x: tensor<4x5xf64>, %t: tensor<4x1xi32>) -> tensor<4xf64> {
  %q = trama.softmax %x dim = 1 : tensor<4x5xf64>
  %g = trama.gather %q, %t dim = 1 : tensor<4x5xf64>, tensor<4x1xi32>
  %p = trama.reshape %g : tensor<4x1xf64> -> tensor<4xf64>
  %l = trama.log %p : tensor<4xf64>
  %y = trama.neg %l : tensor<4xf64>
  return %y : tensor<4xf64>
}

// Weights of the examples stay where they are.
// CHECK-LABEL: func.func @weighted
// CHECK: %[[Y:.*]], %{{.*}} = trama.cross_entropy
// CHECK-NEXT: trama.weighted_mean %[[Y]], %arg2
func.func @weighted(%x: tensor<4x5xf64>, %t: tensor<4x1xi32>, %w: tensor<4xf64>) -> tensor<f64> {
  %l = trama.log_softmax %x dim = 1 : tensor<4x5xf64>
  %g = trama.gather %l, %t dim = 1 : tensor<4x5xf64>, tensor<4x1xi32>
  %p = trama.reshape %g : tensor<4x1xf64> -> tensor<4xf64>
  %n = trama.neg %p : tensor<4xf64>
  %y = trama.weighted_mean %n, %w : tensor<4xf64>, tensor<4xf64>
  return %y : tensor<f64>
}

// The log-probabilities are a result too: they stay for that, the loss does not need them.
// CHECK-LABEL: func.func @also_returned
// CHECK-DAG: trama.log_softmax
// CHECK-DAG: trama.cross_entropy
func.func @also_returned(%x: tensor<4x5xf64>, %t: tensor<4x1xi32>) -> (tensor<4x5xf64>, tensor<4x1xf64>) {
  %l = trama.log_softmax %x dim = 1 : tensor<4x5xf64>
  %g = trama.gather %l, %t dim = 1 : tensor<4x5xf64>, tensor<4x1xi32>
  %n = trama.neg %g : tensor<4x1xf64>
  return %l, %n : tensor<4x5xf64>, tensor<4x1xf64>
}

// ---- what stays

// CHECK-LABEL: func.func @other_dim
// CHECK-NOT: trama.cross_entropy
// REMARK: not fused: the log_softmax runs over another dimension than the pick
func.func @other_dim(%x: tensor<4x5xf64>, %t: tensor<4x1xi32>) -> tensor<4x1xf64> {
  %l = trama.log_softmax %x dim = 0 : tensor<4x5xf64>
  %g = trama.gather %l, %t dim = 1 : tensor<4x5xf64>, tensor<4x1xi32>
  %n = trama.neg %g : tensor<4x1xf64>
  return %n : tensor<4x1xf64>
}

// CHECK-LABEL: func.func @gathers_rows
// CHECK-NOT: trama.cross_entropy
// REMARK: not fused: the gather does not pick one class of the last dimension
func.func @gathers_rows(%x: tensor<4x5xf64>, %t: tensor<1x5xi32>) -> tensor<1x5xf64> {
  %l = trama.log_softmax %x dim = 1 : tensor<4x5xf64>
  %g = trama.gather %l, %t dim = 0 : tensor<4x5xf64>, tensor<1x5xi32>
  %n = trama.neg %g : tensor<1x5xf64>
  return %n : tensor<1x5xf64>
}

// CHECK-LABEL: func.func @two_picks
// CHECK-NOT: trama.cross_entropy
// REMARK: not fused: the gather does not pick one class of the last dimension
func.func @two_picks(%x: tensor<4x5xf64>, %t: tensor<4x2xi32>) -> tensor<4x2xf64> {
  %l = trama.log_softmax %x dim = 1 : tensor<4x5xf64>
  %g = trama.gather %l, %t dim = 1 : tensor<4x5xf64>, tensor<4x2xi32>
  return %g : tensor<4x2xf64>
}

// The mask follows the rows, not the classes.
// CHECK-LABEL: func.func @mask_along_rows
// CHECK-NOT: trama.cross_entropy
func.func @mask_along_rows(%x: tensor<5x5xf64>, %t: tensor<5xi32>) -> tensor<5xf64> {
  %zero = trama.constant dense<0.0> : tensor<f64>
  %l = trama.log_softmax %x dim = 1 : tensor<5x5xf64>
  %c = trama.iota dim = 0 : tensor<5x1xi32>
  %e = trama.compare eq %t, %c : tensor<5xi32>, tensor<5x1xi32>
  %p = trama.select %e, %l, %zero : tensor<5x5xi1>, tensor<5x5xf64>, tensor<f64>
  %s = trama.sum %p dims = [1] : tensor<5x5xf64>
  return %s : tensor<5xf64>
}

// CHECK-LABEL: func.func @constant_added
// CHECK-NOT: trama.cross_entropy
// REMARK: not fused: a constant is added to the probability
func.func @constant_added(%x: tensor<4x5xf64>, %t: tensor<4x1xi32>) -> tensor<4x1xf64> {
  %eps = trama.constant dense<1.0e-3> : tensor<f64>
  %q = trama.softmax %x dim = 1 : tensor<4x5xf64>
  %g = trama.gather %q, %t dim = 1 : tensor<4x5xf64>, tensor<4x1xi32>
  %a = trama.add %g, %eps : tensor<4x1xf64>, tensor<f64>
  %l = trama.log %a : tensor<4x1xf64>
  return %l : tensor<4x1xf64>
}
