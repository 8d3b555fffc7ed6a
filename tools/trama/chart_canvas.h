// What charts are drawn on: an image measured in points from its upper left corner, white at first.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trama::cli {

struct Color {
  double red = 0, green = 0, blue = 0;  // 0 .. 1
};

enum class Align { kLeft, kMiddle, kRight };

class ChartCanvas {
 public:
  virtual ~ChartCanvas() = default;

  virtual void Line(absl::Span<const std::pair<double, double>> points, Color color,
                    double width) = 0;
  virtual void Dot(double x, double y, double radius, Color color) = 0;
  // (x, y) is on the base line, where the text begins, has its middle or ends; `upwards`: turned by
  // a quarter, to be read from below. `text` is UTF-8 without control characters.
  virtual void Text(const std::string& text, double x, double y, Align align, double size,
                    Color color, bool upwards) = 0;
  // The image's bytes, once all is drawn. Internal where the library that draws it fails.
  virtual absl::StatusOr<std::string> Finish() = 0;
};

// Text stays text, in the reader's sans-serif font.
std::unique_ptr<ChartCanvas> MakeSvgCanvas(double width, double height);
// By cairo, with two pixels a point.
std::unique_ptr<ChartCanvas> MakePngCanvas(double width, double height);

}  // namespace trama::cli
