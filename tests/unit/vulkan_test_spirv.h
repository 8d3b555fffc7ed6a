// Checks shaders with SPIRV-Tools' validator; no device is needed.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/vulkan/compiler.h"
#include "base/status_matchers.h"
#include "tests/paths.h"
#include "tests/temp_dir.h"

namespace trama::vulkan {

// What spirv-val has against the shader; "" where it is valid. TRAMA_SPIRV_VAL is another one than
// the machine's.
inline std::string Invalid(const std::vector<uint32_t>& words) {
  TempDir dir;
  const char* other = std::getenv("TRAMA_SPIRV_VAL");
  const std::string bytes(reinterpret_cast<const char*>(words.data()), words.size() * 4);
  const std::string file = dir.Write("shader.spv", bytes);
  FILE* pipe =
      popen(absl::StrCat(other ? other : TRAMA_SPIRV_VAL, " --target-env vulkan1.3 ", file, " 2>&1")
                .c_str(),
            "r");
  if (!pipe) return "spirv-val cannot be started";
  std::string output;
  char buffer[256];
  while (fgets(buffer, sizeof(buffer), pipe)) output += buffer;
  if (pclose(pipe) != 0 && output.empty()) output = "spirv-val fails";
  return output;
}

// A target of either ABI that has all that a kernel may use.
inline Target TestTarget(bool device_address) {
  Target target;
  target.device_address = device_address;
  target.max_invocations = 1024;
  target.max_workgroup_size[0] = target.max_workgroup_size[1] = 1024;
  target.shared_bytes = 32768;
  target.int8 = target.int16 = target.int64 = target.float16 = target.float64 = true;
  target.storage8 = target.storage16 = target.special_values = true;
  target.subgroup_shuffle = true;
  return target;
}

// Compiles `body` as `kind` for both ABIs; every phase must be a valid shader.
inline void ExpectValidShaders(const std::string& kind, const std::string& body) {
  for (bool device_address : {true, false}) {
    auto context = NewContext();
    auto kernel = CompileKernel(*context, TestTarget(device_address), kind, body);
    ASSERT_TRUE(kernel.ok()) << kernel.status().ToString() << "\n" << body;
    for (const CompiledPhase& phase : kernel->phases)
      EXPECT_EQ(Invalid(phase.shader.words), "") << phase.phase.symbol << " of\n" << body;
  }
}

}  // namespace trama::vulkan
