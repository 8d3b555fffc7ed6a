// Comparisons, booleans, select and cast.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @booleans
// CHECK-NEXT: return %arg0, %arg0, %arg0, %arg0
func.func @booleans(%x: tensor<3xi1>) -> (tensor<3xi1>, tensor<3xi1>, tensor<3xi1>, tensor<3xi1>) {
  %true = trama.constant dense<true> : tensor<3xi1>
  %false = trama.constant dense<false> : tensor<i1>
  %0 = trama.and %x, %true : tensor<3xi1>, tensor<3xi1>
  %1 = trama.or %x, %false : tensor<3xi1>, tensor<i1>
  %n = trama.not %x : tensor<3xi1>
  %2 = trama.not %n : tensor<3xi1>
  %3 = trama.and %x, %x : tensor<3xi1>, tensor<3xi1>
  return %0, %1, %2, %3 : tensor<3xi1>, tensor<3xi1>, tensor<3xi1>, tensor<3xi1>
}

// CHECK-LABEL: func.func @selects
// CHECK-NEXT: return %arg1, %arg2, %arg1
func.func @selects(%c: tensor<3xi1>, %x: tensor<3xf32>, %z: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %true = trama.constant dense<true> : tensor<i1>
  %false = trama.constant dense<false> : tensor<3xi1>
  %0 = trama.select %true, %x, %z : tensor<i1>, tensor<3xf32>, tensor<3xf32>
  %1 = trama.select %false, %x, %z : tensor<3xi1>, tensor<3xf32>, tensor<3xf32>
  %2 = trama.select %c, %x, %x : tensor<3xi1>, tensor<3xf32>, tensor<3xf32>
  return %0, %1, %2 : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}

// To a wider float and back is the identity; to a narrower one and back is not.
// CHECK-LABEL: func.func @casts
// CHECK: %[[N:.*]] = trama.cast %arg1 : tensor<3xf32> -> tensor<3xbf16>
// CHECK: %[[W:.*]] = trama.cast %[[N]] : tensor<3xbf16> -> tensor<3xf32>
// CHECK: return %arg0, %[[W]], %arg1
func.func @casts(%b: tensor<3xbf16>, %x: tensor<3xf32>) -> (tensor<3xbf16>, tensor<3xf32>, tensor<3xf32>) {
  %0 = trama.cast %b : tensor<3xbf16> -> tensor<3xf32>
  %1 = trama.cast %0 : tensor<3xf32> -> tensor<3xbf16>
  %2 = trama.cast %x : tensor<3xf32> -> tensor<3xbf16>
  %3 = trama.cast %2 : tensor<3xbf16> -> tensor<3xf32>
  %4 = trama.cast %x : tensor<3xf32> -> tensor<3xf32>
  return %1, %3, %4 : tensor<3xbf16>, tensor<3xf32>, tensor<3xf32>
}

//--- rejects.mlir
func.func @compared_types(%a: tensor<3xf32>, %b: tensor<3xi32>) {
  // expected-error@+1 {{'trama.compare' op element types differ: 'tensor<3xf32>', 'tensor<3xi32>'}}
  %y = trama.compare lt %a, %b : tensor<3xf32>, tensor<3xi32>
  return
}

// -----

func.func @selected_types(%c: tensor<3xi1>, %a: tensor<3xf32>, %b: tensor<3xf64>) {
  // expected-error@+1 {{'trama.select' op element types differ: 'tensor<3xf32>', 'tensor<3xf64>'}}
  %y = trama.select %c, %a, %b : tensor<3xi1>, tensor<3xf32>, tensor<3xf64>
  return
}

// -----

func.func @condition_shape(%c: tensor<2xi1>, %a: tensor<3xf32>) {
  // expected-error@+1 {{'trama.select' op operand shapes do not broadcast: 2, 3, 3}}
  %y = trama.select %c, %a, %a : tensor<2xi1>, tensor<3xf32>, tensor<3xf32>
  return
}

// -----

func.func @and_of_numbers(%a: tensor<3xi32>) {
  // expected-error@+1 {{operand #0 must be bool tensor of static shape}}
  %y = trama.and %a, %a : tensor<3xi32>, tensor<3xi32>
  return
}

// -----

func.func @cast_shape(%a: tensor<3xf32>) {
  // expected-error@+1 {{'trama.cast' op requires the same shape for all operands and results}}
  %y = trama.cast %a : tensor<3xf32> -> tensor<1x3xf64>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[1.0, 2.0, 0x7FC00000]> : tensor<3xf32>
  %c2 = trama.constant dense<[2.0, 2.0, 1.0]> : tensor<3xf32>
  %y3 = trama.compare eq %c1, %c2 : tensor<3xf32>, tensor<3xf32>
  %c4 = trama.constant dense<[false, true, false]> : tensor<3xi1>
  trama.check_close %y3, %c4 : tensor<3xi1>, tensor<3xi1>
  %y5 = trama.compare ne %c1, %c2 : tensor<3xf32>, tensor<3xf32>
  %c6 = trama.constant dense<[true, false, true]> : tensor<3xi1>
  trama.check_close %y5, %c6 : tensor<3xi1>, tensor<3xi1>
  %y7 = trama.compare lt %c1, %c2 : tensor<3xf32>, tensor<3xf32>
  %c8 = trama.constant dense<[true, false, false]> : tensor<3xi1>
  trama.check_close %y7, %c8 : tensor<3xi1>, tensor<3xi1>
  %y9 = trama.compare le %c1, %c2 : tensor<3xf32>, tensor<3xf32>
  %c10 = trama.constant dense<[true, true, false]> : tensor<3xi1>
  trama.check_close %y9, %c10 : tensor<3xi1>, tensor<3xi1>
  %y11 = trama.compare gt %c1, %c2 : tensor<3xf32>, tensor<3xf32>
  %c12 = trama.constant dense<[false, false, false]> : tensor<3xi1>
  trama.check_close %y11, %c12 : tensor<3xi1>, tensor<3xi1>
  %y13 = trama.compare ge %c1, %c2 : tensor<3xf32>, tensor<3xf32>
  %c14 = trama.constant dense<[false, true, false]> : tensor<3xi1>
  trama.check_close %y13, %c14 : tensor<3xi1>, tensor<3xi1>
  %c15 = trama.constant dense<[[true], [false]]> : tensor<2x1xi1>
  %c16 = trama.constant dense<[true, false, true]> : tensor<3xi1>
  %y17 = trama.and %c15, %c16 : tensor<2x1xi1>, tensor<3xi1>
  %c18 = trama.constant dense<[[true, false, true], [false, false, false]]> : tensor<2x3xi1>
  trama.check_close %y17, %c18 : tensor<2x3xi1>, tensor<2x3xi1>
  %y19 = trama.or %c15, %c16 : tensor<2x1xi1>, tensor<3xi1>
  %c20 = trama.constant dense<[[true, true, true], [true, false, true]]> : tensor<2x3xi1>
  trama.check_close %y19, %c20 : tensor<2x3xi1>, tensor<2x3xi1>
  %y21 = trama.not %c16 : tensor<3xi1>
  %c22 = trama.constant dense<[false, true, false]> : tensor<3xi1>
  trama.check_close %y21, %c22 : tensor<3xi1>, tensor<3xi1>
  %c23 = trama.constant dense<7.0> : tensor<f32>
  %y24 = trama.select %c16, %c2, %c23 : tensor<3xi1>, tensor<3xf32>, tensor<f32>
  %c25 = trama.constant dense<[2.0, 7.0, 1.0]> : tensor<3xf32>
  trama.check_close %y24, %c25 : tensor<3xf32>, tensor<3xf32>
  // Casts truncate; bf16 rounds to even at 8 bits; NaN becomes 0; numbers become x != 0.
  %c26 = trama.constant dense<[2.75, -2.75, 0.0]> : tensor<3xf32>
  %y27 = trama.cast %c26 : tensor<3xf32> -> tensor<3xi32>
  %c28 = trama.constant dense<[2, -2, 0]> : tensor<3xi32>
  trama.check_close %y27, %c28 : tensor<3xi32>, tensor<3xi32>
  %y29 = trama.cast %c26 : tensor<3xf32> -> tensor<3xi1>
  %c30 = trama.constant dense<[true, true, false]> : tensor<3xi1>
  trama.check_close %y29, %c30 : tensor<3xi1>, tensor<3xi1>
  %c31 = trama.constant dense<[1.00390625, 1.01171875]> : tensor<2xf32>
  %y32 = trama.cast %c31 : tensor<2xf32> -> tensor<2xbf16>
  %y33 = trama.cast %y32 : tensor<2xbf16> -> tensor<2xf32>
  %c34 = trama.constant dense<[1.0, 1.015625]> : tensor<2xf32>
  trama.check_close %y33, %c34 : tensor<2xf32>, tensor<2xf32>
  %c35 = trama.constant dense<[true, false]> : tensor<2xi1>
  %y36 = trama.cast %c35 : tensor<2xi1> -> tensor<2xf32>
  %c37 = trama.constant dense<[1.0, 0.0]> : tensor<2xf32>
  trama.check_close %y36, %c37 : tensor<2xf32>, tensor<2xf32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @select
// CHECK-DAG: trama.select %arg0, %{{.*}}, %[[ZERO:.*]] : tensor<3xi1>, tensor<3xf32>, tensor<f32>
// CHECK-DAG: trama.select %arg0, %{{.*}}, %{{.*}} : tensor<3xi1>, tensor<f32>, tensor<3xf32>
func.func @select(%c: tensor<3xi1> {trama.name = "c", trama.role = "input"}, %a: tensor<3xf32> {trama.name = "a", trama.role = "parameter"}, %b: tensor<3xf32> {trama.name = "b", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.select %c, %a, %b : tensor<3xi1>, tensor<3xf32>, tensor<3xf32>
  %loss = trama.sum %y dims = [0] : tensor<3xf32>
  return %loss : tensor<f32>
}

// CHECK-LABEL: func.func @cast
// CHECK: trama.cast %{{.*}} : tensor<3xf32> -> tensor<3xbf16>
func.func @cast(%a: tensor<3xbf16> {trama.name = "a", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.cast %a : tensor<3xbf16> -> tensor<3xf32>
  %loss = trama.sum %y dims = [0] : tensor<3xf32>
  return %loss : tensor<f32>
}
