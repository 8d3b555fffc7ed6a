// Tables in text; every cell is looked at.
#include "runtime/data/csv.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const char separator : {',', '\t'}) {
    const auto table =
        trama::CsvTable::Parse(std::string(trama::fuzz::Text(data, size)), separator, "table");
    if (!table.ok()) continue;
    size_t bytes = 0;
    for (int64_t row = 0; row < table->num_rows(); ++row)
      for (size_t column = 0; column < table->header().size(); ++column)
        bytes += table->cell(row, column).size() + table->PlaceOf(row, column).size();
    if (bytes == 0) __builtin_trap();
    (void)table->Column("a");
  }
  return 0;
}
