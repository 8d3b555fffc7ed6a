// Tables in text: RFC 4180 with a header, separated by commas or by tabs.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace trama {

class CsvTable {
 public:
  // Cells in double quotes may hold separators, line ends and doubled quotes where the separator is
  // a comma; between tabs a quote is a character like others. Lines end in LF or CRLF; a byte order
  // mark and empty lines are skipped. InvalidArgument "PATH:LINE...: WHAT" for a row of another
  // length than the header, an open quote, invalid UTF-8, a header that repeats a name, or no rows.
  static absl::StatusOr<CsvTable> Read(const std::string& path);
  static absl::StatusOr<CsvTable> Parse(std::string text, char separator, const std::string& path);
  CsvTable(CsvTable&&) = default;
  CsvTable& operator=(CsvTable&&) = default;

  const std::string& path() const { return path_; }
  const std::vector<std::string>& header() const { return header_; }
  int64_t num_rows() const { return static_cast<int64_t>(cells_.size() / header_.size()); }
  std::string_view cell(int64_t row, size_t column) const {
    return cells_[row * header_.size() + column].text;
  }
  // The index of a column. NotFound suggests the nearest name.
  absl::StatusOr<size_t> Column(std::string_view name) const;
  // "PATH:LINE:COLUMN" of a cell, both from 1, the column in bytes: for messages.
  std::string PlaceOf(int64_t row, size_t column) const;
  // Keeps the first rows.
  void Truncate(int64_t rows);

 private:
  struct Cell {
    std::string_view text;  // of text_ or unquoted_
    size_t offset;          // in text_
  };
  CsvTable() = default;
  std::string PlaceAt(size_t offset) const;
  absl::Status ReadCells(char separator);

  std::string path_;
  std::unique_ptr<const std::string> text_;
  std::deque<std::string> unquoted_;  // cells that had doubled quotes
  std::vector<std::string> header_;
  std::vector<Cell> cells_;  // row by row
};

}  // namespace trama
