// RUN: trama-opt %s --trama-outline-kernels=small-program=0 | FileCheck %s
// RUN: trama-opt %s "--trama-outline-kernels=compiles-bodies=false" | FileCheck %s --check-prefix=EACH

// A chain is one kernel, and the same chain elsewhere is the same kernel; reshape is a name.
// CHECK-LABEL: func.func @chain
// CHECK: %[[A:.*]] = trama.dispatch @fused_0(%arg0)
// CHECK: %[[B:.*]] = trama.reshape %[[A]]
// CHECK: return %[[B]]
// EACH-LABEL: func.func @chain
// EACH-COUNT-3: trama.dispatch
// EACH-NOT: trama.dispatch
// EACH: return
func.func @chain(%x: tensor<64x32xf32> {trama.name = "x", trama.role = "input"})
    -> (tensor<2048xf32> {trama.name = "y"}) {
  %two = trama.constant dense<2.0> : tensor<f32>
  %a = trama.mul %x, %two : tensor<64x32xf32>, tensor<f32>
  %b = trama.tanh %a : tensor<64x32xf32>
  %c = trama.reshape %b : tensor<64x32xf32> -> tensor<2048xf32>
  return %c : tensor<2048xf32>
}

// CHECK-LABEL: func.func @chain_again
// CHECK: trama.dispatch @fused_0
func.func @chain_again(%x: tensor<64x32xf32> {trama.name = "z", trama.role = "input"})
    -> (tensor<64x32xf32> {trama.name = "y"}) {
  %two = trama.constant dense<2.0> : tensor<f32>
  %a = trama.mul %x, %two : tensor<64x32xf32>, tensor<f32>
  %b = trama.tanh %a : tensor<64x32xf32>
  return %b : tensor<64x32xf32>
}

// A reduction over rows takes what feeds and what follows it.
// CHECK-LABEL: func.func @rows
// CHECK-COUNT-1: trama.dispatch
// CHECK-NOT: trama.dispatch
// CHECK: return
func.func @rows(%x: tensor<64x32xf32> {trama.name = "x", trama.role = "input"})
    -> (tensor<64x32xf32> {trama.name = "y"}) {
  %e = trama.exp %x : tensor<64x32xf32>
  %s = trama.sum %e dims = [1] keepdim : tensor<64x32xf32>
  %y = trama.div %e, %s : tensor<64x32xf32>, tensor<64x1xf32>
  return %y : tensor<64x32xf32>
}

// Over columns it takes what feeds it, with the intermediate value as a second result, but not what
// follows: that would go over the rows again.
// CHECK-LABEL: func.func @columns
// CHECK: %{{.*}}:2 = trama.dispatch
// CHECK: trama.dispatch
// CHECK-NOT: trama.dispatch
// CHECK: return
func.func @columns(%x: tensor<64x32xf32> {trama.name = "x", trama.role = "input"})
    -> (tensor<64x32xf32> {trama.name = "y"}, tensor<64x32xf32> {trama.name = "z"}) {
  %e = trama.exp %x : tensor<64x32xf32>
  %s = trama.sum %e dims = [0] : tensor<64x32xf32>
  %y = trama.div %x, %s : tensor<64x32xf32>, tensor<32xf32>
  return %e, %y : tensor<64x32xf32>, tensor<64x32xf32>
}

// The residual joins the product; the table of an embedding must be in memory.
// CHECK-LABEL: func.func @epilogue
// CHECK: trama.dispatch @fused
// CHECK: trama.dispatch @matmul
// CHECK: trama.dispatch @fused
// CHECK-NOT: trama.dispatch
// CHECK: return
func.func @epilogue(
    %x: tensor<64x32xf32> {trama.name = "x", trama.role = "input"},
    %ids: tensor<7xi32> {trama.name = "ids", trama.role = "input"},
    %w: tensor<32x32xf32> {trama.name = "w", trama.role = "parameter"})
    -> (tensor<7x32xf32> {trama.name = "y"}) {
  %e = trama.exp %x : tensor<64x32xf32>
  %m = trama.matmul %e, %w : tensor<64x32xf32>, tensor<32x32xf32>
  %r = trama.add %x, %m : tensor<64x32xf32>, tensor<64x32xf32>
  %y = trama.embedding %r, %ids : tensor<64x32xf32>, tensor<7xi32>
  return %y : tensor<7x32xf32>
}

// Two sums that wait for each other cannot be one kernel.
// CHECK-LABEL: func.func @no_cycle
// CHECK-COUNT-3: trama.dispatch
func.func @no_cycle(
    %x: tensor<64x64xf32> {trama.name = "x", trama.role = "input"})
    -> (tensor<64x64xf32> {trama.name = "y"}) {
  %e = trama.exp %x : tensor<64x64xf32>
  %m = trama.matmul %e, %e : tensor<64x64xf32>, tensor<64x64xf32>
  %c = trama.cos %e : tensor<64x64xf32>
  %n = trama.matmul %c, %m : tensor<64x64xf32>, tensor<64x64xf32>
  %y = trama.mul %n, %m : tensor<64x64xf32>, tensor<64x64xf32>
  return %y : tensor<64x64xf32>
}

// A layer norm rounds its result for the product that follows, and gives it as it is too.
// CHECK-LABEL: func.func @rounded_norm
// CHECK: %[[N:.*]]:2 = trama.dispatch @layer_norm
// CHECK-NEXT: trama.dispatch @matmul{{.*}}(%[[N]]#{{.}}, %{{.*}}, %[[N]]#
// CHECK-NEXT: return
func.func @rounded_norm(
    %x: tensor<8x64xf32> {trama.name = "x", trama.role = "input"},
    %w: tensor<64xf32> {trama.name = "w", trama.role = "parameter"},
    %m: tensor<64x64xbf16> {trama.name = "m", trama.role = "parameter"})
    -> (tensor<8x64xf32> {trama.name = "y"}) {
  %n = trama.layer_norm %x, %w, %w eps = 1.0e-5 : tensor<8x64xf32>, tensor<64xf32>, tensor<64xf32>
  %c = trama.cast %n : tensor<8x64xf32> -> tensor<8x64xbf16>
  %y = trama.matmul %c, %m : tensor<8x64xbf16>, tensor<64x64xbf16>
  %z = trama.add %y, %n : tensor<8x64xf32>, tensor<8x64xf32>
  return %z : tensor<8x64xf32>
}

// A table's gradient starts from what it is added to; one addition, and nothing but an addition.
// CHECK-LABEL: func.func @table_grads
// CHECK: %[[HEAD:.*]] = trama.dispatch @matmul
// CHECK: %[[BOTH:.*]] = trama.dispatch @embedding_grad
// CHECK: %[[ALL:.*]] = trama.dispatch @fused
// CHECK-NOT: trama.dispatch
// CHECK: return %[[ALL]]
func.func @table_grads(
    %ids: tensor<7xi32> {trama.name = "ids", trama.role = "input"},
    %g: tensor<7x64xf32> {trama.name = "g", trama.role = "input"},
    %x: tensor<64x64xf32> {trama.name = "x", trama.role = "input"})
    -> (tensor<64x64xf32> {trama.name = "y"}) {
  %head = trama.matmul %x, %x : tensor<64x64xf32>, tensor<64x64xf32>
  %rows = trama.embedding_grad %g, %ids rows = 64 : tensor<7x64xf32>, tensor<7xi32>
  %both = trama.add %head, %rows : tensor<64x64xf32>, tensor<64x64xf32>
  %all = trama.add %both, %x : tensor<64x64xf32>, tensor<64x64xf32>
  return %all : tensor<64x64xf32>
}

// CHECK-LABEL: func.func @scaled_table_grad
// CHECK: trama.dispatch @embedding_grad
// CHECK: trama.dispatch @fused
// CHECK: return
func.func @scaled_table_grad(
    %ids: tensor<7xi32> {trama.name = "ids", trama.role = "input"},
    %g: tensor<7x64xf32> {trama.name = "g", trama.role = "input"},
    %x: tensor<64x64xf32> {trama.name = "x", trama.role = "input"})
    -> (tensor<64x64xf32> {trama.name = "y"}) {
  %rows = trama.embedding_grad %g, %ids rows = 64 : tensor<7x64xf32>, tensor<7xi32>
  %y = trama.mul %x, %rows : tensor<64x64xf32>, tensor<64x64xf32>
  return %y : tensor<64x64xf32>
}

// Results that are arguments, constants or given twice are copies.
// CHECK-LABEL: func.func @copies
// CHECK-COUNT-3: trama.dispatch @copy
// CHECK-NOT: trama.dispatch
// CHECK: return
func.func @copies(%x: tensor<4xf32> {trama.name = "x", trama.role = "input"})
    -> (tensor<4xf32> {trama.name = "a"}, tensor<4xf32> {trama.name = "b"},
        tensor<4xf32> {trama.name = "c"}) {
  return %x, %x, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK: func.func private @fused_0
// CHECK-NEXT: %[[C:.*]] = trama.constant dense<2.0
// CHECK-NEXT: %[[M:.*]] = trama.mul %arg0, %[[C]]
// CHECK-NEXT: %[[T:.*]] = trama.tanh %[[M]]
// CHECK-NEXT: return %[[T]]
