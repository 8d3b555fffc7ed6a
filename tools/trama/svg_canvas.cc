// SVG by its own elements. Cairo's has text as outlines: the same chart would be other bytes in
// each process (strokes are cut in an order that depends on addresses), or it would need fonts and
// a place to cache what is known of them.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "tools/trama/chart_canvas.h"

namespace trama::cli {
namespace {

std::string ColorText(Color color) {
  return absl::StrFormat("rgb(%.6g%%,%.6g%%,%.6g%%)", 100 * color.red, 100 * color.green,
                         100 * color.blue);
}

const char* AnchorText(Align align) {
  return align == Align::kLeft ? "start" : align == Align::kMiddle ? "middle" : "end";
}

class SvgCanvas : public ChartCanvas {
 public:
  SvgCanvas(double width, double height) {
    absl::StrAppendFormat(
        &svg_,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.6g\" height=\"%.6g\" "
        "viewBox=\"0 0 %.6g %.6g\" font-family=\"sans-serif\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        width, height, width, height);
  }

  void Line(absl::Span<const std::pair<double, double>> points, Color color,
            double width) override {
    absl::StrAppendFormat(&svg_,
                          "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%.6g\" "
                          "stroke-linejoin=\"round\" points=\"",
                          ColorText(color), width);
    const char* space = "";
    for (const auto& [x, y] : points) {
      absl::StrAppendFormat(&svg_, "%s%.2f,%.2f", space, x, y);
      space = " ";
    }
    svg_ += "\"/>\n";
  }

  void Dot(double x, double y, double radius, Color color) override {
    absl::StrAppendFormat(&svg_, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.6g\" fill=\"%s\"/>\n", x, y,
                          radius, ColorText(color));
  }

  void Text(const std::string& text, double x, double y, Align align, double size, Color color,
            bool upwards) override {
    absl::StrAppendFormat(&svg_,
                          "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\" font-size=\"%.6g\" "
                          "fill=\"%s\"",
                          x, y, AnchorText(align), size, ColorText(color));
    if (upwards) absl::StrAppendFormat(&svg_, " transform=\"rotate(-90 %.2f %.2f)\"", x, y);
    absl::StrAppend(&svg_, ">",
                    absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}}),
                    "</text>\n");
  }

  absl::StatusOr<std::string> Finish() override { return svg_ + "</svg>\n"; }

 private:
  std::string svg_;
};

}  // namespace

std::unique_ptr<ChartCanvas> MakeSvgCanvas(double width, double height) {
  return std::make_unique<SvgCanvas>(width, height);
}

}  // namespace trama::cli
