// constant, iota and random_uniform.
// RUN: split-file %s %t
// RUN: trama-opt %t/accepts.mlir --canonicalize | FileCheck %t/accepts.mlir
// RUN: trama-opt %t/rejects.mlir --split-input-file --verify-diagnostics
// RUN: trama-opt %t/values.mlir --run-main=reference
// RUN: trama-opt %t/values.mlir --run-main=cpu
// RUN: trama-opt %t/values.mlir --canonicalize --run-main=reference

//--- accepts.mlir
// CHECK-LABEL: func.func @forms
// CHECK-DAG: trama.constant dense<1.500000e+00> : tensor<2x3xf32>
// CHECK-DAG: trama.iota dim = 1 sequence : tensor<2x3xi32>
// CHECK-DAG: trama.random_uniform %arg0 op_id = 3 : tensor<4xi32> -> tensor<2x3xf32>
func.func @forms(%rng: tensor<4xi32>) -> (tensor<2x3xf32>, tensor<2x3xi32>, tensor<2x3xf32>) {
  %0 = trama.constant dense<1.5> : tensor<2x3xf32>
  %1 = trama.iota dim = 1 sequence : tensor<2x3xi32>
  %2 = trama.random_uniform %rng op_id = 3 : tensor<4xi32> -> tensor<2x3xf32>
  return %0, %1, %2 : tensor<2x3xf32>, tensor<2x3xi32>, tensor<2x3xf32>
}

//--- rejects.mlir
func.func @range() {
  // expected-error@+1 {{'trama.iota' op dim 2 is out of range for 'tensor<2x3xi32>' (C1)}}
  %y = trama.iota dim = 2 : tensor<2x3xi32>
  return
}

// -----

func.func @rng(%rng: tensor<3xi32>) {
  // expected-error@+1 {{'trama.random_uniform' op rng must be tensor<4xi32>, not 'tensor<3xi32>'}}
  %y = trama.random_uniform %rng op_id = 3 : tensor<3xi32> -> tensor<2xf32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[7, 11, 3, 2]> : tensor<4xi32>
  %y2 = trama.random_uniform %c1 op_id = 5 : tensor<4xi32> -> tensor<2x3xf32>
  %c3 = trama.constant dense<[[0.350757837, 0.657137036, 0.947623312], [0.813588679, 0.202674329, 0.499944568]]> : tensor<2x3xf32>
  trama.check_close %y2, %c3 : tensor<2x3xf32>, tensor<2x3xf32>
  %c4 = trama.constant dense<[0, 0, 0, 0]> : tensor<4xi32>
  // The known answer of Random123's philox4x32-10 for counter and key 0.
  %y5 = trama.random_uniform %c4 op_id = 0 : tensor<4xi32> -> tensor<4xf32>
  %c6 = trama.constant dense<[0.399046421, 0.880520165, 0.735712767, 0.605481803]> : tensor<4xf32>
  trama.check_close %y5, %c6 : tensor<4xf32>, tensor<4xf32>
  %y7 = trama.iota dim = 1 : tensor<2x3xi32>
  %c8 = trama.constant dense<[[0, 1, 2], [0, 1, 2]]> : tensor<2x3xi32>
  trama.check_close %y7, %c8 : tensor<2x3xi32>, tensor<2x3xi32>
  %y9 = trama.iota dim = 0 sequence : tensor<3xf32>
  %c10 = trama.constant dense<[0.0, 1.0, 2.0]> : tensor<3xf32>
  trama.check_close %y9, %c10 : tensor<3xf32>, tensor<3xf32>
  return
}
