// One HTTP request at a time, by libcurl: to a judge of answers, and to download files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace trama {

struct HttpRequest {
  std::string url;                     // http:// or https://, whose certificate is checked
  std::vector<std::string> headers{};  // "Name: value"
  std::optional<std::string> body{};   // sent by POST; without one it is a GET
  int64_t resume_from = 0;             // bytes of the content that are there already
  // Gives up when nothing came for so long. What takes longer and moves is let be.
  int64_t idle_seconds = 120;
  // Gets the content piece by piece, and the length of it all (-1: unknown); called only for a
  // status below 300. An error ends the transfer and becomes the result. Null: into HttpResponse.
  std::function<absl::Status(std::string_view piece, int64_t length)> on_content{};
};

struct HttpResponse {
  int status = 0;    // the last one, after redirects; 206 where resume_from was heeded
  std::string body;  // at most kMaxBody bytes
  static constexpr size_t kMaxBody = size_t{16} << 20;
};

// Unavailable "cannot reach URL (WHY)" where there is no answer or it broke off, InvalidArgument
// for a URL that is none. Any HTTP status is an answer. Redirects are followed, from https to https
// alone.
absl::StatusOr<HttpResponse> Fetch(const HttpRequest& request);

}  // namespace trama
