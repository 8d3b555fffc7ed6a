// What went wrong in a run: which op first gave a number that is not finite.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/session.h"

namespace trama {

// Runs `program` again, one dispatch at a time, on the session's own blocks, and describes the
// first that writes NaN or an infinity it was not given: "matmul h.0.attn.c_attn (gpt2.h:41)". ""
// where every number is finite. What the program would update by then is updated.
absl::StatusOr<std::string> FirstNonFinite(Session& session, uint32_t program);

}  // namespace trama
