// One row an op form: what the tests of derivatives and decompositions run over.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace trama {

// An op over operands whose sizes are letters, replaced by random sizes in every trial.
struct OpCase {
  // %i is operand i and $i its type.
  std::string text;
  // "MxKxf64 positive": the type, then what its elements are drawn from. Floats: (-2, 2), or
  // `positive` (0.5, 2). Integers: 0..2, or `<N`, or `<N ignoring` with -100 now and then. Bools:
  // either, or `false` alone.
  std::vector<std::string> operands;
  std::vector<unsigned> frozen = {};          // operands that it is not differentiated in
  std::vector<unsigned> unused_results = {};  // results that the loss does not depend on
};

inline void PrintTo(const OpCase& c, std::ostream* os) { *os << c.text; }

inline const std::vector<OpCase>& OpCases() {
  static const auto* cases = new std::vector<OpCase>{
      // ---- unary
      {"trama.neg %0 : $0", {"MxNxf64"}},
      {"trama.abs %0 : $0", {"MxNxf64"}},
      {"trama.sign %0 : $0", {"MxNxf64"}},
      {"trama.exp %0 : $0", {"MxNxf64"}},
      {"trama.log %0 : $0", {"MxNxf64 positive"}},
      {"trama.sqrt %0 : $0", {"MxNxf64 positive"}},
      {"trama.rsqrt %0 : $0", {"MxNxf64 positive"}},
      {"trama.tanh %0 : $0", {"MxNxf64"}},
      {"trama.sigmoid %0 : $0", {"MxNxf64"}},
      {"trama.erf %0 : $0", {"MxNxf64"}},
      {"trama.sin %0 : $0", {"MxNxf64"}},
      {"trama.cos %0 : $0", {"f64"}},
      {"trama.floor %0 : $0", {"MxNxf64"}},
      {"trama.cast %0 : $0 -> tensor<MxNxf64>", {"MxNxf64"}},
      {"trama.gelu %0 : $0", {"MxNxf64"}},
      {"trama.gelu %0 tanh : $0", {"MxNxf64"}},
      {"trama.gelu_grad %0, %1 : $0, $1", {"MxNxf64", "MxNxf64"}},
      {"trama.gelu_grad %0, %1 tanh : $0, $1", {"MxNxf64", "MxNxf64"}},
      {"trama.relu %0 : $0", {"MxNxf64"}},
      {"trama.dropout %0, %1 p = 4.0e-01 op_id = 3 : $0, $1", {"MxNxf64", "4xi32 <9"}},
      {"trama.dropout %0, %1 p = 0.0 op_id = 3 : $0, $1", {"NxMxKxf64", "4xi32 <9"}},
      // ---- binary, with every way to broadcast
      {"trama.add %0, %1 : $0, $1", {"MxNxf64", "MxNxf64"}},
      {"trama.add %0, %1 : $0, $1", {"KxMx1xf64", "1xNxf64"}},
      {"trama.sub %0, %1 : $0, $1", {"MxNxf64", "Nxf64"}},
      {"trama.sub %0, %1 : $0, $1", {"f64", "MxNxf64"}},
      {"trama.mul %0, %1 : $0, $1", {"Mx1xf64", "MxNxf64"}},
      {"trama.mul %0, %1 : $0, $1", {"MxNxf64", "f64"}},
      {"trama.div %0, %1 : $0, $1", {"MxNxf64", "Nxf64 positive"}},
      {"trama.div %0, %1 : $0, $1", {"Nxf64", "Mx1xf64 positive"}},
      {"trama.pow %0, %1 : $0, $1", {"MxNxf64 positive", "Nxf64"}},
      {"trama.pow %0, %1 : $0, $1", {"Mx1xf64 positive", "1xNxf64"}},
      {"trama.max %0, %1 : $0, $1", {"MxNxf64", "Nxf64"}},
      {"trama.min %0, %1 : $0, $1", {"MxNxf64", "Mx1xf64"}},
      {"trama.select %0, %1, %2 : $0, $1, $2", {"MxNxi1", "MxNxf64", "MxNxf64"}},
      {"trama.select %0, %1, %2 : $0, $1, $2", {"Mx1xi1", "Nxf64", "f64"}},
      {"trama.select %0, %1, %2 : $0, $1, $2", {"KxMxNxi1", "Mx1xf64", "1xNxf64"}},
      // ---- reductions
      {"trama.sum %0 dims = [1] : $0", {"MxNxKxf64"}},
      {"trama.sum %0 dims = [0, 2] keepdim : $0", {"MxNxKxf64"}},
      {"trama.sum %0 dims = [] : $0", {"Mxf64"}},
      {"trama.reduce_max %0 dims = [0, 1] : $0", {"MxNxKxf64"}},
      {"trama.reduce_max %0 dims = [2] keepdim : $0", {"MxNxKxf64"}},
      {"trama.mean %0 dims = [0, 2] : $0", {"MxNxKxf64"}},
      {"trama.mean %0 dims = [1] keepdim : $0", {"MxNxf64"}},
      {"trama.weighted_mean %0, %1 : $0, $1", {"Nxf64", "Nxf64 positive"}, {1}},
      {"trama.square_sum %0, %1, %2 : $0, $1, $2", {"MxNxf64", "f64", "Kxf64"}},
      // ---- moving elements
      {"trama.reshape %0 : $0 -> tensor<Mx1xNxf64>", {"MxNxf64"}},
      {"trama.reshape %0 : $0 -> tensor<3x4xf64>", {"2x6xf64"}},
      {"trama.transpose %0 permutation = [1, 0] : $0", {"MxNxf64"}},
      {"trama.transpose %0 permutation = [2, 0, 3, 1] : $0", {"MxNxKxVxf64"}},
      {"trama.broadcast %0 : $0 -> tensor<KxMxNxf64>", {"Mx1xf64"}},
      {"trama.broadcast %0 : $0 -> tensor<MxNxf64>", {"f64"}},
      {"trama.slice %0 starts = [1, 0] strides = [2, 1] : $0 -> tensor<2xNxf64>", {"5xNxf64"}},
      {"trama.pad %0 starts = [1, 0] strides = [2, 1] : $0 -> tensor<6xNxf64>", {"2xNxf64"}},
      {"trama.concat %0, %1, %2 dim = 1 : $0, $1, $2", {"MxNxf64", "MxKxf64", "Mx1xf64"}},
      // ---- indexing
      {"trama.embedding %0, %1 : $0, $1", {"VxDxf64", "MxNxi32 <V"}},
      {"trama.embedding %0, %1 : $0, $1", {"VxDxf64", "Nxi32 <V ignoring"}},
      {"trama.gather %0, %1 dim = 1 : $0, $1", {"MxVxf64", "Mx1xi32 <V"}},
      {"trama.gather %0, %1 dim = 1 : $0, $1", {"MxVxKxf64", "MxNxKxi32 <V ignoring"}},
      {"trama.gather %0, %1 dim = 0 : $0, $1", {"VxKxf64", "NxKxi64 <V"}},
      {"trama.top_k %0 k = 1 : $0", {"MxNxf64"}, {}, {1}},
      {"trama.top_k %0 k = 3 : $0", {"MxNx5xf64"}, {}, {1}},
      {"trama.top_k %0 k = 3 : $0", {"3xf64"}, {}, {1}},
      // ---- contractions
      {"trama.matmul %0, %1 : $0, $1", {"MxKxf64", "KxNxf64"}},
      {"trama.matmul %0 transposed, %1 : $0, $1", {"KxMxf64", "KxNxf64"}},
      {"trama.matmul %0, %1 transposed : $0, $1", {"MxKxf64", "NxKxf64"}},
      {"trama.matmul %0 transposed, %1 transposed : $0, $1", {"KxMxf64", "NxKxf64"}},
      {"trama.matmul %0, %1 : $0, $1", {"BxMxKxf64", "KxNxf64"}},
      {"trama.matmul %0, %1 transposed : $0, $1", {"BxHxMxKxf64", "NxKxf64"}},
      {"trama.matmul %0 transposed, %1 : $0, $1", {"BxKxMxf64", "KxNxf64"}},
      {"trama.matmul %0, %1 : $0, $1", {"MxKxf64", "BxKxNxf64"}},
      {"trama.matmul %0 transposed, %1 transposed : $0, $1", {"Bx1xKxMxf64", "HxNxKxf64"}},
      {"trama.linear %0, %1 : $0, $1", {"BxMxKxf64", "KxNxf64"}},
      {"trama.linear %0, %1 transposed : $0, $1", {"MxKxf64", "NxKxf64"}},
      {"trama.linear %0, %1, %2 : $0, $1, $2", {"Kxf64", "KxNxf64", "Nxf64"}},
      {"trama.linear %0, %1 transposed, %2 : $0, $1, $2", {"BxMxKxf64", "NxKxf64", "Nxf64"}},
      // ---- normalisation and losses
      {"trama.softmax %0 dim = 1 : $0", {"MxNxf64"}},
      {"trama.softmax %0 dim = 0 : $0", {"MxNxKxf64"}},
      {"trama.log_softmax %0 dim = 1 : $0", {"MxNxKxf64"}},
      {"trama.layer_norm %0, %1, %2 eps = 1.0e-01 : $0, $1, $2", {"MxNxCxf64", "Cxf64", "Cxf64"}},
      {"trama.layer_norm %0, %1, %2 eps = 1.0e-01 : $0, $1, $2", {"Cxf64", "Cxf64", "Cxf64"}},
      {"trama.layer_norm_grad %0, %1, %2 eps = 1.0e-01 : $0, $1, $2",
       {"MxNxCxf64", "MxNxCxf64", "Cxf64"}},
      {"trama.cross_entropy %0, %1 : $0, $1", {"NxVxf64", "Nxi32 <V ignoring"}, {}, {1}},
      {"trama.cross_entropy %0, %1 {ignore_index = 0 : i64, label_smoothing = 3.0e-01 : f64} : $0, "
       "$1",
       {"NxVxf64", "Nxi64 <V"},
       {},
       {1}},
      {"trama.cross_entropy_grad %0, %1, %2, %3 {label_smoothing = 3.0e-01 : f64} : $0, $1, $2, $3",
       {"Nxf64", "NxVxf64", "Nxi32 <V ignoring", "Nxf64"}},
      {"trama.linear_cross_entropy %0, %1, %2 : $0, $1, $2",
       {"NxCxf64", "VxCxf64", "Nxi32 <V ignoring"}},
      {"trama.linear_cross_entropy_grad %0, %1, %2, %3 : $0, $1, $2, $3",
       {"Nxf64", "NxCxf64", "VxCxf64", "Nxi32 <V ignoring"}},
      // ---- optimizers
      {"trama.sgd %0, %1, %2 lr %3 scale %4 apply %5 {momentum = 9.0e-01, weight_decay = 1.0e-01} "
       ": "
       "$0, $1, $2, $3, $4, $5",
       {"MxNxf64", "MxNxf64", "MxNxf64", "f64", "f64", "i1"}},
      {"trama.sgd %0, %1, %2 lr %3 scale %4 apply %5 {momentum = 0.0, weight_decay = 0.0} : "
       "$0, $1, $2, $3, $4, $5",
       {"MxNxf64", "MxNxf64", "MxNxf64", "f64", "f64", "i1"}},
      {"trama.adam %0, %1, %2, %3 lr %4 scale %5 corrections %6, %7 apply %8 {beta1 = 9.0e-01, "
       "beta2 = 9.9e-01, eps = 1.0e-03, weight_decay = 1.0e-01} : $0, $1, $2, $3, $4, $5, $6, $7, "
       "$8",
       {"Nxf64", "Nxf64", "Nxf64", "Nxf64 positive", "f64", "f64", "f64 positive", "f64 positive",
        "i1"}},
      {"trama.adam %0, %1, %2, %3 lr %4 scale %5 corrections %6, %7 apply %8 {beta1 = 9.0e-01, "
       "beta2 = 9.9e-01, decoupled, eps = 1.0e-03, weight_decay = 1.0e-01} : "
       "$0, $1, $2, $3, $4, $5, $6, $7, $8",
       {"Nxf64", "Nxf64", "Nxf64", "Nxf64 positive", "f64", "f64", "f64 positive", "f64 positive",
        "i1"}},
  };
  return *cases;
}

// Attention in all its variants, for attention and, with the operands of its gradient, for both.
inline std::vector<OpCase> AttentionCases() {
  struct Variant {
    std::string options;  // what follows the operands, %0 the first of them
    std::vector<std::string> operands;
    std::string attributes;
    std::string s = "S";  // the number of keys
    std::vector<unsigned> frozen = {};
  };
  const std::vector<Variant> variants = {
      {"scale = 5.0e-01", {}, ""},
      {"scale = 1.0 causal", {}, "", "T"},
      {"scale = 1.0 causal", {}, "", "5"},
      {"scale = 1.0 causal", {}, "", "1"},  // queries before the key see nothing
      {"key_mask %0 : $0 scale = 5.0e-01", {"Bx#xi1"}, ""},
      {"key_mask %0 : $0 scale = 5.0e-01", {"Bx#xi1 false"}, ""},
      {"key_mask %0 : $0 scale = 5.0e-01 causal", {"Bx#xi1"}, "", "T"},
      {"bias %0 : $0 scale = 5.0e-01", {"BxHxTx#xf64"}, "", "S", {0}},
      {"bias %0 : $0 scale = 5.0e-01 causal", {"Hx1x#xf64"}, "", "T", {0}},
      {"position %0 : $0 scale = 5.0e-01 causal", {"Bxi32 <3"}, "", "5"},
      {"rng %0 : $0 scale = 5.0e-01", {"4xi32 <9"}, "{dropout_p = 4.0e-01, op_id = 7 : i64}"},
      {"key_mask %0 : $0 bias %1 : $1 position %2 : $2 rng %3 : $3 scale = 5.0e-01 causal",
       {"Bx#xi1", "Tx#xf64", "Bxi32 <3", "4xi32 <9"},
       "{dropout_p = 4.0e-01, op_id = 7 : i64}",
       "5",
       {1}},
  };
  std::vector<OpCase> cases;
  for (const Variant& variant : variants) {
    auto replace = [](std::string text, const std::string& from, const std::string& to) {
      for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
      return text;
    };
    auto sized = [&](const std::string& type) { return replace(type, "#", variant.s); };
    // The same op text with its operands after the `first` ones.
    auto build = [&](const std::string& op, std::vector<std::string> leading) {
      OpCase c;
      c.text = op;
      std::string types;
      for (size_t i = 0; i < leading.size(); ++i) {
        c.text += (i ? ", %" : " %") + std::to_string(i);
        types += (i ? ", $" : " : $") + std::to_string(i);
        c.operands.push_back(sized(leading[i]));
      }
      std::string options = variant.options;
      for (size_t i = variant.operands.size(); i-- > 0;) {
        const std::string shifted = std::to_string(i + leading.size());
        options = replace(options, "%" + std::to_string(i) + " ", "%" + shifted + " ");
        options = replace(options, "$" + std::to_string(i) + " ", "$" + shifted + " ");
      }
      for (const std::string& operand : variant.operands) c.operands.push_back(sized(operand));
      for (unsigned i : variant.frozen) c.frozen.push_back(i + leading.size());
      c.text += " " + options + " " + variant.attributes + types;
      return c;
    };
    cases.push_back(build("trama.attention", {"BxHxTxDxf64", "BxHx#xDxf64", "BxHx#xExf64"}));
    cases.back().unused_results = {1};
    cases.push_back(
        build("trama.attention_grad", {"BxHxTxExf64", "BxHxTxExf64", "BxHxTxf64 positive",
                                       "BxHxTxDxf64", "BxHx#xDxf64", "BxHx#xExf64"}));
  }
  return cases;
}

}  // namespace trama
