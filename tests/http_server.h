// A small HTTP server on a free port of this machine, for tests.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace trama {

class HttpServer {
 public:
  struct Request {
    std::string method, path;  // "GET", "/file"
    std::string headers;       // as they came, one a line
    std::string body;
  };
  struct Response {
    int status = 200;
    std::vector<std::string> headers{};  // "Name: value"
    std::string body{};
    // The connection ends after so many bytes of the body, which is announced whole.
    size_t cut_after = std::string::npos;
  };
  // Answers one request after another, each on a connection of its own.
  explicit HttpServer(std::function<Response(const Request&)> answer);
  HttpServer(const HttpServer&) = delete;
  ~HttpServer();

  // "http://127.0.0.1:PORT"
  const std::string& url() const { return url_; }
  // What came so far.
  std::vector<Request> requests() const;

 private:
  void Serve();
  void Answer(int connection);

  std::function<Response(const Request&)> answer_;
  std::string url_;
  int socket_ = -1;
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::thread thread_;
};

// The part of `content` that a "Range: bytes=N-" header asks for, as status 206, or all of it.
HttpServer::Response WholeOrRange(const HttpServer::Request& request, const std::string& content);

}  // namespace trama
