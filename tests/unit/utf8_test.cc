#include "runtime/formats/utf8.h"

#include <random>

#include "gtest/gtest.h"

namespace trama {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

TEST(Utf8Test, KnowsValidCharacters) {
  for (const char32_t c : {U'a', U'ç', U'€', U'😀', char32_t{0x7F}, char32_t{0x10FFFF}}) {
    std::string text;
    AppendUtf8(c, text);
    EXPECT_EQ(Utf8Length(text), text.size());
    EXPECT_EQ(DecodeUtf8(text), c);
    for (size_t n = 1; n < text.size(); ++n) {
      EXPECT_TRUE(IsUtf8Prefix(text.substr(0, n)));
      EXPECT_EQ(Utf8Length(text.substr(0, n)), 0u);
    }
  }
  for (const char* invalid : {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80",
                              "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xC3("}) {
    EXPECT_EQ(FindInvalidUtf8(std::string("ok") + invalid), 2u) << invalid;
  }
  EXPECT_EQ(FindInvalidUtf8("você 😀"), std::nullopt);
  EXPECT_EQ(DescribeCodePoint(U'ç'), "'ç' (U+00E7)");
  EXPECT_EQ(DescribeCodePoint(U'\n'), "U+000A");
}

TEST(Utf8StreamTest, GivesOutWholeCharactersOnly) {
  Utf8Stream stream;
  const std::string text = "aç€😀";
  std::string out;
  for (const char byte : text) {
    const std::string piece = stream.Push(std::string_view(&byte, 1));
    EXPECT_EQ(FindInvalidUtf8(piece), std::nullopt);
    out += piece;
  }
  EXPECT_EQ(out, text);
  EXPECT_EQ(stream.Flush(), "");
}

TEST(Utf8StreamTest, ReplacesWhatIsNoCharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("a\xE2\x82"), "a");
  EXPECT_EQ(stream.Push("b"), std::string(kReplacement) + "b");
  EXPECT_EQ(stream.Push("\xFF"), kReplacement);
  EXPECT_EQ(stream.Push("\xF0\x9F"), "");
  EXPECT_EQ(stream.Flush(), kReplacement);
  EXPECT_EQ(stream.Flush(), "");
}

TEST(Utf8StreamTest, DoesNotDependOnWhereTheBytesAreCut) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 5000; ++trial) {
    std::string bytes;
    for (int i = random() % 20; i > 0; --i)
      bytes += "\xF0\x9F\x98\x80\xE2\x82\xAC\xC3\xA7xyz\xED\xA0\xFF"[random() % 15];
    Utf8Stream whole, cut;
    std::string expected = whole.Push(bytes) + whole.Flush(), got;
    for (size_t at = 0; at < bytes.size();) {
      const size_t count = 1 + random() % 3;
      got += cut.Push(std::string_view(bytes).substr(at, count));
      at += count;
    }
    got += cut.Flush();
    EXPECT_EQ(got, expected);
    EXPECT_EQ(FindInvalidUtf8(got), std::nullopt);
  }
}

}  // namespace
}  // namespace trama
