// trama plot METRICS.jsonl: training and validation loss, over steps and tokens.
#include <cmath>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "tools/trama/chart.h"
#include "tools/trama/command.h"

namespace trama::cli {
namespace {

using Points = std::vector<std::pair<double, double>>;

struct Curves {
  Points loss, val_loss;  // over steps
  double last_step = 0, last_tokens = 0;
};

absl::StatusOr<Curves> ReadMetrics(const std::string& path, bool quiet) {
  if (!FileExists(path)) {
    const absl::StatusOr<std::vector<std::string>> beside = ListDirectory(DirectoryOf(path));
    return absl::NotFoundError(
        absl::StrCat("no such file: ", path,
                     beside.ok() ? DidYouMean(FileNameOf(path), *beside) : std::string()));
  }
  TRAMA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Curves curves;
  int64_t number = 0;
  const auto wrong = [&](const absl::Status& status) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": ", status.message()));
  };
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const absl::StatusOr<Json> json = Json::Parse({line.data(), line.size()});
    if (!json.ok() && line.data() + line.size() == text.data() + text.size()) {
      if (!quiet)
        std::cerr << path << ":" << number << ": ends within the line, which is left out\n";
      break;
    }
    if (!json.ok()) return wrong(json.status());
    const absl::StatusOr<double> step = json->Get<double>("step");
    if (!step.ok()) return wrong(step.status());
    if (*step <= curves.last_step)
      return wrong(absl::InvalidArgumentError("a step that came already"));
    curves.last_step = *step;
    for (const auto& [key, points] :
         {std::pair("loss", &curves.loss), {"val_loss", &curves.val_loss}}) {
      const absl::StatusOr<double> value = json->GetOr<double>(key, NAN);
      if (!value.ok()) return wrong(value.status());
      if (std::isfinite(*value)) points->emplace_back(*step, *value);
    }
    const absl::StatusOr<double> tokens = json->GetOr<double>("tokens", curves.last_tokens);
    if (!tokens.ok()) return wrong(tokens.status());
    curves.last_tokens = *tokens;
  }
  if (curves.loss.empty() && curves.val_loss.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": no loss in it, nothing to plot"));
  return curves;
}

// At most `count` points, each the mean of neighbours.
Points Thinned(const Points& points, size_t count) {
  const size_t each = (points.size() + count - 1) / count;
  if (each <= 1) return points;
  Points thin;
  for (size_t begin = 0; begin < points.size(); begin += each) {
    const size_t end = std::min(begin + each, points.size());
    double x = 0, y = 0;
    for (size_t i = begin; i < end; ++i) x += points[i].first, y += points[i].second;
    const auto n = static_cast<double>(end - begin);
    thin.emplace_back(x / n, y / n);
  }
  return thin;
}

Chart ChartOf(const Curves& curves, std::string title) {
  constexpr size_t kPoints = 1600, kMeans = 60;
  constexpr Color kLightBlue = {0.65, 0.78, 0.93}, kBlue = {0.12, 0.39, 0.72},
                  kOrange = {0.85, 0.35, 0.1};
  Chart chart;
  chart.title = std::move(title);
  chart.x_label = "step";
  chart.y_label = "loss (nats)";
  const bool noisy = curves.loss.size() > 2 * kMeans;
  if (!curves.loss.empty())
    chart.lines.push_back({noisy ? "" : "training", Thinned(curves.loss, kPoints), kLightBlue, 1});
  if (noisy)
    chart.lines.push_back({"training (mean)", Thinned(curves.loss, kMeans), kBlue, 2});
  else if (!chart.lines.empty())
    chart.lines[0].color = kBlue;
  if (!curves.val_loss.empty())
    chart.lines.push_back({"validation", Thinned(curves.val_loss, kPoints), kOrange, 2,
                           curves.val_loss.size() <= kMeans});
  // Every update has about as many tokens.
  if (curves.last_tokens > 0) {
    chart.top_label = "tokens";
    chart.top_per_x = curves.last_tokens / curves.last_step;
  }
  return chart;
}

absl::StatusOr<int> Run(const Flags& flags) {
  const std::string& path = flags.positional()[0];
  TRAMA_ASSIGN_OR_RETURN(const Curves curves, ReadMetrics(path, flags.Bool("quiet")));
  std::vector<std::string> outs = flags.Repeated("out");
  if (outs.empty()) {
    const std::string stem = path.substr(0, path.size() - ExtensionOf(path).size());
    outs = {stem + ".svg", stem + ".png"};
  }
  for (const std::string& out : outs)
    if (ExtensionOf(out) != ".svg" && ExtensionOf(out) != ".png")
      return UsageError(absl::StrCat("--out: ", out, " ends neither in .svg nor in .png"));
  const Chart chart =
      ChartOf(curves, flags.Given("title") ? flags.String("title") : FileNameOf(path));
  for (const std::string& out : outs) {
    TRAMA_ASSIGN_OR_RETURN(
        const std::string image,
        RenderChart(chart, ExtensionOf(out) == ".svg" ? ChartFormat::kSvg : ChartFormat::kPng));
    TRAMA_RETURN_IF_ERROR(AtomicWriteFile(out, image));
    std::cout << out << "\n";
  }
  return 0;
}

TRAMA_COMMAND((Command{"plot",
                       "METRICS.jsonl",
                       "training and validation loss as SVG and PNG",
                       "trama plot metrics.jsonl --out=loss.svg",
                       {{"out", FlagKind::kRepeated, "",
                         "FILE.svg or FILE.png, repeatable; default: both, beside the metrics"},
                        {"title", FlagKind::kString, "", "default: the file's name"}},
                       Run}));

}  // namespace
}  // namespace trama::cli
