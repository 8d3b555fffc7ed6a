// A clock for how long things take.
#pragma once

#include <chrono>

namespace trama {

// Seconds since some fixed moment; the clock never goes back.
inline double MonotonicSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace trama
