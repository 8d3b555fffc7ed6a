// The plan of two programs: kernels, buffers, dispatches and names, in protobuf's text format.
// RUN: split-file %s %t
// RUN: trama-opt %t/plan.mlir --trama-emit-plan | FileCheck %t/plan.mlir
// RUN: trama-opt %t/refused.mlir --verify-diagnostics --trama-emit-plan

//--- plan.mlir
// CHECK: version: 1
// The state, inputs and outputs; nothing is in an arena.
// CHECK-NEXT: blocks {
// CHECK-NEXT: bytes: 64
// CHECK-NEXT: }
// CHECK-NEXT: blocks {
// CHECK-NEXT: kind: IO
// CHECK-NEXT: bytes: 128
// CHECK-NEXT: }
// The two bodies are one kernel.
// CHECK-NEXT: kernels {
// CHECK-NEXT: kind: "fused"
// CHECK-NOT: body:
// CHECK: op: "mul"
// CHECK: may_alias {
// CHECK-NOT: kernels {
// CHECK: buffers {
// CHECK: programs {
// CHECK-NEXT: name: "forward"
// CHECK: dispatches {
// CHECK: label: "layer"
// CHECK: inputs {
// CHECK-NEXT: name: "x"
// CHECK: role: "input"
// CHECK: outputs {
// CHECK-NEXT: name: "y"
// CHECK: programs {
// CHECK-NEXT: name: "step"
// State's new value is no output.
// CHECK-NOT: outputs {
// CHECK: module {
// CHECK: func.func @forward
func.func private @scale(%x: tensor<6xf32>, %y: tensor<6xf32>) -> tensor<6xf32> attributes {trama.kind = "fused"} {
  %z = trama.mul %x, %y : tensor<6xf32>, tensor<6xf32>
  return %z : tensor<6xf32>
}
func.func private @scale_again(%x: tensor<6xf32>, %y: tensor<6xf32>) -> tensor<6xf32> attributes {trama.kind = "fused"} {
  %z = trama.mul %x, %y : tensor<6xf32>, tensor<6xf32>
  return %z : tensor<6xf32>
}
func.func @forward(%x: tensor<6xf32> {trama.name = "x", trama.role = "input"}, %w: tensor<6xf32> {trama.name = "layer.weight", trama.role = "parameter"}) -> (tensor<6xf32> {trama.name = "y"}) {
  %0 = trama.dispatch @scale(%x, %w) : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}
func.func @step(%x: tensor<6xf32> {trama.name = "x", trama.role = "input"}, %w: tensor<6xf32> {trama.name = "layer.weight", trama.role = "parameter"}) -> (tensor<6xf32> {trama.name = "layer.weight", trama.donates = 1 : i64}) {
  %0 = trama.dispatch @scale_again(%x, %w) : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

//--- refused.mlir
// expected-error@below {{trama.exp in f is in no kernel: outline-kernels first}}
module {
  func.func @f(%x: tensor<6xf32> {trama.name = "x", trama.role = "input"}) -> (tensor<6xf32> {trama.name = "y"}) {
    %y = trama.exp %x : tensor<6xf32>
    return %y : tensor<6xf32>
  }
}
