// Tables: .csv and .tsv with a header.
#include "base/status_macros.h"
#include "runtime/data/csv.h"
#include "runtime/data/data.h"
#include "runtime/data/rows_dataset.h"
#include "runtime/data/table.h"
#include "runtime/formats/file.h"

namespace trama {
namespace {

bool IsTable(const DataOptions& options) {
  const std::string extension = ExtensionOf(options.data);
  return extension == ".csv" || extension == ".tsv";
}

absl::StatusOr<LoadedData> LoadTable(const DataOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(const CsvTable table, CsvTable::Read(options.data));
  TRAMA_ASSIGN_OR_RETURN(const TableSchema schema, SchemaOf(table, options));
  TRAMA_ASSIGN_OR_RETURN(TensorMap tensors, TableTensors(table, schema, options));
  const RowsDataset all(std::move(tensors));
  LoadedData loaded;
  loaded.features = schema.features;
  loaded.class_names = schema.class_names;
  if (!options.training || options.val_data.empty()) {
    TRAMA_RETURN_IF_ERROR(SplitRows(all, nullptr, options, loaded));
    return loaded;
  }
  TRAMA_ASSIGN_OR_RETURN(const CsvTable val_table, CsvTable::Read(options.val_data));
  TRAMA_ASSIGN_OR_RETURN(tensors, TableTensors(val_table, schema, options));
  const RowsDataset other(std::move(tensors));
  TRAMA_RETURN_IF_ERROR(SplitRows(all, &other, options, loaded));
  return loaded;
}

TRAMA_DATA_KIND((DataKind{".csv or .tsv", IsTable, LoadTable}));

}  // namespace
}  // namespace trama
