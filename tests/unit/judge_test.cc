#include "runtime/judge.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/formats/json.h"
#include "runtime/responses.h"
#include "tests/http_server.h"

namespace trama {
namespace {

using testing::HasSubstr;

TEST(JudgeTest, FindsTheScoreInAReply) {
  EXPECT_EQ(ScoreIn("85"), 85);
  EXPECT_EQ(ScoreIn("Score: 100."), 100);
  EXPECT_EQ(ScoreIn("of 1000 perhaps 7"), 7);
  EXPECT_EQ(ScoreIn("0"), 0);
  EXPECT_EQ(ScoreIn("-5"), std::nullopt);
  EXPECT_EQ(ScoreIn("99999999999999999999"), std::nullopt);
  EXPECT_EQ(ScoreIn("none"), std::nullopt);
  EXPECT_EQ(ScoreIn(""), std::nullopt);
}

TEST(JudgeTest, AsksAChatEndpoint) {
  const HttpServer server([](const HttpServer::Request&) -> HttpServer::Response {
    return {.body = R"({"choices": [{"message": {"role": "assistant", "content": " 42\n"}}]})"};
  });
  const Instruction record{"Repeat the word.", "olá", "olá", ""};
  for (const char* path : {"/v1", "/v1/", "/v1/chat/completions"}) {
    ASSERT_OK_AND_ASSIGN(const std::optional<int> score,
                         Judge({server.url() + path, "a-model", "secret"}, record, "oi"));
    EXPECT_EQ(score, 42);
    const HttpServer::Request asked = server.requests().back();
    EXPECT_EQ(asked.path, "/v1/chat/completions");
    EXPECT_THAT(asked.headers, HasSubstr("Authorization: Bearer secret\r\n"));
    EXPECT_THAT(asked.headers, HasSubstr("Content-Type: application/json\r\n"));
    ASSERT_OK_AND_ASSIGN(const Json body, Json::Parse(asked.body));
    EXPECT_EQ(body.Get<std::string>("model").value_or(""), "a-model");
    const std::string question =
        body.Find("messages")->array()[0].Get<std::string>("content").value_or("");
    EXPECT_THAT(question, HasSubstr("### Instruction:\nRepeat the word.\n\n### Input:\nolá`"));
    EXPECT_THAT(question, HasSubstr("correct output `olá`, score the model response `oi`"));
  }
}

TEST(JudgeTest, SaysWhatAWrongEndpointAnswered) {
  const HttpServer server([](const HttpServer::Request& request) -> HttpServer::Response {
    if (request.path == "/down/chat/completions") return {.status = 503, .body = "asleep"};
    if (request.path == "/empty/chat/completions") return {.body = "{\"choices\": []}"};
    return {.body = "<html>"};
  });
  const auto error = [&](const char* path) {
    return std::string(Judge({server.url() + path, "m", "", 0}, {}, "").status().message());
  };
  EXPECT_THAT(error("/down"),
              HasSubstr("/down/chat/completions: answers with status 503 (asleep)"));
  EXPECT_THAT(error("/empty"), HasSubstr("not a chat's answer: it has no \"choices\""));
  EXPECT_THAT(error("/page"), HasSubstr("not a chat's answer: byte 0"));
}

constexpr char kSixty[] = R"({"choices": [{"message": {"content": "60"}}]})";

TEST(JudgeTest, AsksABusyEndpointAgain) {
  int asked = 0;
  const HttpServer server([&](const HttpServer::Request&) -> HttpServer::Response {
    switch (asked++) {
      case 0:
        return {.status = 500};
      case 1:
        return {.status = 429, .headers = {"Retry-After: 7"}};
      case 2:
        return {.status = 503, .headers = {"Retry-After: 1000"}};
      case 3:
        return {.status = 502, .headers = {"Retry-After: tomorrow"}};
      default:
        return {.body = kSixty};
    }
  });
  std::vector<double> waits;
  JudgeOptions options{server.url(), "m", ""};
  options.sleep = [&](double seconds) { waits.push_back(seconds); };
  ASSERT_OK_AND_ASSIGN(const std::optional<int> score, Judge(options, {}, "a"));
  EXPECT_EQ(score, 60);
  EXPECT_THAT(waits, testing::ElementsAre(1, 7, 60, 8));
}

TEST(JudgeTest, LeavesWhatFailsWithoutAScore) {
  // Fails at every answer that says so.
  const HttpServer server([&](const HttpServer::Request& request) -> HttpServer::Response {
    if (request.body.find("response `bad`") != std::string::npos) return {.status = 500};
    if (request.body.find("response `long`") != std::string::npos) return {.status = 400};
    return {.body = kSixty};
  });
  JudgeOptions options{server.url(), "m", ""};
  options.sleep = [](double) {};
  using Scores = std::vector<std::optional<int>>;
  const auto judge = [&](const std::vector<std::string>& responses) {
    return JudgeAll(options, std::vector<Instruction>(responses.size()), responses);
  };
  ASSERT_OK_AND_ASSIGN(const Judgements some, judge({"bad", "a", "long", "b"}));
  EXPECT_EQ(some.scores, (Scores{std::nullopt, 60, std::nullopt, 60}));
  EXPECT_EQ(some.failed, 2);
  EXPECT_THAT(std::string(some.failure.message()), HasSubstr("status 400"));
  // It gives up after several, and keeps what it has.
  ASSERT_OK_AND_ASSIGN(const Judgements few,
                       judge({"a", "bad", "bad", "bad", "bad", "bad", "b", "c"}));
  EXPECT_EQ(few.scores[0], 60);
  EXPECT_EQ(few.failed, 7);
  // What never replies is an error; a wrong request at once.
  EXPECT_THAT(judge({"bad", "bad"}),
              StatusIs(absl::StatusCode::kAborted, "status 500 (), 5 times"));
  EXPECT_THAT(judge({"long", "a"}), StatusIs(absl::StatusCode::kUnavailable, "status 400"));
  options.url = "http://127.0.0.1:1";
  EXPECT_THAT(judge({"a", "b"}), StatusIs(absl::StatusCode::kUnavailable, "cannot reach"));
}

TEST(TextMatchTest, HoldsLettersAgainstEachOther) {
  TextMatch match;
  match.Add("edcba", "abcde");  // the middle letter
  EXPECT_DOUBLE_EQ(match.letters(), 1.0 / 5);
  EXPECT_DOUBLE_EQ(match.exact(), 0);
  match.Add(" ação\n", "ação");
  EXPECT_DOUBLE_EQ(match.exact(), 0.5);
  EXPECT_DOUBLE_EQ(match.letters(), 5.0 / 9);
  match.Add("ab", "abcd");  // what is missing, or too much, is wrong
  match.Add("abcd", "ab");
  EXPECT_DOUBLE_EQ(match.letters(), 9.0 / 17);
  EXPECT_DOUBLE_EQ(match.exact(), 0.25);
}

}  // namespace
}  // namespace trama
