// `trama download` as a user types it, from a server of this machine's own.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/run_trama.h"
#include "tests/http_server.h"

namespace trama {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::Workplace;

TEST(DownloadCommand, GivesAModelThatGenerates) {
  const Workplace place;
  std::string text;
  for (int i = 0; i < 200; ++i) text += "uma linha, outra linha; ";
  place.Write("text.txt", text);
  ASSERT_EQ(place
                .Trama({"tokenizer", "train", "--kind=bpe", "--data=text.txt", "--vocab_size=270",
                        "--out=tokenizer", "--quiet"})
                .status,
            0);
  ASSERT_EQ(place
                .Trama({"train", "gpt", "--data=text.txt", "--tokenizer=tokenizer", "--steps=2",
                        "--set=n_layer=1", "--set=n_embd=16", "--set=n_head=2", "--quiet",
                        "--out=published"})
                .status,
            0);
  const HttpServer server([&](const HttpServer::Request& request) -> HttpServer::Response {
    const std::string before = "/distilbert/distilgpt2/resolve/main/",
                      file = request.path.substr(std::min(before.size(), request.path.size()));
    if (request.path.rfind(before, 0) != 0 || !place.Has("published/" + file))
      return {.status = 404};
    return WholeOrRange(request, place.Read("published/" + file));
  });
  const Outcome fetched =
      place.Trama({"download", "distilgpt2", "--url=" + server.url(), "--out=copy"});
  ASSERT_EQ(fetched.status, 0) << fetched.err;
  EXPECT_EQ(fetched.out, "copy\n");
  EXPECT_THAT(fetched.err, HasSubstr("names no digest of config.json"));
  const std::vector<std::string> generate = {"generate", "published", "--prompt=uma", "--ids",
                                             "--max_tokens=8"};
  std::vector<std::string> of_copy = generate;
  of_copy[1] = "copy";
  const Outcome wanted = place.Trama(generate), said = place.Trama(of_copy);
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out, wanted.out);

  const Outcome again = place.Trama({"download", "distilgpt2", "--out=copy"});
  EXPECT_EQ(again.status, 1);  // before anything is asked for
  EXPECT_THAT(again.err, HasSubstr("error: copy: exists already; --overwrite replaces it"));
  place.Write("letters/to_anna.txt", "dear");
  const Outcome letters = place.Trama(
      {"download", "distilgpt2", "--url=" + server.url(), "--out=letters", "--overwrite"});
  EXPECT_EQ(letters.status, 1);
  EXPECT_THAT(letters.err, HasSubstr("error: letters: holds no model"));
  EXPECT_EQ(place.Read("letters/to_anna.txt"), "dear");
  const Outcome unknown = place.Trama({"download", "gpt3", "--url=http://127.0.0.1:1"});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, HasSubstr("error: no published model 'gpt3'; did you mean gpt2?"));
}

}  // namespace
}  // namespace trama
