// A CSV table as the tensors that classifiers train on.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "runtime/data/csv.h"
#include "runtime/data/data.h"

namespace trama {

// The names that stand for the columns of `x` and the values of `labels`.
struct TableSchema {
  std::vector<std::string> features;
  std::vector<std::string> class_names;  // by class id; empty: no labels
};

// What `options` makes of this table: features (all numeric columns but the target where none are
// named; numeric is a column of which most cells that are not empty are numbers; TableTensors
// refuses the others) and classes (in numeric order where all are numbers, else by name). NotFound
// names a wrong column or value and the nearest right one.
absl::StatusOr<TableSchema> SchemaOf(const CsvTable& table, const DataOptions& options);

// x f32 [N, F] and labels: f32 0 or 1 [N] for a binary target of a model with one output, else i32
// [N]. Rows that are neither positive nor negative are left out. InvalidArgument
// "PATH:LINE:COLUMN: WHAT" for a cell that is no finite number or a label outside the classes.
absl::StatusOr<TensorMap> TableTensors(const CsvTable& table, const TableSchema& schema,
                                       const DataOptions& options);

}  // namespace trama
