// libFuzzer's command line where there is none: runs the target on every file named, or in a folder
// named, and with -runs=N on N of them that are changed at random, the same ones every time.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Changed(std::string input, const std::string& other, std::minstd_rand& random) {
  const auto below = [&](size_t count) { return count == 0 ? 0 : random() % count; };
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    const size_t at = below(input.size() + 1);
    switch (below(6)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(below(256));
        break;
      case 2:
        input.resize(at);
        break;
      case 3:
        input.erase(at, 1 + below(16));
        break;
      case 4:
        input.insert(at, input.substr(below(input.size() + 1), 1 + below(64)));
        break;
      default:
        input.replace(at, below(16), other.substr(below(other.size() + 1), below(64)));
    }
  }
  return input;
}

void Run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> inputs{""};
  long runs = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("-runs=", 0) == 0) {
      runs = atol(argument.c_str() + 6);
    } else if (std::filesystem::is_directory(argument)) {
      std::vector<std::string> paths;
      for (const auto& entry : std::filesystem::directory_iterator(argument))
        paths.push_back(entry.path().string());
      std::sort(paths.begin(), paths.end());
      for (const std::string& path : paths) inputs.push_back(Read(path));
    } else if (argument[0] != '-') {
      inputs.push_back(Read(argument));
    }
  }
  if (inputs.size() == 1) {
    std::fprintf(stderr, "error: no input\n");
    return 1;
  }
  for (const std::string& input : inputs) Run(input);
  std::minstd_rand random(1);
  for (long i = 0; i < runs; ++i)
    Run(Changed(inputs[random() % inputs.size()], inputs[random() % inputs.size()], random));
  std::printf("%zu inputs, %ld more changed at random\n", inputs.size(), runs);
  return 0;
}
