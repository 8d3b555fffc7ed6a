// A directory of a test's own, removed with all in it at the end.
#pragma once

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "runtime/formats/file.h"

namespace trama {

class TempDir {
 public:
  TempDir() {
    std::string name = testing::TempDir() + "/trama-test-XXXXXX";
    if (mkdtemp(name.data())) path_ = name;
    EXPECT_FALSE(path_.empty());
  }
  TempDir(const TempDir&) = delete;
  ~TempDir() { RemoveAll(path_).IgnoreError(); }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return JoinPath(path_, name); }
  // The path of a new file with that content.
  std::string Write(const std::string& name, const std::string& content) const {
    EXPECT_TRUE(AtomicWriteFile(*this / name, content).ok());
    return *this / name;
  }

 private:
  std::string path_;
};

}  // namespace trama
