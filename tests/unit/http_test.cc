#include "runtime/net/http.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/http_server.h"

namespace trama {
namespace {

using absl::StatusCode::kInvalidArgument;
using absl::StatusCode::kUnavailable;
using testing::HasSubstr;

TEST(HttpTest, GetsAndPosts) {
  const HttpServer server([](const HttpServer::Request& request) -> HttpServer::Response {
    return {.status = request.path == "/there" ? 200 : 404,
            .body = request.method + " " + request.body};
  });
  ASSERT_OK_AND_ASSIGN(HttpResponse response, Fetch({.url = server.url() + "/there"}));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "GET ");
  HttpRequest post{.url = server.url() + "/away", .headers = {"X-Mine: yes"}};
  post.body = std::string(3000, 'x') + std::string("\0y", 2);
  ASSERT_OK_AND_ASSIGN(response, Fetch(post));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "POST " + *post.body);
  EXPECT_THAT(server.requests().back().headers, HasSubstr("X-Mine: yes\r\n"));
}

TEST(HttpTest, FollowsRedirectsAndResumes) {
  const std::string content = "0123456789";
  const HttpServer server([&](const HttpServer::Request& request) -> HttpServer::Response {
    if (request.path == "/old") return {.status = 302, .headers = {"Location: /new"}};
    if (request.path == "/file")
      return {.status = 302, .headers = {"Location: file:///etc/hostname"}};
    return WholeOrRange(request, content);
  });
  ASSERT_OK_AND_ASSIGN(HttpResponse response, Fetch({.url = server.url() + "/old"}));
  EXPECT_EQ(response.body, content);
  std::string got;
  HttpRequest request{.url = server.url() + "/old", .resume_from = 4};
  request.on_content = [&](std::string_view piece, const HttpResponse& so_far) {
    EXPECT_EQ(so_far.length, 6);
    EXPECT_EQ(so_far.Header("location"), "/new");
    got += piece;
    return absl::OkStatus();
  };
  ASSERT_OK_AND_ASSIGN(response, Fetch(request));
  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(got, "456789");
  EXPECT_FALSE(Fetch({.url = server.url() + "/file"}).ok());  // of http and https alone
}

TEST(HttpTest, SaysWhatWentWrong) {
  std::string url;
  {
    const HttpServer server([](const HttpServer::Request&) -> HttpServer::Response {
      return {.body = "half of it", .cut_after = 4};
    });
    url = server.url();
    EXPECT_EQ(Fetch({.url = url}).status().code(), kUnavailable);  // broke off
    HttpRequest request{.url = url};
    request.on_content = [](std::string_view, const HttpResponse&) {
      return absl::AbortedError("full");
    };
    EXPECT_EQ(Fetch(request).status().message(), "full");
  }
  const absl::Status gone = Fetch({.url = url}).status();
  EXPECT_EQ(gone.code(), kUnavailable);
  EXPECT_THAT(gone.message(), HasSubstr("cannot reach " + url));
  EXPECT_EQ(Fetch({.url = "ftp://127.0.0.1/x"}).status().code(), kInvalidArgument);
  EXPECT_EQ(Fetch({.url = "nothing"}).status().code(), kInvalidArgument);
}

}  // namespace
}  // namespace trama
