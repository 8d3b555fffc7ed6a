// Runs the command line as a user does, in a folder of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace trama::testing {

struct Outcome {
  int status = -1;  // the exit status; 128 + N where signal N ended it
  std::string out, err;
  int64_t peak_bytes = 0;  // the most memory that was resident
};

// A signal sent to a command that runs.
struct Signal {
  int number = 0;                // 0: none
  int after_ms = 0;              // from its start
  std::string once_there;        // or from when this file is there; "" does not wait for one
  std::function<bool()> once{};  // or from when this is true
};

// A fresh empty folder that is removed with the object; commands run in it.
class Workplace {
 public:
  Workplace();
  ~Workplace();
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  void Write(const std::string& name, const std::string& bytes) const;
  std::string Read(const std::string& name) const;
  bool Has(const std::string& name) const;
  std::vector<std::string> List() const;  // names of everything in it, sorted
  // The bytes of every file below it by its path; a folder's path ends with a slash.
  std::map<std::string, std::string> Contents() const;

  // `trama ARGUMENTS...`, the backend from TRAMA_BACKEND.
  Outcome Trama(const std::vector<std::string>& arguments, const Signal& signal = {}) const;
  // Any program of the build's bin folder.
  Outcome Run(const std::string& program, const std::vector<std::string>& arguments,
              const Signal& signal = {}) const;

 private:
  std::string path_;
};

}  // namespace trama::testing
