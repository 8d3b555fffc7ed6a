#include "backends/conformance/cases.h"

#include <algorithm>

namespace trama::conformance {

std::string Case::op() const {
  if (text.find('\n') != std::string::npos) return "fused";
  const size_t begin = text.find("trama.") + 6;
  return text.substr(begin, text.find(' ', begin) - begin);
}

int Case::num_ops() const {
  return 1 + static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

std::vector<Case> AllCases() {
  std::vector<Case> all;
  // A case draws by its number: new ones come last, or the others draw anew.
  for (const auto* family : {&PointwiseCases(), &MovementCases(), &ContractionCases(),
                             &CompositeCases(), &FusedCases(), &SelectionCases()})
    all.insert(all.end(), family->begin(), family->end());
  return all;
}

}  // namespace trama::conformance
