// Every function here is also run with random inputs, before and after: unit/pass_values_test.cc.
// RUN: trama-opt %s --trama-fuse-linear | FileCheck %s
// RUN: trama-opt %s --trama-fuse-linear --remarks-filter=trama.fuse-linear 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: trama-opt %s --trama-fuse-linear --remarks-filter=trama.fuse-linear 2>&1 >/dev/null | FileCheck %s --check-prefix=APART

// CHECK-LABEL: func.func @bias
// CHECK-NEXT: trama.linear %arg0, %arg1, %arg2 :
// CHECK-NEXT: return
func.func @bias(%x: tensor<2x3x4xf64>, %w: tensor<4x5xf64>, %b: tensor<5xf64>) -> tensor<2x3x5xf64> {
  %p = trama.matmul %x, %w : tensor<2x3x4xf64>, tensor<4x5xf64>
  %y = trama.add %p, %b : tensor<2x3x5xf64>, tensor<5xf64>
  return %y : tensor<2x3x5xf64>
}

// torch's [out, in], the bias first and with dimensions of size 1
// CHECK-LABEL: func.func @transposed
// CHECK: trama.linear %arg0, %arg1 transposed, %{{.*}} :
// CHECK-NEXT: return
func.func @transposed(%x: tensor<3x4xf64>, %w: tensor<5x4xf64>, %b: tensor<1x5xf64>) -> tensor<3x5xf64> {
  %p = trama.matmul %x, %w transposed : tensor<3x4xf64>, tensor<5x4xf64>
  %y = trama.add %b, %p : tensor<1x5xf64>, tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

// CHECK-LABEL: func.func @gelu
// CHECK-NEXT: trama.linear %arg0, %arg1, %arg2 activation = gelu_tanh
// CHECK-NEXT: return
func.func @gelu(%x: tensor<3x4xf64>, %w: tensor<4x5xf64>, %b: tensor<5xf64>) -> tensor<3x5xf64> {
  %p = trama.matmul %x, %w : tensor<3x4xf64>, tensor<4x5xf64>
  %a = trama.add %p, %b : tensor<3x5xf64>, tensor<5xf64>
  %y = trama.gelu %a tanh : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

// CHECK-LABEL: func.func @relu_without_bias
// CHECK-NEXT: trama.linear %arg0, %arg1 activation = relu
// CHECK-NEXT: return
func.func @relu_without_bias(%x: tensor<3x4xf64>, %w: tensor<4x5xf64>) -> tensor<3x5xf64> {
  %p = trama.matmul %x, %w : tensor<3x4xf64>, tensor<4x5xf64>
  %y = trama.relu %p : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

// A differentiated program keeps the activation: its derivative needs what it is applied to.
// CHECK-LABEL: func.func @differentiated
// CHECK-NEXT: %[[A:.*]] = trama.linear %arg0, %arg1, %arg2 :
// CHECK-NEXT: trama.tanh %[[A]]
func.func @differentiated(%x: tensor<3x4xf64>, %w: tensor<4x5xf64>, %b: tensor<5xf64>) -> tensor<f64> attributes {trama.differentiate = 0 : i64} {
  %p = trama.matmul %x, %w : tensor<3x4xf64>, tensor<4x5xf64>
  %a = trama.add %p, %b : tensor<3x5xf64>, tensor<5xf64>
  %t = trama.tanh %a : tensor<3x5xf64>
  %y = trama.sum %t dims = [0, 1] : tensor<3x5xf64>
  return %y : tensor<f64>
}

// ---- what stays

// The residual of a step of one row has as many elements as a bias.
// CHECK-LABEL: func.func @residual_of_one_row
// CHECK-NOT: trama.linear
func.func @residual_of_one_row(%x: tensor<1x1x4xf64>, %w: tensor<4x5xf64>, %r: tensor<1x1x5xf64>) -> tensor<1x1x5xf64> {
  %p = trama.matmul %x, %w : tensor<1x1x4xf64>, tensor<4x5xf64>
  %y = trama.add %r, %p : tensor<1x1x5xf64>, tensor<1x1x5xf64>
  return %y : tensor<1x1x5xf64>
}

// CHECK-LABEL: func.func @residual
// CHECK-NOT: trama.linear
func.func @residual(%x: tensor<3x4xf64>, %w: tensor<4x5xf64>, %r: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %p = trama.matmul %x, %w : tensor<3x4xf64>, tensor<4x5xf64>
  %y = trama.add %p, %r : tensor<3x5xf64>, tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

// CHECK-LABEL: func.func @bias_a_row
// CHECK-NOT: trama.linear
func.func @bias_a_row(%x: tensor<5x4xf64>, %w: tensor<4x5xf64>, %r: tensor<5x1xf64>) -> tensor<5x5xf64> {
  %p = trama.matmul %x, %w : tensor<5x4xf64>, tensor<4x5xf64>
  %y = trama.add %p, %r : tensor<5x5xf64>, tensor<5x1xf64>
  return %y : tensor<5x5xf64>
}

// Two activations multiplied: no weight.
// CHECK-LABEL: func.func @batched
// CHECK-NOT: trama.linear
func.func @batched(%x: tensor<2x3x4xf64>, %z: tensor<2x4x5xf64>, %b: tensor<5xf64>) -> tensor<2x3x5xf64> {
  %p = trama.matmul %x, %z : tensor<2x3x4xf64>, tensor<2x4x5xf64>
  %y = trama.add %p, %b : tensor<2x3x5xf64>, tensor<5xf64>
  return %y : tensor<2x3x5xf64>
}

// CHECK-LABEL: func.func @product_used_twice
// CHECK-NOT: trama.linear
// REMARK: not fused: the product is used without the bias too
func.func @product_used_twice(%x: tensor<3x4xf64>, %w: tensor<4x5xf64>, %b: tensor<5xf64>) -> (tensor<3x5xf64>, tensor<3x5xf64>) {
  %p = trama.matmul %x, %w : tensor<3x4xf64>, tensor<4x5xf64>
  %y = trama.add %p, %b : tensor<3x5xf64>, tensor<5xf64>
  return %y, %p : tensor<3x5xf64>, tensor<3x5xf64>
}

// CHECK-LABEL: func.func @before_activation_used
// CHECK: %[[A:.*]] = trama.linear %arg0, %arg1, %arg2 :
// CHECK: trama.relu %[[A]]
// REMARK: not fused: what the activation is applied to is used elsewhere too
func.func @before_activation_used(%x: tensor<3x4xf64>, %w: tensor<4x5xf64>, %b: tensor<5xf64>) -> (tensor<3x5xf64>, tensor<3x5xf64>) {
  %p = trama.matmul %x, %w : tensor<3x4xf64>, tensor<4x5xf64>
  %a = trama.add %p, %b : tensor<3x5xf64>, tensor<5xf64>
  %y = trama.relu %a : tensor<3x5xf64>
  return %y, %a : tensor<3x5xf64>, tensor<3x5xf64>
}

// ---- linears of one input

// The weights are slices of one parameter: one product, cut afterwards.
// CHECK-LABEL: func.func @slices_of_one_weight
// CHECK: %[[P:.*]] = trama.matmul %arg0, %arg1 :
// CHECK-NOT: trama.matmul
// CHECK-COUNT-3: trama.slice %[[P]]
func.func @slices_of_one_weight(%x: tensor<3x4xf64>, %w: tensor<4x6xf64>) -> (tensor<3x2xf64>, tensor<3x2xf64>, tensor<3x2xf64>) {
  %wq = trama.slice %w starts = [0, 0] strides = [1, 1] : tensor<4x6xf64> -> tensor<4x2xf64>
  %wk = trama.slice %w starts = [0, 2] strides = [1, 1] : tensor<4x6xf64> -> tensor<4x2xf64>
  %wv = trama.slice %w starts = [0, 4] strides = [1, 1] : tensor<4x6xf64> -> tensor<4x2xf64>
  %q = trama.matmul %x, %wq : tensor<3x4xf64>, tensor<4x2xf64>
  %k = trama.matmul %x, %wk : tensor<3x4xf64>, tensor<4x2xf64>
  %v = trama.matmul %x, %wv : tensor<3x4xf64>, tensor<4x2xf64>
  return %q, %k, %v : tensor<3x2xf64>, tensor<3x2xf64>, tensor<3x2xf64>
}

// A part is missing.
// APART: Function=slices_with_a_gap | Remark="not fused: the slices of the weight do not cover it side by side"
// CHECK-LABEL: func.func @slices_with_a_gap
// CHECK-COUNT-2: trama.matmul
func.func @slices_with_a_gap(%x: tensor<3x4xf64>, %w: tensor<4x6xf64>) -> (tensor<3x2xf64>, tensor<3x2xf64>) {
  %wq = trama.slice %w starts = [0, 0] strides = [1, 1] : tensor<4x6xf64> -> tensor<4x2xf64>
  %wv = trama.slice %w starts = [0, 4] strides = [1, 1] : tensor<4x6xf64> -> tensor<4x2xf64>
  %q = trama.matmul %x, %wq : tensor<3x4xf64>, tensor<4x2xf64>
  %v = trama.matmul %x, %wv : tensor<3x4xf64>, tensor<4x2xf64>
  return %q, %v : tensor<3x2xf64>, tensor<3x2xf64>
}

// Separate parameters stay separate: joining copies them in every step.
// APART-NOT: separate parameters
// APART: Function=separate_weights | Remark="not fused: the input is multiplied by 2 separate parameters: joining them would copy them in every step"
// APART-NOT: separate parameters
// CHECK-LABEL: func.func @separate_weights
// CHECK-COUNT-2: trama.linear
func.func @separate_weights(%x: tensor<3x4xf64>, %wq: tensor<4x2xf64>, %bq: tensor<2xf64>, %wk: tensor<4x2xf64>, %bk: tensor<2xf64>) -> (tensor<3x2xf64>, tensor<3x2xf64>) {
  %p = trama.matmul %x, %wq : tensor<3x4xf64>, tensor<4x2xf64>
  %q = trama.add %p, %bq : tensor<3x2xf64>, tensor<2xf64>
  %r = trama.matmul %x, %wk : tensor<3x4xf64>, tensor<4x2xf64>
  %k = trama.add %r, %bk : tensor<3x2xf64>, tensor<2xf64>
  return %q, %k : tensor<3x2xf64>, tensor<3x2xf64>
}
