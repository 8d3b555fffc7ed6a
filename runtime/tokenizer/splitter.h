// Cuts a text into the matches of a regular expression (PCRE2, compiled to machine code where the
// library can).
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"

namespace trama {

// Unicode's White_Space, for use in a class of a pattern: PCRE2's \s has U+180E too.
inline constexpr char kUnicodeSpaces[] =
    R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

class Splitter {
 public:
  // Letters, digits and white space are Unicode's. InvalidArgument for a wrong pattern.
  static absl::StatusOr<Splitter> Compile(std::string_view pattern);

  // The pieces of one text, which is valid UTF-8 and outlives this.
  class Pieces {
   public:
    Pieces(const Splitter& splitter, std::string_view text);
    // The next match that is not empty; false at the end, or where the library gave up.
    bool Next(std::string_view* piece);
    // Goes on from this byte of the text.
    void Seek(size_t at) { at_ = at; }
    // OK unless Next() gave up.
    absl::Status status() const;

   private:
    const void* code_;
    std::string_view text_;
    size_t at_ = 0;
    bool jit_;
    int error_ = 0;
    std::shared_ptr<void> match_;
  };

 private:
  std::shared_ptr<void> code_;
  bool jit_ = false;
};

}  // namespace trama
