#include "runtime/data/labelled_text.h"

#include <algorithm>
#include <limits>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "runtime/data/csv.h"
#include "runtime/formats/file.h"
#include "runtime/formats/utf8.h"
#include "runtime/random.h"

namespace trama {
namespace {

bool NeedsLabels(const DataOptions& options) { return options.training || !options.target.empty(); }

absl::StatusOr<LabelledTexts> ReadColumns(const std::string& path, const DataOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(const CsvTable table, CsvTable::Read(path));
  TRAMA_ASSIGN_OR_RETURN(const size_t text, table.Column(options.text_column));
  if (options.training && options.target.empty())
    return absl::InvalidArgumentError(absl::StrCat(path,
                                                   ": no target column is named; the columns are ",
                                                   absl::StrJoin(table.header(), ", ")));
  size_t target = 0;
  if (NeedsLabels(options)) {
    TRAMA_ASSIGN_OR_RETURN(target, table.Column(options.target));
  }
  LabelledTexts all;
  for (int64_t row = 0; row < table.num_rows(); ++row) {
    all.texts.push_back({std::string(table.cell(row, text)), table.PlaceOf(row, text)});
    if (!NeedsLabels(options)) continue;
    all.labels.emplace_back(table.cell(row, target));
    if (all.labels.back().empty())
      return absl::InvalidArgumentError(
          absl::StrCat(table.PlaceOf(row, target), ": ", options.target, " is empty"));
  }
  return all;
}

bool IsClass(std::string_view name, const DataOptions& options) {
  return std::find(options.class_names.begin(), options.class_names.end(), name) !=
         options.class_names.end();
}

absl::StatusOr<LabelledTexts> ReadLines(const std::string& path, const DataOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  std::string_view rest = SkipByteOrderMark(content);
  LabelledTexts all;
  for (int64_t line = 1; !rest.empty(); ++line) {
    const size_t end = rest.find('\n');
    std::string_view row = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (row.ends_with('\r')) row.remove_suffix(1);
    if (row.empty()) continue;
    const std::string place = absl::StrCat(path, ":", line);
    if (const auto invalid = FindInvalidUtf8(row))
      return absl::InvalidArgumentError(absl::StrCat(place, ":", *invalid + 1, ": invalid UTF-8"));
    const size_t tab = row.find('\t');
    if (!NeedsLabels(options)) {
      if (tab != std::string_view::npos && IsClass(row.substr(0, tab), options))
        row.remove_prefix(tab + 1);
    } else if (tab == std::string_view::npos || tab == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(place,
                       ": not 'label TAB text'; a table's columns are named by text_column "
                       "and target"));
    } else {
      all.labels.emplace_back(row.substr(0, tab));
      row.remove_prefix(tab + 1);
    }
    all.texts.push_back({std::string(row), place});
  }
  if (all.texts.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": no text, the data is empty"));
  return all;
}

}  // namespace

absl::StatusOr<LabelledTexts> ReadLabelledTexts(const std::string& path,
                                                const DataOptions& options) {
  const bool table = ExtensionOf(path) == ".csv" || ExtensionOf(path) == ".tsv";
  if (table && !options.text_column.empty()) return ReadColumns(path, options);
  if (ExtensionOf(path) != ".csv") return ReadLines(path, options);
  TRAMA_ASSIGN_OR_RETURN(const CsvTable columns, CsvTable::Read(path));
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": no text_column is named; the columns are ", absl::StrJoin(columns.header(), ", ")));
}

std::vector<int64_t> BalancedExamples(const std::vector<int32_t>& labels, uint64_t seed) {
  std::map<int32_t, std::vector<int64_t>> by_class;
  for (size_t i = 0; i < labels.size(); ++i) by_class[labels[i]].push_back(static_cast<int64_t>(i));
  size_t rarest = std::numeric_limits<size_t>::max();
  for (const auto& [label, examples] : by_class) rarest = std::min(rarest, examples.size());
  std::vector<int64_t> kept;
  for (auto& [label, examples] : by_class) {
    Shuffle(seed, RandomStream::kSplit, static_cast<uint32_t>(label) + 1, examples);
    kept.insert(kept.end(), examples.begin(), examples.begin() + static_cast<int64_t>(rarest));
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace trama
