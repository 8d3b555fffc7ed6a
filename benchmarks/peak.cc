#include "benchmarks/peak.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace trama {
namespace {
// GCC's and Clang's vector extension: one type for every instruction set.
typedef float Vector __attribute__((vector_size(64)));

// Keeps a value from being optimised away.
template <typename T>
void Use(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

constexpr int kChains = 12;  // covers the latency of an FMA on two ports, in registers

// x * a + c for each chain, n times: contracted to FMAs.
#define TRAMA_FMA_LOOP(Type)                                                                 \
  Type sums[kChains];                                                                        \
  Type x, a;                                                                                 \
  for (size_t l = 0; l < sizeof(Type) / sizeof(float); ++l) x[l] = 1.0000001f, a[l] = 1e-9f; \
  for (int i = 0; i < kChains; ++i) sums[i] = x * static_cast<float>(i);                     \
  for (long k = 0; k < n; ++k) {                                                             \
    _Pragma("GCC unroll 12") for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * x + a;    \
  }                                                                                          \
  for (int i = 0; i < kChains; ++i) Use(sums[i]);

typedef float Vector8 __attribute__((vector_size(32)));
typedef float Vector4 __attribute__((vector_size(16)));

#if defined(__x86_64__)
#pragma STDC FP_CONTRACT ON
__attribute__((target("avx512f"))) void Fma16(long n) { TRAMA_FMA_LOOP(Vector) }
__attribute__((target("avx2,fma"))) void Fma8(long n) { TRAMA_FMA_LOOP(Vector8) }

constexpr int kDotChains = 24;
__attribute__((target("avx512f,avx512bf16"))) void Dots(long n) {
  __m512 sums[kDotChains];
  const __m512i ones = _mm512_set1_epi32(0x3f803f80);  // bf16 pairs
  __m512bh x;
  std::memcpy(&x, &ones, sizeof(x));
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (long k = 0; k < n; ++k) {
    _Pragma("GCC unroll 24") for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, x, x);
  }
  for (const __m512& sum : sums) Use(sum);
}
#endif
void Fma4(long n) { TRAMA_FMA_LOOP(Vector4) }

struct FmaKernel {
  void (*run)(long n);
  int lanes;
};

FmaKernel BestFma() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {Fma16, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {Fma8, 8};
#endif
  return {Fma4, 4};
}

void ReadAll(const float* data, size_t floats) {
  Vector sums[4] = {};
  constexpr size_t kStep = 4 * sizeof(Vector) / sizeof(float);
  for (size_t i = 0; i + kStep <= floats; i += kStep)
    for (size_t u = 0; u < 4; ++u) {
      Vector next;
      std::memcpy(&next, data + i + u * kStep / 4, sizeof(next));
      sums[u] += next;
    }
  for (const Vector& sum : sums) Use(sum);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void ReadAll16(const float* data, size_t floats) {
  Vector sums[4] = {};
  constexpr size_t kStep = 4 * sizeof(Vector) / sizeof(float);
  for (size_t i = 0; i + kStep <= floats; i += kStep)
    for (size_t u = 0; u < 4; ++u)
      sums[u] += *reinterpret_cast<const Vector*>(data + i + u * kStep / 4);
  for (int u = 0; u < 4; ++u) Use(sums[u]);
}
#endif

// The shortest of some runs of f(thread) on all threads, in seconds.
template <typename F>
double BestSeconds(int threads, F f) {
  double best = 1e9;
  for (int run = 0; run < 5; ++run) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(f, i);
    f(0);
    for (std::thread& thread : others) thread.join();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count());
  }
  return best;
}
}  // namespace

double PeakFmaGflops(int threads) {
  const FmaKernel kernel = BestFma();
  constexpr long kRounds = 2'000'000;
  const double seconds = BestSeconds(threads, [=](int) { kernel.run(kRounds); });
  return 2.0 * kRounds * kChains * kernel.lanes * threads / seconds / 1e9;
}

double PeakBf16Gflops(int threads) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx512bf16")) return 0;
  constexpr long kRounds = 1'000'000;
  const double seconds = BestSeconds(threads, [](int) { Dots(kRounds); });
  return 64.0 * kRounds * kDotChains * threads / seconds / 1e9;
#else
  return 0;
#endif
}

double PeakReadGbs(int threads, size_t bytes) {
  bytes = std::max<size_t>(bytes / 4096 * 4096, 4096);
  const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(4096, bytes),
                                                           &std::free);
  if (!memory) return 0;
  std::memset(memory.get(), 1, bytes);
  const auto* data = static_cast<const float*>(memory.get());
  const size_t part = bytes / sizeof(float) / threads / 1024 * 1024;
  const size_t repeats = std::max<size_t>(1, (size_t{256} << 20) / bytes);
  auto* read = &ReadAll;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) read = &ReadAll16;
#endif
  const double seconds = BestSeconds(threads, [=](int thread) {
    for (size_t r = 0; r < repeats; ++r) read(data + part * thread, part);
  });
  return 4.0 * part * threads * repeats / seconds / 1e9;
}

}  // namespace trama
