#include "runtime/metrics.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"

namespace trama {
namespace {

// How many bytes of the lines stay.
size_t KeptBytes(std::string_view lines, int64_t resumed_step) {
  size_t kept = 0;
  while (kept < lines.size()) {
    const size_t end = lines.find('\n', kept);
    if (end == std::string_view::npos) break;
    const absl::StatusOr<Json> json = Json::Parse(lines.substr(kept, end - kept));
    if (!json.ok()) break;
    const absl::StatusOr<int64_t> step = json->Get<int64_t>("step");
    if (!step.ok() || *step > resumed_step) break;
    kept = end + 1;
  }
  return kept;
}

std::string Duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  const auto two = [](int64_t n) { return absl::StrCat(n < 10 ? "0" : "", n); };
  if (whole < 3600) return absl::StrCat(whole / 60, ":", two(whole % 60));
  return absl::StrCat(whole / 3600, ":", two(whole / 60 % 60), ":", two(whole % 60));
}

}  // namespace

absl::StatusOr<MetricsWriter> MetricsWriter::Open(const std::string& path, int64_t resumed_step) {
  MetricsWriter writer;
  writer.path_ = path;
  writer.fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (writer.fd_ < 0) return FileError("write", path, errno);
  struct stat info;
  if (fstat(writer.fd_, &info) != 0) return FileError("write", path, errno);
  if (!S_ISREG(info.st_mode)) return writer;
  size_t kept = 0;
  if (resumed_step > 0) {
    TRAMA_ASSIGN_OR_RETURN(const std::string lines, ReadFile(path));
    kept = KeptBytes(lines, resumed_step);
  }
  if (ftruncate(writer.fd_, static_cast<off_t>(kept)) != 0) return FileError("write", path, errno);
  return writer;
}

MetricsWriter::MetricsWriter(MetricsWriter&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

MetricsWriter::~MetricsWriter() {
  if (fd_ >= 0) close(fd_);
}

absl::Status MetricsWriter::Write(const Json& object) {
  const std::string line = object.Dump() + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return FileError("write", path_, written < 0 ? errno : ENOSPC);
    rest.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

Progress::Options Progress::ForStandardError(bool quiet) {
  Options options;
  options.quiet = quiet;
  options.terminal = isatty(STDERR_FILENO);
  winsize size;
  if (options.terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    options.columns = size.ws_col;
  options.now = MonotonicSeconds;
  options.write = [](std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = write(STDERR_FILENO, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // nobody reads it; training goes on
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  };
  return options;
}

Progress::Progress(int64_t total, Options options, int64_t done)
    : options_(std::move(options)),
      total_(total),
      done_(done),
      first_done_(done),
      started_(options_.now()),
      shown_(started_) {}

Progress::~Progress() { Finish(); }

void Progress::Update(int64_t done, std::string_view details) {
  constexpr double kRedraw = 0.1;  // seconds
  done_ = done;
  details_ = details;
  pending_ = true;
  if (options_.quiet) return;
  const double interval = options_.terminal ? kRedraw : options_.line_seconds;
  if (options_.now() - shown_ >= interval || (options_.terminal && !bar_)) Show();
}

std::string Progress::Line() const {
  std::string line;
  if (options_.terminal && total_ > 0) {
    constexpr int kWidth = 24;
    const auto filled = static_cast<int>(kWidth * std::min(done_, total_) / total_);
    line = absl::StrCat("[", std::string(filled, '='), std::string(kWidth - filled, ' '), "] ");
  }
  absl::StrAppend(&line, options_.unit, " ", done_);
  if (total_ > 0) absl::StrAppend(&line, "/", total_);
  if (!details_.empty()) absl::StrAppend(&line, "  ", details_);
  const double elapsed = options_.now() - started_;
  const int64_t since = done_ - first_done_;
  if (total_ > done_ && since > 0)
    absl::StrAppend(
        &line, "  ",
        Duration(elapsed / static_cast<double>(since) * static_cast<double>(total_ - done_)),
        " left");
  else
    absl::StrAppend(&line, "  ", Duration(elapsed));
  return line;
}

void Progress::Show() {
  std::string line = Line();
  if (options_.terminal) {
    line = line.substr(0, static_cast<size_t>(std::max(options_.columns - 1, 1)));
    options_.write("\r" + line + "\x1b[K");  // erases what a longer line left
    bar_ = true;
  } else {
    options_.write(line + "\n");
  }
  shown_ = options_.now();
  pending_ = false;
}

void Progress::Note(std::string_view line) {
  if (options_.quiet) return;
  options_.write((bar_ ? "\r\x1b[K" : "") + std::string(line) + "\n");
  if (bar_) Show();
}

void Progress::Finish() {
  if (!options_.quiet && pending_) Show();
  pending_ = false;
  if (std::exchange(bar_, false)) options_.write("\n");
}

}  // namespace trama
