// attention and attention_grad, gradients by finite differences of the formula in float64.
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
// CHECK: trama.attention %arg0, %arg1, %arg2 key_mask %arg3 : tensor<2x5xi1> bias %arg4 : tensor<5xf32> position %arg5 : tensor<2xi32> rng %arg6 : tensor<4xi32> scale = 1.000000e+00 causal {dropout_p = 1.000000e-01 : f64, op_id = 3 : i64} : tensor<2x3x4x8xf32>, tensor<2x3x5x8xf32>, tensor<2x3x5x6xf32>
// CHECK: return {{.*}} : tensor<2x3x4x6xf32>, tensor<2x3x4xf32>
func.func @forms(%q: tensor<2x3x4x8xf32>, %k: tensor<2x3x5x8xf32>, %v: tensor<2x3x5x6xf32>, %m: tensor<2x5xi1>, %b: tensor<5xf32>, %p: tensor<2xi32>, %rng: tensor<4xi32>) -> (tensor<2x3x4x6xf32>, tensor<2x3x4xf32>) {
  %y, %lse = trama.attention %q, %k, %v key_mask %m : tensor<2x5xi1> bias %b : tensor<5xf32> position %p : tensor<2xi32> rng %rng : tensor<4xi32> scale = 1.0 causal {dropout_p = 1.0e-01 : f64, op_id = 3 : i64} : tensor<2x3x4x8xf32>, tensor<2x3x5x8xf32>, tensor<2x3x5x6xf32>
  return %y, %lse : tensor<2x3x4x6xf32>, tensor<2x3x4xf32>
}

//--- rejects.mlir
func.func @widths(%q: tensor<2x3x4x8xf32>, %k: tensor<2x3x5x7xf32>) {
  // expected-error@+1 {{'trama.attention' op needs q [B, H, T, D], k [B, H, S, D], v [B, H, S, E], S > 0, not}}
  %y, %lse = trama.attention %q, %k, %k scale = 1.0 : tensor<2x3x4x8xf32>, tensor<2x3x5x7xf32>, tensor<2x3x5x7xf32>
  return
}

// -----

func.func @mask(%q: tensor<2x3x4x8xf32>, %m: tensor<4xi1>) {
  // expected-error@+1 {{'trama.attention' op key_mask must be [2, 4], not 'tensor<4xi1>'}}
  %y, %lse = trama.attention %q, %q, %q key_mask %m : tensor<4xi1> scale = 1.0 : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>
  return
}

// -----

func.func @bias(%q: tensor<2x3x4x8xf32>, %b: tensor<5x1xf32>) {
  // expected-error@+1 {{'trama.attention' op bias 'tensor<5x1xf32>' does not broadcast to scores of 'tensor<2x3x4x4xf32>'}}
  %y, %lse = trama.attention %q, %q, %q bias %b : tensor<5x1xf32> scale = 1.0 : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>
  return
}

// -----

func.func @position(%q: tensor<2x3x4x8xf32>, %p: tensor<4xi32>) {
  // expected-error@+1 {{'trama.attention' op position must be i32 [2], not 'tensor<4xi32>'}}
  %y, %lse = trama.attention %q, %q, %q position %p : tensor<4xi32> scale = 1.0 causal : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>
  return
}

// -----

func.func @scalar_mask(%q: tensor<2x3x4x8xf32>, %m: i1) {
  // expected-error@+1 {{'trama.attention' op operands must be tensors}}
  %y, %lse = trama.attention %q, %q, %q key_mask %m : i1 scale = 1.0 : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>
  return
}

// -----

func.func @dropout(%q: tensor<2x3x4x8xf32>) {
  // expected-error@+1 {{'trama.attention' op dropout_p = 1.000000e-01 needs rng}}
  %y, %lse = trama.attention %q, %q, %q scale = 1.0 {dropout_p = 1.0e-01 : f64} : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>
  return
}

// -----

func.func @grad(%q: tensor<2x3x4x8xf32>, %lse: tensor<2x3xf32>) {
  // expected-error@+1 {{'trama.attention_grad' op grad and y must be 'tensor<2x3x4x8xf32>' and lse 'tensor<2x3x4xf32>', not 'tensor<2x3x4x8xf32>', 'tensor<2x3x4x8xf32>' and 'tensor<2x3xf32>'}}
  %dq, %dk, %dv = trama.attention_grad %q, %q, %lse, %q, %q, %q scale = 1.0 : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>
  return
}

//--- values.mlir
func.func @main() {
  %c1 = trama.constant dense<[[[[-1.05, 0.18], [-0.52, 0.42], [0.5, -1.74]]]]> : tensor<1x1x3x2xf32>
  %c2 = trama.constant dense<[[[[-1.95, 1.35], [-0.96, -1.06], [1.98, -0.12]]]]> : tensor<1x1x3x2xf32>
  %c3 = trama.constant dense<[[[[1.35, -0.09], [0.56, -1.4], [0.54, 1.47]]]]> : tensor<1x1x3x2xf32>
  %c4 = trama.constant dense<[[[[0.09, 0.97], [0.69, -1.74], [1.03, 0.36]]]]> : tensor<1x1x3x2xf32>
  %y_0, %lse_0 = trama.attention %c1, %c2, %c3 scale = 5.0e-01 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c5 = trama.constant dense<[[[[1.05545156, -0.375213347], [1.01349243, -0.204497691], [0.588450457, -0.02749689]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %y_0, %c5 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c6 = trama.constant dense<[[[1.60899173, 1.3388396, 1.38354308]]]> : tensor<1x1x3xf32>
  trama.check_close %lse_0, %c6 : tensor<1x1x3xf32>, tensor<1x1x3xf32>
  %dq_0, %dk_0, %dv_0 = trama.attention_grad %c4, %y_0, %lse_0, %c1, %c2, %c3 scale = 5.0e-01 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c7 = trama.constant dense<[[[[0.085015762, 0.287114565], [-0.737105281, -0.209702479], [0.310343775, 0.148635339]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dq_0, %c7 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c8 = trama.constant dense<[[[[-0.095993468, -0.010371227], [-0.024471344, 0.297632133], [0.120464813, -0.287260906]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dk_0, %c8 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c9 = trama.constant dense<[[[[0.504357838, -0.37837736], [0.723726891, 0.001950706], [0.581915271, -0.033573346]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dv_0, %c9 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %y_1, %lse_1 = trama.attention %c1, %c2, %c3 scale = 5.0e-01 causal : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c10 = trama.constant dense<[[[[1.35, -0.09], [1.09886938, -0.506431788], [0.588450457, -0.02749689]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %y_1, %c10 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c11 = trama.constant dense<[[[1.14525, 1.17305974, 1.38354308]]]> : tensor<1x1x3xf32>
  trama.check_close %lse_1, %c11 : tensor<1x1x3xf32>, tensor<1x1x3xf32>
  %dq_1, %dk_1, %dv_1 = trama.attention_grad %c4, %y_1, %lse_1, %c1, %c2, %c3 scale = 5.0e-01 causal : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c12 = trama.constant dense<[[[[0.0, 0.0], [0.186148018, -0.453148205], [0.310343775, 0.148635339]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dq_1, %c12 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c13 = trama.constant dense<[[[[0.106835641, -0.110503905], [-0.162666323, 0.304794676], [0.055830681, -0.194290771]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dk_1, %c13 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c14 = trama.constant dense<[[[[0.609655651, -0.199751492], [0.730138298, -0.37459237], [0.470206051, 0.164343863]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dv_1, %c14 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c15 = trama.constant dense<[[true, false, true]]> : tensor<1x3xi1>
  %y_2, %lse_2 = trama.attention %c1, %c2, %c3 key_mask %c15 : tensor<1x3xi1> scale = 5.0e-01 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c16 = trama.constant dense<[[[[1.26887784, 0.0662352682], [1.1806479, 0.236159607], [0.616440227, 1.32278179]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %y_2, %c16 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c17 = trama.constant dense<[[[1.2507781, 1.02505425, 0.698525163]]]> : tensor<1x1x3xf32>
  trama.check_close %lse_2, %c17 : tensor<1x1x3xf32>, tensor<1x1x3xf32>
  %dq_2, %dk_2, %dv_2 = trama.attention_grad %c4, %y_2, %lse_2, %c1, %c2, %c3 key_mask %c15 : tensor<1x3xi1> scale = 5.0e-01 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c18 = trama.constant dense<[[[[0.255058454, -0.095403544], [-1.06362449, 0.397844274], [-0.0457968, 0.017130101]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dq_2, %c18 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c19 = trama.constant dense<[[[[-0.066762076, 0.08171128], [0.0, 0.0], [0.066762076, -0.08171128]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dk_2, %c19 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c20 = trama.constant dense<[[[[0.723925293, -0.469379446], [0.0, 0.0], [1.08607471, 0.059379446]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dv_2, %c20 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c21 = trama.constant dense<[[false, false, false]]> : tensor<1x3xi1>
  // No key at all: zeros, and a lse of -inf.
  %y_3, %lse_3 = trama.attention %c1, %c2, %c3 key_mask %c21 : tensor<1x3xi1> scale = 5.0e-01 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c22 = trama.constant dense<[[[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %y_3, %c22 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c23 = trama.constant dense<[[[0xFF800000, 0xFF800000, 0xFF800000]]]> : tensor<1x1x3xf32>
  trama.check_close %lse_3, %c23 : tensor<1x1x3xf32>, tensor<1x1x3xf32>
  %dq_3, %dk_3, %dv_3 = trama.attention_grad %c4, %y_3, %lse_3, %c1, %c2, %c3 key_mask %c21 : tensor<1x3xi1> scale = 5.0e-01 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c24 = trama.constant dense<[[[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dq_3, %c24 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c25 = trama.constant dense<[[[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dk_3, %c25 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c26 = trama.constant dense<[[[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dv_3, %c26 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c27 = trama.constant dense<[[false, true, true]]> : tensor<1x3xi1>
  // The first query sees no key.
  %y_4, %lse_4 = trama.attention %c1, %c2, %c3 key_mask %c27 : tensor<1x3xi1> scale = 5.0e-01 causal : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c28 = trama.constant dense<[[[[0.0, 0.0], [0.56, -1.4], [0.550413764, -0.0243750817]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %y_4, %c28 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c29 = trama.constant dense<[[[0xFF800000, 0.027, 1.33480392]]]> : tensor<1x1x3xf32>
  trama.check_close %lse_4, %c29 : tensor<1x1x3xf32>, tensor<1x1x3xf32>
  %dq_4, %dk_4, %dv_4 = trama.attention_grad %c4, %y_4, %lse_4, %c1, %c2, %c3 key_mask %c27 : tensor<1x3xi1> scale = 5.0e-01 causal : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c30 = trama.constant dense<[[[[0.0, 0.0], [0.0, 0.0], [0.371493411, 0.118776805]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dq_4, %c30 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c31 = trama.constant dense<[[[[0.0, 0.0], [-0.063179152, 0.219863447], [0.063179152, -0.219863447]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dk_4, %c31 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c32 = trama.constant dense<[[[[0.0, 0.0], [1.22630883, -1.55255225], [0.493691173, 0.172552255]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dv_4, %c32 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c33 = trama.constant dense<[[0.5, -1.0, 2.0]]> : tensor<1x3xf32>
  %y_5, %lse_5 = trama.attention %c1, %c2, %c3 bias %c33 : tensor<1x3xf32> scale = 5.0e-01 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c34 = trama.constant dense<[[[[1.04580988, 0.30747955], [0.894821663, 0.657992769], [0.558485543, 1.2922509]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %y_5, %c34 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c35 = trama.constant dense<[[[2.11875734, 2.1184832, 2.6738914]]]> : tensor<1x1x3xf32>
  trama.check_close %lse_5, %c35 : tensor<1x1x3xf32>, tensor<1x1x3xf32>
  %dq_5, %dk_5, %dv_5 = trama.attention_grad %c4, %y_5, %lse_5, %c1, %c2, %c3 bias %c33 : tensor<1x3xf32> scale = 5.0e-01 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c36 = trama.constant dense<[[[[0.604596052, -0.110808699], [-1.61081781, 0.447298676], [0.057939144, 0.027870683]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dq_5, %c36 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c37 = trama.constant dense<[[[[-0.064702682, 0.122196564], [0.007657333, 0.064046873], [0.057045349, -0.186243437]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dk_5, %c37 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c38 = trama.constant dense<[[[[0.379764237, -0.148358353], [0.089045712, 0.003547374], [1.34119005, -0.265189021]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dv_5, %c38 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c39 = trama.constant dense<[1]> : tensor<1xi32>
  %y_6, %lse_6 = trama.attention %c1, %c2, %c3 position %c39 : tensor<1xi32> scale = 5.0e-01 causal : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c40 = trama.constant dense<[[[[1.09424767, -0.514095641], [1.01349243, -0.204497691], [0.588450457, -0.02749689]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %y_6, %c40 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c41 = trama.constant dense<[[[1.53642342, 1.3388396, 1.38354308]]]> : tensor<1x1x3xf32>
  trama.check_close %lse_6, %c41 : tensor<1x1x3xf32>, tensor<1x1x3xf32>
  %dq_6, %dk_6, %dv_6 = trama.attention_grad %c4, %y_6, %lse_6, %c1, %c2, %c3 position %c39 : tensor<1xi32> scale = 5.0e-01 causal : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c42 = trama.constant dense<[[[[-0.145412266, 0.353983395], [-0.737105281, -0.209702479], [0.310343775, 0.148635339]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dq_6, %c42 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c43 = trama.constant dense<[[[[-0.150117289, -0.001092858], [-0.034417881, 0.299337253], [0.184535169, -0.298244396]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dk_6, %c43 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c44 = trama.constant dense<[[[[0.508618159, -0.332460566], [0.72576637, 0.02393176], [0.575615471, -0.101471194]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %dv_6, %c44 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  // Dropout of the weights; the counter runs over [B, H, T, S].
  %c45 = trama.constant dense<[7, 11, 3, 2]> : tensor<4xi32>
  %y_d, %lse_d = trama.attention %c1, %c2, %c3 rng %c45 : tensor<4xi32> scale = 5.0e-01 {dropout_p = 5.0e-01 : f64, op_id = 5 : i64} : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c46 = trama.constant dense<[[[[0.337205399, -0.843013498], [2.02698486, -0.408995382], [0.683869327, -1.39713532]]]]> : tensor<1x1x3x2xf32>
  trama.check_close %y_d, %c46 : tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>
  %c47 = trama.constant dense<[[[1.60899173, 1.3388396, 1.38354308]]]> : tensor<1x1x3xf32>
  trama.check_close %lse_d, %c47 : tensor<1x1x3xf32>, tensor<1x1x3xf32>
  return
}

//--- gradient.mlir
// CHECK-LABEL: func.func @attention
// CHECK: %[[Y:.*]], %[[LSE:.*]] = trama.attention %arg0, %arg1, %arg2 scale = 5.000000e-01 causal
// CHECK: trama.attention_grad %{{.*}}, %[[Y]], %[[LSE]], %arg0, %arg1, %arg2 scale = 5.000000e-01 causal
func.func @attention(%q: tensor<2x3x4x8xf32> {trama.name = "q", trama.role = "parameter"}, %k: tensor<2x3x4x8xf32> {trama.name = "k", trama.role = "parameter"}, %v: tensor<2x3x4x8xf32> {trama.name = "v", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y, %lse = trama.attention %q, %k, %v scale = 5.0e-01 causal : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>
  %loss = trama.sum %y dims = [0, 1, 2, 3] : tensor<2x3x4x8xf32>
  return %loss : tensor<f32>
}

// A bias that is learnt: attention_grad does not give its gradient.
// CHECK-LABEL: func.func @learnt_bias
// CHECK-NOT: trama.attention
// CHECK: trama.softmax
// CHECK: trama.sum %{{.*}} : tensor<2x3x4x4xf32>
func.func @learnt_bias(%q: tensor<2x3x4x8xf32> {trama.name = "q", trama.role = "parameter"}, %k: tensor<2x3x4x8xf32> {trama.name = "k", trama.role = "parameter"}, %v: tensor<2x3x4x8xf32> {trama.name = "v", trama.role = "parameter"}, %b: tensor<4x4xf32> {trama.name = "b", trama.role = "parameter"}) -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %y, %lse = trama.attention %q, %k, %v bias %b : tensor<4x4xf32> scale = 5.0e-01 : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>
  %loss = trama.sum %y dims = [0, 1, 2, 3] : tensor<2x3x4x8xf32>
  return %loss : tensor<f32>
}
