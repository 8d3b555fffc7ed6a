// The names that activation() of functional.h knows.
#pragma once

#include <string>
#include <vector>

namespace trama {

const std::vector<std::string>& Activations();

}  // namespace trama
