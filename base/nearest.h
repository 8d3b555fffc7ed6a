// Suggestions for misspelt names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trama {

// The candidate with the fewest edits (insertions, deletions, replacements, swaps of neighbours;
// case counts little) from `name`, the first of equals. Where none is near (more than a third of
// the longer name's letters, and more than one, would have to change), the first that `name`
// begins; "" where there is none either.
std::string Nearest(std::string_view name, const std::vector<std::string>& candidates);
// "; did you mean X?", or "" where nothing is near.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace trama
