#include "tools/trama/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/formats/utf8.h"
#include "tools/trama/chart_canvas.h"

namespace trama::cli {
namespace {

constexpr double kWidth = 900, kHeight = 560;
constexpr double kLeft = 78, kRight = 24, kTop = 78, kBottom = 58;  // around the plot
constexpr double kTextSize = 13, kTitleSize = 16;

constexpr Color kTextColor = {0.15, 0.15, 0.15};

Color Grey(double lightness) { return {lightness, lightness, lightness}; }

// UTF-8 without control characters, whatever a file is called.
std::string Printable(const std::string& text) {
  Utf8Stream stream;
  std::string printable = stream.Push(text);
  printable += stream.Flush();
  for (char& c : printable)
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  return printable;
}

class Painter {
 public:
  Painter(ChartCanvas& canvas, const Chart& chart) : canvas_(canvas), chart_(chart) {
    double low_x = std::numeric_limits<double>::infinity(), high_x = -low_x;
    double low_y = low_x, high_y = high_x;
    for (const ChartLine& line : chart.lines)
      for (const auto& [x, y] : line.points) {
        low_x = std::min(low_x, x), high_x = std::max(high_x, x);
        low_y = std::min(low_y, y), high_y = std::max(high_y, y);
      }
    // A single value gets room on both sides.
    if (low_x == high_x) low_x -= 1, high_x += 1;
    const double margin =
        low_y == high_y ? std::max(std::abs(low_y) * 0.1, 1e-6) : 0.04 * (high_y - low_y);
    x_ = {low_x, high_x};
    y_ = {low_y - margin, high_y + margin};
  }

  void Paint() {
    Text(Printable(chart_.title), kWidth / 2, 24, Align::kMiddle, kTitleSize);
    Scales();
    for (const ChartLine& line : chart_.lines) Draw(line);
    Legend();
  }

 private:
  double X(double x) const {
    return kLeft + (x - x_.first) / (x_.second - x_.first) * (kWidth - kLeft - kRight);
  }
  double Y(double y) const {
    return kHeight - kBottom - (y - y_.first) / (y_.second - y_.first) * (kHeight - kTop - kBottom);
  }

  void Text(const std::string& text, double x, double y, Align align, double size = kTextSize,
            bool upwards = false) {
    canvas_.Text(text, x, y, align, size, kTextColor, upwards);
  }

  void Line(double x1, double y1, double x2, double y2, Color color, double width = 1) {
    canvas_.Line({{x1, y1}, {x2, y2}}, color, width);
  }

  void Scales() {
    const double bottom = kHeight - kBottom, right = kWidth - kRight;
    for (const double y : Ticks(y_.first, y_.second)) {
      Line(kLeft, Y(y), right, Y(y), Grey(0.88));
      Text(TickText(y), kLeft - 8, Y(y) + 4, Align::kRight);
    }
    for (const double x : Ticks(x_.first, x_.second)) {
      Line(X(x), kTop, X(x), bottom, Grey(0.88));
      Text(TickText(x), X(x), bottom + 18, Align::kMiddle);
    }
    if (chart_.top_per_x > 0) {
      for (const double top : Ticks(x_.first * chart_.top_per_x, x_.second * chart_.top_per_x)) {
        const double x = X(top / chart_.top_per_x);
        Line(x, kTop - 5, x, kTop, Grey(0.4));
        Text(TickText(top), x, kTop - 9, Align::kMiddle);
      }
      Text(chart_.top_label, (kLeft + right) / 2, kTop - 28, Align::kMiddle);
    }
    canvas_.Line({{kLeft, kTop}, {right, kTop}, {right, bottom}, {kLeft, bottom}, {kLeft, kTop}},
                 Grey(0.4), 1);
    Text(chart_.x_label, (kLeft + right) / 2, kHeight - 16, Align::kMiddle);
    Text(chart_.y_label, 20, (kTop + bottom) / 2, Align::kMiddle, kTextSize, /*upwards=*/true);
  }

  void Draw(const ChartLine& line) {
    std::vector<std::pair<double, double>> points;
    for (const auto& [x, y] : line.points) points.emplace_back(X(x), Y(y));
    canvas_.Line(points, line.color, line.width);
    if (!line.dots && points.size() > 1) return;
    for (const auto& [x, y] : points) canvas_.Dot(x, y, 2.5, line.color);
  }

  void Legend() {
    double y = kTop + 20;
    for (const ChartLine& line : chart_.lines) {
      if (line.label.empty()) continue;
      Line(kWidth - kRight - 180, y - 4, kWidth - kRight - 152, y - 4, line.color, 3);
      Text(line.label, kWidth - kRight - 144, y, Align::kLeft);
      y += 19;
    }
  }

  ChartCanvas& canvas_;
  const Chart& chart_;
  std::pair<double, double> x_, y_;  // what the plot shows
};

}  // namespace

std::vector<double> Ticks(double low, double high) {
  const double magnitude = std::pow(10, std::floor(std::log10((high - low) / 4)));
  double step = magnitude;
  for (const double factor : {2.0, 5.0, 10.0})
    if ((high - low) / (factor * magnitude) >= 4) step = factor * magnitude;
  std::vector<double> ticks;
  // By whole numbers, so that 0 is 0 and nothing adds up.
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i)
    ticks.push_back(i * step);
  return ticks;
}

std::string TickText(double value) {
  const double size = std::abs(value);
  const auto scaled = [value](double unit, const char* suffix) {
    return absl::StrCat(absl::StrFormat("%.10g", std::round(value / unit * 1e6) / 1e6), suffix);
  };
  if (size >= 1e9) return scaled(1e9, "G");
  if (size >= 1e6) return scaled(1e6, "M");
  if (size >= 1e4) return scaled(1e3, "k");
  return absl::StrFormat("%.6g", value);
}

absl::StatusOr<std::string> RenderChart(const Chart& chart, ChartFormat format) {
  const std::unique_ptr<ChartCanvas> canvas =
      format == ChartFormat::kSvg ? MakeSvgCanvas(kWidth, kHeight) : MakePngCanvas(kWidth, kHeight);
  Painter(*canvas, chart).Paint();
  return canvas->Finish();
}

}  // namespace trama::cli
