#include "ir/source_line.h"

#include "absl/strings/str_cat.h"
#include "llvm/Support/raw_ostream.h"

namespace trama {

std::string SourceLine(mlir::Location location) {
  auto file = location->findInstanceOf<mlir::FileLineColLoc>();
  return file ? absl::StrCat(file.getFilename().str(), ":", file.getLine()) : "";
}

std::string LocationText(mlir::Location location) {
  if (std::string line = SourceLine(location); !line.empty()) return line;
  std::string text;
  llvm::raw_string_ostream(text) << location;
  return text;
}

}  // namespace trama
