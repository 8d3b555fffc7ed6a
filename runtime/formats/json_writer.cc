#include <charconv>
#include <cmath>

#include "runtime/formats/json.h"

namespace trama {
namespace {

void WriteString(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) {
          out += c;
        } else {
          out += "\\u00";
          out += kHex[c >> 4];
          out += kHex[c & 15];
        }
    }
  }
  out += '"';
}

void WriteDouble(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  const std::string_view digits(buffer, static_cast<size_t>(end - buffer));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void NewLine(int indent, int depth, std::string& out) {
  if (indent == 0) return;
  out += '\n';
  out.append(static_cast<size_t>(indent) * depth, ' ');
}

void Write(const Json& json, int indent, int depth, std::string& out) {
  if (const bool* value = json.if_bool()) {
    out += *value ? "true" : "false";
  } else if (const int64_t* value = json.if_int()) {
    out += std::to_string(*value);
  } else if (const double* value = json.if_double()) {
    WriteDouble(*value, out);
  } else if (const std::string* value = json.if_string()) {
    WriteString(*value, out);
  } else if (json.is_array() || json.is_object()) {
    const bool array = json.is_array();
    const size_t size = array ? json.array().size() : json.object().size();
    out += array ? '[' : '{';
    for (size_t i = 0; i < size; ++i) {
      if (i > 0) out += indent ? "," : ", ";
      NewLine(indent, depth + 1, out);
      if (!array) {
        WriteString(json.object()[i].first, out);
        out += ": ";
      }
      Write(array ? json.array()[i] : json.object()[i].second, indent, depth + 1, out);
    }
    if (size > 0) NewLine(indent, depth, out);
    out += array ? ']' : '}';
  } else {
    out += "null";
  }
}

}  // namespace

std::string Json::Dump(int indent) const {
  std::string out;
  Write(*this, indent, 0, out);
  return out;
}

}  // namespace trama
