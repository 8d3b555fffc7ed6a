// What the tests of bad input share: a command must end with its status and one line of error,
// print nothing else and leave every file as it was.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/run_trama.h"

namespace trama::testing {

using Arguments = std::vector<std::string>;
Arguments With(Arguments arguments, std::initializer_list<std::string> more);

// What trains a table's classifier, and a gpt as small as MakeModel's; both want --data.
extern const Arguments kTrainTable, kTrainText;
constexpr char kTable[] = "a,b,kind\n1,2,x\n2,1,y\n3,4,x\n4,3,y\n";

// A case: with these files in place of what is there, the command fails so.
struct BadCase {
  std::string what;  // in the words of who asked for it
  std::map<std::string, std::string> files;
  Arguments arguments;
  std::string message;  // a part of the error's line
  int status = 1;
};

class BadInput : public ::testing::Test {
 protected:
  // Runs, and expects `status` with one error line that has `message` in it and no file changed.
  void Expect(const Arguments& arguments, int status, const std::string& message);
  // Each case by itself: the files are as before after it.
  void ExpectEach(const std::vector<BadCase>& cases);
  // A small gpt of bytes to break: one block of width 16, 2 heads, 8 positions.
  void MakeModel(const std::string& name);

  Workplace place_;
};

// With what the tables of cases start from: t.csv, t.txt, m (a gpt of bytes), t (a classifier of
// tables).
class BadInputTable : public BadInput {
 protected:
  void SetUp() override;
};

}  // namespace trama::testing
