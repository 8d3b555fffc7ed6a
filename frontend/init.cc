#include "frontend/init.h"

#include <unistd.h>

#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "base/philox.h"

namespace trama {
namespace {
// FNV-1a, 64 bits.
uint64_t Hash(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

// In (0, 1), with 32 bits.
double Uniform(uint32_t bits) { return (bits + 0.5) * 0x1p-32; }

// Two elements a Philox block: Box and Muller (1958) make two normal numbers of two uniform ones.
std::array<double, 2> Draw(const nn::Init& init, const std::array<uint32_t, 4>& bits) {
  const double u = Uniform(bits[0]), v = Uniform(bits[1]);
  if (init.kind == nn::Init::Kind::kUniform)
    return {init.a + (init.b - init.a) * u, init.a + (init.b - init.a) * v};
  const double radius = init.b * std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
  return {init.a + radius * std::cos(angle), init.a + radius * std::sin(angle)};
}

}  // namespace

HostTensor InitialParameter(const nn::Parameter& parameter, uint64_t seed) {
  HostTensor tensor(DType::kF32, parameter.shape());
  absl::Span<float> values = tensor.data<float>();
  const nn::Init& init = parameter.init();
  if (init.kind == nn::Init::Kind::kConstant) {
    std::fill(values.begin(), values.end(), static_cast<float>(init.a));
    return tensor;
  }
  const uint64_t name = Hash(parameter.path());
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed),
                                       static_cast<uint32_t>(seed >> 32)};
  for (uint64_t block = 0; 2 * block < values.size(); ++block) {
    const std::array<double, 2> pair =
        Draw(init, Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                               static_cast<uint32_t>(name), static_cast<uint32_t>(name >> 32)},
                              key));
    values[2 * block] = static_cast<float>(pair[0]);
    if (2 * block + 1 < values.size()) values[2 * block + 1] = static_cast<float>(pair[1]);
  }
  return tensor;
}

absl::StatusOr<TensorMap> InitialParameters(const nn::Module& module, uint64_t seed) {
  const double bytes = 4.0 * static_cast<double>(module.num_parameters());
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (bytes > memory)
    return absl::ResourceExhaustedError(absl::StrCat("the model's parameters take ", bytes / 0x1p30,
                                                     " GiB, and the machine has ", memory / 0x1p30,
                                                     " GiB"));
  TensorMap result;
  for (const nn::Parameter* parameter : module.parameters())
    result.emplace(parameter->path(), InitialParameter(*parameter, seed));
  return result;
}

}  // namespace trama
