// dispatch and check_close.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/outlined.mlir --trama-outline-kernels --run-main=reference | FileCheck %t/outlined.mlir
// RUN: not trama-opt %t/off.mlir --run-main=reference 2>&1 | FileCheck %t/off.mlir
// RUN: not trama-opt %t/off.mlir --run-main=nothing 2>&1 | FileCheck %t/off.mlir --check-prefix=BACKEND
// RUN: not trama-opt %t/accepts.mlir --run-main=reference 2>&1 | FileCheck %t/accepts.mlir --check-prefix=MAIN

//--- accepts.mlir
// MAIN: --run-main: there is no function @main without arguments

func.func private @double(%x: tensor<2x3xf32>) -> tensor<2x3xf32> attributes {trama.kind = "fused"} {
  %y = trama.add %x, %x : tensor<2x3xf32>, tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// A dispatch is pure: one whose result nobody needs goes.
// CHECK-LABEL: func.func @calls
// CHECK-NEXT: trama.dispatch @double(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: return
func.func @calls(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = trama.dispatch @double(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = trama.dispatch @double(%0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

//--- rejects.mlir
func.func @missing(%x: tensor<3xf32>) {
  // expected-error@+1 {{'trama.dispatch' op there is no kernel @nowhere}}
  %0 = trama.dispatch @nowhere(%x) : (tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func private @kernel(%x: tensor<3xf32>) -> tensor<3xf32> attributes {trama.kind = "fused"} {
  return %x : tensor<3xf32>
}
func.func @signature(%x: tensor<2xf32>) {
  // expected-error@+1 {{'trama.dispatch' op kernel @kernel is '(tensor<3xf32>) -> tensor<3xf32>', called as '(tensor<2xf32>) -> tensor<2xf32>'}}
  %0 = trama.dispatch @kernel(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func private @kernel(%x: tensor<3xf32>) -> tensor<3xf32> {
  return %x : tensor<3xf32>
}
func.func @kind(%x: tensor<3xf32>) {
  // expected-error@+1 {{'trama.dispatch' op kernel @kernel has no attribute trama.kind}}
  %0 = trama.dispatch @kernel(%x) : (tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @types(%x: tensor<3xf32>, %z: tensor<3xf64>) {
  // expected-error@+1 {{'trama.check_close' op got 'tensor<3xf32>' and want 'tensor<3xf64>' must have one type}}
  trama.check_close %x, %z : tensor<3xf32>, tensor<3xf64>
  return
}

//--- values.mlir
func.func private @double(%x: tensor<2xf32>) -> tensor<2xf32> attributes {trama.kind = "fused"} {
  %y = trama.add %x, %x : tensor<2xf32>, tensor<2xf32>
  return %y : tensor<2xf32>
}
func.func @main() {
  %x = trama.constant dense<[1.0, 0x7F800000]> : tensor<2xf32>
  %y = trama.dispatch @double(%x) : (tensor<2xf32>) -> tensor<2xf32>
  %w = trama.constant dense<[2.001, 0x7F800000]> : tensor<2xf32>
  trama.check_close %y, %w {atol = 2.0e-03 : f64} : tensor<2xf32>, tensor<2xf32>
  return
}

//--- outlined.mlir
// The checks stay behind the dispatches.
// CHECK-LABEL: func.func @main
// CHECK: %[[Y:.*]] = trama.dispatch @
// CHECK: trama.check_close %[[Y]]
func.func @main() {
  %x = trama.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %y = trama.exp %x : tensor<2xf32>
  %w = trama.constant dense<[2.71828183, 7.3890561]> : tensor<2xf32>
  trama.check_close %y, %w : tensor<2xf32>, tensor<2xf32>
  return
}

//--- off.mlir
// CHECK: off.mlir:[[# @LINE + 6]]: check_close: element [1, 0] is 3, wanted 3.5; 1 are off
// BACKEND: --run-main: no backend "nothing"
func.func @main() {
  %x = trama.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %w = trama.constant dense<[[1.0, 2.0], [3.5, 4.0]]> : tensor<2x2xf32>

  trama.check_close %x, %w : tensor<2x2xf32>, tensor<2x2xf32>
  return
}
