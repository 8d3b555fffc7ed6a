// trama replay FILE: runs a failing plan again.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/failure.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {

absl::StatusOr<int> Run(const Flags& flags) {
  TRAMA_ASSIGN_OR_RETURN(SessionOptions options, SessionOptionsOf(flags));
  TRAMA_ASSIGN_OR_RETURN(Failure failure, ReadFailure(flags.positional()[0]));
  TRAMA_ASSIGN_OR_RETURN(Device device, Device::Open(options.backend, options.device));
  TRAMA_ASSIGN_OR_RETURN(std::vector<Buffer> blocks, device.AllocBlocks(failure.plan));
  for (size_t i = 0; i < blocks.size(); ++i)
    TRAMA_RETURN_IF_ERROR(blocks[i].Write(0, failure.blocks[i].data(), failure.blocks[i].size()));
  TRAMA_ASSIGN_OR_RETURN(Executable executable, device.Load(failure.plan));
  TRAMA_RETURN_IF_ERROR(executable.Run(failure.program, blocks));
  TRAMA_RETURN_IF_ERROR(device.Wait());
  std::cout << "program " << failure.plan.programs(static_cast<int>(failure.program)).name()
            << " ran without an error on " << options.backend << "\n";
  return 0;
}

TRAMA_COMMAND((Command{"replay", "FILE", "runs a plan that failed again",
                       "trama replay ~/.cache/trama/failed/1.plan --backend=check:reference,cpu",
                       WithRuntimeFlags({}), Run}));

}  // namespace
}  // namespace trama::cli
