#include <string>
#include <vector>

#include "tools/trama/command.h"

int main(int argc, char** argv) {
  return trama::cli::Main(std::vector<std::string>(argv + 1, argv + argc));
}
