// What training says while it runs: a JSON line a step in a file, and progress for people.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/formats/json.h"

namespace trama {

// --metrics=FILE.jsonl: one object a step, each line in one write at the file's end.
class MetricsWriter {
 public:
  // Keeps the lines of a file that is there up to the one whose "step" is beyond `resumed_step`
  // (0: a new run keeps none) or that a crash left incomplete, and goes on behind them.
  static absl::StatusOr<MetricsWriter> Open(const std::string& path, int64_t resumed_step = 0);
  MetricsWriter(MetricsWriter&& other) noexcept;
  MetricsWriter& operator=(MetricsWriter&& other) = delete;
  ~MetricsWriter();

  // FileError where the line cannot be written whole.
  absl::Status Write(const Json& object);

 private:
  MetricsWriter() = default;
  std::string path_;
  int fd_ = -1;
};

// Progress on standard error: on a terminal a bar that is drawn over itself, elsewhere a line every
// few seconds.
class Progress {
 public:
  struct Options {
    bool quiet = false;
    bool terminal = false;
    int columns = 80;
    double line_seconds = 5;
    std::string unit = "step";                    // of what is done
    std::function<double()> now;                  // seconds
    std::function<void(std::string_view)> write;  // gets the bytes
  };
  // For standard error as it is.
  static Options ForStandardError(bool quiet);

  // `done` is where a resumed run starts.
  Progress(int64_t total, Options options, int64_t done = 0);
  ~Progress();  // finishes

  // `done` of the total; `details` is one short line: "loss 2.31, 12300 tokens/s".
  void Update(int64_t done, std::string_view details);
  // A line of its own, above the bar.
  void Note(std::string_view line);
  // Shows the last update, if it was not, and leaves the bar's line.
  void Finish();

 private:
  std::string Line() const;
  void Show();

  Options options_;
  int64_t total_, done_, first_done_;
  std::string details_;
  double started_, shown_;
  bool pending_ = false, bar_ = false;
};

}  // namespace trama
