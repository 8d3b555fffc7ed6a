#include "backends/vulkan/tile_tuner.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/codegen/builder.h"
#include "backends/codegen/kernel_source.h"
#include "backends/codegen/profile.h"
#include "backends/vulkan/recorder.h"
#include "base/clock.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {

// A tile replaces the built-in one where it takes less than this share of its time.
constexpr double kGain = 0.95;
constexpr double kMeasuredSeconds = 3e-3;  // of one measurement: as many dispatches as that takes
// A model's weights are in no cache when their turn comes: dispatches go round over copies of the
// tensors that together are no less than that.
constexpr uint64_t kUncachedBytes = 256 << 20, kMostCopies = 64;
constexpr int kMeasurements = 3, kFinalMeasurements = 7;

// Sees what products a kernel has and gives one of them a tile that is not the built-in one.
class TriedTile : public TileChoice {
 public:
  TriedTile() = default;
  TriedTile(std::string product, size_t tile) : product_(std::move(product)), tile_(tile) {}

  size_t Choose(const std::string& product, llvm::ArrayRef<ProductTile> tiles) const override {
    seen.try_emplace(product, tiles.begin(), tiles.end());
    return product == product_ ? tile_ : 0;
  }
  std::string Identity() const override { return absl::StrCat(product_, " ", tile_); }

  mutable std::map<std::string, std::vector<ProductTile>> seen;

 private:
  std::string product_;
  size_t tile_ = 0;
};

// The operands and results of a kernel, several times, each a block of its own.
struct Tensors {
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<BlockRange> ranges;  // of one copy after the other
  size_t operands = 0, copies = 1;
  std::vector<Buffer*> blocks;

  absl::Span<const BlockRange> Copy(size_t number) const {
    const size_t each = ranges.size() / copies;
    return absl::MakeConstSpan(ranges).subspan(number % copies * each, each);
  }

  absl::Status Add(Memory& memory, mlir::Type tensor) {
    const mlir::MemRefType type = codegen::BufferType(mlir::cast<mlir::RankedTensorType>(tensor));
    const uint64_t elements = type.getNumElements(),
                   bytes = elements * type.getElementTypeBitWidth() / 8;
    TRAMA_ASSIGN_OR_RETURN(auto buffer, memory.Alloc(std::max<uint64_t>(bytes, 1)));
    if (type.getElementType().isF32()) {  // zeros may be faster than other numbers
      std::vector<float> some(std::min<uint64_t>(elements, 1 << 20));
      for (size_t i = 0; i < some.size(); ++i) some[i] = static_cast<float>(i % 17) / 16 - 0.5f;
      for (uint64_t at = 0; at < elements; at += some.size())
        TRAMA_RETURN_IF_ERROR(
            buffer->Write(at * sizeof(float), some.data(),
                          std::min<uint64_t>(elements - at, some.size()) * sizeof(float)));
    }
    ranges.push_back({static_cast<uint32_t>(buffers.size()), 0, bytes});
    blocks.push_back(buffer.get());
    buffers.push_back(std::move(buffer));
    return absl::OkStatus();
  }
};

absl::StatusOr<Tensors> TensorsOf(Memory& memory, const KernelSource& source) {
  const auto context = NewContext();
  TRAMA_ASSIGN_OR_RETURN(auto module, codegen::ParseBody(*context, *source.body));
  auto body = *module->getOps<mlir::func::FuncOp>().begin();
  Tensors tensors;
  tensors.operands = body.getNumArguments();
  uint64_t bytes = 1;
  for (size_t copy = 0; copy < tensors.copies; ++copy) {
    for (mlir::Type type : body.getArgumentTypes())
      TRAMA_RETURN_IF_ERROR(tensors.Add(memory, type));
    for (mlir::Type type : body.getResultTypes()) TRAMA_RETURN_IF_ERROR(tensors.Add(memory, type));
    if (copy > 0) continue;
    for (const BlockRange& range : tensors.ranges) bytes += range.bytes;
    tensors.copies = std::clamp<uint64_t>(kUncachedBytes / bytes + 1, 1, kMostCopies);
  }
  return tensors;
}

// Dispatches of one kernel, several in a row.
class Trial {
 public:
  static absl::StatusOr<std::unique_ptr<Trial>> Make(Memory& memory, LoadedKernel kernel,
                                                     const Tensors& tensors) {
    auto trial = std::make_unique<Trial>(memory, std::move(kernel));
    TRAMA_ASSIGN_OR_RETURN(trial->workspace_,
                           memory.Alloc(std::max<uint64_t>(trial->kernel_.workspace_bytes, 1)));
    TRAMA_RETURN_IF_ERROR(trial->Record(tensors, 1));
    TRAMA_RETURN_IF_ERROR(trial->Run().status());  // drivers compile at the first dispatch
    TRAMA_ASSIGN_OR_RETURN(const double seconds, trial->Run());
    const double count = std::clamp(kMeasuredSeconds / std::max(seconds, 1e-9),
                                    static_cast<double>(std::min<size_t>(tensors.copies, 16)),
                                    static_cast<double>(kMostCopies));
    if (count >= 2) TRAMA_RETURN_IF_ERROR(trial->Record(tensors, static_cast<int64_t>(count)));
    return trial;
  }
  Trial(Memory& memory, LoadedKernel kernel) : memory_(memory), kernel_(std::move(kernel)) {}

  // Measures once more.
  absl::Status Measure() {
    TRAMA_ASSIGN_OR_RETURN(const double seconds, Run());
    best_ = std::min(best_, seconds / static_cast<double>(count_));
    return absl::OkStatus();
  }
  void Forget() { best_ = 1e9; }
  double best() const { return best_; }  // seconds of a dispatch

 private:
  absl::Status Record(const Tensors& tensors, int64_t count) {
    std::vector<Step> steps;
    for (int64_t i = 0; i < count; ++i)
      TRAMA_RETURN_IF_ERROR(AppendSteps(kernel_, tensors.Copy(next_++), tensors.operands, 0,
                                        /*flops=*/0, steps));
    TRAMA_ASSIGN_OR_RETURN(recording_, Recording::Make(memory_, steps, tensors.blocks,
                                                       workspace_.get(), /*profile=*/false));
    count_ = count;
    return absl::OkStatus();
  }
  absl::StatusOr<double> Run() {
    const double start = MonotonicSeconds();
    TRAMA_RETURN_IF_ERROR(recording_->Submit());
    TRAMA_RETURN_IF_ERROR(memory_.device().Wait());
    return MonotonicSeconds() - start;
  }

  Memory& memory_;
  LoadedKernel kernel_;
  std::unique_ptr<Buffer> workspace_;
  std::unique_ptr<Recording> recording_;
  int64_t count_ = 1;
  size_t next_ = 0;  // copy
  double best_ = 1e9;
};

class Tuner {
 public:
  Tuner(Memory& memory, ShaderCache& shaders, const KernelSource& source)
      : memory_(memory), shaders_(shaders), source_(source) {}

  absl::StatusOr<TunedProduct> Tune(const std::string& product,
                                    const std::vector<ProductTile>& tiles, TileTable& table) {
    if (tensors_.blocks.empty()) {
      TRAMA_ASSIGN_OR_RETURN(tensors_, TensorsOf(memory_, source_));
    }
    TRAMA_ASSIGN_OR_RETURN(auto builtin, MakeTrial(product, 0));
    TRAMA_RETURN_IF_ERROR(Measure(*builtin, kMeasurements));
    size_t fastest = 0;
    std::unique_ptr<Trial> best;
    for (size_t i = 1; i < tiles.size(); ++i) {
      TRAMA_ASSIGN_OR_RETURN(auto trial, MakeTrial(product, i));
      TRAMA_RETURN_IF_ERROR(Measure(*trial, kMeasurements));
      if (best && best->best() <= trial->best()) continue;
      best = std::move(trial);
      fastest = i;
    }
    // The one that came out first had luck, too: both again, by turns.
    builtin->Forget();
    if (best) best->Forget();
    for (int i = 0; i < kFinalMeasurements; ++i) {
      TRAMA_RETURN_IF_ERROR(builtin->Measure());
      if (best) TRAMA_RETURN_IF_ERROR(best->Measure());
    }
    if (!best || best->best() > kGain * builtin->best()) fastest = 0;
    if (fastest)
      table.Set(product, tiles[fastest]);
    else
      table.Erase(product);
    return TunedProduct{product,
                        source_.kind,
                        TileName(tiles[0]),
                        TileName(tiles[fastest]),
                        builtin->best() * 1e6,
                        (fastest ? *best : *builtin).best() * 1e6,
                        tiles.size()};
  }

 private:
  absl::StatusOr<std::unique_ptr<Trial>> MakeTrial(const std::string& product, size_t tile) {
    Target target = memory_.device().target();
    target.tiles = std::make_shared<TriedTile>(product, tile);
    TRAMA_ASSIGN_OR_RETURN(LoadedKernel kernel, shaders_.Compile(source_, target));
    return Trial::Make(memory_, std::move(kernel), tensors_);
  }
  static absl::Status Measure(Trial& trial, int times) {
    for (int i = 0; i < times; ++i) TRAMA_RETURN_IF_ERROR(trial.Measure());
    return absl::OkStatus();
  }

  Memory& memory_;
  ShaderCache& shaders_;
  const KernelSource& source_;
  Tensors tensors_;
};

// What products a kernel has, and their tiles.
absl::StatusOr<std::map<std::string, std::vector<ProductTile>>> ProductsOf(
    const Target& device, const KernelSource& source) {
  Target target = device;
  const auto seen = std::make_shared<TriedTile>();
  target.tiles = seen;
  const auto context = NewContext();
  TRAMA_RETURN_IF_ERROR(
      CompileKernel(*context, target, source.kind, *source.body, nullptr).status());
  return std::move(seen->seen);
}

}  // namespace

absl::StatusOr<std::vector<TunedProduct>> TuneTiles(Memory& memory, ShaderCache& shaders,
                                                    absl::Span<const KernelSource> sources,
                                                    TileTable& table) {
  std::vector<TunedProduct> tuned;
  std::map<std::string, bool> done;
  for (const KernelSource& source : sources) {
    TRAMA_ASSIGN_OR_RETURN(const auto products, ProductsOf(memory.device().target(), source));
    Tuner tuner(memory, shaders, source);
    for (const auto& [product, tiles] : products) {
      if (tiles.size() < 2 || !done.emplace(product, true).second) continue;
      TRAMA_ASSIGN_OR_RETURN(TunedProduct result, tuner.Tune(product, tiles, table));
      tuned.push_back(std::move(result));
    }
  }
  return tuned;
}

std::string TunedJson(absl::Span<const TunedProduct> products) {
  using codegen::JsonString;
  const auto object = [](std::string* out, const TunedProduct& p) {
    absl::StrAppend(out, R"({"product": )", JsonString(p.product), R"(, "kind": )",
                    JsonString(p.kind), R"(, "builtin": )", JsonString(p.builtin),
                    R"(, "fastest": )", JsonString(p.fastest), R"(, "builtin_us": )", p.builtin_us,
                    R"(, "fastest_us": )", p.fastest_us, R"(, "tiles": )", p.tiles, "}");
  };
  return absl::StrCat("[", absl::StrJoin(products, ", ", object), "]");
}

}  // namespace trama::vulkan
