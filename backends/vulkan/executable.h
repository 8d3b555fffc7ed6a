// A loaded plan: its kernels' pipelines, its programs' steps, and their recordings.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/api/plan.pb.h"
#include "backends/api/plugin.h"
#include "backends/codegen/profile.h"
#include "backends/vulkan/device.h"
#include "backends/vulkan/memory.h"
#include "backends/vulkan/recorder.h"
#include "backends/vulkan/shader_cache.h"

namespace trama::vulkan {

// What all executables of a device share.
struct Engine {
  std::unique_ptr<Device> device;
  std::unique_ptr<Memory> memory;
  std::unique_ptr<ShaderCache> shaders;
  // Of the kernels of all executables: one dispatch after the other uses it. Null where none does.
  std::unique_ptr<Buffer> workspace;
  bool profile = false;
  // Where the measured tiles of matrix products are kept, "" for nowhere; tune: products of the
  // plans to come are measured.
  std::string tile_file;
  bool tune = false;

  // Reads the measured tiles, where there are any. While tuning, a file that is none is replaced.
  absl::Status ReadTiles();
  // Measures the products of `sources` and keeps the file; what came of it, as JSON.
  absl::StatusOr<std::string> Tune(absl::Span<const KernelSource> sources);
  // Room for kernels with that much. What was recorded with a smaller one is recorded anew.
  absl::Status ReserveWorkspace(uint64_t bytes);
};

class Executable : public plugin::ExecutableBase {
 public:
  // plan: a serialised trama.plan.Plan.
  static absl::StatusOr<std::unique_ptr<Executable>> Load(Engine& engine, std::string_view plan);
  explicit Executable(Engine& engine) : engine_(engine) {}

  absl::Status Run(uint32_t program, absl::Span<plugin::BufferBase* const> blocks) override;
  std::string Statistics() override;
  absl::StatusOr<std::string> Code(uint32_t kernel) override;

 private:
  struct Program {
    std::vector<Step> steps;
    std::vector<std::unique_ptr<Recording>> recordings;  // the last used first
    codegen::Profile profile;
  };
  absl::StatusOr<Recording*> RecordingFor(Program& program, absl::Span<Buffer* const> blocks);
  absl::Status AddProfile(Program& program, const Recording& recording);

  Engine& engine_;
  plan::Plan plan_;
  LoadStatistics statistics_;
  std::string tuned_;  // JSON, where products were measured
  std::vector<Program> programs_;
};

}  // namespace trama::vulkan
