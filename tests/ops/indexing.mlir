// embedding, embedding_grad, gather and cache_update.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @shapes
// CHECK: trama.embedding %arg0, %arg1 : tensor<9x4xf32>, tensor<2x3xi32>
// CHECK: return {{.*}} : tensor<2x3x4xf32>, tensor<9x2xf32>
func.func @shapes(%table: tensor<9x4xf32>, %ids: tensor<2x3xi32>, %index: tensor<9x2xi64>) -> (tensor<2x3x4xf32>, tensor<9x2xf32>) {
  %0 = trama.embedding %table, %ids : tensor<9x4xf32>, tensor<2x3xi32>
  %1 = trama.gather %table, %index dim = 1 : tensor<9x4xf32>, tensor<9x2xi64>
  return %0, %1 : tensor<2x3x4xf32>, tensor<9x2xf32>
}

//--- rejects.mlir
func.func @table(%table: tensor<9xf32>, %ids: tensor<2xi32>) {
  // expected-error@+1 {{'trama.embedding' op table must be [V, D], not 'tensor<9xf32>'}}
  %y = trama.embedding %table, %ids : tensor<9xf32>, tensor<2xi32>
  return
}

// -----

func.func @ids(%table: tensor<9x2xf32>, %ids: tensor<2xf32>) {
  // expected-error@+1 {{operand #1 must be integer (i32, i64, i8) tensor}}
  %y = trama.embedding %table, %ids : tensor<9x2xf32>, tensor<2xf32>
  return
}

// -----

func.func @grad(%g: tensor<2x4xf32>, %ids: tensor<3xi32>) {
  // expected-error@+1 {{'trama.embedding_grad' op grad 'tensor<2x4xf32>' is not shape(ids) x D for ids 'tensor<3xi32>'}}
  %y = trama.embedding_grad %g, %ids rows = 5 : tensor<2x4xf32>, tensor<3xi32>
  return
}

// -----

func.func @gather(%x: tensor<2x4xf32>, %index: tensor<3x1xi32>) {
  // expected-error@+1 {{'trama.gather' op index 'tensor<3x1xi32>' must have the sizes of 'tensor<2x4xf32>' but for dim 1 (C1)}}
  %y = trama.gather %x, %index dim = 1 : tensor<2x4xf32>, tensor<3x1xi32>
  return
}

// -----

func.func @cache(%c: tensor<1x2x8x4xf32>, %x: tensor<1x2x3x5xf32>, %p: tensor<1xi32>) {
  // expected-error@+1 {{'trama.cache_update' op cache 'tensor<1x2x8x4xf32>' must be [B, H, S, D] with x [B, H, C, D], not 'tensor<1x2x3x5xf32>'}}
  %y = trama.cache_update %c, %x, %p, %p : tensor<1x2x8x4xf32>, tensor<1x2x3x5xf32>, tensor<1xi32>, tensor<1xi32>
  return
}

// -----

func.func @position(%c: tensor<1x2x8x4xf32>, %x: tensor<1x2x3x4xf32>, %p: tensor<2xi32>) {
  // expected-error@+1 {{'trama.cache_update' op position and length must be i32 [B], not 'tensor<2xi32>'}}
  %y = trama.cache_update %c, %x, %p, %p : tensor<1x2x8x4xf32>, tensor<1x2x3x4xf32>, tensor<2xi32>, tensor<2xi32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %c2 = trama.constant dense<[[2, 0], [2, 7]]> : tensor<2x2xi32>
  %y3 = trama.embedding %c1, %c2 : tensor<3x2xf32>, tensor<2x2xi32>
  %c4 = trama.constant dense<[[[5.0, 6.0], [1.0, 2.0]], [[5.0, 6.0], [0.0, 0.0]]]> : tensor<2x2x2xf32>
  trama.check_close %y3, %c4 : tensor<2x2x2xf32>, tensor<2x2x2xf32>
  %c5 = trama.constant dense<[[[1.0, 10.0], [2.0, 20.0]], [[4.0, 40.0], [8.0, 80.0]]]> : tensor<2x2x2xf32>
  // Row 2 was picked twice; the id 7 is out of range and adds nothing.
  %y6 = trama.embedding_grad %c5, %c2 rows = 3 : tensor<2x2x2xf32>, tensor<2x2xi32>
  %c7 = trama.constant dense<[[2.0, 20.0], [0.0, 0.0], [5.0, 50.0]]> : tensor<3x2xf32>
  trama.check_close %y6, %c7 : tensor<3x2xf32>, tensor<3x2xf32>
  %c8 = trama.constant dense<[[1], [0], [-1]]> : tensor<3x1xi64>
  %y9 = trama.gather %c1, %c8 dim = 1 : tensor<3x2xf32>, tensor<3x1xi64>
  %c10 = trama.constant dense<[[2.0], [3.0], [0.0]]> : tensor<3x1xf32>
  trama.check_close %y9, %c10 : tensor<3x1xf32>, tensor<3x1xf32>
  %c11 = trama.constant dense<[[2, 0]]> : tensor<1x2xi32>
  %y12 = trama.gather %c1, %c11 dim = 0 : tensor<3x2xf32>, tensor<1x2xi32>
  %c13 = trama.constant dense<[[5.0, 2.0]]> : tensor<1x2xf32>
  trama.check_close %y12, %c13 : tensor<1x2xf32>, tensor<1x2xf32>
  // Row 0 writes two entries at 1, row 1 one of two at 2; an entry beyond the end is dropped.
  %c14 = trama.constant dense<[[[[0.5], [0.5], [0.5]]], [[[0.5], [0.5], [0.5]]], [[[0.5], [0.5], [0.5]]]]> : tensor<3x1x3x1xf32>
  %c15 = trama.constant dense<[[[[1.0], [2.0]]], [[[3.0], [4.0]]], [[[5.0], [6.0]]]]> : tensor<3x1x2x1xf32>
  %c16 = trama.constant dense<[1, 2, 2]> : tensor<3xi32>
  %c17 = trama.constant dense<[2, 1, 2]> : tensor<3xi32>
  %y18 = trama.cache_update %c14, %c15, %c16, %c17 : tensor<3x1x3x1xf32>, tensor<3x1x2x1xf32>, tensor<3xi32>, tensor<3xi32>
  %c19 = trama.constant dense<[[[[0.5], [1.0], [2.0]]], [[[0.5], [0.5], [3.0]]], [[[0.5], [0.5], [5.0]]]]> : tensor<3x1x3x1xf32>
  trama.check_close %y18, %c19 : tensor<3x1x3x1xf32>, tensor<3x1x3x1xf32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @embedding
// CHECK: trama.embedding_grad %{{.*}}, %arg1 rows = 9 : tensor<2x3x4xf32>, tensor<2x3xi32>
func.func @embedding(%w: tensor<9x4xf32> {trama.name = "w", trama.role = "parameter"}, %ids: tensor<2x3xi32> {trama.name = "ids", trama.role = "input"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.embedding %w, %ids : tensor<9x4xf32>, tensor<2x3xi32>
  %loss = trama.sum %y dims = [0, 1, 2] : tensor<2x3x4xf32>
  return %loss : tensor<f32>
}

// One element a row: no sum.
// CHECK-LABEL: func.func @pick
// CHECK: %[[I:.*]] = trama.iota dim = 1 : tensor<5x4xi32>
// CHECK: trama.compare eq %[[I]], %arg1 : tensor<5x4xi32>, tensor<5x1xi32>
// CHECK-NOT: trama.sum
// CHECK: return
func.func @pick(%x: tensor<5x4xf32> {trama.name = "x", trama.role = "parameter"}, %i: tensor<5x1xi32> {trama.name = "i", trama.role = "input"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.gather %x, %i dim = 1 : tensor<5x4xf32>, tensor<5x1xi32>
  %loss = trama.sum %y dims = [0, 1] : tensor<5x1xf32>
  return %loss : tensor<f32>
}
