// The host's random numbers: Philox counters, so that any draw can be made again from its numbers
// alone.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/philox.h"

namespace trama {

// What a draw is for; streams of one seed do not meet.
enum class RandomStream : uint32_t {
  kShuffle = 0x53485546,  // (place in the epoch, epoch)
  kWindow = 0x57494E44,   // (example, 0)
  kSample = 0x53414D50,   // (position, sample)
  kSplit = 0x53504C54,    // (place, class + 1, or 0 for all)
};

// 128 random bits, as two words, for the pair (`index`, `group`).
inline std::array<uint64_t, 2> RandomBits(uint64_t seed, RandomStream stream, uint64_t index,
                                          uint32_t group) {
  const std::array<uint32_t, 4> bits =
      Philox4x32({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), group,
                  static_cast<uint32_t>(stream)},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return {(uint64_t{bits[1]} << 32) | bits[0], (uint64_t{bits[3]} << 32) | bits[2]};
}

// In [0, n), n > 0; no bias that 2^64 draws could show.
inline int64_t UniformBelow(uint64_t bits, int64_t n) {
  return static_cast<int64_t>((static_cast<unsigned __int128>(bits) * static_cast<uint64_t>(n)) >>
                              64);
}

// Puts `items` in an order that `seed`, `stream` and `group` give (Fisher and Yates).
inline void Shuffle(uint64_t seed, RandomStream stream, uint32_t group,
                    std::vector<int64_t>& items) {
  for (size_t i = items.size(); i > 1; --i) {
    const uint64_t bits = RandomBits(seed, stream, i, group)[0];
    std::swap(items[i - 1], items[UniformBelow(bits, static_cast<int64_t>(i))]);
  }
}

// In [0, 1) with 53 bits.
inline double UniformDouble(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

}  // namespace trama
