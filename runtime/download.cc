#include "runtime/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/net/digest.h"
#include "runtime/net/http.h"

namespace trama {
namespace {

constexpr const char* kFiles[] = {"config.json", "vocab.json", "merges.txt", "model.safetensors"};

const std::map<std::string, std::string>& Repositories() {
  static const auto* const repositories =
      new std::map<std::string, std::string>{{"gpt2", "openai-community/gpt2"},
                                             {"gpt2-small", "openai-community/gpt2"},
                                             {"gpt2-medium", "openai-community/gpt2-medium"},
                                             {"gpt2-large", "openai-community/gpt2-large"},
                                             {"gpt2-xl", "openai-community/gpt2-xl"},
                                             {"distilgpt2", "distilbert/distilgpt2"}};
  return *repositories;
}

int64_t SizeOf(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

// A file that grows as its content comes.
class Part {
 public:
  explicit Part(std::string path) : path_(std::move(path)) {}
  Part(const Part&) = delete;
  ~Part() {
    if (fd_ >= 0) close(fd_);
  }
  absl::Status Open(bool anew) {
    fd_ =
        open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (anew ? O_TRUNC : 0), 0666);
    return fd_ < 0 ? FileError("write", path_, errno) : absl::OkStatus();
  }
  bool is_open() const { return fd_ >= 0; }
  absl::Status Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return FileError("write", path_, written < 0 ? errno : ENOSPC);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }
  absl::Status Sync() {
    return fsync(fd_) == 0 ? absl::OkStatus() : FileError("write", path_, errno);
  }

 private:
  std::string path_;
  int fd_ = -1;
};

// The digest that the server names for a file, without quotes; "" where it names none. Large files
// lie elsewhere: then the repository's own answer, before the redirect, has it.
std::string NamedDigest(const HttpResponse& response) {
  for (const char* name : {"x-linked-etag", "etag"}) {
    std::string tag = response.Header(name);
    absl::string_view digest = tag;
    absl::ConsumePrefix(&digest, "W/");
    digest = absl::StripPrefix(absl::StripSuffix(digest, "\""), "\"");
    const bool hex = digest.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
    if (hex && (digest.size() == 64 || digest.size() == 40)) return std::string(digest);
  }
  return "";
}

class Downloader {
 public:
  Downloader(const DownloadOptions& options, std::string repository)
      : options_(options),
        page_(absl::StrCat(absl::StripSuffix(options.url, "/"), "/", repository)),
        folder_(absl::StrCat(absl::StripSuffix(options.out, "/"), ".part")) {}

  absl::StatusOr<std::vector<std::string>> Run() {
    TRAMA_RETURN_IF_ERROR(MakeDirectories(folder_));
    for (const char* file : kFiles)
      if (!FileExists(JoinPath(folder_, file)))
        if (absl::Status status = Fetch(file); !status.ok()) {
          rmdir(folder_.c_str());  // where nothing came; else it is gone on with
          return status;
        }
    if (options_.overwrite) TRAMA_RETURN_IF_ERROR(RemoveAll(options_.out));
    if (rename(folder_.c_str(), options_.out.c_str()) != 0)
      return FileError("write", options_.out, errno);
    TRAMA_RETURN_IF_ERROR(SyncDirectory(DirectoryOf(options_.out)));
    return std::move(unverified_);
  }

 private:
  // Goes on where it breaks off, as long as that brings anything.
  absl::Status Fetch(const std::string& file) {
    const std::string part = JoinPath(folder_, file) + ".part";
    HttpResponse response;
    while (true) {
      const int64_t before = SizeOf(part);
      absl::StatusOr<HttpResponse> answer = FetchFrom(file, part, before);
      if (answer.ok()) {
        response = *std::move(answer);
        if (response.status != 416 || !NamedDigest(response).empty()) break;
        TRAMA_RETURN_IF_ERROR(RemoveAll(part));  // whole perhaps, but nothing says so
        continue;
      }
      if (!absl::IsUnavailable(answer.status())) return answer.status();
      if (SizeOf(part) <= before) return ByHand(std::string(answer.status().message()));
    }
    if (const std::string digest = NamedDigest(response); !digest.empty())
      TRAMA_RETURN_IF_ERROR(Check(part, file, digest));
    else
      unverified_.push_back(file);
    if (rename(part.c_str(), JoinPath(folder_, file).c_str()) != 0)
      return FileError("write", JoinPath(folder_, file), errno);
    return absl::OkStatus();
  }

  absl::StatusOr<HttpResponse> FetchFrom(const std::string& file, const std::string& path,
                                         int64_t begin) {
    HttpRequest request{.url = absl::StrCat(page_, "/resolve/main/", file), .resume_from = begin};
    Part part(path);
    int64_t done = begin;
    request.on_content = [&](std::string_view piece, const HttpResponse& so_far) {
      if (!part.is_open()) {
        // Whoever sends all of it again does not heed the range.
        if (so_far.status != 206) done = 0;
        TRAMA_RETURN_IF_ERROR(part.Open(/*anew=*/so_far.status != 206));
        total_ = so_far.length < 0 ? -1 : done + so_far.length;
      }
      TRAMA_RETURN_IF_ERROR(part.Write(piece));
      done += static_cast<int64_t>(piece.size());
      if (options_.progress) options_.progress(file, done, total_);
      return absl::OkStatus();
    };
    TRAMA_ASSIGN_OR_RETURN(HttpResponse response, trama::Fetch(request));
    // Nothing is left of it: it was all there when the last call ended.
    if (response.status == 416 && begin > 0) return response;
    if (response.status < 200 || response.status > 299) {
      const std::string what =
          absl::StrCat(request.url, ": the server answers with status ", response.status);
      const bool later = response.status == 429 || response.status >= 500;
      return later ? absl::UnavailableError(what) : absl::NotFoundError(what);
    }
    if (!part.is_open()) TRAMA_RETURN_IF_ERROR(part.Open(/*anew=*/begin == 0));
    TRAMA_RETURN_IF_ERROR(part.Sync());
    return response;
  }

  static absl::Status Check(const std::string& path, const std::string& file,
                            const std::string& wanted) {
    TRAMA_ASSIGN_OR_RETURN(const std::string digest,
                           wanted.size() == 64 ? Sha256OfFile(path) : GitBlobOfFile(path));
    if (digest == wanted) return absl::OkStatus();
    TRAMA_RETURN_IF_ERROR(RemoveAll(path));
    return absl::DataLossError(absl::StrCat(file, ": damaged on the way: its digest is ", digest,
                                            ", the server names ", wanted, "; run it again"));
  }

  absl::Status ByHand(const std::string& why) const {
    return absl::UnavailableError(absl::StrCat(why, "; run it again to go on, or fetch ",
                                               absl::StrJoin(kFiles, ", "), " by hand from ", page_,
                                               "/tree/main and put them into ", options_.out));
  }

  const DownloadOptions& options_;
  std::string page_, folder_;
  int64_t total_ = -1;
  std::vector<std::string> unverified_;
};

}  // namespace

std::vector<std::string> PublishedModels() {
  std::vector<std::string> names;
  for (const auto& [name, repository] : Repositories()) names.push_back(name);
  return names;
}

absl::StatusOr<std::vector<std::string>> Download(const DownloadOptions& options) {
  const auto known = Repositories().find(options.model);
  if (known == Repositories().end()) {
    const std::vector<std::string> names = PublishedModels();
    return absl::NotFoundError(absl::StrCat("no published model '", options.model, "'",
                                            DidYouMean(options.model, names), " (there are ",
                                            absl::StrJoin(names, ", "), ")"));
  }
  if (FileExists(options.out) && !options.overwrite)
    return absl::AlreadyExistsError(
        absl::StrCat(options.out, ": exists already; --overwrite replaces it"));
  return Downloader(options, known->second).Run();
}

}  // namespace trama
