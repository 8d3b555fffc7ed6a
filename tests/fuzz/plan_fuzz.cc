// Plans, as text and as bytes: the validator looks at whatever parses.
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "backends/api/plan.pb.h"
#include "passes/pipelines.h"
#include "tests/fuzz/fuzz.h"

namespace {

// Says nothing of what does not parse.
struct Silent : google::protobuf::io::ErrorCollector {
  void AddError(int, int, const std::string&) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trama::plan::Plan plan;
  Silent silent;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&silent);
  const bool bytes = plan.ParseFromArray(data, static_cast<int>(size));
  if (bytes) (void)trama::ValidatePlan(plan, {});
  if (parser.ParseFromString(std::string(trama::fuzz::Text(data, size)), &plan))
    (void)trama::ValidatePlan(plan, {});
  return 0;
}
