// RUN: trama-opt %s --trama-outline-kernels=small-program=0 --trama-recompute | FileCheck %s
// RUN: trama-opt %s --trama-outline-kernels=small-program=0 --trama-recompute --run-main=cpu
// RUN: trama-opt %s --trama-outline-kernels=small-program=0 --trama-recompute --remarks-filter=trama.recompute 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Eight layers h = tanh(h w) with their gradient. Some of the h are kept; the others, which the
// backward pass reads too, are made again by the kernel that made them, before they are read. The
// last layers are read at once and stay.
// CHECK-LABEL: func.func @main
// CHECK-COUNT-7: trama.dispatch @matmul_0(
// CHECK: trama.dispatch @matmul_1(
// CHECK-NOT: trama.dispatch @matmul_0(
// CHECK: trama.dispatch @matmul_4(
// CHECK-COUNT-5: trama.dispatch @matmul_0(
// CHECK-NOT: trama.dispatch @matmul_0(
// CHECK: trama.check_close
// REMARK: recompute{{.*}}6 of 11 kernels run again
func.func @main() -> (tensor<f32> {trama.name = "loss"}, tensor<4x4xf32> {trama.name = "grad.w"}) {
  %one = trama.constant dense<1.0> : tensor<f32>
  %two = trama.constant dense<2.0> : tensor<f32>
  %w = trama.constant dense<[[0.22, 0.59, 0.04, 0.39], [0.27, -0.7, 0.41, 0.15], [-0.32, -0.75, 0.58, -0.04], [0.35, 0.61, 0.34, 0.67]]> : tensor<4x4xf32>
  %h0 = trama.constant dense<[[-0.52, 0.09, -0.26, 0.21], [0.25, -0.87, -0.97, 0.67], [-0.48, -0.53, 0.99, -0.06], [0.67, -0.05, 0.28, -0.7]]> : tensor<4x4xf32>
  %m1 = trama.matmul %h0, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %h1 = trama.tanh %m1 : tensor<4x4xf32>
  %m2 = trama.matmul %h1, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %h2 = trama.tanh %m2 : tensor<4x4xf32>
  %m3 = trama.matmul %h2, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %h3 = trama.tanh %m3 : tensor<4x4xf32>
  %m4 = trama.matmul %h3, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %h4 = trama.tanh %m4 : tensor<4x4xf32>
  %m5 = trama.matmul %h4, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %h5 = trama.tanh %m5 : tensor<4x4xf32>
  %m6 = trama.matmul %h5, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %h6 = trama.tanh %m6 : tensor<4x4xf32>
  %m7 = trama.matmul %h6, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %h7 = trama.tanh %m7 : tensor<4x4xf32>
  %m8 = trama.matmul %h7, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %h8 = trama.tanh %m8 : tensor<4x4xf32>
  %square = trama.mul %h8, %h8 : tensor<4x4xf32>, tensor<4x4xf32>
  %loss = trama.sum %square dims = [0, 1] : tensor<4x4xf32>
  %g8 = trama.mul %h8, %two : tensor<4x4xf32>, tensor<f32>
  %q8 = trama.mul %h8, %h8 : tensor<4x4xf32>, tensor<4x4xf32>
  %s8 = trama.sub %one, %q8 : tensor<f32>, tensor<4x4xf32>
  %d8 = trama.mul %g8, %s8 : tensor<4x4xf32>, tensor<4x4xf32>
  %t8 = trama.transpose %h7 permutation = [1, 0] : tensor<4x4xf32>
  %e8 = trama.matmul %t8, %d8 : tensor<4x4xf32>, tensor<4x4xf32>
  %g7 = trama.matmul %d8, %w transposed : tensor<4x4xf32>, tensor<4x4xf32>
  %q7 = trama.mul %h7, %h7 : tensor<4x4xf32>, tensor<4x4xf32>
  %s7 = trama.sub %one, %q7 : tensor<f32>, tensor<4x4xf32>
  %d7 = trama.mul %g7, %s7 : tensor<4x4xf32>, tensor<4x4xf32>
  %t7 = trama.transpose %h6 permutation = [1, 0] : tensor<4x4xf32>
  %e7 = trama.matmul %t7, %d7 : tensor<4x4xf32>, tensor<4x4xf32>
  %dw7 = trama.add %e8, %e7 : tensor<4x4xf32>, tensor<4x4xf32>
  %g6 = trama.matmul %d7, %w transposed : tensor<4x4xf32>, tensor<4x4xf32>
  %q6 = trama.mul %h6, %h6 : tensor<4x4xf32>, tensor<4x4xf32>
  %s6 = trama.sub %one, %q6 : tensor<f32>, tensor<4x4xf32>
  %d6 = trama.mul %g6, %s6 : tensor<4x4xf32>, tensor<4x4xf32>
  %t6 = trama.transpose %h5 permutation = [1, 0] : tensor<4x4xf32>
  %e6 = trama.matmul %t6, %d6 : tensor<4x4xf32>, tensor<4x4xf32>
  %dw6 = trama.add %dw7, %e6 : tensor<4x4xf32>, tensor<4x4xf32>
  %g5 = trama.matmul %d6, %w transposed : tensor<4x4xf32>, tensor<4x4xf32>
  %q5 = trama.mul %h5, %h5 : tensor<4x4xf32>, tensor<4x4xf32>
  %s5 = trama.sub %one, %q5 : tensor<f32>, tensor<4x4xf32>
  %d5 = trama.mul %g5, %s5 : tensor<4x4xf32>, tensor<4x4xf32>
  %t5 = trama.transpose %h4 permutation = [1, 0] : tensor<4x4xf32>
  %e5 = trama.matmul %t5, %d5 : tensor<4x4xf32>, tensor<4x4xf32>
  %dw5 = trama.add %dw6, %e5 : tensor<4x4xf32>, tensor<4x4xf32>
  %g4 = trama.matmul %d5, %w transposed : tensor<4x4xf32>, tensor<4x4xf32>
  %q4 = trama.mul %h4, %h4 : tensor<4x4xf32>, tensor<4x4xf32>
  %s4 = trama.sub %one, %q4 : tensor<f32>, tensor<4x4xf32>
  %d4 = trama.mul %g4, %s4 : tensor<4x4xf32>, tensor<4x4xf32>
  %t4 = trama.transpose %h3 permutation = [1, 0] : tensor<4x4xf32>
  %e4 = trama.matmul %t4, %d4 : tensor<4x4xf32>, tensor<4x4xf32>
  %dw4 = trama.add %dw5, %e4 : tensor<4x4xf32>, tensor<4x4xf32>
  %g3 = trama.matmul %d4, %w transposed : tensor<4x4xf32>, tensor<4x4xf32>
  %q3 = trama.mul %h3, %h3 : tensor<4x4xf32>, tensor<4x4xf32>
  %s3 = trama.sub %one, %q3 : tensor<f32>, tensor<4x4xf32>
  %d3 = trama.mul %g3, %s3 : tensor<4x4xf32>, tensor<4x4xf32>
  %t3 = trama.transpose %h2 permutation = [1, 0] : tensor<4x4xf32>
  %e3 = trama.matmul %t3, %d3 : tensor<4x4xf32>, tensor<4x4xf32>
  %dw3 = trama.add %dw4, %e3 : tensor<4x4xf32>, tensor<4x4xf32>
  %g2 = trama.matmul %d3, %w transposed : tensor<4x4xf32>, tensor<4x4xf32>
  %q2 = trama.mul %h2, %h2 : tensor<4x4xf32>, tensor<4x4xf32>
  %s2 = trama.sub %one, %q2 : tensor<f32>, tensor<4x4xf32>
  %d2 = trama.mul %g2, %s2 : tensor<4x4xf32>, tensor<4x4xf32>
  %t2 = trama.transpose %h1 permutation = [1, 0] : tensor<4x4xf32>
  %e2 = trama.matmul %t2, %d2 : tensor<4x4xf32>, tensor<4x4xf32>
  %dw2 = trama.add %dw3, %e2 : tensor<4x4xf32>, tensor<4x4xf32>
  %g1 = trama.matmul %d2, %w transposed : tensor<4x4xf32>, tensor<4x4xf32>
  %q1 = trama.mul %h1, %h1 : tensor<4x4xf32>, tensor<4x4xf32>
  %s1 = trama.sub %one, %q1 : tensor<f32>, tensor<4x4xf32>
  %d1 = trama.mul %g1, %s1 : tensor<4x4xf32>, tensor<4x4xf32>
  %t1 = trama.transpose %h0 permutation = [1, 0] : tensor<4x4xf32>
  %e1 = trama.matmul %t1, %d1 : tensor<4x4xf32>, tensor<4x4xf32>
  %dw1 = trama.add %dw2, %e1 : tensor<4x4xf32>, tensor<4x4xf32>
  %want_loss = trama.constant dense<0.08240822> : tensor<f32>
  %want = trama.constant dense<[[0.26642573, 0.07158897, -0.25059157, 0.31102518], [0.24460051, -0.06208255, -0.34140169, 0.24873330], [0.12802081, 0.17032512, 0.53871599, 0.46278330], [0.37309271, 0.13592929, 0.01253858, 0.64444055]]> : tensor<4x4xf32>
  trama.check_close %loss, %want_loss {atol = 1.0e-06 : f64, rtol = 1.0e-05 : f64} : tensor<f32>, tensor<f32>
  trama.check_close %dw1, %want {atol = 1.0e-05 : f64, rtol = 1.0e-04 : f64} : tensor<4x4xf32>, tensor<4x4xf32>
  return %loss, %dw1 : tensor<f32>, tensor<4x4xf32>
}

// Nothing stays for a backward pass where there is none.
// CHECK-LABEL: func.func @no_backward
// CHECK-COUNT-3: trama.dispatch
// CHECK-NOT: trama.dispatch
// CHECK: return
func.func @no_backward(%x: tensor<4x4xf32> {trama.name = "x", trama.role = "input"},
                       %w: tensor<4x4xf32> {trama.name = "w", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}) {
  %a = trama.matmul %x, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %b = trama.matmul %a, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %loss = trama.sum %b dims = [0, 1] : tensor<4x4xf32>
  return %loss : tensor<f32>
}

// One layer: what it keeps is the least.
// CHECK-LABEL: func.func @shallow
// CHECK-COUNT-3: trama.dispatch
// CHECK-NOT: trama.dispatch
// CHECK: return
// REMARK: not recomputed: the 0.0 MiB that the backward pass reads are the least that it takes
func.func @shallow(%x: tensor<4x4xf32> {trama.name = "x", trama.role = "input"},
                   %w: tensor<4x4xf32> {trama.name = "w", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}, tensor<4x4xf32> {trama.name = "grad.w"}) {
  %a = trama.matmul %x, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %h = trama.tanh %a : tensor<4x4xf32>
  %loss = trama.sum %h dims = [0, 1] : tensor<4x4xf32>
  %g = trama.matmul %x, %h : tensor<4x4xf32>, tensor<4x4xf32>
  return %loss, %g : tensor<f32>, tensor<4x4xf32>
}

// Without a loss there is no telling forward from backward.
// CHECK-LABEL: func.func @no_loss
// CHECK-COUNT-1: trama.dispatch
// CHECK-NOT: trama.dispatch
// CHECK: return
func.func @no_loss(%x: tensor<4x4xf32> {trama.name = "x", trama.role = "input"})
    -> (tensor<4x4xf32> {trama.name = "y"}) {
  %y = trama.exp %x : tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
