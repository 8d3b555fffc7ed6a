// Which tensors of a file are which parameters of a model.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/dtype.h"
#include "base/shape.h"
#include "frontend/nn.h"

namespace trama {

struct StoredTensor {
  std::string stored;  // its name in the file
  std::string name;    // the parameter that this means
  DType dtype = DType::kF32;
  Shape shape;  // in the parameter's layout
};

// The tensor of every parameter, by the parameter's name. One InvalidArgument "PATH: ..." lists
// everything that is missing, extra, there twice, misshapen or no numbers. With `partial` some may
// be missing; a classification head's bias always may. `problems`: what else is wrong with the
// file, which comes first in the list.
absl::StatusOr<std::map<std::string, const StoredTensor*>> MatchParameters(
    const nn::Module& module, const std::vector<StoredTensor>& tensors, const std::string& path,
    bool partial = false, std::vector<std::string> problems = {});

}  // namespace trama
