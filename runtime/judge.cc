#include "runtime/judge.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "runtime/formats/json.h"
#include "runtime/net/http.h"

namespace trama {
namespace {

std::string Endpoint(const std::string& url) {
  constexpr char kPath[] = "/chat/completions";
  const std::string base(absl::StripSuffix(url, "/"));
  return absl::EndsWith(base, kPath) ? base : base + kPath;
}

std::string Question(const Instruction& record, const std::string& response) {
  return absl::StrCat("Given the input `", InstructionText(record), "` and correct output `",
                      record.output, "`, score the model response `", response,
                      "` on a scale from 0 to 100, where 100 is the best score. Respond with the "
                      "integer number only.");
}

// choices[0].message.content
absl::StatusOr<std::string> ReplyOf(const std::string& body) {
  TRAMA_ASSIGN_OR_RETURN(const Json json, Json::Parse(body));
  const Json* choices = json.Find("choices");
  if (!choices || choices->array().empty())
    return absl::InvalidArgumentError("it has no \"choices\"");
  const Json* message = choices->array()[0].Find("message");
  if (!message) return absl::InvalidArgumentError("its first choice has no \"message\"");
  return message->Get<std::string>("content");
}

bool IsBusy(const HttpResponse& answer) {
  return answer.status == 429 || (answer.status >= 500 && answer.status <= 599);
}

// Asks again while the endpoint is busy.
absl::StatusOr<HttpResponse> FetchPatiently(const HttpRequest& request,
                                            const JudgeOptions& options) {
  constexpr double kLongest = 60;
  double wait = 1;
  for (int retry = 0;; ++retry) {
    TRAMA_ASSIGN_OR_RETURN(HttpResponse answer, Fetch(request));
    if (!IsBusy(answer) || retry >= options.retries) return answer;
    double asked;  // an HTTP date is none
    const bool says = absl::SimpleAtod(answer.Header("retry-after"), &asked) && asked >= 0;
    const double seconds = std::min(says ? asked : wait, kLongest);
    if (options.sleep)
      options.sleep(seconds);
    else
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    wait *= 2;
  }
}

}  // namespace

std::optional<int> ScoreIn(std::string_view reply) {
  for (size_t begin = 0; begin < reply.size();) {
    if (!absl::ascii_isdigit(reply[begin])) {
      ++begin;
      continue;
    }
    size_t end = begin;
    while (end < reply.size() && absl::ascii_isdigit(reply[end])) ++end;
    int score;
    const bool negative = begin > 0 && reply[begin - 1] == '-';
    if (!negative && absl::SimpleAtoi(absl::string_view(&reply[begin], end - begin), &score) &&
        score <= 100)
      return score;
    begin = end;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<int>> Judge(const JudgeOptions& options, const Instruction& record,
                                         const std::string& response) {
  Json message = Json::MakeObject({{"role", "user"}, {"content", Question(record, response)}});
  Json body = Json::MakeObject({{"model", options.model},
                                {"messages", Json(Json::Array{std::move(message)})},
                                {"temperature", 0},
                                {"seed", 123},  // the same score again, where the endpoint heeds it
                                {"stream", false}});
  HttpRequest request{.url = Endpoint(options.url), .headers = {"Content-Type: application/json"}};
  request.body = body.Dump();
  if (!options.key.empty())
    request.headers.push_back(absl::StrCat("Authorization: Bearer ", options.key));
  TRAMA_ASSIGN_OR_RETURN(const HttpResponse answer, FetchPatiently(request, options));
  const auto beginning = [&answer] { return answer.body.substr(0, 200); };
  if (IsBusy(answer))
    return absl::AbortedError(absl::StrCat(request.url, ": answers with status ", answer.status,
                                           " (", beginning(), "), ", options.retries + 1,
                                           " times"));
  if (answer.status < 200 || answer.status > 299)
    return absl::UnavailableError(
        absl::StrCat(request.url, ": answers with status ", answer.status, " (", beginning(), ")"));
  const absl::StatusOr<std::string> reply = ReplyOf(answer.body);
  if (!reply.ok())
    return absl::UnavailableError(absl::StrCat(
        request.url, ": not a chat's answer: ", reply.status().message(), " (", beginning(), ")"));
  return ScoreIn(*reply);
}

absl::StatusOr<Judgements> JudgeAll(const JudgeOptions& options,
                                    const std::vector<Instruction>& records,
                                    const std::vector<std::string>& responses,
                                    const std::function<void(int64_t done)>& done) {
  constexpr int64_t kGivesUpAfter = 5;
  Judgements all;
  all.scores.resize(responses.size());
  int64_t in_a_row = 0, replies = 0;
  for (size_t i = 0; i < responses.size(); ++i) {
    if (in_a_row == kGivesUpAfter) {
      all.failed += static_cast<int64_t>(responses.size() - i);
      break;
    }
    const absl::StatusOr<std::optional<int>> score = Judge(options, records[i], responses[i]);
    // A wrong address or key: nothing would come of asking on.
    if (!score.ok() && replies == 0 && !absl::IsAborted(score.status())) return score.status();
    in_a_row = score.ok() ? 0 : in_a_row + 1;
    if (score.ok()) {
      ++replies;
      all.scores[i] = *score;
    } else {
      ++all.failed;
      all.failure = score.status();
    }
    if (done) done(static_cast<int64_t>(i) + 1);
  }
  if (replies == 0 && all.failed > 0) return all.failure;
  return all;
}

}  // namespace trama
