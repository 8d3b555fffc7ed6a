#include "base/nearest.h"

#include "gtest/gtest.h"

namespace trama {
namespace {

TEST(NearestTest, FindsTheLikelyWord) {
  const std::vector<std::string> names = {"steps", "seq_len", "batch_size", "lr", "gpt", "gpt2"};
  EXPECT_EQ(Nearest("step", names), "steps");
  EXPECT_EQ(Nearest("bacth_size", names), "batch_size");
  EXPECT_EQ(Nearest("GPT2", names), "gpt2");
  EXPECT_EQ(Nearest("something_else", names), "");
  EXPECT_EQ(Nearest("xy", names), "");  // a word of which no letter stays is not near
  EXPECT_EQ(Nearest("", names), "");
  EXPECT_EQ(Nearest("gen", {"run", "generate"}), "generate");  // two of three letters are no slip
  EXPECT_EQ(Nearest("zero", {"ro", "zeros"}), "zeros");
  EXPECT_EQ(Nearest("ba", names), "");
  EXPECT_EQ(DidYouMean("seqlen", names), "; did you mean seq_len?");
  EXPECT_EQ(DidYouMean("steps", {}), "");
}

}  // namespace
}  // namespace trama
