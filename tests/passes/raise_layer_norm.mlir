// Every function here is also run with random inputs, before and after: unit/pass_values_test.cc.
// RUN: trama-opt %s --trama-raise-layer-norm | FileCheck %s
// RUN: trama-opt %s --trama-raise-layer-norm --remarks-filter=trama.raise-layer-norm 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// (x - mean) * rsqrt(mean((x - mean)^2) + eps) * weight + bias
// CHECK-LABEL: func.func @plain
// CHECK-NEXT: trama.layer_norm %arg0, %arg1, %arg2 eps = 1.000000e-05
// CHECK-NEXT: return
func.func @plain(%x: tensor<2x3x8xf64>, %w: tensor<8xf64>, %b: tensor<8xf64>) -> tensor<2x3x8xf64> {
  %eps = trama.constant dense<1.0e-5> : tensor<f64>
  %m = trama.mean %x dims = [2] keepdim : tensor<2x3x8xf64>
  %c = trama.sub %x, %m : tensor<2x3x8xf64>, tensor<2x3x1xf64>
  %cc = trama.mul %c, %c : tensor<2x3x8xf64>, tensor<2x3x8xf64>
  %v = trama.mean %cc dims = [2] keepdim : tensor<2x3x8xf64>
  %ve = trama.add %v, %eps : tensor<2x3x1xf64>, tensor<f64>
  %r = trama.rsqrt %ve : tensor<2x3x1xf64>
  %n = trama.mul %c, %r : tensor<2x3x8xf64>, tensor<2x3x1xf64>
  %wn = trama.mul %n, %w : tensor<2x3x8xf64>, tensor<8xf64>
  %y = trama.add %wn, %b : tensor<2x3x8xf64>, tensor<8xf64>
  return %y : tensor<2x3x8xf64>
}

// Means as sums, pow for the square, sqrt and division, operands the other way around.
// CHECK-LABEL: func.func @sums_and_sqrt
// CHECK-NEXT: trama.layer_norm %arg0, %arg1, %arg2 eps = 1.000000e-03
// CHECK-NEXT: return
func.func @sums_and_sqrt(%x: tensor<4x8xf64>, %w: tensor<8xf64>, %b: tensor<8xf64>) -> tensor<4x8xf64> {
  %eps = trama.constant dense<1.0e-3> : tensor<f64>
  %eight = trama.constant dense<8.0> : tensor<f64>
  %eighth = trama.constant dense<0.125> : tensor<f64>
  %two = trama.constant dense<2.0> : tensor<f64>
  %s = trama.sum %x dims = [1] : tensor<4x8xf64>
  %m = trama.div %s, %eight : tensor<4xf64>, tensor<f64>
  %mk = trama.reshape %m : tensor<4xf64> -> tensor<4x1xf64>
  %c = trama.sub %x, %mk : tensor<4x8xf64>, tensor<4x1xf64>
  %cc = trama.pow %c, %two : tensor<4x8xf64>, tensor<f64>
  %ss = trama.sum %cc dims = [1] : tensor<4x8xf64>
  %v = trama.mul %eighth, %ss : tensor<f64>, tensor<4xf64>
  %ve = trama.add %eps, %v : tensor<f64>, tensor<4xf64>
  %d = trama.sqrt %ve : tensor<4xf64>
  %dk = trama.reshape %d : tensor<4xf64> -> tensor<4x1xf64>
  %n = trama.div %c, %dk : tensor<4x8xf64>, tensor<4x1xf64>
  %wn = trama.mul %w, %n : tensor<8xf64>, tensor<4x8xf64>
  %y = trama.add %b, %wn : tensor<8xf64>, tensor<4x8xf64>
  return %y : tensor<4x8xf64>
}

// (c * w) * (1 / sqrt(v + eps)) + b; the mean as a negative added.
// CHECK-LABEL: func.func @weight_first
// CHECK: trama.layer_norm %arg0, %{{.*}}, %{{.*}} eps = 1.000000e-05
// CHECK-NOT: trama.mul
func.func @weight_first(%x: tensor<4x8xf64>, %w: tensor<1x8xf64>, %b: tensor<1x8xf64>) -> tensor<4x8xf64> {
  %eps = trama.constant dense<1.0e-5> : tensor<f64>
  %one = trama.constant dense<1.0> : tensor<f64>
  %m = trama.mean %x dims = [1] keepdim : tensor<4x8xf64>
  %nm = trama.neg %m : tensor<4x1xf64>
  %c = trama.add %x, %nm : tensor<4x8xf64>, tensor<4x1xf64>
  %cc = trama.mul %c, %c : tensor<4x8xf64>, tensor<4x8xf64>
  %v = trama.mean %cc dims = [1] keepdim : tensor<4x8xf64>
  %ve = trama.add %v, %eps : tensor<4x1xf64>, tensor<f64>
  %d = trama.sqrt %ve : tensor<4x1xf64>
  %r = trama.div %one, %d : tensor<f64>, tensor<4x1xf64>
  %cw = trama.mul %c, %w : tensor<4x8xf64>, tensor<1x8xf64>
  %n = trama.mul %cw, %r : tensor<4x8xf64>, tensor<4x1xf64>
  %y = trama.add %n, %b : tensor<4x8xf64>, tensor<1x8xf64>
  return %y : tensor<4x8xf64>
}

// c * (pow(v + eps, -0.5) * w), no bias
// CHECK-LABEL: func.func @weight_on_the_deviation
// CHECK: %[[ZERO:.*]] = trama.constant dense<0.000000e+00> : tensor<8xf64>
// CHECK: trama.layer_norm %arg0, %arg1, %[[ZERO]] eps = 1.000000e-05
func.func @weight_on_the_deviation(%x: tensor<4x8xf64>, %w: tensor<8xf64>) -> tensor<4x8xf64> {
  %eps = trama.constant dense<1.0e-5> : tensor<f64>
  %p = trama.constant dense<-0.5> : tensor<f64>
  %m = trama.mean %x dims = [1] keepdim : tensor<4x8xf64>
  %c = trama.sub %x, %m : tensor<4x8xf64>, tensor<4x1xf64>
  %cc = trama.mul %c, %c : tensor<4x8xf64>, tensor<4x8xf64>
  %v = trama.mean %cc dims = [1] keepdim : tensor<4x8xf64>
  %ve = trama.add %v, %eps : tensor<4x1xf64>, tensor<f64>
  %r = trama.pow %ve, %p : tensor<4x1xf64>, tensor<f64>
  %rw = trama.mul %r, %w : tensor<4x1xf64>, tensor<8xf64>
  %y = trama.mul %c, %rw : tensor<4x8xf64>, tensor<4x8xf64>
  return %y : tensor<4x8xf64>
}

// Neither weight nor bias; x - mean written twice.
// CHECK-LABEL: func.func @plain_twice
// CHECK: trama.layer_norm %arg0
// CHECK-NEXT: return
func.func @plain_twice(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %eps = trama.constant dense<1.0e-5> : tensor<f32>
  %m = trama.mean %x dims = [1] keepdim : tensor<4x8xf32>
  %c = trama.sub %x, %m : tensor<4x8xf32>, tensor<4x1xf32>
  %c2 = trama.sub %x, %m : tensor<4x8xf32>, tensor<4x1xf32>
  %cc = trama.mul %c, %c2 : tensor<4x8xf32>, tensor<4x8xf32>
  %v = trama.mean %cc dims = [1] keepdim : tensor<4x8xf32>
  %ve = trama.add %v, %eps : tensor<4x1xf32>, tensor<f32>
  %r = trama.rsqrt %ve : tensor<4x1xf32>
  %y = trama.mul %r, %c : tensor<4x1xf32>, tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// ---- what stays

// CHECK-LABEL: func.func @unbiased
// CHECK-NOT: trama.layer_norm
// REMARK: not fused: the variance is not divided by the size of the last dimension
func.func @unbiased(%x: tensor<4x8xf64>) -> tensor<4x8xf64> {
  %eps = trama.constant dense<1.0e-5> : tensor<f64>
  %seven = trama.constant dense<7.0> : tensor<f64>
  %m = trama.mean %x dims = [1] keepdim : tensor<4x8xf64>
  %c = trama.sub %x, %m : tensor<4x8xf64>, tensor<4x1xf64>
  %cc = trama.mul %c, %c : tensor<4x8xf64>, tensor<4x8xf64>
  %s = trama.sum %cc dims = [1] keepdim : tensor<4x8xf64>
  %v = trama.div %s, %seven : tensor<4x1xf64>, tensor<f64>
  %ve = trama.add %v, %eps : tensor<4x1xf64>, tensor<f64>
  %r = trama.rsqrt %ve : tensor<4x1xf64>
  %y = trama.mul %c, %r : tensor<4x8xf64>, tensor<4x1xf64>
  return %y : tensor<4x8xf64>
}

// eps is added to the deviation.
// CHECK-LABEL: func.func @eps_outside
// CHECK-NOT: trama.layer_norm
func.func @eps_outside(%x: tensor<4x8xf64>) -> tensor<4x8xf64> {
  %eps = trama.constant dense<1.0e-5> : tensor<f64>
  %m = trama.mean %x dims = [1] keepdim : tensor<4x8xf64>
  %c = trama.sub %x, %m : tensor<4x8xf64>, tensor<4x1xf64>
  %cc = trama.mul %c, %c : tensor<4x8xf64>, tensor<4x8xf64>
  %v = trama.mean %cc dims = [1] keepdim : tensor<4x8xf64>
  %d = trama.sqrt %v : tensor<4x1xf64>
  %de = trama.add %d, %eps : tensor<4x1xf64>, tensor<f64>
  %y = trama.div %c, %de : tensor<4x8xf64>, tensor<4x1xf64>
  return %y : tensor<4x8xf64>
}

// CHECK-LABEL: func.func @divided_by_variance
// CHECK-NOT: trama.layer_norm
// REMARK: not fused: the variance is not under a plain square root
func.func @divided_by_variance(%x: tensor<4x8xf64>) -> tensor<4x8xf64> {
  %eps = trama.constant dense<1.0e-1> : tensor<f64>
  %m = trama.mean %x dims = [1] keepdim : tensor<4x8xf64>
  %c = trama.sub %x, %m : tensor<4x8xf64>, tensor<4x1xf64>
  %cc = trama.mul %c, %c : tensor<4x8xf64>, tensor<4x8xf64>
  %v = trama.mean %cc dims = [1] keepdim : tensor<4x8xf64>
  %ve = trama.add %v, %eps : tensor<4x1xf64>, tensor<f64>
  %y = trama.div %c, %ve : tensor<4x8xf64>, tensor<4x1xf64>
  return %y : tensor<4x8xf64>
}

// CHECK-LABEL: func.func @moments
// CHECK-NOT: trama.layer_norm
// REMARK: not fused: the variance is E[x^2] - E[x]^2
func.func @moments(%x: tensor<4x8xf64>) -> tensor<4x8xf64> {
  %eps = trama.constant dense<1.0e-5> : tensor<f64>
  %m = trama.mean %x dims = [1] keepdim : tensor<4x8xf64>
  %c = trama.sub %x, %m : tensor<4x8xf64>, tensor<4x1xf64>
  %xx = trama.mul %x, %x : tensor<4x8xf64>, tensor<4x8xf64>
  %e = trama.mean %xx dims = [1] keepdim : tensor<4x8xf64>
  %mm = trama.mul %m, %m : tensor<4x1xf64>, tensor<4x1xf64>
  %v = trama.sub %e, %mm : tensor<4x1xf64>, tensor<4x1xf64>
  %ve = trama.add %v, %eps : tensor<4x1xf64>, tensor<f64>
  %r = trama.rsqrt %ve : tensor<4x1xf64>
  %y = trama.mul %c, %r : tensor<4x8xf64>, tensor<4x1xf64>
  return %y : tensor<4x8xf64>
}

// Over the first dimension.
// CHECK-LABEL: func.func @first_dim
// CHECK-NOT: trama.layer_norm
func.func @first_dim(%x: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %eps = trama.constant dense<1.0e-5> : tensor<f64>
  %m = trama.mean %x dims = [0] keepdim : tensor<8x8xf64>
  %c = trama.sub %x, %m : tensor<8x8xf64>, tensor<1x8xf64>
  %cc = trama.mul %c, %c : tensor<8x8xf64>, tensor<8x8xf64>
  %v = trama.mean %cc dims = [0] keepdim : tensor<8x8xf64>
  %ve = trama.add %v, %eps : tensor<1x8xf64>, tensor<f64>
  %r = trama.rsqrt %ve : tensor<1x8xf64>
  %y = trama.mul %c, %r : tensor<8x8xf64>, tensor<1x8xf64>
  return %y : tensor<8x8xf64>
}

// The variance of another tensor.
// CHECK-LABEL: func.func @other_variance
// CHECK-NOT: trama.layer_norm
func.func @other_variance(%x: tensor<4x8xf64>, %z: tensor<4x8xf64>) -> tensor<4x8xf64> {
  %eps = trama.constant dense<1.0e-5> : tensor<f64>
  %m = trama.mean %x dims = [1] keepdim : tensor<4x8xf64>
  %c = trama.sub %x, %m : tensor<4x8xf64>, tensor<4x1xf64>
  %zz = trama.mul %z, %z : tensor<4x8xf64>, tensor<4x8xf64>
  %v = trama.mean %zz dims = [1] keepdim : tensor<4x8xf64>
  %ve = trama.add %v, %eps : tensor<4x1xf64>, tensor<f64>
  %r = trama.rsqrt %ve : tensor<4x1xf64>
  %y = trama.mul %c, %r : tensor<4x8xf64>, tensor<4x1xf64>
  return %y : tensor<4x8xf64>
}

// A weight a row is none of layer_norm's; the norm itself is raised and multiplied by it.
// CHECK-LABEL: func.func @row_weight
// CHECK: %[[N:.*]] = trama.layer_norm %arg0
// CHECK: trama.mul %[[N]], %arg1
func.func @row_weight(%x: tensor<4x8xf64>, %w: tensor<4x1xf64>) -> tensor<4x8xf64> {
  %eps = trama.constant dense<1.0e-5> : tensor<f64>
  %m = trama.mean %x dims = [1] keepdim : tensor<4x8xf64>
  %c = trama.sub %x, %m : tensor<4x8xf64>, tensor<4x1xf64>
  %cc = trama.mul %c, %c : tensor<4x8xf64>, tensor<4x8xf64>
  %v = trama.mean %cc dims = [1] keepdim : tensor<4x8xf64>
  %ve = trama.add %v, %eps : tensor<4x1xf64>, tensor<f64>
  %r = trama.rsqrt %ve : tensor<4x1xf64>
  %n = trama.mul %c, %r : tensor<4x8xf64>, tensor<4x1xf64>
  %y = trama.mul %n, %w : tensor<4x8xf64>, tensor<4x1xf64>
  return %y : tensor<4x8xf64>
}
