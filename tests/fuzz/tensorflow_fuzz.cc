// TensorFlow's checkpoint index: the bytes as they are, and as the entries of a table that is
// sealed with right checksums ("==== KEY" and the value), which is how deep damage gets.
#include "runtime/formats/tensorflow_checkpoint.h"
#include "tests/fuzz/fuzz.h"
#include "tests/tensorflow_checkpoint_writer.h"

namespace {

void Read(std::string_view index) {
  static const std::string shard(256, 'x');
  const auto checkpoint = trama::TensorflowCheckpoint::Parse(index, {shard}, "model.ckpt");
  if (!checkpoint.ok()) return;
  for (const auto& entry : checkpoint->entries()) (void)checkpoint->Read(entry);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = trama::fuzz::Text(data, size);
  Read(input);
  std::map<std::string, std::string> entries = trama::fuzz::Files(input);
  for (auto& [key, value] : entries)
    if (!value.empty()) value.pop_back();  // the line's end
  Read(trama::WriteTable(entries).bytes);
  return 0;
}
