// Cuts a plan into plans of one dispatch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/api/plan.pb.h"

namespace trama::check {

// The same plan with each dispatch as a program of its own. first[p] is the program of dispatch 0
// of what was program p.
struct Split {
  plan::Plan plan;
  std::vector<uint32_t> first;
};
Split SplitByDispatch(const plan::Plan& plan);

// A plan of one dispatch alone, each distinct range that it touches in a block of its own.
struct Probe {
  plan::Plan plan;
  std::vector<uint32_t> operand_blocks, result_blocks;  // one an operand, one a result
  // What a probe of another dispatch must share to be the same: the kernel, which ranges coincide
  // and which of them are state.
  std::string key;
};
Probe ProbeOf(const plan::Plan& plan, const plan::Dispatch& dispatch);

}  // namespace trama::check
