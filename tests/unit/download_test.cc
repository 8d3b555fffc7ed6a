#include "runtime/download.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/formats/file.h"
#include "runtime/net/digest.h"
#include "tests/http_server.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DigestTest, AgreesWithSha256SumAndGit) {
  const TempDir dir;
  EXPECT_EQ(Sha256OfFile(dir.Write("a", "abc")).value_or(""),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(GitBlobOfFile(dir.Write("b", "hello\n")).value_or(""),
            "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_FALSE(Sha256OfFile(dir / "none").ok());
  EXPECT_FALSE(GitBlobOfFile(dir / "none").ok());
}

// A repository as Hugging Face serves it: small files with git's digest, large ones elsewhere, with
// SHA-256 named where the way there is.
struct Repository {
  const TempDir dir;
  std::map<std::string, std::string> files{{"config.json", "{\"model_type\": \"gpt2\"}"},
                                           {"vocab.json", "{}"},
                                           {"merges.txt", "#version: 0.2\n"},
                                           {"model.safetensors", std::string(50000, 'w')}};
  std::string digest;  // the model's, as the server names it
  size_t cut_after = std::string::npos;
  bool heeds_ranges = true;

  Repository() { digest = *Sha256OfFile(dir.Write("model", files["model.safetensors"])); }

  HttpServer::Response Answer(const HttpServer::Request& request) {
    const std::string before = "/openai-community/gpt2/resolve/main/";
    if (request.path == before + "model.safetensors")
      return {.status = 302, .headers = {"Location: /far", "X-Linked-ETag: \"" + digest + "\""}};
    if (request.path == "/far") {
      HttpServer::Response response =
          heeds_ranges ? WholeOrRange(request, files["model.safetensors"])
                       : HttpServer::Response{.body = files["model.safetensors"]};
      response.headers.push_back("ETag: \"1234-5\"");
      response.cut_after = cut_after;
      return response;
    }
    const auto file = files.find(request.path.substr(std::min(before.size(), request.path.size())));
    if (request.path.rfind(before, 0) != 0 || file == files.end()) return {.status = 404};
    HttpServer::Response response = WholeOrRange(request, file->second);
    response.headers.push_back(
        absl::StrCat("ETag: \"", *GitBlobOfFile(dir.Write("file", file->second)), "\""));
    return response;
  }
};

int Ranges(const HttpServer& server) {
  int count = 0;
  for (const HttpServer::Request& request : server.requests())
    count += request.path == "/far" && request.headers.find("Range: ") != std::string::npos;
  return count;
}

TEST(DownloadTest, FetchesEveryFile) {
  Repository repository;
  const HttpServer server([&](const auto& request) { return repository.Answer(request); });
  const TempDir dir;
  int64_t last = 0;
  DownloadOptions options{.model = "gpt2", .out = dir / "deep/gpt2", .url = server.url() + "/"};
  options.progress = [&](const std::string&, int64_t done, int64_t total) {
    EXPECT_LE(done, total);
    last = total;
  };
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> unverified, Download(options));
  EXPECT_THAT(unverified, ElementsAre());
  EXPECT_EQ(last, 50000);
  for (const auto& [name, content] : repository.files)
    EXPECT_TRUE(ReadFile(dir / ("deep/gpt2/" + name)).value_or("") == content) << name;
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> names, ListDirectory(dir / "deep"));
  EXPECT_THAT(names, ElementsAre("gpt2"));
  EXPECT_EQ(Download(options).status().code(), absl::StatusCode::kAlreadyExists);
  options.overwrite = true;
  options.model = "gpt2-small";  // another name of it
  EXPECT_OK(Download(options));
}

TEST(DownloadTest, GoesOnWhereItBreaksOff) {
  Repository repository;
  repository.cut_after = 20000;  // of each answer
  const HttpServer server([&](const auto& request) { return repository.Answer(request); });
  const TempDir dir;
  ASSERT_OK(Download({.model = "gpt2", .out = dir / "gpt2", .url = server.url()}));
  EXPECT_TRUE(ReadFile(dir / "gpt2/model.safetensors").value_or("") ==
              repository.files["model.safetensors"]);
  EXPECT_EQ(Ranges(server), 2);  // of three answers
}

TEST(DownloadTest, GoesOnInTheNextCall) {
  Repository repository;
  const TempDir dir;
  DownloadOptions options{.model = "gpt2", .out = dir / "gpt2"};
  for (const bool heeds : {true, false}) {
    repository.heeds_ranges = heeds;
    {
      int answers = 0;  // the first of the model breaks off, and then there is nothing
      const HttpServer server([&](const auto& request) -> HttpServer::Response {
        HttpServer::Response response = repository.Answer(request);
        if (request.path == "/far") response.cut_after = answers++ == 0 ? 30000 : 0;
        return response;
      });
      options.url = server.url();
      const absl::Status broken = Download(options).status();
      EXPECT_EQ(broken.code(), absl::StatusCode::kUnavailable) << broken;
      EXPECT_FALSE(FileExists(options.out));
    }
    const HttpServer server([&](const auto& request) { return repository.Answer(request); });
    options.url = server.url();
    ASSERT_OK(Download(options));
    EXPECT_EQ(server.requests().size(), 2u);  // the model's alone, and where that lies
    EXPECT_EQ(Ranges(server), 1);
    EXPECT_TRUE(ReadFile(dir / "gpt2/model.safetensors").value_or("") ==
                repository.files["model.safetensors"]);
    ASSERT_OK(RemoveAll(options.out));
  }
}

TEST(DownloadTest, RefusesWhatIsDamaged) {
  Repository repository;
  const std::string right = repository.digest;
  const HttpServer server([&](const auto& request) { return repository.Answer(request); });
  const TempDir dir;
  const DownloadOptions options{.model = "gpt2", .out = dir / "gpt2", .url = server.url()};
  repository.digest = std::string(64, '0');
  const absl::Status damaged = Download(options).status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(damaged.message(), HasSubstr("model.safetensors: damaged on the way"));
  EXPECT_FALSE(FileExists(options.out));
  repository.digest = right;
  EXPECT_OK(Download(options));
}

TEST(DownloadTest, NamesWhatHasNoDigest) {
  Repository repository;
  repository.digest = "of another kind";
  const HttpServer server([&](const auto& request) { return repository.Answer(request); });
  const TempDir dir;
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> unverified,
                       Download({.model = "gpt2", .out = dir / "gpt2", .url = server.url()}));
  EXPECT_THAT(unverified, ElementsAre("model.safetensors"));
}

TEST(DownloadTest, SaysWhatToDoWithoutANetwork) {
  const TempDir dir;
  std::string url;
  {
    Repository repository;
    repository.files.erase("merges.txt");
    const HttpServer server([&](const auto& request) { return repository.Answer(request); });
    url = server.url();
    const absl::Status missing = Download({.model = "gpt2", .out = dir / "a", .url = url}).status();
    EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(missing.message(), HasSubstr("merges.txt: the server answers with status 404"));
  }
  const absl::Status nobody =
      Download({.model = "gpt2-xl", .out = dir / "xl", .url = url}).status();
  EXPECT_EQ(nobody.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(nobody.message(), HasSubstr("cannot reach " + url));
  EXPECT_THAT(
      nobody.message(),
      HasSubstr("fetch config.json, vocab.json, merges.txt, model.safetensors by hand from " + url +
                "/openai-community/gpt2-xl/tree/main and put them into " + (dir / "xl")));
  const absl::Status unknown =
      Download({.model = "gpt2-x1", .out = dir / "x", .url = url}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(unknown.message(), HasSubstr("did you mean gpt2-xl?"));
}

}  // namespace
}  // namespace trama
