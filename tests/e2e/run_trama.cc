#include "tests/e2e/run_trama.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/paths.h"

namespace trama::testing {
namespace fs = std::filesystem;
namespace {
std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
}  // namespace

Workplace::Workplace() {
  std::string pattern = (fs::temp_directory_path() / "trama-test-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

Workplace::~Workplace() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void Workplace::Write(const std::string& name, const std::string& bytes) const {
  std::error_code ignored;
  fs::create_directories(fs::path(path_ + "/" + name).parent_path(), ignored);
  std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
}

std::string Workplace::Read(const std::string& name) const { return ReadAll(path_ + "/" + name); }

bool Workplace::Has(const std::string& name) const { return fs::exists(path_ + "/" + name); }

std::vector<std::string> Workplace::List() const {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::map<std::string, std::string> Workplace::Contents() const {
  std::map<std::string, std::string> contents;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path_)) {
    const std::string name = fs::relative(entry.path(), path_).string();
    if (entry.is_directory())
      contents[name + "/"];
    else
      contents[name] = ReadAll(entry.path().string());
  }
  return contents;
}

Outcome Workplace::Trama(const std::vector<std::string>& arguments, const Signal& signal) const {
  return Run("trama", arguments, signal);
}

Outcome Workplace::Run(const std::string& program, const std::vector<std::string>& arguments,
                       const Signal& signal) const {
  // Output goes to files beside the folder, so that List() shows what the command wrote.
  const std::string out = path_ + ".out", err = path_ + ".err";
  const std::string file = std::string(TRAMA_BINARY_DIR) + "/bin/" + program;
  std::vector<char*> argv{const_cast<char*>(file.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int out_fd = open(out.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    const int err_fd = open(err.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    dup2(out_fd, 1);
    dup2(err_fd, 2);
    if (chdir(path_.c_str()) != 0) _exit(126);
    execv(file.c_str(), argv.data());
    _exit(127);
  }
  int wait_status = 0;
  if (signal.number != 0) {
    // Ends early where the command does, or never writes the file.
    using std::chrono::microseconds;
    using std::chrono::milliseconds;
    const auto waits = [&] {
      return (!signal.once_there.empty() && !Has(signal.once_there)) ||
             (signal.once && !signal.once());
    };
    bool ended = false;
    while (waits() && !ended) {
      std::this_thread::sleep_for(microseconds(signal.once ? 100 : 10000));
      siginfo_t info = {};
      ended = waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
    }
    std::this_thread::sleep_for(milliseconds(signal.after_ms));
    kill(child, signal.number);
  }
  rusage usage = {};
  wait4(child, &wait_status, 0, &usage);
  Outcome outcome;
  outcome.peak_bytes = int64_t{usage.ru_maxrss} * 1024;
  outcome.status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
  outcome.out = ReadAll(out);
  outcome.err = ReadAll(err);
  unlink(out.c_str());
  unlink(err.c_str());
  return outcome;
}

}  // namespace trama::testing
