// Every function here is also run with random inputs, before and after: unit/pass_values_test.cc.
// RUN: trama-opt %s --trama-raise-gelu | FileCheck %s
// RUN: trama-opt %s --trama-raise-gelu --remarks-filter=trama.raise-gelu 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// 0.5 * x * (1 + erf(x / sqrt(2)))
// CHECK-LABEL: func.func @erf
// CHECK-NEXT: trama.gelu %arg0 : tensor<6xf32>
// CHECK-NEXT: return
func.func @erf(%x: tensor<6xf32>) -> tensor<6xf32> {
  %half = trama.constant dense<0.5> : tensor<f32>
  %one = trama.constant dense<1.0> : tensor<f32>
  %sqrt2 = trama.constant dense<1.41421356> : tensor<f32>
  %u = trama.div %x, %sqrt2 : tensor<6xf32>, tensor<f32>
  %t = trama.erf %u : tensor<6xf32>
  %p = trama.add %one, %t : tensor<f32>, tensor<6xf32>
  %h = trama.mul %half, %x : tensor<f32>, tensor<6xf32>
  %y = trama.mul %h, %p : tensor<6xf32>, tensor<6xf32>
  return %y : tensor<6xf32>
}

// x * Phi(x), Phi(x) = 0.5 + 0.5 erf(x * 0.7071)
// CHECK-LABEL: func.func @x_times_phi
// CHECK-NEXT: trama.gelu %arg0 : tensor<2x3xf64>
// CHECK-NEXT: return
func.func @x_times_phi(%x: tensor<2x3xf64>) -> tensor<2x3xf64> {
  %half = trama.constant dense<0.5> : tensor<2x3xf64>
  %c = trama.constant dense<0.70710678118654752> : tensor<f64>
  %u = trama.mul %x, %c : tensor<2x3xf64>, tensor<f64>
  %t = trama.erf %u : tensor<2x3xf64>
  %ht = trama.mul %t, %half : tensor<2x3xf64>, tensor<2x3xf64>
  %phi = trama.add %ht, %half : tensor<2x3xf64>, tensor<2x3xf64>
  %y = trama.mul %x, %phi : tensor<2x3xf64>, tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

// (x + x erf(x / sqrt 2)) / 2, of a sum
// CHECK-LABEL: func.func @expanded
// CHECK: %[[X:.*]] = trama.add %arg0, %arg1
// CHECK-NEXT: trama.gelu %[[X]]
// CHECK-NEXT: return
func.func @expanded(%a: tensor<6xf32>, %b: tensor<6xf32>) -> tensor<6xf32> {
  %x = trama.add %a, %b : tensor<6xf32>, tensor<6xf32>
  %two = trama.constant dense<2.0> : tensor<f32>
  %c = trama.constant dense<0.70710678> : tensor<f32>
  %u = trama.mul %c, %x : tensor<f32>, tensor<6xf32>
  %t = trama.erf %u : tensor<6xf32>
  %xt = trama.mul %x, %t : tensor<6xf32>, tensor<6xf32>
  %s = trama.add %xt, %x : tensor<6xf32>, tensor<6xf32>
  %y = trama.div %s, %two : tensor<6xf32>, tensor<f32>
  return %y : tensor<6xf32>
}

// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), the cube as pow
// CHECK-LABEL: func.func @tanh_pow
// CHECK-NEXT: trama.gelu %arg0 tanh
// CHECK-NEXT: return
func.func @tanh_pow(%x: tensor<6xf32>) -> tensor<6xf32> {
  %three = trama.constant dense<3.0> : tensor<f32>
  %k = trama.constant dense<0.044715> : tensor<f32>
  %s = trama.constant dense<0.7978845608> : tensor<f32>
  %half = trama.constant dense<0.5> : tensor<f32>
  %one = trama.constant dense<1.0> : tensor<f32>
  %x3 = trama.pow %x, %three : tensor<6xf32>, tensor<f32>
  %kx3 = trama.mul %k, %x3 : tensor<f32>, tensor<6xf32>
  %a = trama.add %x, %kx3 : tensor<6xf32>, tensor<6xf32>
  %u = trama.mul %s, %a : tensor<f32>, tensor<6xf32>
  %t = trama.tanh %u : tensor<6xf32>
  %p = trama.add %t, %one : tensor<6xf32>, tensor<f32>
  %h = trama.mul %x, %half : tensor<6xf32>, tensor<f32>
  %y = trama.mul %h, %p : tensor<6xf32>, tensor<6xf32>
  return %y : tensor<6xf32>
}

// The argument as sqrt(2/pi) x (1 + 0.044715 x x)
// CHECK-LABEL: func.func @tanh_factored
// CHECK-NEXT: trama.gelu %arg0 tanh
// CHECK-NEXT: return
func.func @tanh_factored(%x: tensor<6xf64>) -> tensor<6xf64> {
  %k = trama.constant dense<0.044715> : tensor<f64>
  %s = trama.constant dense<0.79788456080286541> : tensor<f64>
  %half = trama.constant dense<0.5> : tensor<f64>
  %one = trama.constant dense<1.0> : tensor<f64>
  %xx = trama.mul %x, %x : tensor<6xf64>, tensor<6xf64>
  %kxx = trama.mul %xx, %k : tensor<6xf64>, tensor<f64>
  %a = trama.add %kxx, %one : tensor<6xf64>, tensor<f64>
  %sx = trama.mul %x, %s : tensor<6xf64>, tensor<f64>
  %u = trama.mul %sx, %a : tensor<6xf64>, tensor<6xf64>
  %t = trama.tanh %u : tensor<6xf64>
  %p = trama.add %one, %t : tensor<f64>, tensor<6xf64>
  %hp = trama.mul %half, %p : tensor<f64>, tensor<6xf64>
  %y = trama.mul %x, %hp : tensor<6xf64>, tensor<6xf64>
  return %y : tensor<6xf64>
}

// x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)) is the same function.
// CHECK-LABEL: func.func @sigmoid
// CHECK-NEXT: trama.gelu %arg0 tanh
// CHECK-NEXT: return
func.func @sigmoid(%x: tensor<6xf32>) -> tensor<6xf32> {
  %a = trama.constant dense<1.5957691216> : tensor<f32>
  %b = trama.constant dense<0.0713548162726> : tensor<f32>
  %xx = trama.mul %x, %x : tensor<6xf32>, tensor<6xf32>
  %bxx = trama.mul %xx, %b : tensor<6xf32>, tensor<f32>
  %s = trama.add %bxx, %a : tensor<6xf32>, tensor<f32>
  %u = trama.mul %s, %x : tensor<6xf32>, tensor<6xf32>
  %t = trama.sigmoid %u : tensor<6xf32>
  %y = trama.mul %x, %t : tensor<6xf32>, tensor<6xf32>
  return %y : tensor<6xf32>
}

// ---- what is not GELU

// x / 2 in erf
// CHECK-LABEL: func.func @other_constant
// CHECK-NOT: trama.gelu
// REMARK: not fused: the argument's constants are not those of GELU
func.func @other_constant(%x: tensor<6xf32>) -> tensor<6xf32> {
  %half = trama.constant dense<0.5> : tensor<f32>
  %one = trama.constant dense<1.0> : tensor<f32>
  %u = trama.mul %x, %half : tensor<6xf32>, tensor<f32>
  %t = trama.erf %u : tensor<6xf32>
  %p = trama.add %one, %t : tensor<f32>, tensor<6xf32>
  %h = trama.mul %half, %x : tensor<f32>, tensor<6xf32>
  %y = trama.mul %h, %p : tensor<6xf32>, tensor<6xf32>
  return %y : tensor<6xf32>
}

// 1 - erf
// CHECK-LABEL: func.func @minus
// CHECK-NOT: trama.gelu
func.func @minus(%x: tensor<6xf32>) -> tensor<6xf32> {
  %half = trama.constant dense<0.5> : tensor<f32>
  %one = trama.constant dense<1.0> : tensor<f32>
  %c = trama.constant dense<0.70710678> : tensor<f32>
  %u = trama.mul %x, %c : tensor<6xf32>, tensor<f32>
  %t = trama.erf %u : tensor<6xf32>
  %p = trama.sub %one, %t : tensor<f32>, tensor<6xf32>
  %h = trama.mul %half, %x : tensor<f32>, tensor<6xf32>
  %y = trama.mul %h, %p : tensor<6xf32>, tensor<6xf32>
  return %y : tensor<6xf32>
}

// The factor is another tensor.
// CHECK-LABEL: func.func @other_factor
// CHECK-NOT: trama.gelu
func.func @other_factor(%x: tensor<6xf32>, %z: tensor<6xf32>) -> tensor<6xf32> {
  %half = trama.constant dense<0.5> : tensor<f32>
  %one = trama.constant dense<1.0> : tensor<f32>
  %c = trama.constant dense<0.70710678> : tensor<f32>
  %u = trama.mul %x, %c : tensor<6xf32>, tensor<f32>
  %t = trama.erf %u : tensor<6xf32>
  %p = trama.add %one, %t : tensor<f32>, tensor<6xf32>
  %h = trama.mul %half, %z : tensor<f32>, tensor<6xf32>
  %y = trama.mul %h, %p : tensor<6xf32>, tensor<6xf32>
  return %y : tensor<6xf32>
}

// SiLU, and the quick approximation x sigmoid(1.702 x)
// CHECK-LABEL: func.func @silu
// CHECK-NOT: trama.gelu
func.func @silu(%x: tensor<6xf32>) -> tensor<6xf32> {
  %t = trama.sigmoid %x : tensor<6xf32>
  %y = trama.mul %x, %t : tensor<6xf32>, tensor<6xf32>
  return %y : tensor<6xf32>
}

// CHECK-LABEL: func.func @quick
// CHECK-NOT: trama.gelu
// REMARK: not fused: the argument's constants are not those of GELU
func.func @quick(%x: tensor<6xf32>) -> tensor<6xf32> {
  %c = trama.constant dense<1.702> : tensor<f32>
  %u = trama.mul %x, %c : tensor<6xf32>, tensor<f32>
  %t = trama.sigmoid %u : tensor<6xf32>
  %y = trama.mul %x, %t : tensor<6xf32>, tensor<6xf32>
  return %y : tensor<6xf32>
}
