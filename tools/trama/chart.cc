#include "tools/trama/chart.h"

#include <cairo-svg.h>
#include <cairo.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace trama::cli {
namespace {

constexpr double kWidth = 900, kHeight = 560;
constexpr double kLeft = 78, kRight = 24, kTop = 78, kBottom = 58;  // around the plot
constexpr double kPixels = 2;                                       // of a PNG, a point
constexpr double kTextSize = 13, kTitleSize = 16;

cairo_status_t Append(void* text, const unsigned char* bytes, unsigned int count) {
  static_cast<std::string*>(text)->append(reinterpret_cast<const char*>(bytes), count);
  return CAIRO_STATUS_SUCCESS;
}

enum class Align { kLeft, kMiddle, kRight };

class Painter {
 public:
  Painter(cairo_t* cr, const Chart& chart) : cr_(cr), chart_(chart) {
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
    cairo_set_source_rgb(cr_, 1, 1, 1);
    cairo_paint(cr_);
    Text(chart_.title, kWidth / 2, 24, Align::kMiddle, kTitleSize);
    Scales();
    cairo_save(cr_);
    cairo_rectangle(cr_, kLeft, kTop, kWidth - kLeft - kRight, kHeight - kTop - kBottom);
    cairo_clip(cr_);
    for (const ChartLine& line : chart_.lines) Draw(line);
    cairo_restore(cr_);
    Legend();
  }

 private:
  double X(double x) const {
    return kLeft + (x - x_.first) / (x_.second - x_.first) * (kWidth - kLeft - kRight);
  }
  double Y(double y) const {
    return kHeight - kBottom - (y - y_.first) / (y_.second - y_.first) * (kHeight - kTop - kBottom);
  }

  void Text(const std::string& text, double x, double y, Align align, double size = kTextSize) {
    // Not the "@cairo:" outlines that cairo brings along: it breaks their strokes into pieces in an
    // order that depends on addresses, and the same chart would be other bytes in each process.
    cairo_select_font_face(cr_, "sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_source_rgb(cr_, 0.15, 0.15, 0.15);
    cairo_set_font_size(cr_, size);
    cairo_text_extents_t extents;
    cairo_text_extents(cr_, text.c_str(), &extents);
    const double shift = align == Align::kLeft     ? 0
                         : align == Align::kMiddle ? extents.x_advance / 2
                                                   : extents.x_advance;
    cairo_move_to(cr_, x - shift, y);
    cairo_show_text(cr_, text.c_str());
  }

  void Line(double x1, double y1, double x2, double y2, double grey) {
    cairo_set_source_rgb(cr_, grey, grey, grey);
    cairo_set_line_width(cr_, 1);
    cairo_move_to(cr_, x1, y1);
    cairo_line_to(cr_, x2, y2);
    cairo_stroke(cr_);
  }

  void Scales() {
    const double bottom = kHeight - kBottom, right = kWidth - kRight;
    for (const double y : Ticks(y_.first, y_.second)) {
      Line(kLeft, Y(y), right, Y(y), 0.88);
      Text(TickText(y), kLeft - 8, Y(y) + 4, Align::kRight);
    }
    for (const double x : Ticks(x_.first, x_.second)) {
      Line(X(x), kTop, X(x), bottom, 0.88);
      Text(TickText(x), X(x), bottom + 18, Align::kMiddle);
    }
    if (chart_.top_per_x > 0) {
      for (const double top : Ticks(x_.first * chart_.top_per_x, x_.second * chart_.top_per_x)) {
        const double x = X(top / chart_.top_per_x);
        Line(x, kTop - 5, x, kTop, 0.4);
        Text(TickText(top), x, kTop - 9, Align::kMiddle);
      }
      Text(chart_.top_label, (kLeft + right) / 2, kTop - 28, Align::kMiddle);
    }
    cairo_rectangle(cr_, kLeft, kTop, right - kLeft, bottom - kTop);
    cairo_set_source_rgb(cr_, 0.4, 0.4, 0.4);
    cairo_stroke(cr_);
    Text(chart_.x_label, (kLeft + right) / 2, kHeight - 16, Align::kMiddle);
    cairo_save(cr_);
    cairo_translate(cr_, 20, (kTop + bottom) / 2);
    cairo_rotate(cr_, -M_PI / 2);
    Text(chart_.y_label, 0, 0, Align::kMiddle);
    cairo_restore(cr_);
  }

  void Draw(const ChartLine& line) {
    cairo_set_source_rgb(cr_, line.red, line.green, line.blue);
    cairo_set_line_width(cr_, line.width);
    cairo_set_line_join(cr_, CAIRO_LINE_JOIN_ROUND);
    for (const auto& [x, y] : line.points) cairo_line_to(cr_, X(x), Y(y));
    cairo_stroke(cr_);
    if (!line.dots && line.points.size() > 1) return;
    for (const auto& [x, y] : line.points) {
      cairo_arc(cr_, X(x), Y(y), 2.5, 0, 2 * M_PI);
      cairo_fill(cr_);
    }
  }

  void Legend() {
    double y = kTop + 20;
    for (const ChartLine& line : chart_.lines) {
      if (line.label.empty()) continue;
      cairo_set_source_rgb(cr_, line.red, line.green, line.blue);
      cairo_set_line_width(cr_, 3);
      cairo_move_to(cr_, kWidth - kRight - 180, y - 4);
      cairo_line_to(cr_, kWidth - kRight - 152, y - 4);
      cairo_stroke(cr_);
      Text(line.label, kWidth - kRight - 144, y, Align::kLeft);
      y += 19;
    }
  }

  cairo_t* cr_;
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
  std::string bytes;
  const bool svg = format == ChartFormat::kSvg;
  cairo_surface_t* const surface =
      svg ? cairo_svg_surface_create_for_stream(Append, &bytes, kWidth, kHeight)
          : cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(kWidth * kPixels),
                                       static_cast<int>(kHeight * kPixels));
  const std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_owner(
      surface, cairo_surface_destroy);
  const std::unique_ptr<cairo_t, void (*)(cairo_t*)> cr(cairo_create(surface), cairo_destroy);
  if (!svg) cairo_scale(cr.get(), kPixels, kPixels);
  Painter(cr.get(), chart).Paint();
  cairo_status_t status = cairo_status(cr.get());
  if (status == CAIRO_STATUS_SUCCESS && !svg)
    status = cairo_surface_write_to_png_stream(surface, Append, &bytes);
  cairo_surface_finish(surface);
  if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(surface);
  if (status != CAIRO_STATUS_SUCCESS)
    return absl::InternalError(absl::StrCat("cairo: ", cairo_status_to_string(status)));
  return bytes;
}

}  // namespace trama::cli
