// trama download MODEL: the published files, over HTTPS.
#include <cstdlib>
#include <iostream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "runtime/download.h"
#include "runtime/metrics.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {

absl::StatusOr<int> Run(const Flags& flags) {
  constexpr int64_t kMebibyte = 1 << 20;
  DownloadOptions options;
  options.model = flags.positional()[0];
  options.out = flags.Given("out") ? flags.String("out") : options.model;
  options.url = flags.String("url");
  options.overwrite = flags.Bool("overwrite");
  std::string now;
  std::optional<Progress> progress;
  options.progress = [&](const std::string& file, int64_t done, int64_t total) {
    if (file != now) {
      now = file;
      Progress::Options shown = Progress::ForStandardError(flags.Bool("quiet"));
      shown.unit = absl::StrCat(file, ", MiB");
      progress.reset();  // the last one's line ends first
      progress.emplace(total < 0 ? 0 : (total + kMebibyte - 1) / kMebibyte, std::move(shown),
                       done / kMebibyte);
    }
    progress->Update((done + kMebibyte - 1) / kMebibyte, "");
  };
  TRAMA_RETURN_IF_ERROR(CheckOut(options.out, options.overwrite));
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> unverified, Download(options));
  progress.reset();
  if (!unverified.empty() && !flags.Bool("quiet"))
    std::cerr << "the server names no digest of " << absl::StrJoin(unverified, ", ")
              << ": what came could not be verified\n";
  std::cout << options.out << "\n";
  return 0;
}

const char* Url() {
  const char* url = getenv("TRAMA_DOWNLOAD_URL");
  return url && *url ? url : kPublishedUrl;
}

TRAMA_COMMAND((Command{
    "download",
    "MODEL",
    "fetches a published model: gpt2, gpt2-medium, gpt2-large, ...",
    "trama download gpt2 --out=gpt2",
    {{"out", FlagKind::kString, "", "the model directory to make; default: the model's name"},
     {"overwrite", FlagKind::kBool, "false", "replace --out where it exists"},
     {"url", FlagKind::kString, Url(), "of the site, or a mirror; also TRAMA_DOWNLOAD_URL"}},
    Run}));

}  // namespace
}  // namespace trama::cli
