#include "runtime/match_parameters.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace trama {
namespace {

std::string ShapeText(const Shape& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

}  // namespace

absl::StatusOr<std::map<std::string, const StoredTensor*>> MatchParameters(
    const nn::Module& module, const std::vector<StoredTensor>& tensors, const std::string& path,
    bool partial, std::vector<std::string> problems) {
  std::map<std::string, Shape> wanted;
  for (const nn::Parameter* parameter : module.parameters())
    wanted[parameter->path()] = parameter->shape();
  std::map<std::string, const StoredTensor*> matched;
  for (const StoredTensor& tensor : tensors) {
    const auto parameter = wanted.find(tensor.name);
    if (parameter == wanted.end()) {
      problems.push_back(absl::StrCat("extra ", tensor.stored));
    } else if (!matched.emplace(tensor.name, &tensor).second) {
      problems.push_back(absl::StrCat(tensor.stored, " is there twice"));
    } else if (tensor.shape != parameter->second) {
      problems.push_back(absl::StrCat(tensor.name, " is ", ShapeText(tensor.shape), ", not ",
                                      ShapeText(parameter->second)));
    } else if (!IsFloat(tensor.dtype)) {
      problems.push_back(
          absl::StrCat(tensor.name, " holds ", std::string(Name(tensor.dtype)), ", not numbers"));
    }
  }
  for (const auto& [name, shape] : wanted)
    if (!partial && !matched.contains(name) && name != "score.bias")
      problems.push_back(absl::StrCat("missing ", name));
  if (!problems.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", absl::StrJoin(problems, "; ")));
  return matched;
}

}  // namespace trama
