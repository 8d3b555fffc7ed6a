// RUN: trama-opt %s --trama-derive-decode --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @causal
// CHECK-SAME: %[[POSITION:[a-z0-9]+]]: tensor<2xi32> {trama.name = "position", trama.role = "input"}
// CHECK-SAME: %[[LENGTH:[a-z0-9]+]]: tensor<2xi32> {trama.name = "length", trama.role = "input"}
// CHECK-SAME: %[[K:[a-z0-9]+]]: tensor<2x1x9x4xf32> {trama.name = "cache:0.k", trama.role = "state"}
// CHECK-SAME: tensor<2x1x9x4xf32> {trama.name = "cache:0.v", trama.role = "state"}
// CHECK-SAME: -> (tensor<2x4xf32> {trama.name = "logits"}
// CHECK: trama.cache_update %[[K]], %{{.*}}, %[[POSITION]], %[[LENGTH]]
// CHECK: trama.attention {{.*}} position %[[POSITION]]
// CHECK: trama.gather
func.func @causal(
    %x: tensor<2x5x4xf32> {trama.name = "x", trama.role = "input", trama.sequence = 1 : i64})
    -> (tensor<2x5x4xf32> {trama.name = "y"}) attributes {trama.decode = {capacity = 9 : i64}} {
  %r = trama.reshape %x : tensor<2x5x4xf32> -> tensor<2x1x5x4xf32>
  %a, %l = trama.attention %r, %r, %r scale = 1.0 causal
    : tensor<2x1x5x4xf32>, tensor<2x1x5x4xf32>, tensor<2x1x5x4xf32>
  %y = trama.reshape %a : tensor<2x1x5x4xf32> -> tensor<2x5x4xf32>
  return %y : tensor<2x5x4xf32>
}

// -----

// All of them where there are no more.
// CHECK-LABEL: func.func @candidates
// CHECK-SAME: -> (tensor<2x4xf32> {trama.name = "logits"}, tensor<2x3xf32> {trama.name = "candidates"}, tensor<2x3xi32> {trama.name = "candidate_ids"})
// CHECK: %[[V:.*]], %[[I:.*]] = trama.top_k %[[L:.*]] k = 3 : tensor<2x4xf32>
// CHECK: return %[[L]], %[[V]], %[[I]]
func.func @candidates(
    %x: tensor<2x5x4xf32> {trama.name = "x", trama.role = "input", trama.sequence = 1 : i64})
    -> (tensor<2x5x4xf32> {trama.name = "y"})
    attributes {trama.decode = {candidates = 3 : i64, capacity = 9 : i64}} {
  %y = trama.exp %x : tensor<2x5x4xf32>
  return %y : tensor<2x5x4xf32>
}

// CHECK-LABEL: func.func @no_more_candidates
// CHECK: trama.top_k %{{.*}} k = 4 : tensor<2x4xf32>
func.func @no_more_candidates(
    %x: tensor<2x5x4xf32> {trama.name = "x", trama.role = "input", trama.sequence = 1 : i64})
    -> (tensor<2x5x4xf32> {trama.name = "y"})
    attributes {trama.decode = {candidates = 300 : i64, capacity = 9 : i64}} {
  %y = trama.exp %x : tensor<2x5x4xf32>
  return %y : tensor<2x5x4xf32>
}

// -----

// Four features are as many as positions: the axis, not the size, counts.
// CHECK-LABEL: func.func @same_size
// CHECK: trama.softmax %{{.*}} dim = 2
func.func @same_size(
    %x: tensor<2x4x4xf32> {trama.name = "x", trama.role = "input", trama.sequence = 1 : i64})
    -> (tensor<2x4x4xf32> {trama.name = "y"}) attributes {trama.decode = {capacity = 9 : i64}} {
  %y = trama.softmax %x dim = 2 : tensor<2x4x4xf32>
  return %y : tensor<2x4x4xf32>
}

// -----

func.func @over_time(
    %x: tensor<2x4x4xf32> {trama.name = "x", trama.role = "input", trama.sequence = 1 : i64})
    -> (tensor<2x4x4xf32> {trama.name = "y"}) attributes {trama.decode = {capacity = 9 : i64}} {
  // expected-error @below {{decode: softmax: the time axis is normalised over}}
  %y = trama.softmax %x dim = 1 : tensor<2x4x4xf32>
  return %y : tensor<2x4x4xf32>
}

// -----

// One head beside one position: either dimension could be the time.
func.func @one_head(
    %x: tensor<2x1x4xf32> {trama.name = "x", trama.role = "input", trama.sequence = 1 : i64})
    -> (tensor<2x1x4xf32> {trama.name = "y"}) attributes {trama.decode = {capacity = 9 : i64}} {
  %r = trama.reshape %x : tensor<2x1x4xf32> -> tensor<2x1x1x4xf32>
  // expected-error @below {{decode: attention: one position cannot be told from one head}}
  %a, %l = trama.attention %r, %r, %r scale = 1.0 causal
    : tensor<2x1x1x4xf32>, tensor<2x1x1x4xf32>, tensor<2x1x1x4xf32>
  %y = trama.reshape %a : tensor<2x1x1x4xf32> -> tensor<2x1x4xf32>
  return %y : tensor<2x1x4xf32>
}

// -----

// expected-error @below {{decode: a chunk of 4 positions does not fit in a cache of 3}}
func.func @short_cache(
    %x: tensor<2x4x4xf32> {trama.name = "x", trama.role = "input", trama.sequence = 1 : i64})
    -> (tensor<2x4x4xf32> {trama.name = "y"}) attributes {trama.decode = {capacity = 3 : i64}} {
  return %x : tensor<2x4x4xf32>
}

// -----

// Of two layers' residual the first one's is needed at every position: the last is read from it,
// and only what follows the second attention is computed for the last position alone.
// CHECK-LABEL: func.func @residual
// CHECK-COUNT-2: trama.linear {{.*}} : tensor<2x5x4xf32>
// CHECK: trama.gather {{.*}} : tensor<2x5x4xf32>
// CHECK: trama.linear {{.*}} : tensor<2x1x4xf32>
// CHECK-NOT: trama.linear
func.func @residual(
    %x: tensor<2x5x4xf32> {trama.name = "x", trama.role = "input", trama.sequence = 1 : i64},
    %w: tensor<4x4xf32> {trama.name = "w", trama.role = "parameter"})
    -> (tensor<2x5x4xf32> {trama.name = "y"}) attributes {trama.decode = {capacity = 9 : i64}} {
  %p = trama.linear %x, %w : tensor<2x5x4xf32>, tensor<4x4xf32>
  %u = trama.add %x, %p : tensor<2x5x4xf32>, tensor<2x5x4xf32>
  %h = trama.linear %u, %w : tensor<2x5x4xf32>, tensor<4x4xf32>
  %r = trama.reshape %h : tensor<2x5x4xf32> -> tensor<2x1x5x4xf32>
  %a, %l = trama.attention %r, %r, %r scale = 1.0 causal
    : tensor<2x1x5x4xf32>, tensor<2x1x5x4xf32>, tensor<2x1x5x4xf32>
  %b = trama.reshape %a : tensor<2x1x5x4xf32> -> tensor<2x5x4xf32>
  %o = trama.linear %b, %w : tensor<2x5x4xf32>, tensor<4x4xf32>
  %y = trama.add %u, %o : tensor<2x5x4xf32>, tensor<2x5x4xf32>
  return %y : tensor<2x5x4xf32>
}
