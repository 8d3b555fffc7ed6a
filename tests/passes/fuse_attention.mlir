// Every function here is also run with random inputs, before and after: unit/pass_values_test.cc.
// RUN: trama-opt %s --trama-fuse-attention --canonicalize | FileCheck %s
// RUN: trama-opt %s --trama-fuse-attention --remarks-filter=trama.fuse-attention 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// ================================================================ spellings that fuse

// softmax(q k^T / 8) v, no mask
// CHECK-LABEL: func.func @scale_on_scores(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 1.250000e-01 :
func.func @scale_on_scores(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.constant dense<8.0> : tensor<f64>
  %2 = trama.div %0, %1 : tensor<2x3x4x4xf64>, tensor<f64>
  %3 = trama.softmax %2 dim = 3 : tensor<2x3x4x4xf64>
  %4 = trama.matmul %3, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %4 : tensor<2x3x4x6xf64>
}

// causal: where(j <= i, scores, -inf)
// CHECK-LABEL: func.func @causal_select(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 1.250000e-01 causal
func.func @causal_select(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.constant dense<0.125> : tensor<f64>
  %2 = trama.mul %0, %1 : tensor<2x3x4x4xf64>, tensor<f64>
  %3 = trama.iota dim = 0 : tensor<4x4xi32>
  %4 = trama.iota dim = 1 : tensor<4x4xi32>
  %5 = trama.compare le %4, %3 : tensor<4x4xi32>, tensor<4x4xi32>
  %6 = trama.constant dense<0xFFF0000000000000> : tensor<f64>
  %7 = trama.select %5, %2, %6 : tensor<4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %8 = trama.softmax %7 dim = 3 : tensor<2x3x4x4xf64>
  %9 = trama.matmul %8, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %9 : tensor<2x3x4x6xf64>
}

// masked_fill(j > i, -1e9), the scale on q, k transposed, indices [T, 1] and [S]
// CHECK-LABEL: func.func @causal_masked_fill(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 5.000000e-01 causal
func.func @causal_masked_fill(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.constant dense<0.5> : tensor<f64>
  %1 = trama.mul %q, %0 : tensor<2x3x4x8xf64>, tensor<f64>
  %2 = trama.transpose %k permutation = [0, 1, 3, 2] : tensor<2x3x4x8xf64>
  %3 = trama.matmul %1, %2 : tensor<2x3x4x8xf64>, tensor<2x3x8x4xf64>
  %4 = trama.iota dim = 0 : tensor<4x1xi32>
  %5 = trama.iota dim = 0 : tensor<4xi32>
  %6 = trama.compare gt %5, %4 : tensor<4xi32>, tensor<4x1xi32>
  %7 = trama.constant dense<-1.0e9> : tensor<f64>
  %8 = trama.select %6, %7, %3 : tensor<4x4xi1>, tensor<f64>, tensor<2x3x4x4xf64>
  %9 = trama.softmax %8 dim = 3 : tensor<2x3x4x4xf64>
  %10 = trama.matmul %9, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %10 : tensor<2x3x4x6xf64>
}

// an added 0/-inf tensor, made by subtracting the indices as floats; the scale on q and on k
// CHECK-LABEL: func.func @causal_additive(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 2.500000e-01 causal
func.func @causal_additive(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.constant dense<2.0> : tensor<f64>
  %1 = trama.div %q, %0 : tensor<2x3x4x8xf64>, tensor<f64>
  %2 = trama.constant dense<0.5> : tensor<f64>
  %3 = trama.mul %k, %2 : tensor<2x3x4x8xf64>, tensor<f64>
  %4 = trama.matmul %1, %3 transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %5 = trama.iota dim = 0 : tensor<4x4xf64>
  %6 = trama.iota dim = 1 : tensor<4x4xf64>
  %7 = trama.sub %5, %6 : tensor<4x4xf64>, tensor<4x4xf64>
  %8 = trama.constant dense<0.0> : tensor<f64>
  %9 = trama.compare ge %7, %8 : tensor<4x4xf64>, tensor<f64>
  %10 = trama.constant dense<0.0> : tensor<f64>
  %11 = trama.constant dense<0xFFF0000000000000> : tensor<f64>
  %12 = trama.select %9, %10, %11 : tensor<4x4xi1>, tensor<f64>, tensor<f64>
  %13 = trama.add %4, %12 : tensor<2x3x4x4xf64>, tensor<4x4xf64>
  %14 = trama.softmax %13 dim = 3 : tensor<2x3x4x4xf64>
  %15 = trama.matmul %14, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %15 : tensor<2x3x4x6xf64>
}

// (1 - tril) * -1e9 with tril a tensor of 0 and 1, not(j > i)
// CHECK-LABEL: func.func @causal_tril_of_ones(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 1.000000e+00 causal
func.func @causal_tril_of_ones(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.iota dim = 0 : tensor<4x4xi32>
  %2 = trama.iota dim = 1 : tensor<4x4xi32>
  %3 = trama.compare gt %2, %1 : tensor<4x4xi32>, tensor<4x4xi32>
  %4 = trama.not %3 : tensor<4x4xi1>
  %5 = trama.cast %4 : tensor<4x4xi1> -> tensor<4x4xf64>
  %6 = trama.constant dense<1.0> : tensor<f64>
  %7 = trama.sub %6, %5 : tensor<f64>, tensor<4x4xf64>
  %8 = trama.constant dense<-1.0e9> : tensor<f64>
  %9 = trama.mul %7, %8 : tensor<4x4xf64>, tensor<f64>
  %10 = trama.add %9, %0 : tensor<4x4xf64>, tensor<2x3x4x4xf64>
  %11 = trama.softmax %10 dim = 3 : tensor<2x3x4x4xf64>
  %12 = trama.matmul %11, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %12 : tensor<2x3x4x6xf64>
}

// masked_fill(tril == 0, -inf): the mask goes through numbers and back; j < i + 1
// CHECK-LABEL: func.func @causal_tril_equals_zero(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 1.000000e+00 causal
func.func @causal_tril_equals_zero(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.iota dim = 0 : tensor<4x4xi32>
  %2 = trama.iota dim = 1 : tensor<4x4xi32>
  %3 = trama.constant dense<1> : tensor<i32>
  %4 = trama.add %1, %3 : tensor<4x4xi32>, tensor<i32>
  %5 = trama.compare lt %2, %4 : tensor<4x4xi32>, tensor<4x4xi32>
  %6 = trama.cast %5 : tensor<4x4xi1> -> tensor<4x4xf64>
  %7 = trama.constant dense<0.0> : tensor<f64>
  %8 = trama.compare eq %6, %7 : tensor<4x4xf64>, tensor<f64>
  %9 = trama.constant dense<0xFFF0000000000000> : tensor<f64>
  %10 = trama.select %8, %9, %0 : tensor<4x4xi1>, tensor<f64>, tensor<2x3x4x4xf64>
  %11 = trama.softmax %10 dim = 3 : tensor<2x3x4x4xf64>
  %12 = trama.matmul %11, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %12 : tensor<2x3x4x6xf64>
}

// the model's whole mask [1, 1, 16, 16], cut to the batch's length
// CHECK-LABEL: func.func @causal_slice_of_larger_mask(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 1.000000e+00 causal
func.func @causal_slice_of_larger_mask(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.iota dim = 2 : tensor<1x1x16x16xi32>
  %2 = trama.iota dim = 3 : tensor<1x1x16x16xi32>
  %3 = trama.compare ge %1, %2 : tensor<1x1x16x16xi32>, tensor<1x1x16x16xi32>
  %4 = trama.slice %3 starts = [0, 0, 0, 0] strides = [1, 1, 1, 1] : tensor<1x1x16x16xi1> -> tensor<1x1x4x4xi1>
  %5 = trama.constant dense<-1.0e10> : tensor<f64>
  %6 = trama.select %4, %0, %5 : tensor<1x1x4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %7 = trama.softmax %6 dim = 3 : tensor<2x3x4x4xf64>
  %8 = trama.matmul %7, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %8 : tensor<2x3x4x6xf64>
}

// three queries at the end of five keys: j <= i + 2
// CHECK-LABEL: func.func @causal_longer_keys(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 1.000000e+00 causal
func.func @causal_longer_keys(%q: tensor<2x3x3x8xf64>, %k: tensor<2x3x5x8xf64>, %v: tensor<2x3x5x6xf64>) -> tensor<2x3x3x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x3x8xf64>, tensor<2x3x5x8xf64>
  %1 = trama.iota dim = 0 : tensor<3x5xi32>
  %2 = trama.iota dim = 1 : tensor<3x5xi32>
  %3 = trama.constant dense<2> : tensor<i32>
  %4 = trama.add %1, %3 : tensor<3x5xi32>, tensor<i32>
  %5 = trama.compare le %2, %4 : tensor<3x5xi32>, tensor<3x5xi32>
  %6 = trama.constant dense<-1.0e9> : tensor<f64>
  %7 = trama.select %5, %0, %6 : tensor<3x5xi1>, tensor<2x3x3x5xf64>, tensor<f64>
  %8 = trama.softmax %7 dim = 3 : tensor<2x3x3x5xf64>
  %9 = trama.matmul %8, %v : tensor<2x3x3x5xf64>, tensor<2x3x5x6xf64>
  return %9 : tensor<2x3x3x6xf64>
}

// the mask as a literal
// CHECK-LABEL: func.func @causal_literal(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 1.000000e+00 causal
func.func @causal_literal(%q: tensor<2x3x2x8xf64>, %k: tensor<2x3x2x8xf64>, %v: tensor<2x3x2x6xf64>) -> tensor<2x3x2x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x2x8xf64>, tensor<2x3x2x8xf64>
  %1 = trama.constant dense<[[true, false], [true, true]]> : tensor<2x2xi1>
  %2 = trama.constant dense<-1.0e9> : tensor<f64>
  %3 = trama.select %1, %0, %2 : tensor<2x2xi1>, tensor<2x3x2x2xf64>, tensor<f64>
  %4 = trama.softmax %3 dim = 3 : tensor<2x3x2x2xf64>
  %5 = trama.matmul %4, %v : tensor<2x3x2x2xf64>, tensor<2x3x2x6xf64>
  return %5 : tensor<2x3x2x6xf64>
}

// where(mask[:, None, None, :], scores, -inf)
// CHECK-LABEL: func.func @key_mask_select(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 key_mask %arg3 : tensor<2x4xi1> scale = 1.250000e-01 :
func.func @key_mask_select(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %mask: tensor<2x4xi1>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.constant dense<0.125> : tensor<f64>
  %2 = trama.mul %0, %1 : tensor<2x3x4x4xf64>, tensor<f64>
  %3 = trama.reshape %mask : tensor<2x4xi1> -> tensor<2x1x1x4xi1>
  %4 = trama.constant dense<-1.0e9> : tensor<f64>
  %5 = trama.select %3, %2, %4 : tensor<2x1x1x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %6 = trama.softmax %5 dim = 3 : tensor<2x3x4x4xf64>
  %7 = trama.matmul %6, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %7 : tensor<2x3x4x6xf64>
}

// (1 - mask) * -1e9, before the dimensions are added
// CHECK-LABEL: func.func @key_mask_additive(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 key_mask %arg3 : tensor<2x4xi1> scale = 1.250000e-01 :
func.func @key_mask_additive(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %mask: tensor<2x4xi1>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.constant dense<0.125> : tensor<f64>
  %2 = trama.mul %0, %1 : tensor<2x3x4x4xf64>, tensor<f64>
  %3 = trama.cast %mask : tensor<2x4xi1> -> tensor<2x4xf64>
  %4 = trama.constant dense<1.0> : tensor<f64>
  %5 = trama.sub %4, %3 : tensor<f64>, tensor<2x4xf64>
  %6 = trama.constant dense<-1.0e9> : tensor<f64>
  %7 = trama.mul %5, %6 : tensor<2x4xf64>, tensor<f64>
  %8 = trama.reshape %7 : tensor<2x4xf64> -> tensor<2x1x1x4xf64>
  %9 = trama.add %2, %8 : tensor<2x3x4x4xf64>, tensor<2x1x1x4xf64>
  %10 = trama.softmax %9 dim = 3 : tensor<2x3x4x4xf64>
  %11 = trama.matmul %10, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %11 : tensor<2x3x4x6xf64>
}

// one boolean mask for both, broadcast to all scores
// CHECK-LABEL: func.func @causal_and_key_mask(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 key_mask %arg3 : tensor<2x4xi1> scale = 1.000000e+00 causal
func.func @causal_and_key_mask(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %mask: tensor<2x4xi1>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.reshape %mask : tensor<2x4xi1> -> tensor<2x1x1x4xi1>
  %2 = trama.iota dim = 0 : tensor<4x4xi32>
  %3 = trama.iota dim = 1 : tensor<4x4xi32>
  %4 = trama.compare le %3, %2 : tensor<4x4xi32>, tensor<4x4xi32>
  %5 = trama.and %1, %4 : tensor<2x1x1x4xi1>, tensor<4x4xi1>
  %6 = trama.broadcast %5 : tensor<2x1x4x4xi1> -> tensor<2x3x4x4xi1>
  %7 = trama.constant dense<-1.0e9> : tensor<f64>
  %8 = trama.select %6, %0, %7 : tensor<2x3x4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %9 = trama.softmax %8 dim = 3 : tensor<2x3x4x4xf64>
  %10 = trama.matmul %9, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %10 : tensor<2x3x4x6xf64>
}

// masked_fill(j > i or pad)
// CHECK-LABEL: func.func @causal_or_padding_hidden(
// CHECK-NOT: trama.softmax
// CHECK: %[[KEEP:.*]] = trama.not
// CHECK: trama.attention %arg0, %arg1, %arg2 key_mask %{{.*}} : tensor<2x4xi1> scale = 1.000000e+00 causal
func.func @causal_or_padding_hidden(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %pad: tensor<2x4xi1> {trama.name = "pad"}) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.reshape %pad : tensor<2x4xi1> -> tensor<2x1x1x4xi1>
  %2 = trama.iota dim = 0 : tensor<4x4xi32>
  %3 = trama.iota dim = 1 : tensor<4x4xi32>
  %4 = trama.compare gt %3, %2 : tensor<4x4xi32>, tensor<4x4xi32>
  %5 = trama.or %4, %1 : tensor<4x4xi1>, tensor<2x1x1x4xi1>
  %6 = trama.constant dense<-1.0e9> : tensor<f64>
  %7 = trama.select %5, %6, %0 : tensor<2x1x4x4xi1>, tensor<f64>, tensor<2x3x4x4xf64>
  %8 = trama.softmax %7 dim = 3 : tensor<2x3x4x4xf64>
  %9 = trama.matmul %8, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %9 : tensor<2x3x4x6xf64>
}

// (1 - causal * mask) * -1e9, the mask of integers compared
// CHECK-LABEL: func.func @causal_times_key_mask(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 key_mask %{{.*}} : tensor<2x4xi1> scale = 1.000000e+00 causal
func.func @causal_times_key_mask(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %mask: tensor<2x4xi32>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.constant dense<0> : tensor<i32>
  %2 = trama.compare ne %mask, %1 : tensor<2x4xi32>, tensor<i32>
  %3 = trama.reshape %2 : tensor<2x4xi1> -> tensor<2x1x1x4xi1>
  %4 = trama.cast %3 : tensor<2x1x1x4xi1> -> tensor<2x1x1x4xf64>
  %5 = trama.iota dim = 0 : tensor<4x4xi32>
  %6 = trama.iota dim = 1 : tensor<4x4xi32>
  %7 = trama.compare le %6, %5 : tensor<4x4xi32>, tensor<4x4xi32>
  %8 = trama.cast %7 : tensor<4x4xi1> -> tensor<4x4xf64>
  %9 = trama.constant dense<1.0> : tensor<f64>
  %10 = trama.mul %8, %4 : tensor<4x4xf64>, tensor<2x1x1x4xf64>
  %11 = trama.sub %9, %10 : tensor<f64>, tensor<2x1x4x4xf64>
  %12 = trama.constant dense<-1.0e9> : tensor<f64>
  %13 = trama.mul %11, %12 : tensor<2x1x4x4xf64>, tensor<f64>
  %14 = trama.add %0, %13 : tensor<2x3x4x4xf64>, tensor<2x1x4x4xf64>
  %15 = trama.softmax %14 dim = 3 : tensor<2x3x4x4xf64>
  %16 = trama.matmul %15, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %16 : tensor<2x3x4x6xf64>
}

// the scale after the mask multiplies the mask too, which stays very negative
// CHECK-LABEL: func.func @mask_then_scale(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 scale = 5.000000e-01 causal
func.func @mask_then_scale(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.iota dim = 0 : tensor<4x4xi32>
  %2 = trama.iota dim = 1 : tensor<4x4xi32>
  %3 = trama.compare le %2, %1 : tensor<4x4xi32>, tensor<4x4xi32>
  %4 = trama.constant dense<-1.0e9> : tensor<f64>
  %5 = trama.select %3, %0, %4 : tensor<4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %6 = trama.constant dense<0.5> : tensor<f64>
  %7 = trama.mul %5, %6 : tensor<2x3x4x4xf64>, tensor<f64>
  %8 = trama.softmax %7 dim = 3 : tensor<2x3x4x4xf64>
  %9 = trama.matmul %8, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %9 : tensor<2x3x4x6xf64>
}

// dropout on the weights
// CHECK-LABEL: func.func @dropout(
// CHECK-NOT: trama.softmax
// CHECK-NOT: trama.dropout
// CHECK: trama.attention %arg0, %arg1, %arg2 rng %arg3 : tensor<4xi32> scale = 1.250000e-01 causal {dropout_p = 2.500000e-01 : f64, op_id = 7 : i64}
func.func @dropout(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %rng: tensor<4xi32>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.constant dense<0.125> : tensor<f64>
  %2 = trama.mul %0, %1 : tensor<2x3x4x4xf64>, tensor<f64>
  %3 = trama.iota dim = 0 : tensor<4x4xi32>
  %4 = trama.iota dim = 1 : tensor<4x4xi32>
  %5 = trama.compare le %4, %3 : tensor<4x4xi32>, tensor<4x4xi32>
  %6 = trama.constant dense<-1.0e9> : tensor<f64>
  %7 = trama.select %5, %2, %6 : tensor<4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %8 = trama.softmax %7 dim = 3 : tensor<2x3x4x4xf64>
  %9 = trama.dropout %8, %rng p = 2.5e-1 op_id = 7 : tensor<2x3x4x4xf64>, tensor<4xi32>
  %10 = trama.matmul %9, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %10 : tensor<2x3x4x6xf64>
}

// GPT-2: one projection cut in three, heads by reshape and transpose, k^T by another transpose
// CHECK-LABEL: func.func @heads_of_a_chunk(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %{{.*}} scale = 2.500000e-01 causal
// CHECK: trama.transpose
// CHECK-NEXT: trama.reshape
// CHECK-NEXT: return
func.func @heads_of_a_chunk(%x: tensor<2x4x72xf64>) -> tensor<2x4x24xf64> {
  %0 = trama.slice %x starts = [0, 0, 0] strides = [1, 1, 1] : tensor<2x4x72xf64> -> tensor<2x4x24xf64>
  %1 = trama.reshape %0 : tensor<2x4x24xf64> -> tensor<2x4x3x8xf64>
  %2 = trama.transpose %1 permutation = [0, 2, 1, 3] : tensor<2x4x3x8xf64>
  %3 = trama.slice %x starts = [0, 0, 24] strides = [1, 1, 1] : tensor<2x4x72xf64> -> tensor<2x4x24xf64>
  %4 = trama.reshape %3 : tensor<2x4x24xf64> -> tensor<2x4x3x8xf64>
  %5 = trama.transpose %4 permutation = [0, 2, 1, 3] : tensor<2x4x3x8xf64>
  %6 = trama.slice %x starts = [0, 0, 48] strides = [1, 1, 1] : tensor<2x4x72xf64> -> tensor<2x4x24xf64>
  %7 = trama.reshape %6 : tensor<2x4x24xf64> -> tensor<2x4x3x8xf64>
  %8 = trama.transpose %7 permutation = [0, 2, 1, 3] : tensor<2x4x3x8xf64>
  %9 = trama.transpose %5 permutation = [0, 1, 3, 2] : tensor<2x3x4x8xf64>
  %10 = trama.matmul %2, %9 : tensor<2x3x4x8xf64>, tensor<2x3x8x4xf64>
  %11 = trama.constant dense<4.0> : tensor<f64>
  %12 = trama.div %10, %11 : tensor<2x3x4x4xf64>, tensor<f64>
  %13 = trama.iota dim = 0 : tensor<4x4xi32>
  %14 = trama.iota dim = 1 : tensor<4x4xi32>
  %15 = trama.compare le %14, %13 : tensor<4x4xi32>, tensor<4x4xi32>
  %16 = trama.constant dense<0.0> : tensor<f64>
  %17 = trama.constant dense<0xFFF0000000000000> : tensor<f64>
  %18 = trama.select %15, %16, %17 : tensor<4x4xi1>, tensor<f64>, tensor<f64>
  %19 = trama.add %12, %18 : tensor<2x3x4x4xf64>, tensor<4x4xf64>
  %20 = trama.softmax %19 dim = 3 : tensor<2x3x4x4xf64>
  %21 = trama.matmul %20, %8 : tensor<2x3x4x4xf64>, tensor<2x3x4x8xf64>
  %22 = trama.transpose %21 permutation = [0, 2, 1, 3] : tensor<2x3x4x8xf64>
  %23 = trama.reshape %22 : tensor<2x4x3x8xf64> -> tensor<2x4x24xf64>
  return %23 : tensor<2x4x24xf64>
}

// the scale on q, before it is cut into heads
// CHECK-LABEL: func.func @scale_under_views(
// CHECK-NOT: trama.softmax
// CHECK-NOT: trama.mul
// CHECK: trama.attention %{{.*}}, %arg1, %arg2 scale = 2.500000e-01 :
func.func @scale_under_views(%x: tensor<2x4x24xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.constant dense<0.25> : tensor<f64>
  %1 = trama.mul %x, %0 : tensor<2x4x24xf64>, tensor<f64>
  %2 = trama.reshape %1 : tensor<2x4x24xf64> -> tensor<2x4x3x8xf64>
  %3 = trama.transpose %2 permutation = [0, 2, 1, 3] : tensor<2x4x3x8xf64>
  %4 = trama.matmul %3, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %5 = trama.softmax %4 dim = 3 : tensor<2x3x4x4xf64>
  %6 = trama.matmul %5, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %6 : tensor<2x3x4x6xf64>
}

// scores [B * H, T, S], masked as [B, H, T, S]
// CHECK-LABEL: func.func @heads_merged_with_batch(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %{{.*}} key_mask %arg3 : tensor<2x4xi1> scale = 1.000000e+00 : tensor<2x3x4x8xf64>
func.func @heads_merged_with_batch(%q: tensor<6x4x8xf64>, %k: tensor<6x4x8xf64>, %v: tensor<6x4x6xf64>, %mask: tensor<2x4xi1>) -> tensor<6x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<6x4x8xf64>, tensor<6x4x8xf64>
  %1 = trama.reshape %0 : tensor<6x4x4xf64> -> tensor<2x3x4x4xf64>
  %2 = trama.reshape %mask : tensor<2x4xi1> -> tensor<2x1x1x4xi1>
  %3 = trama.constant dense<-1.0e9> : tensor<f64>
  %4 = trama.select %2, %1, %3 : tensor<2x1x1x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %5 = trama.reshape %4 : tensor<2x3x4x4xf64> -> tensor<6x4x4xf64>
  %6 = trama.softmax %5 dim = 2 : tensor<6x4x4xf64>
  %7 = trama.matmul %6, %v : tensor<6x4x4xf64>, tensor<6x4x6xf64>
  return %7 : tensor<6x4x6xf64>
}

// [B, T, D]: one head
// CHECK-LABEL: func.func @single_head(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %{{.*}} scale = 1.000000e+00 : tensor<2x1x4x8xf64>
func.func @single_head(%q: tensor<2x4x8xf64>, %k: tensor<2x4x8xf64>, %v: tensor<2x4x6xf64>) -> tensor<2x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x4x8xf64>, tensor<2x4x8xf64>
  %1 = trama.softmax %0 dim = 2 : tensor<2x4x4xf64>
  %2 = trama.matmul %1, %v : tensor<2x4x4xf64>, tensor<2x4x6xf64>
  return %2 : tensor<2x4x6xf64>
}

// [T, D]: neither batch nor heads
// CHECK-LABEL: func.func @single_sequence(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %{{.*}} scale = 1.000000e+00 causal : tensor<1x1x4x8xf64>
func.func @single_sequence(%q: tensor<4x8xf64>, %k: tensor<4x8xf64>, %v: tensor<4x6xf64>) -> tensor<4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<4x8xf64>, tensor<4x8xf64>
  %1 = trama.iota dim = 0 : tensor<4x4xi32>
  %2 = trama.iota dim = 1 : tensor<4x4xi32>
  %3 = trama.compare le %2, %1 : tensor<4x4xi32>, tensor<4x4xi32>
  %4 = trama.constant dense<-1.0e9> : tensor<f64>
  %5 = trama.select %3, %0, %4 : tensor<4x4xi1>, tensor<4x4xf64>, tensor<f64>
  %6 = trama.softmax %5 dim = 1 : tensor<4x4xf64>
  %7 = trama.matmul %6, %v : tensor<4x4xf64>, tensor<4x6xf64>
  return %7 : tensor<4x6xf64>
}

// keys and values shared by the heads
// CHECK-LABEL: func.func @one_key_head_for_all(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention
func.func @one_key_head_for_all(%q: tensor<2x3x4x8xf64>, %k: tensor<2x1x4x8xf64>, %v: tensor<2x1x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x1x4x8xf64>
  %1 = trama.softmax %0 dim = 3 : tensor<2x3x4x4xf64>
  %2 = trama.matmul %1, %v : tensor<2x3x4x4xf64>, tensor<2x1x4x6xf64>
  return %2 : tensor<2x3x4x6xf64>
}

// k and v come transposed
// CHECK-LABEL: func.func @values_transposed(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention
func.func @values_transposed(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x8x4xf64>, %v: tensor<2x3x6x4xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k : tensor<2x3x4x8xf64>, tensor<2x3x8x4xf64>
  %1 = trama.softmax %0 dim = 3 : tensor<2x3x4x4xf64>
  %2 = trama.matmul %1, %v transposed : tensor<2x3x4x4xf64>, tensor<2x3x6x4xf64>
  return %2 : tensor<2x3x4x6xf64>
}

// a bias a head and position (ALiBi and the like), scaled with the scores
// CHECK-LABEL: func.func @position_bias(
// CHECK-NOT: trama.softmax
// CHECK: %[[BIAS:.*]] = trama.mul %arg3
// CHECK: trama.attention %arg0, %arg1, %arg2 bias %[[BIAS]] : tensor<1x3x4x4xf64> scale = 5.000000e-01 causal
func.func @position_bias(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %bias: tensor<1x3x4x4xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.add %0, %bias : tensor<2x3x4x4xf64>, tensor<1x3x4x4xf64>
  %2 = trama.constant dense<0.5> : tensor<f64>
  %3 = trama.mul %1, %2 : tensor<2x3x4x4xf64>, tensor<f64>
  %4 = trama.iota dim = 0 : tensor<4x4xi32>
  %5 = trama.iota dim = 1 : tensor<4x4xi32>
  %6 = trama.compare le %5, %4 : tensor<4x4xi32>, tensor<4x4xi32>
  %7 = trama.constant dense<-1.0e9> : tensor<f64>
  %8 = trama.select %6, %3, %7 : tensor<4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %9 = trama.softmax %8 dim = 3 : tensor<2x3x4x4xf64>
  %10 = trama.matmul %9, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %10 : tensor<2x3x4x6xf64>
}

// a mask of pairs, given: a bias of 0 and -inf
// CHECK-LABEL: func.func @pair_mask(
// CHECK-NOT: trama.softmax
// CHECK: %[[BIAS:.*]] = trama.select %arg3
// CHECK: trama.attention %arg0, %arg1, %arg2 bias %[[BIAS]] : tensor<2x1x4x4xf64> scale = 1.000000e+00 :
func.func @pair_mask(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %mask: tensor<2x1x4x4xi1>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.constant dense<-1.0e9> : tensor<f64>
  %2 = trama.select %mask, %0, %1 : tensor<2x1x4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %3 = trama.softmax %2 dim = 3 : tensor<2x3x4x4xf64>
  %4 = trama.matmul %3, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %4 : tensor<2x3x4x6xf64>
}

// ================================================================ near misses that must not

// weights are masked, not scores: the rows no longer add up to one
// CHECK-LABEL: func.func @mask_after_softmax(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: select lies between the softmax and the values
func.func @mask_after_softmax(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 3 : tensor<2x3x4x4xf64>
  %2 = trama.iota dim = 0 : tensor<4x4xi32>
  %3 = trama.iota dim = 1 : tensor<4x4xi32>
  %4 = trama.compare le %3, %2 : tensor<4x4xi32>, tensor<4x4xi32>
  %5 = trama.constant dense<0.0> : tensor<f64>
  %6 = trama.select %4, %1, %5 : tensor<4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %7 = trama.matmul %6, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %7 : tensor<2x3x4x6xf64>
}

// CHECK-LABEL: func.func @scale_after_softmax(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the weights are scaled or masked after the softmax
func.func @scale_after_softmax(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 3 : tensor<2x3x4x4xf64>
  %2 = trama.constant dense<0.125> : tensor<f64>
  %3 = trama.mul %1, %2 : tensor<2x3x4x4xf64>, tensor<f64>
  %4 = trama.matmul %3, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %4 : tensor<2x3x4x6xf64>
}

// query i sees the keys from i on
// CHECK-LABEL: func.func @causal_over_the_wrong_axis(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the mask compares queries and keys otherwise than causally
func.func @causal_over_the_wrong_axis(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.iota dim = 0 : tensor<4x4xi32>
  %2 = trama.iota dim = 1 : tensor<4x4xi32>
  %3 = trama.compare ge %2, %1 : tensor<4x4xi32>, tensor<4x4xi32>
  %4 = trama.constant dense<-1.0e9> : tensor<f64>
  %5 = trama.select %3, %0, %4 : tensor<4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %6 = trama.softmax %5 dim = 3 : tensor<2x3x4x4xf64>
  %7 = trama.matmul %6, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %7 : tensor<2x3x4x6xf64>
}

// j < i: the first query sees nothing
// CHECK-LABEL: func.func @strictly_causal(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the mask compares queries and keys otherwise than causally
func.func @strictly_causal(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.iota dim = 0 : tensor<4x4xi32>
  %2 = trama.iota dim = 1 : tensor<4x4xi32>
  %3 = trama.compare lt %2, %1 : tensor<4x4xi32>, tensor<4x4xi32>
  %4 = trama.constant dense<-1.0e9> : tensor<f64>
  %5 = trama.select %3, %0, %4 : tensor<4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %6 = trama.softmax %5 dim = 3 : tensor<2x3x4x4xf64>
  %7 = trama.matmul %6, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %7 : tensor<2x3x4x6xf64>
}

// j <= i with more keys than queries: not the last queries
// CHECK-LABEL: func.func @causal_from_the_start(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the mask compares queries and keys otherwise than causally
func.func @causal_from_the_start(%q: tensor<2x3x3x8xf64>, %k: tensor<2x3x5x8xf64>, %v: tensor<2x3x5x6xf64>) -> tensor<2x3x3x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x3x8xf64>, tensor<2x3x5x8xf64>
  %1 = trama.iota dim = 0 : tensor<3x5xi32>
  %2 = trama.iota dim = 1 : tensor<3x5xi32>
  %3 = trama.compare le %2, %1 : tensor<3x5xi32>, tensor<3x5xi32>
  %4 = trama.constant dense<-1.0e9> : tensor<f64>
  %5 = trama.select %3, %0, %4 : tensor<3x5xi1>, tensor<2x3x3x5xf64>, tensor<f64>
  %6 = trama.softmax %5 dim = 3 : tensor<2x3x3x5xf64>
  %7 = trama.matmul %6, %v : tensor<2x3x3x5xf64>, tensor<2x3x5x6xf64>
  return %7 : tensor<2x3x3x6xf64>
}

// the indices count batch and heads
// CHECK-LABEL: func.func @causal_over_batch(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the mask hides whole rows, whatever the key
func.func @causal_over_batch(%q: tensor<4x4x4x8xf64>, %k: tensor<4x4x4x8xf64>, %v: tensor<4x4x4x6xf64>) -> tensor<4x4x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<4x4x4x8xf64>, tensor<4x4x4x8xf64>
  %1 = trama.iota dim = 0 : tensor<4x4x1x1xi32>
  %2 = trama.iota dim = 1 : tensor<4x4x1x1xi32>
  %3 = trama.compare le %2, %1 : tensor<4x4x1x1xi32>, tensor<4x4x1x1xi32>
  %4 = trama.constant dense<-1.0e9> : tensor<f64>
  %5 = trama.select %3, %0, %4 : tensor<4x4x1x1xi1>, tensor<4x4x4x4xf64>, tensor<f64>
  %6 = trama.softmax %5 dim = 3 : tensor<4x4x4x4xf64>
  %7 = trama.matmul %6, %v : tensor<4x4x4x4xf64>, tensor<4x4x4x6xf64>
  return %7 : tensor<4x4x4x6xf64>
}

// CHECK-LABEL: func.func @softmax_over_queries(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the softmax does not run over the keys
func.func @softmax_over_queries(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 2 : tensor<2x3x4x4xf64>
  %2 = trama.matmul %1, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %2 : tensor<2x3x4x6xf64>
}

// CHECK-LABEL: func.func @softmax_over_heads(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the softmax does not run over the keys
func.func @softmax_over_heads(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 1 : tensor<2x3x4x4xf64>
  %2 = trama.matmul %1, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %2 : tensor<2x3x4x6xf64>
}

// CHECK-LABEL: func.func @weights_transposed(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the weights are transposed
func.func @weights_transposed(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 3 : tensor<2x3x4x4xf64>
  %2 = trama.matmul %1 transposed, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %2 : tensor<2x3x4x6xf64>
}

// v times the weights
// CHECK-LABEL: func.func @values_from_the_left(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the values are multiplied from the wrong side
func.func @values_from_the_left(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x4xf64>) -> tensor<2x3x4x4xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 3 : tensor<2x3x4x4xf64>
  %2 = trama.matmul %v, %1 : tensor<2x3x4x4xf64>, tensor<2x3x4x4xf64>
  return %2 : tensor<2x3x4x4xf64>
}

// -10 hides nothing
// CHECK-LABEL: func.func @small_masked_value(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: masked scores are not a constant of -1e4 or less
func.func @small_masked_value(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.iota dim = 0 : tensor<4x4xi32>
  %2 = trama.iota dim = 1 : tensor<4x4xi32>
  %3 = trama.compare le %2, %1 : tensor<4x4xi32>, tensor<4x4xi32>
  %4 = trama.constant dense<-10.0> : tensor<f64>
  %5 = trama.select %3, %0, %4 : tensor<4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %6 = trama.softmax %5 dim = 3 : tensor<2x3x4x4xf64>
  %7 = trama.matmul %6, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %7 : tensor<2x3x4x6xf64>
}

// -1e9 before a scale of 1e-8 hides nothing either
// CHECK-LABEL: func.func @scaled_away_mask(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: masked scores are not a constant of -1e4 or less
func.func @scaled_away_mask(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.iota dim = 0 : tensor<4x4xi32>
  %2 = trama.iota dim = 1 : tensor<4x4xi32>
  %3 = trama.compare le %2, %1 : tensor<4x4xi32>, tensor<4x4xi32>
  %4 = trama.constant dense<-1.0e9> : tensor<f64>
  %5 = trama.select %3, %0, %4 : tensor<4x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %6 = trama.constant dense<1.0e-8> : tensor<f64>
  %7 = trama.mul %5, %6 : tensor<2x3x4x4xf64>, tensor<f64>
  %8 = trama.softmax %7 dim = 3 : tensor<2x3x4x4xf64>
  %9 = trama.matmul %8, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %9 : tensor<2x3x4x6xf64>
}

// a temperature a query
// CHECK-LABEL: func.func @scaled_by_a_tensor(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the scores are scaled by a tensor
func.func @scaled_by_a_tensor(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %s: tensor<4x1xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.mul %0, %s : tensor<2x3x4x4xf64>, tensor<4x1xf64>
  %2 = trama.softmax %1 dim = 3 : tensor<2x3x4x4xf64>
  %3 = trama.matmul %2, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %3 : tensor<2x3x4x6xf64>
}

// soft-capped scores
// CHECK-LABEL: func.func @tanh_of_the_scores(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
func.func @tanh_of_the_scores(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.tanh %0 : tensor<2x3x4x4xf64>
  %2 = trama.softmax %1 dim = 3 : tensor<2x3x4x4xf64>
  %3 = trama.matmul %2, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %3 : tensor<2x3x4x6xf64>
}

// the weights are asked for: they are in memory anyway
// CHECK-LABEL: func.func @weights_returned(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the scores or the weights are used elsewhere too
func.func @weights_returned(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> (tensor<2x3x4x6xf64>, tensor<2x3x4x4xf64>) {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 3 : tensor<2x3x4x4xf64>
  %2 = trama.matmul %1, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %2, %1 : tensor<2x3x4x6xf64>, tensor<2x3x4x4xf64>
}

// CHECK-LABEL: func.func @scores_used_twice(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the scores or the weights are used elsewhere too
func.func @scores_used_twice(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> (tensor<2x3x4x6xf64>, tensor<2x3x4x4xf64>) {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 3 : tensor<2x3x4x4xf64>
  %2 = trama.matmul %1, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %2, %0 : tensor<2x3x4x6xf64>, tensor<2x3x4x4xf64>
}

// CHECK-LABEL: func.func @dropped_twice(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the weights are dropped twice
func.func @dropped_twice(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %rng: tensor<4xi32>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 3 : tensor<2x3x4x4xf64>
  %2 = trama.dropout %1, %rng p = 2.5e-1 op_id = 7 : tensor<2x3x4x4xf64>, tensor<4xi32>
  %3 = trama.dropout %2, %rng p = 2.5e-1 op_id = 8 : tensor<2x3x4x4xf64>, tensor<4xi32>
  %4 = trama.matmul %3, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %4 : tensor<2x3x4x6xf64>
}

// the random numbers are counted over [B * H, T, S]
// CHECK-LABEL: func.func @dropout_of_merged_heads(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: dropout on weights of another shape than
func.func @dropout_of_merged_heads(%q: tensor<6x4x8xf64>, %k: tensor<6x4x8xf64>, %v: tensor<6x4x6xf64>, %rng: tensor<4xi32>, %mask: tensor<2x4xi1>) -> tensor<6x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<6x4x8xf64>, tensor<6x4x8xf64>
  %1 = trama.reshape %0 : tensor<6x4x4xf64> -> tensor<2x3x4x4xf64>
  %2 = trama.reshape %mask : tensor<2x4xi1> -> tensor<2x1x1x4xi1>
  %3 = trama.constant dense<-1.0e9> : tensor<f64>
  %4 = trama.select %2, %1, %3 : tensor<2x1x1x4xi1>, tensor<2x3x4x4xf64>, tensor<f64>
  %5 = trama.reshape %4 : tensor<2x3x4x4xf64> -> tensor<6x4x4xf64>
  %6 = trama.softmax %5 dim = 2 : tensor<6x4x4xf64>
  %7 = trama.dropout %6, %rng p = 2.5e-1 op_id = 7 : tensor<6x4x4xf64>, tensor<4xi32>
  %8 = trama.matmul %7, %v : tensor<6x4x4xf64>, tensor<6x4x6xf64>
  return %8 : tensor<6x4x6xf64>
}

// a second product in the scores
// CHECK-LABEL: func.func @two_products(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: the sum of two products is not attention
func.func @two_products(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %r: tensor<2x3x4x8xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.matmul %q, %r transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %2 = trama.add %0, %1 : tensor<2x3x4x4xf64>, tensor<2x3x4x4xf64>
  %3 = trama.softmax %2 dim = 3 : tensor<2x3x4x4xf64>
  %4 = trama.matmul %3, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %4 : tensor<2x3x4x6xf64>
}

// CHECK-LABEL: func.func @reshape_mixes_queries(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: a reshape mixes queries or keys with other dimensions
func.func @reshape_mixes_queries(%q: tensor<2x4x8xf64>, %k: tensor<2x4x8xf64>, %v: tensor<4x6xf64>) -> tensor<8x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x4x8xf64>, tensor<2x4x8xf64>
  %1 = trama.reshape %0 : tensor<2x4x4xf64> -> tensor<8x4xf64>
  %2 = trama.softmax %1 dim = 1 : tensor<8x4xf64>
  %3 = trama.matmul %2, %v : tensor<8x4xf64>, tensor<4x6xf64>
  return %3 : tensor<8x6xf64>
}

// the bias is a parameter of a program that is differentiated
// CHECK-LABEL: func.func @bias_that_learns(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: not fused: what is added to the scores needs a gradient
func.func @bias_that_learns(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %bias: tensor<4x4xf64> {trama.name = "bias", trama.role = "parameter"}) -> tensor<f64> attributes {trama.differentiate = 0 : i64} {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.add %0, %bias : tensor<2x3x4x4xf64>, tensor<4x4xf64>
  %2 = trama.softmax %1 dim = 3 : tensor<2x3x4x4xf64>
  %3 = trama.matmul %2, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  %4 = trama.sum %3 dims = [0, 1, 2, 3] : tensor<2x3x4x6xf64>
  return %4 : tensor<f64>
}

// Queries and keys change places, and their weights back.
// CHECK-LABEL: func.func @weights_turned(
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// REMARK: Function=weights_turned | Remark="not fused: transpose lies between the softmax and the values"
func.func @weights_turned(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %k, %q transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.softmax %0 dim = 2 : tensor<2x3x4x4xf64>
  %2 = trama.transpose %1 permutation = [0, 1, 3, 2] : tensor<2x3x4x4xf64>
  %3 = trama.matmul %2, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %3 : tensor<2x3x4x6xf64>
}

// CHECK-LABEL: func.func @normalised_late(
// CHECK-NOT: trama.attention
// CHECK: trama.exp
// REMARK: Function=normalised_late | Remark="not fused: the weights are normalised after the product with the values"
func.func @normalised_late(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.exp %0 : tensor<2x3x4x4xf64>
  %2 = trama.sum %1 dims = [3] keepdim : tensor<2x3x4x4xf64>
  %3 = trama.matmul %1, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  %4 = trama.div %3, %2 : tensor<2x3x4x6xf64>, tensor<2x3x4x1xf64>
  return %4 : tensor<2x3x4x6xf64>
}

// A product with exp of scores that nobody normalises looks like nothing.
// CHECK-LABEL: func.func @not_normalised(
// CHECK-NOT: trama.attention
// CHECK: trama.exp
// REMARK-NOT: Function=not_normalised
func.func @not_normalised(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>) -> tensor<2x3x4x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.exp %0 : tensor<2x3x4x4xf64>
  %2 = trama.matmul %1, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  return %2 : tensor<2x3x4x6xf64>
}

// an input of a program that is differentiated by its parameters fuses
// CHECK-LABEL: func.func @bias_that_rests(
// CHECK-NOT: trama.softmax
// CHECK: trama.attention %arg0, %arg1, %arg2 bias
func.func @bias_that_rests(%q: tensor<2x3x4x8xf64>, %k: tensor<2x3x4x8xf64>, %v: tensor<2x3x4x6xf64>, %bias: tensor<4x4xf64> {trama.name = "bias", trama.role = "input"}) -> tensor<f64> attributes {trama.differentiate = 0 : i64} {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x4x8xf64>, tensor<2x3x4x8xf64>
  %1 = trama.add %0, %bias : tensor<2x3x4x4xf64>, tensor<4x4xf64>
  %2 = trama.softmax %1 dim = 3 : tensor<2x3x4x4xf64>
  %3 = trama.matmul %2, %v : tensor<2x3x4x4xf64>, tensor<2x3x4x6xf64>
  %4 = trama.sum %3 dims = [0, 1, 2, 3] : tensor<2x3x4x6xf64>
  return %4 : tensor<f64>
}

// One position at a time, as decoding traces it: the mask hides nothing and is causal all the same.
// CHECK-LABEL: func.func @one_position(
// CHECK: trama.attention
// CHECK-SAME: causal
func.func @one_position(%q: tensor<2x3x1x8xf64>, %k: tensor<2x3x1x8xf64>, %v: tensor<2x3x1x6xf64>) -> tensor<2x3x1x6xf64> {
  %0 = trama.matmul %q, %k transposed : tensor<2x3x1x8xf64>, tensor<2x3x1x8xf64>
  %i = trama.iota dim = 0 sequence : tensor<1x1xi32>
  %j = trama.iota dim = 1 sequence : tensor<1x1xi32>
  %seen = trama.compare le %j, %i : tensor<1x1xi32>, tensor<1x1xi32>
  %inf = trama.constant dense<0xFFF0000000000000> : tensor<f64>
  %1 = trama.select %seen, %0, %inf : tensor<1x1xi1>, tensor<2x3x1x1xf64>, tensor<f64>
  %2 = trama.softmax %1 dim = 3 : tensor<2x3x1x1xf64>
  %3 = trama.matmul %2, %v : tensor<2x3x1x1xf64>, tensor<2x3x1x6xf64>
  return %3 : tensor<2x3x1x6xf64>
}
