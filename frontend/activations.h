// The activations that a config names.
#pragma once

#include <string>
#include <vector>

namespace trama {

// The names that activation() of functional.h knows.
std::vector<std::string> Activations();

}  // namespace trama
