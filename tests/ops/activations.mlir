// gelu, gelu_grad and relu.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference
// RUN: trama-opt %t/values.mlir --trama-decompose --run-main=reference
// RUN: trama-opt %t/gradient.mlir --trama-autodiff --cse | FileCheck %t/gradient.mlir

//--- accepts.mlir
// CHECK-LABEL: func.func @forms
// CHECK: trama.gelu %arg0 : tensor<2x3xbf16>
// CHECK: trama.gelu %{{.*}} tanh : tensor<2x3xbf16>
// CHECK: trama.relu
// CHECK: trama.gelu_grad %{{.*}}, %arg0 tanh : tensor<2x3xbf16>, tensor<2x3xbf16>
func.func @forms(%x: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = trama.gelu %x : tensor<2x3xbf16>
  %1 = trama.gelu %0 tanh : tensor<2x3xbf16>
  %2 = trama.relu %1 : tensor<2x3xbf16>
  %3 = trama.gelu_grad %2, %x tanh : tensor<2x3xbf16>, tensor<2x3xbf16>
  return %3 : tensor<2x3xbf16>
}

//--- rejects.mlir
func.func @grad(%g: tensor<3xf32>, %x: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.gelu_grad' op grad 'tensor<3xf32>' and x 'tensor<2x3xf32>' must have one type}}
  %y = trama.gelu_grad %g, %x : tensor<3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @integers(%x: tensor<3xi32>) {
  // expected-error@+1 {{operand #0 must be float (f32, f64, bf16, f16) tensor}}
  %y = trama.relu %x : tensor<3xi32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[-3.0, -1.0, -0.1, 0.0, 0.7, 2.5]> : tensor<6xf32>
  %c2 = trama.constant dense<[1.0, -2.0, 0.5, 3.0, 1.0, 0.25]> : tensor<6xf32>
  %y3 = trama.gelu %c1 : tensor<6xf32>
  %c4 = trama.constant dense<[-0.00404969409, -0.158655254, -0.0460172163, 0.0, 0.530625443, 2.48447584]> : tensor<6xf32>
  trama.check_close %y3, %c4 : tensor<6xf32>, tensor<6xf32>
  %y5 = trama.gelu %c1 tanh : tensor<6xf32>
  %c6 = trama.constant dense<[-0.00363739208, -0.158808009, -0.046017249, 0.0, 0.530570135, 2.48491573]> : tensor<6xf32>
  trama.check_close %y5, %c6 : tensor<6xf32>, tensor<6xf32>
  %y7 = trama.relu %c1 : tensor<6xf32>
  %c8 = trama.constant dense<[0.0, 0.0, 0.0, 0.0, 0.7, 2.5]> : tensor<6xf32>
  trama.check_close %y7, %c8 : tensor<6xf32>, tensor<6xf32>
  // grad * gelu'(x), by finite differences of the formula in float64.
  %y9 = trama.gelu_grad %c2, %c1 : tensor<6xf32>, tensor<6xf32>
  %c10 = trama.constant dense<[-0.0119456472, 0.166630941, 0.210238454, 1.5, 0.976614101, 0.259402771]> : tensor<6xf32>
  trama.check_close %y9, %c10 : tensor<6xf32>, tensor<6xf32>
  %y11 = trama.gelu_grad %c2, %c1 tanh : tensor<6xf32>, tensor<6xf32>
  %c12 = trama.constant dense<[-0.0115841666, 0.165928168, 0.210239105, 1.5, 0.976357219, 0.259487894]> : tensor<6xf32>
  trama.check_close %y11, %c12 : tensor<6xf32>, tensor<6xf32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @both
// CHECK: trama.gelu_grad %{{.*}}, %{{.*}} : tensor<3xf32>, tensor<3xf32>
// CHECK: trama.compare gt %arg0
func.func @both(%x: tensor<3xf32> {trama.name = "x", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %a = trama.relu %x : tensor<3xf32>
  %y = trama.gelu %a : tensor<3xf32>
  %loss = trama.sum %y dims = [0] : tensor<3xf32>
  return %loss : tensor<f32>
}
