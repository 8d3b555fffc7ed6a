#include "runtime/data/gutenberg.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/data/text.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

constexpr char kHeader[] =
    "\xEF\xBB\xBFThe Project Gutenberg eBook of A Made-up Book\n\nTitle: A Book\n\n";
constexpr char kFooter[] =
    "*** START: FULL LICENSE ***\nTHE FULL PROJECT GUTENBERG LICENSE\nPlease read it.\n";
constexpr char kBook[] = "Capítulo I\n\n*** não é um marco ***\n\nEra uma vez.\n";

TEST(GutenbergTest, LeavesTheBook) {
  const std::pair<const char*, const char*> marks[] = {
      {"*** START OF THE PROJECT GUTENBERG EBOOK A BOOK ***\n",
       "*** END OF THE PROJECT GUTENBERG EBOOK A BOOK ***\n"},
      {"***START OF THIS PROJECT GUTENBERG EBOOK A BOOK***\r\n",
       "***END OF THIS PROJECT GUTENBERG EBOOK A BOOK***\r\n"},
      {"*** START OF THE PROJECT GUTENBERG EBOOK A BOOK WITH\nA LONG TITLE ***\n",
       "End of Project Gutenberg's A Book, by Nobody\n\n*** END OF THE PROJECT GUTENBERG EBOOK "
       "***\n"},
      {"*** Start of the Project Gutenberg Etext A Book\n",
       "End of the Project Gutenberg EBook of A Book\n"},
      {"*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n",
       "  *** END OF THE PROJECT GUTENBERG ETEXT A BOOK ***  \n"}};
  for (const auto& [start, end] : marks)
    EXPECT_EQ(
        StripGutenberg(std::string(kHeader) + start + "\n \n" + kBook + "\n\n" + end + kFooter),
        kBook)
        << start;
  const auto& [start, end] = marks[0];
  EXPECT_EQ(StripGutenberg(std::string(kBook) + end + kFooter), kBook);
  EXPECT_EQ(StripGutenberg(std::string(kHeader) + start + kBook), kBook);
  EXPECT_EQ(
      StripGutenberg(std::string(kHeader) + start + "a\n" + end + kHeader + start + "b\n" + end),
      "a\nb\n");
  EXPECT_EQ(StripGutenberg(std::string(kHeader) + start + end), "");
  // No book of theirs: only the byte order mark goes.
  EXPECT_EQ(StripGutenberg("\xEF\xBB\xBF\n a \n\n"), "\n a \n\n");
  EXPECT_EQ(StripGutenberg("*"), "*");
  EXPECT_EQ(StripGutenberg(""), "");
}

TEST(GutenbergTest, EachFileOfAFolder) {
  const TempDir dir;
  const std::string start = "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n",
                    end = "*** END OF THE PROJECT GUTENBERG EBOOK A ***\n";
  dir.Write("a.txt", kHeader + start + "one\n" + end + kFooter);
  dir.Write("b.txt", kHeader + start + "two\n" + end + kFooter);
  ASSERT_OK_AND_ASSIGN(const auto books, ReadDocuments(dir.path(), 0, /*strip_gutenberg=*/true));
  ASSERT_EQ(books.size(), 2u);
  EXPECT_EQ(books[0].text, "one\n");
  EXPECT_EQ(books[1].text, "two\n");
  ASSERT_OK_AND_ASSIGN(const auto whole, ReadDocuments(dir / "a.txt"));
  EXPECT_EQ(whole[0].text.find("one"), (kHeader + start).size());
}

}  // namespace
}  // namespace trama
