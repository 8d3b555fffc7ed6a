// PNG by cairo.
#include <cairo.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tools/trama/chart_canvas.h"

namespace trama::cli {
namespace {

constexpr double kPixels = 2;  // a point

cairo_status_t Append(void* text, const unsigned char* bytes, unsigned int count) {
  static_cast<std::string*>(text)->append(reinterpret_cast<const char*>(bytes), count);
  return CAIRO_STATUS_SUCCESS;
}

class PngCanvas : public ChartCanvas {
 public:
  PngCanvas(double width, double height)
      : surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width * kPixels),
                                            static_cast<int>(height * kPixels)),
                 cairo_surface_destroy),
        cr_(cairo_create(surface_.get()), cairo_destroy) {
    cairo_scale(cr(), kPixels, kPixels);
    SetColor({1, 1, 1});
    cairo_paint(cr());
    cairo_set_line_join(cr(), CAIRO_LINE_JOIN_ROUND);
  }

  void Line(absl::Span<const std::pair<double, double>> points, Color color,
            double width) override {
    SetColor(color);
    cairo_set_line_width(cr(), width);
    cairo_new_path(cr());  // text leaves a point
    for (const auto& [x, y] : points) cairo_line_to(cr(), x, y);
    cairo_stroke(cr());
  }

  void Dot(double x, double y, double radius, Color color) override {
    SetColor(color);
    cairo_new_path(cr());
    cairo_arc(cr(), x, y, radius, 0, 2 * M_PI);
    cairo_fill(cr());
  }

  void Text(const std::string& text, double x, double y, Align align, double size, Color color,
            bool upwards) override {
    // "@cairo:" is the family of the outlines that cairo brings along, of ASCII alone, so that no
    // font need be installed and every machine draws the same.
    const bool ascii = std::all_of(text.begin(), text.end(), absl::ascii_isascii);
    cairo_select_font_face(cr(), ascii ? "@cairo:" : "sans", CAIRO_FONT_SLANT_NORMAL,
                           CAIRO_FONT_WEIGHT_NORMAL);
    SetColor(color);
    cairo_set_font_size(cr(), size);
    cairo_text_extents_t extents;
    cairo_text_extents(cr(), text.c_str(), &extents);
    const double shift = align == Align::kLeft     ? 0
                         : align == Align::kMiddle ? extents.x_advance / 2
                                                   : extents.x_advance;
    cairo_save(cr());
    cairo_translate(cr(), x, y);
    if (upwards) cairo_rotate(cr(), -M_PI / 2);
    cairo_move_to(cr(), -shift, 0);
    cairo_show_text(cr(), text.c_str());
    cairo_restore(cr());
  }

  absl::StatusOr<std::string> Finish() override {
    std::string bytes;
    cairo_status_t status = cairo_status(cr());
    if (status == CAIRO_STATUS_SUCCESS)
      status = cairo_surface_write_to_png_stream(surface_.get(), Append, &bytes);
    if (status != CAIRO_STATUS_SUCCESS)
      return absl::InternalError(absl::StrCat("cairo: ", cairo_status_to_string(status)));
    return bytes;
  }

 private:
  cairo_t* cr() { return cr_.get(); }
  void SetColor(Color color) { cairo_set_source_rgb(cr(), color.red, color.green, color.blue); }

  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_;
  std::unique_ptr<cairo_t, void (*)(cairo_t*)> cr_;
};

}  // namespace

std::unique_ptr<ChartCanvas> MakePngCanvas(double width, double height) {
  return std::make_unique<PngCanvas>(width, height);
}

}  // namespace trama::cli
