// JSON values: what parses is written and read back as it was.
#include "runtime/formats/json.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<trama::Json> json = trama::Json::Parse(trama::fuzz::Text(data, size));
  if (!json.ok()) return 0;
  const absl::StatusOr<trama::Json> again = trama::Json::Parse(json->Dump());
  if (!again.ok() || *again != *json) __builtin_trap();
  return 0;
}
