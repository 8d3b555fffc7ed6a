// What compiling is told and what it tells, without MLIR.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "passes/device_target.h"

namespace trama {

struct PassRemark {
  std::string pass;      // "fuse-attention"
  std::string function;  // the func.func's symbol
  std::string message;   // "not fused: the softmax runs over the queries"
  std::string location;  // "gpt2.h:41"; MLIR's spelling of it where it is no file and line
};

struct CompileOptions {
  DeviceTarget device;
  std::string model;       // a label
  bool bf16 = false;       // products multiply bf16 and sum in f32: passes/precision.cc
  bool recompute = false;  // activations of training steps, for less memory: passes/recompute.cc
  std::string dump_dir;    // a file a pass, written as it ends; "" for none
  bool timing = false;     // a table on standard error
};

// What compiling has to tell beside the plan.
struct CompileReport {
  std::vector<PassRemark> remarks;  // why something was not fused
  // The IR's text as traced and after each pass, by the pass's flag; the last one ends in ".failed"
  // where a pass failed.
  std::vector<std::pair<std::string, std::string>> stages;
};

}  // namespace trama
