// Line charts as SVG and PNG, by cairo.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace trama::cli {

struct ChartLine {
  std::string label;                              // in the legend; "" leaves it out
  std::vector<std::pair<double, double>> points;  // x ascending
  double red = 0, green = 0, blue = 0;            // 0 .. 1
  double width = 1.5;                             // of the line
  bool dots = false;                              // marks each point
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<ChartLine> lines;  // drawn in this order; at least one point in all
  // A second scale above: its value at x is top_per_x * x. 0: none.
  std::string top_label;
  double top_per_x = 0;
};

enum class ChartFormat { kSvg, kPng };

// The bytes of the image, 900 x 560 points, a PNG with two pixels a point. Text is in the machine's
// sans-serif font; on one machine the same chart gives the same bytes.
absl::StatusOr<std::string> RenderChart(const Chart& chart, ChartFormat format);

// Values for a scale's marks: 4 to 11 multiples of 1, 2 or 5 times a power of ten in
// [low, high]; low < high.
std::vector<double> Ticks(double low, double high);
// "1200", "1.5M", "0.002".
std::string TickText(double value);

}  // namespace trama::cli
