// trama-text as it is called.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/run_trama.h"

namespace trama {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::Workplace;

TEST(TextCli, HelpAndErrors) {
  const Workplace place;
  const Outcome help = place.Run("trama-text", {"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* flag : {"--grammar", "--bytes", "--seed", "--check", "--known", "--entropy"})
    EXPECT_THAT(help.out, HasSubstr(flag));
  EXPECT_EQ(help.err, "");

  const auto fails = [&](const std::vector<std::string>& arguments, const std::string& line) {
    const Outcome outcome = place.Run("trama-text", arguments);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.err, "error: " + line + "\n");
    EXPECT_EQ(outcome.out, "");
  };
  fails({}, "--grammar is missing: what to write by");
  fails({"--gramar=g"}, "unknown flag: --gramar; did you mean --grammar?");
  fails({"--grammar=g"}, "one of --bytes, --check and --entropy says what to do");
  place.Write("g", "S -> Word\nWord: only\n");
  const Outcome written = place.Run("trama-text", {"--grammar=g", "--bytes=10"});
  EXPECT_EQ(written.status, 0) << written.err;
  EXPECT_EQ(written.out, "Only\nOnly\n");
}

}  // namespace
}  // namespace trama
