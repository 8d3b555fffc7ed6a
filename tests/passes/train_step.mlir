// RUN: trama-opt %s --trama-train-step --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @adamw
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4x2xf32> {trama.name = "w", trama.role = "parameter"}
// CHECK-SAME: tensor<f32> {trama.name = "lr", trama.role = "scalar"}
// CHECK-SAME: tensor<4x2xf32> {trama.name = "optimizer:m.w", trama.role = "state"}
// CHECK-SAME: tensor<4x2xf32> {trama.name = "optimizer:v.w", trama.role = "state"}
// CHECK-SAME: -> (tensor<f32> {trama.name = "loss"}, tensor<f32> {trama.name = "grad_norm"}, tensor<i1> {trama.name = "finite"}, tensor<4x2xf32> {trama.donates = 1 : i64, trama.name = "w"}
// CHECK-NOT: trama.optimizer
// The decay is the matrix's alone.
// CHECK: trama.square_sum
// CHECK: trama.adam %[[W]]
// CHECK-SAME: decoupled
// CHECK-SAME: weight_decay = 1.000000e-01
// CHECK: trama.adam
// CHECK-SAME: weight_decay = 0.000000e+00
func.func @adamw(
    %l: tensor<f32> {trama.name = "x", trama.role = "input"},
    %w: tensor<4x2xf32> {trama.name = "w", trama.role = "parameter"},
    %b: tensor<2xf32> {trama.name = "b", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}, tensor<4x2xf32> {trama.name = "grad.w"},
        tensor<2xf32> {trama.name = "grad.b"})
    attributes {trama.optimizer = {kind = "adamw", beta1 = 0.9, beta2 = 0.999, eps = 1.0e-8,
                                   weight_decay = 0.1, clip_norm = 0.0}} {
  return %l, %w, %b : tensor<f32>, tensor<4x2xf32>, tensor<2xf32>
}

// -----

// CHECK-LABEL: func.func @accumulate
// CHECK-SAME: -> (tensor<2xf32> {trama.donates = 2 : i64, trama.name = "accumulated:grad.b"}, tensor<f32> {trama.donates = 3 : i64, trama.name = "accumulated:loss"}, tensor<f32> {trama.donates = 4 : i64, trama.name = "accumulated:weight"})
// CHECK-COUNT-3: trama.add
func.func @accumulate(
    %l: tensor<f32> {trama.name = "x", trama.role = "input"},
    %b: tensor<2xf32> {trama.name = "b", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}, tensor<f32> {trama.name = "weight"},
        tensor<2xf32> {trama.name = "grad.b"}) attributes {trama.accumulate} {
  return %l, %l, %b : tensor<f32>, tensor<f32>, tensor<2xf32>
}

// -----

// expected-error @below {{train: there is no parameter to train}}
func.func @nothing(%l: tensor<f32> {trama.name = "x", trama.role = "input"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {trama.optimizer = {kind = "sgd"}} {
  return %l : tensor<f32>
}
