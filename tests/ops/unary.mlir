// Pointwise ops of one operand.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @double_negation
// CHECK-NEXT: return %arg0
func.func @double_negation(%x: tensor<3xf32>) -> tensor<3xf32> {
  %0 = trama.neg %x : tensor<3xf32>
  %1 = trama.neg %0 : tensor<3xf32>
  return %1 : tensor<3xf32>
}

// CHECK-LABEL: func.func @abs_of_abs
// CHECK-COUNT-1: trama.abs
// CHECK-NEXT: return
func.func @abs_of_abs(%x: tensor<3xi32>) -> tensor<3xi32> {
  %0 = trama.abs %x : tensor<3xi32>
  %1 = trama.abs %0 : tensor<3xi32>
  return %1 : tensor<3xi32>
}

// CHECK-LABEL: func.func @floor_of_floor
// CHECK-COUNT-1: trama.floor
// CHECK-NEXT: return
func.func @floor_of_floor(%x: tensor<3xf32>) -> tensor<3xf32> {
  %0 = trama.floor %x : tensor<3xf32>
  %1 = trama.floor %0 : tensor<3xf32>
  return %1 : tensor<3xf32>
}

// A splat folds at any size, other constants up to 4096 elements.
// CHECK-LABEL: func.func @constants
// CHECK-DAG: dense<2.000000e+00> : tensor<100x1000xf32>
// CHECK-DAG: dense<[1.000000e+00, 3.000000e+00]> : tensor<2xf32>
// CHECK-NOT: trama.sqrt
func.func @constants() -> (tensor<100x1000xf32>, tensor<2xf32>) {
  %0 = trama.constant dense<4.0> : tensor<100x1000xf32>
  %1 = trama.sqrt %0 : tensor<100x1000xf32>
  %2 = trama.constant dense<[1.0, 9.0]> : tensor<2xf32>
  %3 = trama.sqrt %2 : tensor<2xf32>
  return %1, %3 : tensor<100x1000xf32>, tensor<2xf32>
}

//--- rejects.mlir
func.func @exp_of_integers(%x: tensor<3xi32>) {
  // expected-error@+1 {{operand #0 must be float (f32, f64, bf16, f16) tensor}}
  %y = trama.exp %x : tensor<3xi32>
  return
}

// -----

func.func @dynamic(%x: tensor<?xf32>) {
  // expected-error@+1 {{operand #0 must be float or integer tensor of static shape}}
  %y = trama.neg %x : tensor<?xf32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[-2.0, -0.5, 0.25, 1.5]> : tensor<4xf32>
  %y2 = trama.neg %c1 : tensor<4xf32>
  %c3 = trama.constant dense<[2.0, 0.5, -0.25, -1.5]> : tensor<4xf32>
  trama.check_close %y2, %c3 : tensor<4xf32>, tensor<4xf32>
  %y4 = trama.abs %c1 : tensor<4xf32>
  %c5 = trama.constant dense<[2.0, 0.5, 0.25, 1.5]> : tensor<4xf32>
  trama.check_close %y4, %c5 : tensor<4xf32>, tensor<4xf32>
  %y6 = trama.sign %c1 : tensor<4xf32>
  %c7 = trama.constant dense<[-1.0, -1.0, 1.0, 1.0]> : tensor<4xf32>
  trama.check_close %y6, %c7 : tensor<4xf32>, tensor<4xf32>
  %y8 = trama.exp %c1 : tensor<4xf32>
  %c9 = trama.constant dense<[0.135335283, 0.60653066, 1.28402542, 4.48168907]> : tensor<4xf32>
  trama.check_close %y8, %c9 : tensor<4xf32>, tensor<4xf32>
  %y10 = trama.tanh %c1 : tensor<4xf32>
  %c11 = trama.constant dense<[-0.96402758, -0.462117157, 0.244918662, 0.905148254]> : tensor<4xf32>
  trama.check_close %y10, %c11 : tensor<4xf32>, tensor<4xf32>
  %y12 = trama.sigmoid %c1 : tensor<4xf32>
  %c13 = trama.constant dense<[0.119202922, 0.377540669, 0.562176501, 0.817574476]> : tensor<4xf32>
  trama.check_close %y12, %c13 : tensor<4xf32>, tensor<4xf32>
  %y14 = trama.erf %c1 : tensor<4xf32>
  %c15 = trama.constant dense<[-0.995322265, -0.520499878, 0.27632639, 0.966105146]> : tensor<4xf32>
  trama.check_close %y14, %c15 : tensor<4xf32>, tensor<4xf32>
  %y16 = trama.sin %c1 : tensor<4xf32>
  %c17 = trama.constant dense<[-0.909297427, -0.479425539, 0.247403959, 0.997494987]> : tensor<4xf32>
  trama.check_close %y16, %c17 : tensor<4xf32>, tensor<4xf32>
  %y18 = trama.cos %c1 : tensor<4xf32>
  %c19 = trama.constant dense<[-0.416146837, 0.877582562, 0.968912422, 0.0707372017]> : tensor<4xf32>
  trama.check_close %y18, %c19 : tensor<4xf32>, tensor<4xf32>
  %y20 = trama.floor %c1 : tensor<4xf32>
  %c21 = trama.constant dense<[-2.0, -1.0, 0.0, 1.0]> : tensor<4xf32>
  trama.check_close %y20, %c21 : tensor<4xf32>, tensor<4xf32>
  %c22 = trama.constant dense<[0.25, 1.0, 3.0]> : tensor<3xf32>
  %y23 = trama.log %c22 : tensor<3xf32>
  %c24 = trama.constant dense<[-1.38629436, 0.0, 1.09861229]> : tensor<3xf32>
  trama.check_close %y23, %c24 : tensor<3xf32>, tensor<3xf32>
  %y25 = trama.sqrt %c22 : tensor<3xf32>
  %c26 = trama.constant dense<[0.5, 1.0, 1.73205081]> : tensor<3xf32>
  trama.check_close %y25, %c26 : tensor<3xf32>, tensor<3xf32>
  %y27 = trama.rsqrt %c22 : tensor<3xf32>
  %c28 = trama.constant dense<[2.0, 1.0, 0.577350269]> : tensor<3xf32>
  trama.check_close %y27, %c28 : tensor<3xf32>, tensor<3xf32>
  %c29 = trama.constant dense<[-3, 0, 2147483647]> : tensor<3xi32>
  %y30 = trama.neg %c29 : tensor<3xi32>
  %c31 = trama.constant dense<[3, 0, -2147483647]> : tensor<3xi32>
  trama.check_close %y30, %c31 : tensor<3xi32>, tensor<3xi32>
  %y32 = trama.abs %c29 : tensor<3xi32>
  %c33 = trama.constant dense<[3, 0, 2147483647]> : tensor<3xi32>
  trama.check_close %y32, %c33 : tensor<3xi32>, tensor<3xi32>
  %y34 = trama.sign %c29 : tensor<3xi32>
  %c35 = trama.constant dense<[-1, 0, 1]> : tensor<3xi32>
  trama.check_close %y34, %c35 : tensor<3xi32>, tensor<3xi32>
  // The edges: log 0, sqrt of a negative, sigmoid far out.
  %c36 = trama.constant dense<[0.0, -1.0]> : tensor<2xf32>
  %y37 = trama.log %c36 : tensor<2xf32>
  %c38 = trama.constant dense<[0xFF800000, 0x7FC00000]> : tensor<2xf32>
  trama.check_close %y37, %c38 : tensor<2xf32>, tensor<2xf32>
  %y39 = trama.sqrt %c36 : tensor<2xf32>
  %c40 = trama.constant dense<[0.0, 0x7FC00000]> : tensor<2xf32>
  trama.check_close %y39, %c40 : tensor<2xf32>, tensor<2xf32>
  %c41 = trama.constant dense<[-200.0, 200.0]> : tensor<2xf32>
  %y42 = trama.sigmoid %c41 : tensor<2xf32>
  %c43 = trama.constant dense<[0.0, 1.0]> : tensor<2xf32>
  trama.check_close %y42, %c43 : tensor<2xf32>, tensor<2xf32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @tanh
// CHECK: %[[Y:.*]] = trama.tanh
// CHECK: trama.mul %[[Y]], %[[Y]]
// CHECK: trama.sub
func.func @tanh(%x: tensor<3xf32> {trama.name = "x", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.tanh %x : tensor<3xf32>
  %loss = trama.sum %y dims = [0] : tensor<3xf32>
  return %loss : tensor<f32>
}

// The sign does not change but where it jumps.
// CHECK-LABEL: func.func @sign
// CHECK: %[[ZERO:.*]] = trama.constant dense<0.000000e+00> : tensor<3xf32>
// CHECK: return %{{.*}}, %[[ZERO]]
func.func @sign(%x: tensor<3xf32> {trama.name = "x", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y = trama.sign %x : tensor<3xf32>
  %loss = trama.sum %y dims = [0] : tensor<3xf32>
  return %loss : tensor<f32>
}
