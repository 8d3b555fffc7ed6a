// Every function here is also run with random inputs, before and after: unit/pass_values_test.cc.
// RUN: trama-opt %s --trama-raise-softmax | FileCheck %s
// RUN: trama-opt %s --trama-raise-softmax --remarks-filter=trama.raise-softmax 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// ---- what becomes softmax

// CHECK-LABEL: func.func @over_last_dim
// CHECK-NEXT: trama.softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @over_last_dim(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %e = trama.exp %x : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<2x5xf32>
  %y = trama.div %e, %s : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @max_subtracted
// CHECK-NEXT: trama.softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @max_subtracted(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %m = trama.reduce_max %x dims = [1] keepdim : tensor<2x5xf32>
  %z = trama.sub %x, %m : tensor<2x5xf32>, tensor<2x1xf32>
  %e = trama.exp %z : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<2x5xf32>
  %y = trama.div %e, %s : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @first_dim_without_keepdim
// CHECK-NEXT: trama.softmax %arg0 dim = 0
// CHECK-NEXT: return
func.func @first_dim_without_keepdim(%x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %m = trama.reduce_max %x dims = [0] : tensor<4x5xf32>
  %z = trama.sub %x, %m : tensor<4x5xf32>, tensor<5xf32>
  %e = trama.exp %z : tensor<4x5xf32>
  %s = trama.sum %e dims = [0] : tensor<4x5xf32>
  %y = trama.div %e, %s : tensor<4x5xf32>, tensor<5xf32>
  return %y : tensor<4x5xf32>
}

// CHECK-LABEL: func.func @middle_dim_reshaped_and_broadcast
// CHECK-NEXT: trama.softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @middle_dim_reshaped_and_broadcast(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %e = trama.exp %x : tensor<2x3x4xf32>
  %s = trama.sum %e dims = [1] : tensor<2x3x4xf32>
  %r = trama.reshape %s : tensor<2x4xf32> -> tensor<2x1x4xf32>
  %b = trama.broadcast %r : tensor<2x1x4xf32> -> tensor<2x3x4xf32>
  %y = trama.div %e, %b : tensor<2x3x4xf32>, tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @times_reciprocal
// CHECK-NEXT: trama.softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @times_reciprocal(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %one = trama.constant dense<1.0> : tensor<f32>
  %e = trama.exp %x : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] : tensor<2x5xf32>
  %i = trama.div %one, %s : tensor<f32>, tensor<2xf32>
  %r = trama.reshape %i : tensor<2xf32> -> tensor<2x1xf32>
  %y = trama.mul %r, %e : tensor<2x1xf32>, tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @power_of_minus_one
// CHECK-NEXT: trama.softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @power_of_minus_one(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %c = trama.constant dense<-1.0> : tensor<f32>
  %e = trama.exp %x : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<2x5xf32>
  %i = trama.pow %s, %c : tensor<2x1xf32>, tensor<f32>
  %y = trama.mul %e, %i : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// exp is written twice.
// CHECK-LABEL: func.func @two_exps
// CHECK-NEXT: trama.softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @two_exps(%x: tensor<2x5xf64>) -> tensor<2x5xf64> {
  %e = trama.exp %x : tensor<2x5xf64>
  %f = trama.exp %x : tensor<2x5xf64>
  %s = trama.sum %f dims = [1] keepdim : tensor<2x5xf64>
  %y = trama.div %e, %s : tensor<2x5xf64>, tensor<2x1xf64>
  return %y : tensor<2x5xf64>
}

// A maximum over another dimension is some number taken from the row: it stays.
// CHECK-LABEL: func.func @other_max
// CHECK: %[[Z:.*]] = trama.sub
// CHECK-NEXT: trama.softmax %[[Z]] dim = 1
func.func @other_max(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %m = trama.reduce_max %x dims = [0, 1] keepdim : tensor<2x5xf32>
  %z = trama.sub %x, %m : tensor<2x5xf32>, tensor<1x1xf32>
  %e = trama.exp %z : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<2x5xf32>
  %y = trama.div %e, %s : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// ---- what becomes log_softmax

// CHECK-LABEL: func.func @log_sum_exp_subtracted
// CHECK-NEXT: trama.log_softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @log_sum_exp_subtracted(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %e = trama.exp %x : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] : tensor<2x5xf32>
  %l = trama.log %s : tensor<2xf32>
  %r = trama.reshape %l : tensor<2xf32> -> tensor<2x1xf32>
  %y = trama.sub %x, %r : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @centered_log_sum_exp
// CHECK-NEXT: trama.log_softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @centered_log_sum_exp(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %m = trama.reduce_max %x dims = [1] keepdim : tensor<2x5xf32>
  %z = trama.sub %x, %m : tensor<2x5xf32>, tensor<2x1xf32>
  %e = trama.exp %z : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<2x5xf32>
  %l = trama.log %s : tensor<2x1xf32>
  %y = trama.sub %z, %l : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @max_plus_log_sum_exp
// CHECK-NEXT: trama.log_softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @max_plus_log_sum_exp(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %m = trama.reduce_max %x dims = [1] : tensor<2x5xf32>
  %mk = trama.reshape %m : tensor<2xf32> -> tensor<2x1xf32>
  %z = trama.sub %x, %mk : tensor<2x5xf32>, tensor<2x1xf32>
  %e = trama.exp %z : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] : tensor<2x5xf32>
  %l = trama.log %s : tensor<2xf32>
  %lse = trama.add %l, %m : tensor<2xf32>, tensor<2xf32>
  %r = trama.reshape %lse : tensor<2xf32> -> tensor<2x1xf32>
  %y = trama.sub %x, %r : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @log_of_softmax
// CHECK-NEXT: trama.log_softmax %arg0 dim = 1
// CHECK-NEXT: return
func.func @log_of_softmax(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %e = trama.exp %x : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<2x5xf32>
  %p = trama.div %e, %s : tensor<2x5xf32>, tensor<2x1xf32>
  %y = trama.log %p : tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @exp_of_log_softmax
// CHECK-NEXT: trama.softmax %arg0 dim = 0
// CHECK-NEXT: return
func.func @exp_of_log_softmax(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %l = trama.log_softmax %x dim = 0 : tensor<2x5xf32>
  %y = trama.exp %l : tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// ---- what does not

// The sum runs over another dimension than it is repeated along.
// CHECK-LABEL: func.func @other_dim
// CHECK-NOT: trama.softmax
// REMARK: not fused: the sum does not run over one dimension
func.func @other_dim(%x: tensor<5x5xf32>) -> tensor<5x5xf32> {
  %e = trama.exp %x : tensor<5x5xf32>
  %s = trama.sum %e dims = [0] : tensor<5x5xf32>
  %r = trama.reshape %s : tensor<5xf32> -> tensor<5x1xf32>
  %y = trama.div %e, %r : tensor<5x5xf32>, tensor<5x1xf32>
  return %y : tensor<5x5xf32>
}

// CHECK-LABEL: func.func @several_dims
// CHECK-NOT: trama.softmax
// REMARK: not fused: the sum does not run over one dimension
func.func @several_dims(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %e = trama.exp %x : tensor<2x5xf32>
  %s = trama.sum %e dims = [0, 1] keepdim : tensor<2x5xf32>
  %y = trama.div %e, %s : tensor<2x5xf32>, tensor<1x1xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @another_tensor
// CHECK-NOT: trama.softmax
// REMARK: not fused: the sum is that of another tensor's exp
func.func @another_tensor(%x: tensor<2x5xf32>, %w: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %e = trama.exp %x : tensor<2x5xf32>
  %f = trama.exp %w : tensor<2x5xf32>
  %s = trama.sum %f dims = [1] keepdim : tensor<2x5xf32>
  %y = trama.div %e, %s : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @shifted_sum
// CHECK-NOT: trama.softmax
// REMARK: not fused: the sum is scaled, shifted or raised to a power
func.func @shifted_sum(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %c = trama.constant dense<1.0> : tensor<f32>
  %e = trama.exp %x : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<2x5xf32>
  %t = trama.add %s, %c : tensor<2x1xf32>, tensor<f32>
  %y = trama.div %e, %t : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @times_the_sum
// CHECK-NOT: trama.softmax
// REMARK: not fused: the sum is scaled, shifted or raised to a power
func.func @times_the_sum(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %e = trama.exp %x : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<2x5xf32>
  %y = trama.mul %e, %s : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// A mean is no sum.
// CHECK-LABEL: func.func @mean
// CHECK-NOT: trama.softmax
func.func @mean(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %e = trama.exp %x : tensor<2x5xf32>
  %s = trama.mean %e dims = [1] keepdim : tensor<2x5xf32>
  %y = trama.div %e, %s : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @log_of_another_sum
// CHECK-NOT: trama.log_softmax
// REMARK: not fused: the log of the sum is that of another tensor's exp
func.func @log_of_another_sum(%x: tensor<2x5xf32>, %w: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %e = trama.exp %w : tensor<2x5xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<2x5xf32>
  %l = trama.log %s : tensor<2x1xf32>
  %y = trama.sub %x, %l : tensor<2x5xf32>, tensor<2x1xf32>
  return %y : tensor<2x5xf32>
}
