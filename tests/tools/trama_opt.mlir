// What trama-opt shows of a pipeline, and modules as bytecode.
// RUN: trama-opt %s --canonicalize --cse --print-ir-after-all 2>&1 | FileCheck %s --check-prefix=AFTER
// RUN: trama-opt %s --canonicalize --timing 2>&1 | FileCheck %s --check-prefix=TIMING
// RUN: trama-opt %s --emit-bytecode | trama-opt | FileCheck %s
// RUN: trama-opt %s --mlir-print-op-generic | trama-opt | FileCheck %s
// RUN: trama-opt --help | FileCheck %s --check-prefix=HELP

// AFTER: IR Dump After Canonicalizer
// AFTER: IR Dump After CSE
// TIMING: Execution time report
// TIMING: Canonicalizer
// HELP-DAG: --run-main=<backend>
// HELP-DAG: --trama-autodiff
// HELP-DAG: --trama-fuse-attention
// HELP-DAG: --trama-outline-kernels

// CHECK-LABEL: func.func @f
// CHECK: trama.linear %arg0, %arg1 transposed activation = relu : tensor<2x3xf32>, tensor<4x3xf32>
// CHECK: trama.compare le
// CHECK: trama.sum %{{.*}} dims = [0, 1] keepdim
func.func @f(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> (tensor<2x4xi1>, tensor<1x1xf32>) {
  %0 = trama.linear %x, %w transposed activation = relu : tensor<2x3xf32>, tensor<4x3xf32>
  %zero = trama.constant dense<0.0> : tensor<f32>
  %1 = trama.compare le %0, %zero : tensor<2x4xf32>, tensor<f32>
  %2 = trama.sum %0 dims = [0, 1] keepdim : tensor<2x4xf32>
  return %1, %2 : tensor<2x4xi1>, tensor<1x1xf32>
}
