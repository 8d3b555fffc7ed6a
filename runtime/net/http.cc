#include "runtime/net/http.h"

#include <curl/curl.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace trama {
namespace {

struct Transfer {
  CURL* curl;
  const HttpRequest* request;
  HttpResponse response;
  absl::Status status;  // of on_content
};

// What the transfer knows of the answer so far.
void ReadInfo(Transfer& transfer) {
  long status = 0;
  curl_off_t length = -1;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(transfer.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  transfer.response.status = static_cast<int>(status);
  transfer.response.length = length;
}

size_t OnHeader(char* data, size_t size, size_t count, void* self) {
  const absl::string_view line = absl::StripAsciiWhitespace({data, size * count});
  const size_t colon = line.find(':');
  if (colon != absl::string_view::npos)
    static_cast<Transfer*>(self)->response.headers.emplace_back(
        absl::AsciiStrToLower(line.substr(0, colon)),
        absl::StripAsciiWhitespace(line.substr(colon + 1)));
  return size * count;
}

size_t OnContent(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view piece(data, size * count);
  ReadInfo(transfer);
  const int status = transfer.response.status;
  if (transfer.request->on_content && status >= 200 && status < 300) {
    transfer.status = transfer.request->on_content(piece, transfer.response);
    return transfer.status.ok() ? piece.size() : 0;
  }
  std::string& body = transfer.response.body;
  if (piece.size() > HttpResponse::kMaxBody - body.size()) {
    transfer.status =
        absl::ResourceExhaustedError(absl::StrCat(transfer.request->url, ": an answer beyond ",
                                                  HttpResponse::kMaxBody, " bytes is not read"));
    return 0;
  }
  body.append(piece);
  return piece.size();
}

}  // namespace

std::string HttpResponse::Header(std::string_view name) const {
  for (auto header = headers.rbegin(); header != headers.rend(); ++header)
    if (header->first == name) return header->second;
  return "";
}

absl::StatusOr<HttpResponse> Fetch(const HttpRequest& request) {
  const bool secure = absl::StartsWithIgnoreCase(request.url, "https://");
  if (!secure && !absl::StartsWithIgnoreCase(request.url, "http://"))
    return absl::InvalidArgumentError(
        absl::StrCat("not a URL of http:// or https://: ", request.url));
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> owner(curl_easy_init(), curl_easy_cleanup);
  CURL* curl = owner.get();
  if (initialised != CURLE_OK || !curl) return absl::InternalError("libcurl does not start");

  Transfer transfer{curl, &request, {}, absl::OkStatus()};
  char why[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "trama");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 20L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.idle_seconds));
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnContent);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  if (request.resume_from > 0)
    curl_easy_setopt(curl, CURLOPT_RANGE, absl::StrCat(request.resume_from, "-").c_str());
  if (request.body) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body->size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body->data());
  }
  curl_slist* headers = nullptr;
  for (const std::string& header : request.headers)
    headers = curl_slist_append(headers, header.c_str());
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers_owner(headers,
                                                                         curl_slist_free_all);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);

  const CURLcode code = curl_easy_perform(curl);
  if (!transfer.status.ok()) return transfer.status;
  if (code == CURLE_URL_MALFORMAT)
    return absl::InvalidArgumentError(absl::StrCat("not a URL: ", request.url));
  if (code != CURLE_OK)
    return absl::UnavailableError(absl::StrCat("cannot reach ", request.url, " (",
                                               *why ? why : curl_easy_strerror(code), ")"));
  ReadInfo(transfer);
  return std::move(transfer.response);
}

}  // namespace trama
