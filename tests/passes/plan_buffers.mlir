// Programs at level "kernels", whose values get places.
// RUN: split-file %s %t
// RUN: trama-opt %t/places.mlir --trama-plan-buffers | FileCheck %t/places.mlir
// RUN: trama-opt %t/places.mlir --trama-plan-buffers=alignment=256 | FileCheck %t/places.mlir --check-prefix=WIDE
// RUN: trama-opt %t/outlined.mlir --trama-outline-kernels=compiles-bodies=false --trama-plan-buffers | FileCheck %t/outlined.mlir
// RUN: trama-opt %t/refused.mlir --split-input-file --verify-diagnostics --trama-plan-buffers
// RUN: not trama-opt %t/places.mlir --trama-plan-buffers=max-block-bytes=16 2>&1 | FileCheck %s --check-prefix=BLOCK
// RUN: not trama-opt %t/places.mlir --trama-plan-buffers=alignment=0 2>&1 | FileCheck %s --check-prefix=ZERO
// BLOCK: error: {{.*}}24 bytes
// ZERO: error: buffers cannot be aligned to 0

//--- places.mlir
// CHECK: module attributes {trama.blocks = ["state, 64 bytes", "io, 128 bytes", "arena, 128 bytes"]}
// WIDE: module attributes {trama.blocks = ["state, 256 bytes", "io, 512 bytes", "arena, 512 bytes"]}
func.func private @exp(%x: tensor<6xf32>) -> tensor<6xf32> attributes {trama.kind = "fused"} {
  %y = trama.exp %x : tensor<6xf32>
  return %y : tensor<6xf32>
}
func.func private @add(%x: tensor<6xf32>, %y: tensor<6xf32>) -> tensor<6xf32> attributes {trama.kind = "fused"} {
  %z = trama.add %x, %y : tensor<6xf32>, tensor<6xf32>
  return %z : tensor<6xf32>
}
// Reads all of x for each element.
func.func private @softmax(%x: tensor<6xf32>) -> tensor<6xf32> attributes {trama.kind = "softmax"} {
  %y = trama.softmax %x dim = 0 : tensor<6xf32>
  return %y : tensor<6xf32>
}

// An operand that dies in an elementwise kernel gives its place to the result (1, 3); one that is
// read later (0 by 2) or by a kernel that reads more than the element written (4) does not. The
// output is written where it is read from, whatever dies.
// CHECK-LABEL: func.func @forward
// CHECK-SAME: %arg0: tensor<6xf32> {trama.buffer = "block 1 (io) at 0, 24 bytes", trama.name = "x"
// WIDE-LABEL: func.func @forward
// CHECK: trama.dispatch @exp(%arg0) {trama.buffers = ["block 2 (arena) at [[A:[0-9]+]], 24 bytes"]}
// CHECK: trama.dispatch @exp(%{{.*}}) {trama.buffers = ["block 2 (arena) at [[B:[0-9]+]], 24 bytes"]}
// CHECK: trama.dispatch @add(%{{.*}}) {trama.buffers = ["block 2 (arena) at {{[0-9]+}}, 24 bytes, in place of operand {{[01]}}"]}
// CHECK: trama.dispatch @softmax(%{{.*}}) {trama.buffers = ["block 2 (arena) at {{[0-9]+}}, 24 bytes"]}
// CHECK: trama.dispatch @exp(%{{.*}}) {trama.buffers = ["block 1 (io) at 64, 24 bytes"]}
// WIDE: trama.dispatch @exp(%{{.*}}) {trama.buffers = ["block 1 (io) at 256, 24 bytes"]}
func.func @forward(%x: tensor<6xf32> {trama.name = "x", trama.role = "input"}) -> (tensor<6xf32> {trama.name = "y"}) {
  %0 = trama.dispatch @exp(%x) : (tensor<6xf32>) -> tensor<6xf32>
  %1 = trama.dispatch @exp(%0) : (tensor<6xf32>) -> tensor<6xf32>
  %2 = trama.dispatch @add(%0, %1) : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  %3 = trama.dispatch @softmax(%2) : (tensor<6xf32>) -> tensor<6xf32>
  %4 = trama.dispatch @exp(%3) : (tensor<6xf32>) -> tensor<6xf32>
  return %4 : tensor<6xf32>
}

// A new value of state goes to its place: the parameter's own dispatch may write there at once.
// CHECK-LABEL: func.func @step
// CHECK-SAME: {trama.buffer = "block 0 (state) at 0, 24 bytes", trama.name = "p"
// CHECK: trama.dispatch @add(%arg0, %arg1) {trama.buffers = ["block 0 (state) at 0, 24 bytes, in place of operand 0"]}
func.func @step(%p: tensor<6xf32> {trama.name = "p", trama.role = "parameter"}, %x: tensor<6xf32> {trama.name = "x", trama.role = "input"}) -> (tensor<6xf32> {trama.name = "p", trama.donates = 0 : i64}) {
  %0 = trama.dispatch @add(%p, %x) : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

//--- outlined.mlir
// The new value of state is written in its place where the old one is read no more.
// CHECK-LABEL: func.func @step(
// CHECK: trama.dispatch {{.*}}(%arg0, %arg1) {trama.buffers = ["block 0 (state) at 0, 24 bytes, in place of operand 0"]}
// CHECK-NEXT: return
func.func @step(%p: tensor<6xf32> {trama.name = "p", trama.role = "parameter"}, %x: tensor<6xf32> {trama.name = "x", trama.role = "input"}) -> (tensor<6xf32> {trama.name = "p", trama.donates = 0 : i64}) {
  %0 = trama.sub %p, %x : tensor<6xf32>, tensor<6xf32>
  return %0 : tensor<6xf32>
}

// The old value is read afterwards: the new one waits elsewhere and is copied.
// CHECK-LABEL: func.func @step_that_reads_on(
// CHECK: trama.dispatch @{{.*}}(%arg0, %arg1) {trama.buffers = ["block 2 (arena) at 0, 24 bytes"]}
// CHECK: trama.dispatch @{{.*}}(%arg0) {trama.buffers = ["block 1 (io) at 64, 24 bytes"]}
// CHECK: trama.dispatch @copy_6_f32(%{{.*}}) {trama.buffers = ["block 0 (state) at 0, 24 bytes"]}
func.func @step_that_reads_on(%p: tensor<6xf32> {trama.name = "p", trama.role = "parameter"}, %x: tensor<6xf32> {trama.name = "x", trama.role = "input"}) -> (tensor<6xf32> {trama.name = "p", trama.donates = 0 : i64}, tensor<6xf32> {trama.name = "y"}) {
  %0 = trama.sub %p, %x : tensor<6xf32>, tensor<6xf32>
  %1 = trama.exp %p : tensor<6xf32>
  return %0, %1 : tensor<6xf32>, tensor<6xf32>
}

//--- refused.mlir
// expected-error@below {{trama.exp in f is in no kernel: outline-kernels first}}
module {
  func.func @f(%x: tensor<6xf32> {trama.name = "x", trama.role = "input"}) -> (tensor<6xf32> {trama.name = "y"}) {
    %y = trama.exp %x : tensor<6xf32>
    return %y : tensor<6xf32>
  }
}

// -----

// expected-error@below {{argument 0 of f has no trama.name or trama.role}}
module {
  func.func @f(%x: tensor<6xf32>) {
    return
  }
}

// -----

// expected-error@below {{p: tensor<5xf32> in g, but tensor<6xf32> in an earlier program}}
module {
  func.func @f(%p: tensor<6xf32> {trama.name = "p", trama.role = "parameter"}) {
    return
  }
  func.func @g(%p: tensor<5xf32> {trama.name = "p", trama.role = "parameter"}) {
    return
  }
}

// -----

// expected-error@below {{result 0 of f takes the place of no argument}}
module {
  func.func @f(%p: tensor<6xf32> {trama.name = "p", trama.role = "parameter"}) -> (tensor<6xf32> {trama.name = "p", trama.donates = 9 : i64}) {
    return %p : tensor<6xf32>
  }
}
