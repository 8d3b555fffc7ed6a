#include "backends/conformance/cases.h"

namespace trama::conformance {
namespace {

// attention and attention_grad with the same optional operands; %4.. and %7.. count on from theirs.
struct Variant {
  std::vector<std::string> names, operands;  // of the optional operands
  std::string attributes;
  std::string keys;  // the size of the keys' axis
};

const std::vector<Variant>& Variants() {
  static const auto* variants = new std::vector<Variant>{
      {{}, {}, "scale = 5.0e-01", "S"},
      {{}, {}, "scale = 1.0 causal", "T"},
      {{}, {}, "scale = 1.0 causal", "41"},
      {{}, {}, "scale = 1.0 causal", "1"},  // queries before the key see nothing
      {{"key_mask"}, {"Bx#xi1"}, "scale = 5.0e-01", "S"},
      {{"key_mask"}, {"Bx#xi1 false"}, "scale = 5.0e-01", "S"},
      {{"key_mask"}, {"Bx#xi1"}, "scale = 5.0e-01 causal", "T"},
      {{"bias"}, {"BxHxTx#xf32"}, "scale = 5.0e-01", "S"},
      {{"bias"}, {"Hx1x#xf32"}, "scale = 5.0e-01 causal", "T"},
      {{"position"}, {"Bxi32 <3"}, "scale = 5.0e-01 causal", "37"},
      {{"rng"}, {"4xi32 <9"}, "scale = 5.0e-01 {dropout_p = 4.0e-01, op_id = 7 : i64}", "S"},
      {{"key_mask", "bias", "position", "rng"},
       {"Bx#xi1", "Tx#xf32", "Bxi32 <3", "4xi32 <9"},
       "scale = 5.0e-01 causal {dropout_p = 4.0e-01, op_id = 7 : i64}",
       "5"},
  };
  return *variants;
}

std::string Sized(std::string type, const std::string& keys) {
  if (const size_t at = type.find('#'); at != std::string::npos) type.replace(at, 1, keys);
  return type;
}

Case AttentionCase(const std::string& op, const std::vector<std::string>& operands,
                   const Variant& variant) {
  Case c;
  std::string types;
  c.text = op;
  for (size_t i = 0; i < operands.size(); ++i) {
    c.text += (i ? ", %" : " %") + std::to_string(i);
    types += (i ? ", $" : " : $") + std::to_string(i);
    c.operands.push_back(Sized(operands[i], variant.keys));
  }
  for (size_t i = 0; i < variant.names.size(); ++i) {
    const std::string number = std::to_string(operands.size() + i);
    c.text += " " + variant.names[i] + " %" + number + " : $" + number;
    c.operands.push_back(Sized(variant.operands[i], variant.keys));
  }
  c.text += " " + variant.attributes + types;
  return c;
}

}  // namespace

const std::vector<Case>& ContractionCases() {
  static const auto* cases = [] {
    auto* list = new std::vector<Case>{
        {"trama.matmul %0, %1 : $0, $1", {"MxKxf32", "KxNxf32"}},
        {"trama.matmul %0 transposed, %1 : $0, $1", {"KxMxf32", "KxNxf32"}},
        {"trama.matmul %0, %1 transposed : $0, $1", {"MxKxf32", "NxKxf32"}},
        {"trama.matmul %0, %1 transposed : $0, $1", {"KxKxf32", "KxKxf32"}},
        {"trama.matmul %0 transposed, %1 transposed : $0, $1", {"KxMxf32", "NxKxf32"}},
        {"trama.matmul %0, %1 : $0, $1", {"BxMxKxf32", "KxNxf32"}},
        {"trama.matmul %0, %1 transposed : $0, $1", {"BxHxMxKxf32", "NxKxf32"}},
        {"trama.matmul %0 transposed, %1 : $0, $1", {"BxKxMxf32", "BxKxNxf32"}},
        {"trama.matmul %0, %1 : $0, $1", {"MxKxf32", "BxKxNxf32"}},
        {"trama.matmul %0 transposed, %1 transposed : $0, $1", {"Bx1xKxMxf32", "HxNxKxf32"}},
        {"trama.matmul %0, %1 : $0, $1", {"1x129xf32", "129x131xf32"}},
        {"trama.matmul %0, %1 transposed : $0, $1", {"130x67xf32", "97x67xf32"}},
        {"trama.linear %0, %1 : $0, $1", {"BxMxKxf32", "KxNxf32"}},
        {"trama.linear %0, %1 transposed : $0, $1", {"MxKxf32", "NxKxf32"}},
        {"trama.linear %0, %1, %2 : $0, $1, $2", {"Kxf32", "KxNxf32", "Nxacc"}},
        {"trama.linear %0, %1 transposed, %2 : $0, $1, $2", {"BxMxKxf32", "NxKxf32", "Nxacc"}},
    };
    for (const char* activation : {"relu", "gelu", "gelu_tanh", "tanh", "sigmoid"})
      list->push_back({"trama.linear %0, %1, %2 {activation = #trama<activation " +
                           std::string(activation) + ">} : $0, $1, $2",
                       {"MxKxf32", "KxNxf32", "Nxacc"}});
    for (const Variant& variant : Variants()) {
      list->push_back(
          AttentionCase("trama.attention", {"BxHxTxDxf32", "BxHx#xDxf32", "BxHx#xExf32"}, variant));
      list->back().unspecified = {1};  // lse of a row that sees no key
      list->push_back(AttentionCase("trama.attention_grad",
                                    {"BxHxTxExf32", "BxHxTxExf32", "BxHxTxf32 positive",
                                     "BxHxTxDxf32", "BxHx#xDxf32 small", "BxHx#xExf32"},
                                    variant));
    }
    return list;
  }();
  return *cases;
}

}  // namespace trama::conformance
