// tokenizer_bench TOKENIZER_DIR TEXT_FILE [ROUNDS]: megabytes a second of processor time that one
// core encodes, with an empty cache of words and with one that has seen the text; best of the
// rounds and their median.
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <vector>

#include "runtime/formats/file.h"
#include "runtime/tokenizer/tokenizer.h"

namespace trama {
namespace {

int Run(const std::string& directory, const std::string& file, int rounds) {
  const auto tokenizer = Tokenizer::Load(directory);
  const auto text = ReadFile(file);
  for (const absl::Status& status : {tokenizer.status(), text.status()}) {
    if (status.ok()) continue;
    std::cerr << status.message() << "\n";
    return 1;
  }
  std::vector<double> rates;
  for (int round = 0; round <= rounds; ++round) {
    const std::clock_t start = std::clock();
    const auto ids = (*tokenizer)->Encode(*text);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    if (!ids.ok()) {
      std::cerr << file << ": " << ids.status().message() << "\n";
      return 1;
    }
    const double rate = static_cast<double>(text->size()) / 1e6 / seconds;
    if (round == 0)
      std::cout << text->size() << " bytes, " << ids->size() << " ids; cold " << rate << " MB/s\n";
    else
      rates.push_back(rate);
  }
  std::sort(rates.begin(), rates.end());
  std::cout << "warm: best " << rates.back() << " MB/s, median " << rates[rates.size() / 2]
            << " MB/s\n";
  return 0;
}

}  // namespace
}  // namespace trama

int main(int argc, char** argv) {
  if (argc == 3 || argc == 4)
    return trama::Run(argv[1], argv[2], argc == 4 ? std::max(1, std::atoi(argv[3])) : 9);
  std::cerr << "usage: tokenizer_bench TOKENIZER_DIR TEXT_FILE [ROUNDS]\n";
  return 2;
}
