// Line charts as SVG and PNG.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/trama/chart_canvas.h"

namespace trama::cli {

struct ChartLine {
  std::string label;                              // in the legend; "" leaves it out
  std::vector<std::pair<double, double>> points;  // x ascending
  Color color;
  double width = 1.5;  // of the line
  bool dots = false;   // marks each point
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<ChartLine> lines;  // drawn in this order; at least one point in all
  // A second scale above: its value at x is top_per_x * x. 0: none.
  std::string top_label;
  double top_per_x = 0;
};

enum class ChartFormat { kSvg, kPng };

// The bytes of the image, 900 x 560 points: the same for the same chart.
absl::StatusOr<std::string> RenderChart(const Chart& chart, ChartFormat format);

// Values for a scale's marks: 4 to 11 multiples of 1, 2 or 5 times a power of ten in
// [low, high]; low < high.
std::vector<double> Ticks(double low, double high);
// "1200", "1.5M", "0.002".
std::string TickText(double value);

}  // namespace trama::cli
