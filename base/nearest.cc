#include "base/nearest.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace trama {
namespace {

// The optimal string alignment distance, in halves: a letter in another case costs one half.
size_t Distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return absl::ascii_tolower(static_cast<unsigned char>(c)); };
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = 2 * j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = 2 * i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const char x = a[i - 1], y = b[j - 1];
      const size_t replace = x == y ? 0 : lower(x) == lower(y) ? 1 : 2;
      row[j] = std::min({above[j - 1] + replace, above[j] + 2, row[j - 1] + 2});
      if (i > 1 && j > 1 && x == b[j - 2] && a[i - 2] == y)
        row[j] = std::min(row[j], before[j - 2] + 2);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string Nearest(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr size_t kLongest = 200;  // the table is quadratic, and nobody mistypes more
  constexpr size_t kFewest = 3;     // halves of an edit that are always near
  constexpr size_t kBeginning = 3;  // letters that say what was meant
  std::string best, begun;
  size_t least = SIZE_MAX;
  if (name.size() > kLongest) return best;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    const size_t longer = std::max(name.size(), candidate.size());
    const size_t distance = Distance(name, candidate);
    const size_t limit = std::max<size_t>(kFewest, longer / 3 * 2);
    if (distance <= limit && distance < 2 * longer && distance < least) {
      least = distance;
      best = candidate;
    }
    if (begun.empty() && name.size() >= kBeginning && candidate.starts_with(name))
      begun = candidate;
  }
  return best.empty() ? begun : best;
}

std::string DidYouMean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(name, candidates);
  return nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?");
}

}  // namespace trama
