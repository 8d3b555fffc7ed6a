#include "runtime/data/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/nearest.h"
#include "base/status_macros.h"

namespace trama {
namespace {

// A number in decimal, NaN and infinities included, with spaces around it.
std::optional<double> ParseNumber(std::string_view text) {
  const absl::string_view cell = absl::StripAsciiWhitespace({text.data(), text.size()});
  const char *first = cell.data(), *last = cell.data() + cell.size();
  if (last - first > 1 && *first == '+' && first[1] != '-') ++first;
  double value;
  const auto [end, error] = std::from_chars(first, last, value);
  if (error == std::errc::result_out_of_range && end == last) return INFINITY;
  if (error != std::errc() || end != last) return std::nullopt;
  return value;
}

bool IsEmpty(std::string_view cell) {
  return absl::StripAsciiWhitespace({cell.data(), cell.size()}).empty();
}

// Whether most cells that are not empty are numbers.
bool IsNumeric(const CsvTable& table, size_t column) {
  int64_t numbers = 0, others = 0;
  for (int64_t row = 0; row < table.num_rows(); ++row) {
    const std::string_view cell = table.cell(row, column);
    if (!IsEmpty(cell)) ++(ParseNumber(cell) ? numbers : others);
  }
  return numbers > others;
}

absl::Status EmptyTarget(const CsvTable& table, size_t column, int64_t row) {
  return absl::InvalidArgumentError(
      absl::StrCat(table.PlaceOf(row, column), ": ", table.header()[column], " is empty"));
}

std::vector<std::string> DistinctValues(const CsvTable& table, size_t column) {
  std::set<std::string> values;
  for (int64_t row = 0; row < table.num_rows(); ++row) values.emplace(table.cell(row, column));
  std::vector<std::string> sorted(values.begin(), values.end());
  const auto number = [](const std::string& value) { return ParseNumber(value).value_or(NAN); };
  if (std::all_of(sorted.begin(), sorted.end(),
                  [&](const std::string& value) { return std::isfinite(number(value)); }))
    std::sort(sorted.begin(), sorted.end(), [&](const std::string& a, const std::string& b) {
      return std::pair(number(a), a) < std::pair(number(b), b);
    });
  return sorted;
}

absl::Status CheckValue(const CsvTable& table, const std::string& target, const std::string& value,
                        const std::vector<std::string>& values) {
  if (std::find(values.begin(), values.end(), value) != values.end()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(table.path(), ": column ", target, " has no value ",
                                          value, DidYouMean(value, values)));
}

absl::StatusOr<std::vector<std::string>> ClassesOf(const CsvTable& table,
                                                   const DataOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(const size_t column, table.Column(options.target));
  const std::vector<std::string> values = DistinctValues(table, column);
  // Rows that are neither positive nor negative are left out, whatever they hold.
  for (int64_t row = 0; options.negative.empty() && row < table.num_rows(); ++row)
    if (IsEmpty(table.cell(row, column))) return EmptyTarget(table, column, row);
  if (options.training && values.size() == 1)
    return absl::InvalidArgumentError(absl::StrCat(table.path(), ": column ", options.target,
                                                   " is ", values[0],
                                                   " in every row: there is nothing to learn"));
  if (!options.positive.empty()) {
    TRAMA_RETURN_IF_ERROR(CheckValue(table, options.target, options.positive, values));
    if (!options.negative.empty()) {
      if (options.negative == options.positive)
        return absl::InvalidArgumentError(
            absl::StrCat("negative and positive are both ", options.positive));
      TRAMA_RETURN_IF_ERROR(CheckValue(table, options.target, options.negative, values));
      return std::vector<std::string>{options.negative, options.positive};
    }
    return std::vector<std::string>{absl::StrCat("not ", options.positive), options.positive};
  }
  if (!options.negative.empty())
    return absl::InvalidArgumentError("negative needs positive beside it");
  const auto wanted = static_cast<size_t>(options.classes == 1 ? 2 : options.classes);
  if (options.classes == 1 && values.size() != wanted)
    return absl::InvalidArgumentError(
        absl::StrCat(table.path(), ": column ", options.target, " has ", values.size(),
                     " values for a binary target; name one with positive"));
  if (wanted > 0 && values.size() > wanted)
    return absl::InvalidArgumentError(absl::StrCat(table.path(), ": column ", options.target,
                                                   " has ", values.size(),
                                                   " values, the model only ", wanted, " classes"));
  return values;
}

// The class of a row, -1 where the row is left out.
absl::StatusOr<int32_t> ClassOf(const CsvTable& table, const TableSchema& schema,
                                const DataOptions& options, size_t column, int64_t row) {
  const std::string_view value = table.cell(row, column);
  if (!options.positive.empty()) {
    if (value == options.positive) return 1;
    if (options.negative.empty() && IsEmpty(value)) return EmptyTarget(table, column, row);
    return options.negative.empty() || value == options.negative ? 0 : -1;
  }
  if (IsEmpty(value)) return EmptyTarget(table, column, row);
  const std::vector<std::string>& names = schema.class_names;
  const auto found = std::find(names.begin(), names.end(), value);
  if (found != names.end()) return static_cast<int32_t>(found - names.begin());
  return absl::InvalidArgumentError(absl::StrCat(table.PlaceOf(row, column), ": '",
                                                 std::string(value), "' is none of the classes",
                                                 DidYouMean(value, names)));
}

}  // namespace

absl::StatusOr<TableSchema> SchemaOf(const CsvTable& table, const DataOptions& options) {
  TableSchema schema;
  schema.class_names = options.class_names;
  if (options.target.empty()) {
    if (options.training)
      return absl::InvalidArgumentError(
          absl::StrCat(table.path(), ": no target column is named; the columns are ",
                       absl::StrJoin(table.header(), ", ")));
    schema.class_names.clear();
  } else if (schema.class_names.empty()) {
    TRAMA_ASSIGN_OR_RETURN(schema.class_names, ClassesOf(table, options));
  }
  schema.features = options.features;
  for (const std::string& feature : options.features) {
    TRAMA_RETURN_IF_ERROR(table.Column(feature).status());
    if (std::count(options.features.begin(), options.features.end(), feature) > 1)
      return absl::InvalidArgumentError(
          absl::StrCat(table.path(), ": ", feature, " is named twice in features"));
    if (feature == options.target)
      return absl::InvalidArgumentError(
          absl::StrCat(table.path(), ": ", feature, " is the target and a feature"));
  }
  for (size_t column = 0; options.features.empty() && column < table.header().size(); ++column)
    if (table.header()[column] != options.target && IsNumeric(table, column))
      schema.features.push_back(table.header()[column]);
  if (schema.features.empty())
    return absl::InvalidArgumentError(
        absl::StrCat(table.path(), ": no numeric column to learn from"));
  return schema;
}

absl::StatusOr<TensorMap> TableTensors(const CsvTable& table, const TableSchema& schema,
                                       const DataOptions& options) {
  std::vector<size_t> columns;
  for (const std::string& feature : schema.features) {
    TRAMA_ASSIGN_OR_RETURN(const size_t column, table.Column(feature));
    columns.push_back(column);
  }
  size_t target = 0;
  const bool labelled = !schema.class_names.empty();
  if (labelled) {
    TRAMA_ASSIGN_OR_RETURN(target, table.Column(options.target));
  }
  std::vector<float> x;
  std::vector<int32_t> classes;
  int64_t rows = 0;
  for (int64_t row = 0; row < table.num_rows(); ++row) {
    if (labelled) {
      TRAMA_ASSIGN_OR_RETURN(const int32_t id, ClassOf(table, schema, options, target, row));
      if (id < 0) continue;
      classes.push_back(id);
    }
    ++rows;
    for (const size_t column : columns) {
      const std::optional<double> value = ParseNumber(table.cell(row, column));
      x.push_back(static_cast<float>(value.value_or(NAN)));
      if (std::isfinite(x.back())) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(table.PlaceOf(row, column), ": ", table.header()[column], " is '",
                       std::string(table.cell(row, column)), "', not a finite number"));
    }
  }
  if (rows == 0)
    return absl::InvalidArgumentError(absl::StrCat(table.path(), ": no row has a known label"));
  TensorMap tensors;
  tensors.emplace("x", HostTensor::F32({rows, static_cast<int64_t>(columns.size())}, x));
  if (!labelled) return tensors;
  HostTensor labels = HostTensor::I32({rows}, classes);
  const bool binary = options.classes == 1 || (options.classes == 0 && !options.positive.empty());
  tensors.emplace("labels", binary ? labels.Cast(DType::kF32) : std::move(labels));
  return tensors;
}

}  // namespace trama
