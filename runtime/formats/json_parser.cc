// simdjson decides what is JSON; where it says no, a slow scanner finds the byte.
#include <charconv>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/utf8.h"
#include "simdjson.h"

namespace trama {
namespace {

namespace dom = simdjson::dom;

Json Convert(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY: {
      Json::Array array;
      dom::array source;
      if (element.get(source)) return Json();
      array.reserve(source.size());
      for (dom::element child : source) array.push_back(Convert(child));
      return Json(std::move(array));
    }
    case dom::element_type::OBJECT: {
      Json::Object members;
      dom::object source;
      if (element.get(source)) return Json();
      members.reserve(source.size());
      for (dom::key_value_pair child : source)
        members.emplace_back(std::string(child.key), Convert(child.value));
      return Json::MakeObject(std::move(members));
    }
    case dom::element_type::INT64: {
      int64_t value = 0;
      return element.get(value) ? Json() : Json(value);
    }
    case dom::element_type::UINT64: {
      uint64_t value = 0;  // only above the range of int64
      return element.get(value) ? Json() : Json(static_cast<double>(value));
    }
    case dom::element_type::DOUBLE: {
      double value = 0;
      return element.get(value) ? Json() : Json(value);
    }
    case dom::element_type::STRING: {
      std::string_view value;
      return element.get(value) ? Json() : Json(value);
    }
    case dom::element_type::BOOL: {
      bool value = false;
      return element.get(value) ? Json() : Json(value);
    }
    case dom::element_type::NULL_VALUE:
      break;
  }
  return Json();
}

// Walks the text by RFC 8259's grammar up to the first byte that breaks it. Integers beyond 64
// bits, which simdjson refuses and Hugging Face writes (model_max_length: 10^30), break nothing.
class Locator {
 public:
  Locator(std::string_view text, size_t max_depth) : text_(text), max_depth_(max_depth) {}

  // The offset of the fault, and `what` said of it.
  size_t Find(std::string& what) {
    if (const std::optional<size_t> invalid = FindInvalidUtf8(text_)) {
      what = "invalid UTF-8";
      return *invalid;
    }
    SkipSpace();
    if (at_ == text_.size()) {
      what_ = "nothing there";
    } else if (Value()) {
      SkipSpace();
      what_ = at_ < text_.size() ? "text after the end" : kNoFault;
    }
    if (at_ < text_.size() || what_ != kNoFault) long_integers_.clear();
    what = what_;
    return at_;
  }
  // Where those integers end, of a text that nothing breaks; else none.
  const std::vector<size_t>& long_integers() const { return long_integers_; }

 private:
  static constexpr char kNoFault[] = "a value that is not supported";

  bool Fail(const char* what) {
    what_ = at_ >= text_.size() ? "the text ends too early" : what;
    return false;
  }
  void SkipSpace() {
    while (at_ < text_.size() && absl::StrContains(" \t\n\r", text_[at_])) ++at_;
  }
  bool Eat(char c) {
    SkipSpace();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool Value() {
    SkipSpace();
    if (at_ >= text_.size()) return Fail("");
    switch (text_[at_]) {
      case '{':
        return Container('}');
      case '[':
        return Container(']');
      case '"':
        return String();
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }
  bool Container(char close) {
    if (++depth_ > max_depth_) return Fail("nested too deeply");
    ++at_;
    if (!Eat(close)) {
      do {
        if (close == '}') {
          SkipSpace();
          if (at_ >= text_.size() || text_[at_] != '"') return Fail("expected a member's name");
          if (!String()) return false;
          if (!Eat(':')) return Fail("expected a colon");
        }
        if (!Value()) return false;
      } while (Eat(','));
      if (!Eat(close)) return Fail("expected a comma or the end of the list");
    }
    --depth_;
    return true;
  }
  bool Word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return Fail("expected a value");
    at_ += word.size();
    return true;
  }
  bool String() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (static_cast<unsigned char>(text_[at_]) < 0x20)
        return Fail("control character in a string");
      if (text_[at_] != '\\') continue;
      if (++at_ >= text_.size()) break;
      if (text_[at_] == 'u') {
        for (int i = 0; i < 4; ++i)
          if (++at_ >= text_.size() || !isxdigit(static_cast<unsigned char>(text_[at_])))
            return Fail("bad \\u escape");
      } else if (!absl::StrContains("\"\\/bfnrt", text_[at_])) {
        return Fail("bad escape");
      }
    }
    if (at_ >= text_.size()) return Fail("");
    ++at_;
    return true;
  }
  size_t Digits() {
    const size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ - start;
  }
  bool Number() {
    const size_t start = at_;
    if (text_[at_] == '-') ++at_;
    const bool zero = at_ < text_.size() && text_[at_] == '0';
    const size_t whole = Digits();
    if (whole == 0) return Fail("expected a value");
    if (zero && whole > 1) return Back(start, "a number with a leading zero");
    bool integer = true;
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      integer = false;
      if (Digits() == 0) return Fail("expected a digit");
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      integer = false;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (Digits() == 0) return Fail("expected a digit");
    }
    double real;
    uint64_t natural;
    int64_t negative;
    const char *first = text_.data() + start, *last = text_.data() + at_;
    const std::errc error = !integer        ? std::from_chars(first, last, real).ec
                            : *first == '-' ? std::from_chars(first, last, negative).ec
                                            : std::from_chars(first, last, natural).ec;
    if (error == std::errc()) return true;
    if (!integer || std::from_chars(first, last, real).ec != std::errc())
      return Back(start, "a number out of range");
    long_integers_.push_back(at_);
    return true;
  }
  bool Back(size_t start, const char* what) {
    at_ = start;
    return Fail(what);
  }

  std::string_view text_;
  size_t max_depth_, depth_ = 0, at_ = 0;
  std::vector<size_t> long_integers_;
  const char* what_ = "not JSON";
};

}  // namespace

absl::StatusOr<Json> Json::Parse(std::string_view whole, int max_depth) {
  const std::string_view text = SkipByteOrderMark(whole);
  // simdjson counts the document itself as one level.
  const size_t depth = static_cast<size_t>(max_depth) + 1;
  dom::parser parser;
  simdjson::error_code error = parser.allocate(text.size() + 1, depth);
  dom::element root;
  if (!error) error = parser.parse(text.data(), text.size()).get(root);
  if (!error) return Convert(root);
  if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY)
    return absl::ResourceExhaustedError(absl::StrCat("JSON of ", text.size(), " bytes"));
  std::string what;
  Locator locator(text, static_cast<size_t>(max_depth));
  const size_t byte = locator.Find(what);
  if (locator.long_integers().empty())
    return absl::InvalidArgumentError(
        absl::StrCat("byte ", byte + whole.size() - text.size(), ": ", what));
  // Again with each written as a number that is no integer.
  std::string real;
  size_t copied = 0;
  for (const size_t end : locator.long_integers()) {
    absl::StrAppend(&real, absl::string_view(text.data() + copied, end - copied), "e0");
    copied = end;
  }
  real.append(text.substr(copied));
  return Parse(real, max_depth);
}

absl::StatusOr<Json> Json::ParseFile(const std::string& path) {
  TRAMA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  absl::StatusOr<Json> json = Parse(text);
  if (json.ok()) return json;
  return absl::Status(json.status().code(), absl::StrCat(path, ": ", json.status().message()));
}

}  // namespace trama
