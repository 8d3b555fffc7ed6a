#include "backends/conformance/cases.h"

namespace trama::conformance {
namespace {

std::string Sgd(const std::string& momentum, const std::string& decay) {
  return "trama.sgd %0, %1, %2 lr %3 scale %4 apply %5 {momentum = " + momentum +
         ", weight_decay = " + decay + "} : $0, $1, $2, $3, $4, $5";
}

std::string Adam(const std::string& more) {
  return "trama.adam %0, %1, %2, %3 lr %4 scale %5 corrections %6, %7 apply %8 {beta1 = 9.0e-01, "
         "beta2 = 9.9e-01, eps = 1.0e-03, weight_decay = 1.0e-01" +
         more + "} : $0, $1, $2, $3, $4, $5, $6, $7, $8";
}

std::vector<std::string> SgdOperands(const std::string& apply) {
  return {"MxNxf32", "MxNxf32", "MxNxf32", "f32 unit", "f32 unit", "i1 " + apply};
}

std::vector<std::string> AdamOperands(const std::string& apply) {
  return {"MxNxf32",  "MxNxf32",      "MxNxf32",      "MxNxf32 positive", "f32 unit",
          "f32 unit", "f32 positive", "f32 positive", "i1 " + apply};
}

}  // namespace

const std::vector<Case>& CompositeCases() {
  static const auto* cases = new std::vector<Case>{
      {"trama.softmax %0 dim = 1 : $0", {"MxNxf32"}},
      {"trama.softmax %0 dim = 1 : $0", {"MxNxf32 wide"}},
      {"trama.softmax %0 dim = 0 : $0", {"MxNxKxf32"}},
      {"trama.log_softmax %0 dim = 1 : $0", {"MxNxKxf32"}},
      {"trama.log_softmax %0 dim = 1 : $0", {"MxNxf32 wide"}},
      {"trama.layer_norm %0, %1, %2 eps = 1.0e-05 : $0, $1, $2", {"MxNxCxf32", "Cxf32", "Cxf32"}},
      {"trama.layer_norm %0, %1, %2 eps = 1.0e-01 : $0, $1, $2", {"Cxf32", "Cxf32", "Cxf32"}},
      {"trama.layer_norm_grad %0, %1, %2 eps = 1.0e-01 : $0, $1, $2",
       {"MxNxCxf32", "MxNxCxf32", "Cxf32"}},
      // ---- losses
      {"trama.cross_entropy %0, %1 : $0, $1", {"NxVxf32", "Nxi32 <V"}},
      {"trama.cross_entropy %0, %1 {ignore_index = 0 : i64, label_smoothing = 3.0e-01 : f64} : $0, "
       "$1",
       {"NxVxf32", "Nxi64 <V"}},
      {"trama.cross_entropy_grad %0, %1, %2, %3 : $0, $1, $2, $3",
       {"Nxf32", "NxVxf32", "Nxi32 <V", "Nxf32 positive"}},
      {"trama.cross_entropy_grad %0, %1, %2, %3 {ignore_index = 1 : i64, label_smoothing = 3.0e-01 "
       ": f64} : $0, $1, $2, $3",
       {"Nxf32", "NxVxf32", "Nxi32 <V", "Nxf32 positive"}},
      {"trama.linear_cross_entropy %0, %1, %2 : $0, $1, $2",
       {"NxCxf32", "VxCxf32 small", "Nxi32 <V"}},
      {"trama.linear_cross_entropy_grad %0, %1, %2, %3 : $0, $1, $2, $3",
       {"Nxacc", "NxCxf32", "VxCxf32 small", "Nxi32 <V"},
       {},
       {1, 2}},
      {"trama.linear_cross_entropy_grad %0, %1, %2, %3 {ignore_index = 0 : i64} : $0, $1, $2, $3",
       {"Nxacc", "NxCxf32", "VxCxf32 small", "Nxi32 <V"},
       {},
       {1, 2}},
      {"trama.weighted_mean %0, %1 : $0, $1", {"Nxf32", "Nxf32 positive"}},
      {"trama.square_sum %0, %1, %2 : $0, $1, $2", {"MxNxf32", "f32", "Kxf32"}},
      // ---- optimizers
      {Sgd("9.0e-01", "1.0e-01"), SgdOperands("true")},
      {Sgd("9.0e-01", "1.0e-01"), SgdOperands("false")},
      {Sgd("0.0", "0.0"), SgdOperands("true")},
      {Adam(""), AdamOperands("true")},
      {Adam(", decoupled"), AdamOperands("true")},
      {Adam(", decoupled"), AdamOperands("false")},
  };
  return *cases;
}

const std::vector<Case>& FusedCases() {
  static const auto* cases = new std::vector<Case>{
      {"%a = trama.mul %0, %1 : $0, $1\n"
       "%b = trama.add %a, %2 : $0, $2\n"
       "trama.tanh %b : $0",
       {"MxNxf32", "Nxf32", "Mx1xf32"}},
      // A reduction with what feeds and what follows it.
      {"%a = trama.sub %0, %1 : $0, $1\n"
       "%b = trama.mul %a, %a : $0, $0\n"
       "%c = trama.sum %b dims = [1] keepdim : $0\n"
       "trama.sqrt %c : tensor<Mx1xf32>",
       {"MxNxf32", "Nxf32"}},
      {"%m = trama.reduce_max %0 dims = [1] keepdim : $0\n"
       "%d = trama.sub %0, %m : $0, tensor<Mx1xf32>\n"
       "%e = trama.exp %d : $0\n"
       "%s = trama.sum %e dims = [1] keepdim : $0\n"
       "trama.div %e, %s : $0, tensor<Mx1xf32>",
       {"MxNxf32"}},
      // Views in the middle.
      {"%t = trama.transpose %0 permutation = [1, 0] : $0\n"
       "%u = trama.exp %t : tensor<NxMxf32>\n"
       "trama.add %u, %1 : tensor<NxMxf32>, $1",
       {"MxNxf32", "NxMxf32"}},
      {"%s = trama.slice %0 starts = [0, 1] strides = [1, 2] : $0 -> tensor<Mx3xf32>\n"
       "%n = trama.neg %s : tensor<Mx3xf32>\n"
       "trama.concat %n, %s dim = 0 : tensor<Mx3xf32>, tensor<Mx3xf32>",
       {"Mx7xf32"}},
      // A matmul with views before it and a pointwise epilogue.
      {"%t = trama.transpose %1 permutation = [1, 0] : $1\n"
       "%m = trama.matmul %0, %t : $0, tensor<KxNxf32>\n"
       "%b = trama.add %m, %2 : tensor<MxNxacc>, $2\n"
       "trama.gelu %b tanh : tensor<MxNxacc>",
       {"MxKxf32", "NxKxf32", "Nxacc"}},
      // Its result in the operands' type.
      {"%m = trama.matmul %0, %1 : $0, $1\n"
       "%y = trama.cast %m : tensor<MxNxacc> -> tensor<MxNxf32>\n"
       "trama.neg %y : tensor<MxNxf32>",
       {"MxKxf32", "KxNxf32"}},
      // Integers and bools beside floats.
      {"%i = trama.iota dim = 1 : tensor<MxNxi32>\n"
       "%p = trama.compare lt %i, %1 : tensor<MxNxi32>, $1\n"
       "trama.select %p, %0, %2 : tensor<MxNxi1>, $0, $2",
       {"MxNxf32", "Mx1xi32 <9", "f32"}},
  };
  return *cases;
}

}  // namespace trama::conformance
