// One HTTP request at a time, by libcurl: to a judge of answers, and to download files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace trama {

struct HttpResponse {
  int status = 0;       // the last one, after redirects; 206 where resume_from was heeded
  int64_t length = -1;  // of its content as announced; -1: it was not
  std::string body;     // at most kMaxBody bytes
  // Of every answer on the way: the name in lower case, and the value.
  std::vector<std::pair<std::string, std::string>> headers;

  // The last value of that name, "" where there is none.
  std::string Header(std::string_view name) const;
  static constexpr size_t kMaxBody = size_t{16} << 20;
};

struct HttpRequest {
  std::string url;                     // http:// or https://, whose certificate is checked
  std::vector<std::string> headers{};  // "Name: value"
  std::optional<std::string> body{};   // sent by POST; without one it is a GET
  int64_t resume_from = 0;             // bytes of the content that are there already
  // Gives up when nothing came for so long. What takes longer and moves is let be.
  int64_t idle_seconds = 120;
  // Gets the content piece by piece, and the answer so far; called only for a status from 200 to
  // 299. An error ends the transfer and becomes the result. Null: into HttpResponse::body.
  std::function<absl::Status(std::string_view piece, const HttpResponse& so_far)> on_content{};
};

// Unavailable "cannot reach URL (WHY)" where there is no answer or it broke off, InvalidArgument
// for a URL that is none. Any HTTP status is an answer. Redirects are followed, from https to https
// alone.
absl::StatusOr<HttpResponse> Fetch(const HttpRequest& request);

}  // namespace trama
