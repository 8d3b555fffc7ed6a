// What this machine can do at best: fused multiply-adds from registers, bytes read from memory.
#pragma once

#include <cstddef>

namespace trama {

// f32 FMA operations a second of `threads` threads, in 1e9 (an FMA counts as two), with the widest
// vectors that the processor has. The best of several tries of some milliseconds.
double PeakFmaGflops(int threads);

// Operations a second of products of bf16 that are summed in f32, in 1e9 (a product and its
// addition count as two), with vdpbf16ps; 0 where the processor has not got it.
double PeakBf16Gflops(int threads);

// Bytes read a second from a buffer of `bytes` split between `threads` threads, in 1e9: a buffer
// larger than the last cache gives the memory's rate. 0 where there is no memory for it.
double PeakReadGbs(int threads, size_t bytes);

}  // namespace trama
