#include "runtime/judge.h"

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
  TRAMA_ASSIGN_OR_RETURN(const HttpResponse answer, Fetch(request));
  const auto beginning = [&answer] { return answer.body.substr(0, 200); };
  if (answer.status < 200 || answer.status > 299)
    return absl::UnavailableError(
        absl::StrCat(request.url, ": answers with status ", answer.status, " (", beginning(), ")"));
  const absl::StatusOr<std::string> reply = ReplyOf(answer.body);
  if (!reply.ok())
    return absl::UnavailableError(absl::StrCat(
        request.url, ": not a chat's answer: ", reply.status().message(), " (", beginning(), ")"));
  return ScoreIn(*reply);
}

}  // namespace trama
