#include "runtime/data/csv.h"

#include <algorithm>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/utf8.h"

namespace trama {

absl::StatusOr<CsvTable> CsvTable::Read(const std::string& path) {
  TRAMA_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  return Parse(std::move(text), ExtensionOf(path) == ".tsv" ? '\t' : ',', path);
}

absl::StatusOr<CsvTable> CsvTable::Parse(std::string text, char separator,
                                         const std::string& path) {
  CsvTable table;
  table.path_ = path;
  table.text_ = std::make_unique<const std::string>(std::move(text));
  TRAMA_RETURN_IF_ERROR(table.ReadCells(separator));
  return table;
}

absl::Status CsvTable::ReadCells(char separator) {
  const std::string_view text = *text_;
  const auto fail = [this](size_t offset, const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat(PlaceAt(offset), ": ", what...));
  };
  if (const auto invalid = FindInvalidUtf8(text)) return fail(*invalid, "invalid UTF-8");
  size_t at = text.size() - SkipByteOrderMark(text).size();

  // The end of a line at `at` has 1 or 2 bytes, 0 where it goes on.
  const auto line_end = [&text](size_t at) -> size_t {
    if (at >= text.size()) return 0;
    if (text[at] == '\n') return 1;
    return text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n' ? 2 : 0;
  };
  while (at < text.size()) {
    if (const size_t empty = line_end(at)) {
      at += empty;
      continue;
    }
    const size_t row_start = at, first_cell = cells_.size();
    for (bool row_goes_on = true; row_goes_on;) {
      Cell cell{{}, at};
      if (separator == ',' && at < text.size() && text[at] == '"') {
        size_t close = at + 1;
        bool doubled = false;
        for (; close < text.size(); ++close) {
          if (text[close] != '"') continue;
          if (close + 1 >= text.size() || text[close + 1] != '"') break;
          doubled = true;
          ++close;
        }
        if (close >= text.size()) return fail(at, "the quote is never closed");
        cell.text = text.substr(at + 1, close - at - 1);
        if (doubled)
          cell.text = unquoted_.emplace_back(
              absl::StrReplaceAll({cell.text.data(), cell.text.size()}, {{"\"\"", "\""}}));
        at = close + 1;
        if (at < text.size() && text[at] != separator && line_end(at) == 0)
          return fail(at, "text after a closing quote");
      } else {
        while (at < text.size() && text[at] != separator && line_end(at) == 0) ++at;
        cell.text = text.substr(cell.offset, at - cell.offset);
      }
      cells_.push_back(cell);
      row_goes_on = at < text.size() && text[at] == separator;
      at += row_goes_on ? 1 : line_end(at);
    }
    if (header_.empty()) {
      std::set<std::string_view> names;
      for (const Cell& cell : cells_) {
        if (!names.insert(cell.text).second)
          return fail(cell.offset, "the header has '", std::string(cell.text), "' twice");
        header_.emplace_back(cell.text);
      }
      cells_.clear();
    } else if (cells_.size() - first_cell != header_.size()) {
      return fail(row_start, cells_.size() - first_cell, " cells where the header has ",
                  header_.size());
    }
  }
  if (header_.empty())
    return absl::InvalidArgumentError(absl::StrCat(path_, ": no header, the data is empty"));
  if (cells_.empty())
    return absl::InvalidArgumentError(absl::StrCat(path_, ": no rows below the header"));
  return absl::OkStatus();
}

absl::StatusOr<size_t> CsvTable::Column(std::string_view name) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  if (found != header_.end()) return static_cast<size_t>(found - header_.begin());
  return absl::NotFoundError(
      absl::StrCat(path_, ": no column ", std::string(name), DidYouMean(name, header_)));
}

std::string CsvTable::PlaceAt(size_t offset) const {
  const std::string_view before = std::string_view(*text_).substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 = 0
  return absl::StrCat(path_, ":", line, ":", offset - line_start + 1);
}

std::string CsvTable::PlaceOf(int64_t row, size_t column) const {
  return PlaceAt(cells_[row * header_.size() + column].offset);
}

void CsvTable::Truncate(int64_t rows) {
  if (rows < num_rows()) cells_.resize(static_cast<size_t>(rows) * header_.size());
}

}  // namespace trama
