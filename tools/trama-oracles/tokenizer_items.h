// Parts of the tokenizers' oracles.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tools/trama-oracles/oracle.h"

namespace trama::oracles {

// Compares a list item by item: one result for all that are equal, or one for each that is not.
class Items {
 public:
  Items(std::string what, Report* report) : what_(std::move(what)), report_(report) {}
  void Add(bool equal, const std::string& detail) {
    if (equal)
      ++equal_;
    else
      report_->Fail(absl::StrCat(what_, " #", equal_ + wrong_++), detail);
  }
  ~Items() {
    if (wrong_ == 0 && equal_ > 0) report_->Pass(what_, absl::StrCat(equal_, " equal"));
    if (equal_ + wrong_ == 0) report_->Fail(what_, "nothing there");
  }

 private:
  std::string what_;
  Report* report_;
  int equal_ = 0, wrong_ = 0;
};

// tokenizers/bpe_training: merges in the order that they are learnt, and what they make of texts;
// the words of a word-level vocabulary.
absl::Status RunTokenizerTraining(const std::string& directory, const std::string& label,
                                  Report* report);

}  // namespace trama::oracles
