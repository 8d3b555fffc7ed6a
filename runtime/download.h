// Fetches published models: the files of a Hugging Face repository, into a model directory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace trama {

inline constexpr char kPublishedUrl[] = "https://huggingface.co";

struct DownloadOptions {
  std::string model;  // one of PublishedModels()
  std::string out;    // the directory to make
  std::string url = kPublishedUrl;
  bool overwrite = false;  // replace `out` where it exists
  // Called as a file comes: its name, the bytes that are here and all of them (-1: unknown).
  std::function<void(const std::string& file, int64_t done, int64_t total)> progress{};
};

// "gpt2", "gpt2-medium", ...
std::vector<std::string> PublishedModels();

// Writes into OUT.part beside `out` and renames that when every file is whole and right. What broke
// off goes on from there in the next call. A file is held against the digest that the server names,
// SHA-256 or git's; DataLoss where it differs, and then the file is fetched anew next time. Returns
// the files of this call for which the server names none.
// Unavailable where the server cannot be reached: the message says what to fetch by hand and where
// to put it. NotFound for another model's name, with the nearest.
absl::StatusOr<std::vector<std::string>> Download(const DownloadOptions& options);

}  // namespace trama
