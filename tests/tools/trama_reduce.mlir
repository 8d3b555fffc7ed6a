// trama-reduce keeps what the script looks for, a tanh, and drops the rest.
// RUN: split-file %s %t
// RUN: chmod +x %t/has_tanh.sh
// RUN: cd %t && trama-reduce in.mlir --reduction-tree='traversal-mode=0 test=./has_tanh.sh' | FileCheck in.mlir

//--- has_tanh.sh
#!/bin/sh
# mlir-reduce calls a case interesting when its test exits with 1.
grep -q trama.tanh "$1" && exit 1
exit 0

//--- in.mlir
// CHECK-NOT: func.func @unrelated
// CHECK: func.func @interesting
// CHECK: trama.tanh
// CHECK-NOT: func.func @unrelated
func.func @unrelated(%x: tensor<3xf32>) -> tensor<3xf32> {
  %y = trama.exp %x : tensor<3xf32>
  return %y : tensor<3xf32>
}
func.func @interesting(%x: tensor<3xf32>) -> tensor<3xf32> {
  %y = trama.tanh %x : tensor<3xf32>
  return %y : tensor<3xf32>
}
func.func @unrelated_too(%x: tensor<3xf32>) -> tensor<3xf32> {
  %y = trama.sin %x : tensor<3xf32>
  return %y : tensor<3xf32>
}
