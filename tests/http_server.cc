#include "tests/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace trama {
namespace {

// What follows `name` on its line, which is written as libcurl does; "" where there is none.
std::string Header(const std::string& headers, const std::string& name) {
  const size_t at = headers.find(name + ": ");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 2;
  return headers.substr(begin, headers.find('\r', begin) - begin);
}

void SendAll(int connection, const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

}  // namespace

HttpServer::HttpServer(std::function<Response(const Request&)> answer)
    : answer_(std::move(answer)) {
  // Whatever proxy the machine has, this is not behind it.
  setenv("no_proxy", "127.0.0.1", /*overwrite=*/1);
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(socket_, generic, size) != 0 || listen(socket_, 16) != 0 ||
      getsockname(socket_, generic, &size) != 0)
    return;  // the tests then find nobody at ""
  url_ = absl::StrCat("http://127.0.0.1:", ntohs(address.sin_port));
  thread_ = std::thread([this] { Serve(); });
}

HttpServer::~HttpServer() {
  ending_ = true;
  shutdown(socket_, SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  close(socket_);
}

std::vector<HttpServer::Request> HttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HttpServer::Serve() {
  while (!ending_) {
    const int connection = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    Answer(connection);
    close(connection);
  }
}

void HttpServer::Answer(int connection) {
  std::string text;
  char piece[4096];
  size_t head = std::string::npos, length = 0;
  while (head == std::string::npos || text.size() < head + 4 + length) {
    const ssize_t n = recv(connection, piece, sizeof(piece), 0);
    if (n <= 0) return;
    text.append(piece, static_cast<size_t>(n));
    head = text.find("\r\n\r\n");
    if (head == std::string::npos) continue;
    length = 0;
    (void)absl::SimpleAtoi(Header(text.substr(0, head + 2), "Content-Length"), &length);
    if (length > 0 && text.size() == head + 4 && Header(text, "Expect") == "100-continue")
      SendAll(connection, "HTTP/1.1 100 Continue\r\n\r\n");
  }
  Request request;
  request.method = text.substr(0, text.find(' '));
  const size_t path = request.method.size() + 1;
  request.path = text.substr(path, text.find(' ', path) - path);
  request.headers = text.substr(0, head + 2);
  request.body = text.substr(head + 4);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const Response response = answer_(request);
  std::string out =
      absl::StrCat("HTTP/1.1 ", response.status, " -\r\nContent-Length: ", response.body.size(),
                   "\r\nConnection: close\r\n");
  for (const std::string& header : response.headers) absl::StrAppend(&out, header, "\r\n");
  SendAll(connection, out + "\r\n" + response.body.substr(0, response.cut_after));
}

HttpServer::Response WholeOrRange(const HttpServer::Request& request, const std::string& content) {
  const std::string range = Header(request.headers, "Range");
  size_t from = 0;
  if (range.rfind("bytes=", 0) != 0 ||
      !absl::SimpleAtoi(absl::string_view(range).substr(6, range.size() - 7), &from))
    return {.body = content};
  if (from >= content.size()) return {.status = 416};
  return {.status = 206,
          .headers = {absl::StrCat("Content-Range: bytes ", from, "-", content.size() - 1, "/",
                                   content.size())},
          .body = content.substr(from)};
}

}  // namespace trama
