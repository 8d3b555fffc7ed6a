// Pointwise ops of two operands, with broadcasting.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @identities
// CHECK-NEXT: return %arg0, %arg0, %arg0, %arg0, %arg0, %arg0
func.func @identities(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %zero = trama.constant dense<0.0> : tensor<f32>
  %one = trama.constant dense<1.0> : tensor<3xf32>
  %0 = trama.add %x, %zero : tensor<2x3xf32>, tensor<f32>
  %1 = trama.add %zero, %x : tensor<f32>, tensor<2x3xf32>
  %2 = trama.sub %x, %zero : tensor<2x3xf32>, tensor<f32>
  %3 = trama.mul %one, %x : tensor<3xf32>, tensor<2x3xf32>
  %4 = trama.div %x, %one : tensor<2x3xf32>, tensor<3xf32>
  %5 = trama.max %x, %x : tensor<2x3xf32>, tensor<2x3xf32>
  return %0, %1, %2, %3, %4, %5 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// The result is larger than x: adding 0 repeats it.
// CHECK-LABEL: func.func @not_an_identity
// CHECK: trama.add
func.func @not_an_identity(%x: tensor<3xf32>) -> tensor<2x3xf32> {
  %zero = trama.constant dense<0.0> : tensor<2x3xf32>
  %0 = trama.add %x, %zero : tensor<3xf32>, tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @negations
// CHECK: %[[A:.*]] = trama.sub %arg0, %arg1
// CHECK: %[[B:.*]] = trama.sub %arg0, %arg1
// CHECK: %[[C:.*]] = trama.add %arg0, %arg1
// CHECK: %[[D:.*]] = trama.neg %arg0
// CHECK: %[[E:.*]] = trama.neg %arg0
// CHECK: return %[[A]], %[[B]], %[[C]], %[[D]], %[[E]]
func.func @negations(%x: tensor<3xf32>, %z: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %zero = trama.constant dense<0.0> : tensor<f32>
  %minus_one = trama.constant dense<-1.0> : tensor<f32>
  %n = trama.neg %z : tensor<3xf32>
  %0 = trama.add %x, %n : tensor<3xf32>, tensor<3xf32>
  %1 = trama.add %n, %x : tensor<3xf32>, tensor<3xf32>
  %2 = trama.sub %x, %n : tensor<3xf32>, tensor<3xf32>
  %3 = trama.sub %zero, %x : tensor<f32>, tensor<3xf32>
  %4 = trama.mul %x, %minus_one : tensor<3xf32>, tensor<f32>
  return %0, %1, %2, %3, %4 : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @powers
// CHECK-NOT: trama.pow
// CHECK: trama.mul %arg0, %arg0
// CHECK: trama.sqrt %arg0
// CHECK: trama.rsqrt %arg0
// CHECK: trama.div
// CHECK: trama.pow %arg0
func.func @powers(%x: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %2 = trama.constant dense<2.0> : tensor<f32>
  %h = trama.constant dense<0.5> : tensor<f32>
  %mh = trama.constant dense<-0.5> : tensor<f32>
  %m1 = trama.constant dense<-1.0> : tensor<f32>
  %o = trama.constant dense<1.7> : tensor<f32>
  %a = trama.pow %x, %2 : tensor<3xf32>, tensor<f32>
  %b = trama.pow %x, %h : tensor<3xf32>, tensor<f32>
  %c = trama.pow %x, %mh : tensor<3xf32>, tensor<f32>
  %d = trama.pow %x, %m1 : tensor<3xf32>, tensor<f32>
  %e = trama.pow %x, %o : tensor<3xf32>, tensor<f32>
  return %a, %b, %c, %d, %e : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @broadcast_is_the_ops_own
// CHECK-NEXT: trama.mul %arg0, %arg1 : tensor<2x3xf32>, tensor<3xf32>
func.func @broadcast_is_the_ops_own(%x: tensor<2x3xf32>, %z: tensor<3xf32>) -> tensor<2x3xf32> {
  %b = trama.broadcast %z : tensor<3xf32> -> tensor<2x3xf32>
  %0 = trama.mul %x, %b : tensor<2x3xf32>, tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Without the broadcast the result would be smaller.
// CHECK-LABEL: func.func @broadcast_stays
// CHECK: trama.broadcast
func.func @broadcast_stays(%x: tensor<3xf32>, %z: tensor<3xf32>) -> tensor<2x3xf32> {
  %b = trama.broadcast %z : tensor<3xf32> -> tensor<2x3xf32>
  %0 = trama.mul %x, %b : tensor<3xf32>, tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

//--- rejects.mlir
func.func @shapes(%a: tensor<2x3xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{'trama.add' op operand shapes do not broadcast: 2x3, 2}}
  %y = trama.add %a, %b : tensor<2x3xf32>, tensor<2xf32>
  return
}

// -----

func.func @types(%a: tensor<3xf32>, %b: tensor<3xf64>) {
  // expected-error@+1 {{'trama.mul' op element types differ: 'tensor<3xf32>', 'tensor<3xf64>'}}
  %y = trama.mul %a, %b : tensor<3xf32>, tensor<3xf64>
  return
}

// -----

func.func @powers_of_integers(%a: tensor<3xi32>) {
  // expected-error@+1 {{operand #0 must be float (f32, f64, bf16, f16) tensor}}
  %y = trama.pow %a, %a : tensor<3xi32>, tensor<3xi32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]]> : tensor<2x3xf32>
  %c2 = trama.constant dense<[2.0, -3.0, 0.5]> : tensor<3xf32>
  %y3 = trama.add %c1, %c2 : tensor<2x3xf32>, tensor<3xf32>
  %c4 = trama.constant dense<[[3.0, -5.0, 3.5], [6.0, 2.0, -5.5]]> : tensor<2x3xf32>
  trama.check_close %y3, %c4 : tensor<2x3xf32>, tensor<2x3xf32>
  %y5 = trama.sub %c1, %c2 : tensor<2x3xf32>, tensor<3xf32>
  %c6 = trama.constant dense<[[-1.0, 1.0, 2.5], [2.0, 8.0, -6.5]]> : tensor<2x3xf32>
  trama.check_close %y5, %c6 : tensor<2x3xf32>, tensor<2x3xf32>
  %y7 = trama.mul %c1, %c2 : tensor<2x3xf32>, tensor<3xf32>
  %c8 = trama.constant dense<[[2.0, 6.0, 1.5], [8.0, -15.0, -3.0]]> : tensor<2x3xf32>
  trama.check_close %y7, %c8 : tensor<2x3xf32>, tensor<2x3xf32>
  %y9 = trama.div %c1, %c2 : tensor<2x3xf32>, tensor<3xf32>
  %c10 = trama.constant dense<[[0.5, 0.666666667, 6.0], [2.0, -1.66666667, -12.0]]> : tensor<2x3xf32>
  trama.check_close %y9, %c10 : tensor<2x3xf32>, tensor<2x3xf32>
  %y11 = trama.max %c1, %c2 : tensor<2x3xf32>, tensor<3xf32>
  %c12 = trama.constant dense<[[2.0, -2.0, 3.0], [4.0, 5.0, 0.5]]> : tensor<2x3xf32>
  trama.check_close %y11, %c12 : tensor<2x3xf32>, tensor<2x3xf32>
  %y13 = trama.min %c1, %c2 : tensor<2x3xf32>, tensor<3xf32>
  %c14 = trama.constant dense<[[1.0, -3.0, 0.5], [2.0, -3.0, -6.0]]> : tensor<2x3xf32>
  trama.check_close %y13, %c14 : tensor<2x3xf32>, tensor<2x3xf32>
  // A column against a row.
  %c15 = trama.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %y16 = trama.sub %c15, %c2 : tensor<2x1xf32>, tensor<3xf32>
  %c17 = trama.constant dense<[[-1.0, 4.0, 0.5], [0.0, 5.0, 1.5]]> : tensor<2x3xf32>
  trama.check_close %y16, %c17 : tensor<2x3xf32>, tensor<2x3xf32>
  %c18 = trama.constant dense<[0.5, 2.0, 0.0]> : tensor<3xf32>
  %c19 = trama.constant dense<[2.0, -1.5, 0.0]> : tensor<3xf32>
  %y20 = trama.pow %c18, %c19 : tensor<3xf32>, tensor<3xf32>
  %c21 = trama.constant dense<[0.25, 0.353553391, 1.0]> : tensor<3xf32>
  trama.check_close %y20, %c21 : tensor<3xf32>, tensor<3xf32>
  // Integers wrap, divide towards zero, and x / 0 = 0.
  %c22 = trama.constant dense<[2147483647, -7, 5]> : tensor<3xi32>
  %c23 = trama.constant dense<[1, 2, 0]> : tensor<3xi32>
  %y24 = trama.add %c22, %c23 : tensor<3xi32>, tensor<3xi32>
  %c25 = trama.constant dense<[-2147483648, -5, 5]> : tensor<3xi32>
  trama.check_close %y24, %c25 : tensor<3xi32>, tensor<3xi32>
  %y26 = trama.div %c22, %c23 : tensor<3xi32>, tensor<3xi32>
  %c27 = trama.constant dense<[2147483647, -3, 0]> : tensor<3xi32>
  trama.check_close %y26, %c27 : tensor<3xi32>, tensor<3xi32>
  // NaN wins in max and min.
  %c28 = trama.constant dense<[0x7FC00000, 1.0]> : tensor<2xf32>
  %c29 = trama.constant dense<[1.0, 0x7FC00000]> : tensor<2xf32>
  %y30 = trama.max %c28, %c29 : tensor<2xf32>, tensor<2xf32>
  %c31 = trama.constant dense<[0x7FC00000, 0x7FC00000]> : tensor<2xf32>
  trama.check_close %y30, %c31 : tensor<2xf32>, tensor<2xf32>
  %y32 = trama.min %c28, %c29 : tensor<2xf32>, tensor<2xf32>
  %c33 = trama.constant dense<[0x7FC00000, 0x7FC00000]> : tensor<2xf32>
  trama.check_close %y32, %c33 : tensor<2xf32>, tensor<2xf32>
  return
}

//--- gradient.mlir
// What was repeated is summed.
// CHECK-LABEL: func.func @broadcast
// CHECK-DAG: trama.sum %{{.*}} dims = [0] : tensor<2x3xf32>
// CHECK-DAG: trama.sum %{{.*}} dims = [1] : tensor<2x3xf32>
// CHECK-DAG: trama.reshape %{{.*}} : tensor<2xf32> -> tensor<2x1xf32>
func.func @broadcast(%a: tensor<2x1xf32> {trama.name = "a", trama.role = "parameter"}, %b: tensor<3xf32> {trama.name = "b", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.mul %a, %b : tensor<2x1xf32>, tensor<3xf32>
  %loss = trama.sum %y dims = [0, 1] : tensor<2x3xf32>
  return %loss : tensor<f32>
}

// Half of the gradient goes to each side of a tie.
// CHECK-LABEL: func.func @tie
// CHECK: trama.compare gt %arg0, %arg1
// CHECK: trama.compare gt %arg1, %arg0
func.func @tie(%a: tensor<3xf32> {trama.name = "a", trama.role = "parameter"}, %b: tensor<3xf32> {trama.name = "b", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.max %a, %b : tensor<3xf32>, tensor<3xf32>
  %loss = trama.sum %y dims = [0] : tensor<3xf32>
  return %loss : tensor<f32>
}
