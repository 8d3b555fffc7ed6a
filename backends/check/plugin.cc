// check:A,B runs every dispatch on two backends, B fed with A's values, and names the first kernel
// and element that disagree. A is the truth: what a run leaves in memory is A's.
//
// Where terms cancel, what is left of their rounding may be all there is. So before a difference is
// an error the kernel's body is analysed: how far rounding may move each element is what no backend
// can be blamed for.
//
// Options: backends ("A,B"), rtol and atol (of |want| and of max|want|, in place of those of
// compare.h for floats), and what A and B are opened with: device, threads, precision, cache_dir,
// plugin_path.
#include "backends/api/plugin.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "backends/api/plan.pb.h"
#include "backends/check/compare.h"
#include "backends/check/split_plan.h"
#include "backends/reference/rounding.h"
#include "base/status_macros.h"
#include "runtime/device.h"

namespace trama::check {
namespace {

constexpr int kUnwritten = 0xCD;  // what B's results hold before it runs
// Differences of up to so many times what one rounding an op makes pass: the functions of a backend
// (exp, tanh) are right to a few units, not to one.
constexpr double kRoundings = 8;

struct Tolerances {
  std::optional<double> relative, of_max;

  Tolerance For(DType dtype) const {
    Tolerance tolerance = ToleranceOf(dtype);
    if (!IsFloat(dtype)) return tolerance;
    tolerance.relative = relative.value_or(tolerance.relative);
    tolerance.of_max = of_max.value_or(tolerance.of_max);
    return tolerance;
  }
};

// The two devices, outlived by nothing that is made on them.
struct Pair {
  Device truth, other;
  Tolerances tolerances;
};

// Memory of the truth.
class CheckBuffer : public plugin::BufferBase {
 public:
  explicit CheckBuffer(Buffer buffer) : buffer_(std::move(buffer)) {}
  size_t size() const override { return buffer_.size(); }
  absl::Status Write(size_t at, const void* src, size_t bytes) override {
    return buffer_.Write(at, src, bytes);
  }
  absl::Status Read(size_t at, void* dst, size_t bytes) override {
    return buffer_.Read(at, dst, bytes);
  }
  void* Map() override { return buffer_.Map(); }
  Buffer& buffer() { return buffer_; }

 private:
  Buffer buffer_;
};

// One dispatch on a device, with the memory it runs in.
struct LoadedProbe {
  Probe probe;
  Executable executable;
  std::vector<Buffer> blocks;

  static absl::StatusOr<LoadedProbe> Load(Device& device, Probe probe) {
    LoadedProbe loaded;
    TRAMA_ASSIGN_OR_RETURN(loaded.executable, device.Load(probe.plan));
    TRAMA_ASSIGN_OR_RETURN(loaded.blocks, device.AllocBlocks(probe.plan));
    loaded.probe = std::move(probe);
    return loaded;
  }
  // Gives it its operands; the results become something that no kernel leaves there.
  absl::Status Fill(absl::Span<const HostTensor> operands) {
    std::vector<char> bytes;
    for (uint32_t block : probe.result_blocks) {
      bytes.assign(blocks[block].size(), static_cast<char>(kUnwritten));
      TRAMA_RETURN_IF_ERROR(blocks[block].Write(0, bytes.data(), bytes.size()));
    }
    for (size_t i = 0; i < operands.size(); ++i)
      TRAMA_RETURN_IF_ERROR(blocks[probe.operand_blocks[i]].Write(0, operands[i].bytes.data(),
                                                                  operands[i].bytes.size()));
    return absl::OkStatus();
  }
  absl::Status Run(Device& device) {
    TRAMA_RETURN_IF_ERROR(executable.Run(0, blocks));
    return device.Wait();
  }
  absl::StatusOr<HostTensor> Result(int index, HostTensor like) {
    TRAMA_RETURN_IF_ERROR(
        blocks[probe.result_blocks[index]].Read(0, like.bytes.data(), like.bytes.size()));
    return like;
  }
};

class CheckExecutable : public plugin::ExecutableBase {
 public:
  explicit CheckExecutable(Pair& pair) : pair_(pair) {}

  absl::Status Load(std::string_view bytes) {
    if (!plan_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      return absl::InvalidArgumentError("the plan is not a trama.plan.Plan");
    TRAMA_RETURN_IF_ERROR(CheckReferences());
    Split split = SplitByDispatch(plan_);
    first_ = std::move(split.first);
    TRAMA_ASSIGN_OR_RETURN(truth_, pair_.truth.Load(split.plan));
    for (const plan::Program& program : plan_.programs())
      for (const plan::Dispatch& dispatch : program.dispatches()) {
        Probe probe = ProbeOf(plan_, dispatch);
        if (probes_.contains(probe.key)) continue;
        TRAMA_ASSIGN_OR_RETURN(LoadedProbe loaded,
                               LoadedProbe::Load(pair_.other, std::move(probe)));
        probes_.emplace(loaded.probe.key, std::move(loaded));
      }
    return absl::OkStatus();
  }

  absl::Status Run(uint32_t program, absl::Span<plugin::BufferBase* const> blocks) override {
    if (program >= static_cast<uint32_t>(plan_.programs_size()))
      return absl::InvalidArgumentError(absl::StrCat("the plan has no program ", program));
    if (blocks.size() != static_cast<size_t>(plan_.blocks_size()))
      return absl::InvalidArgumentError(
          absl::StrCat("the plan has ", plan_.blocks_size(), " blocks, not ", blocks.size()));
    std::vector<Buffer*> memory;
    for (plugin::BufferBase* block : blocks)
      memory.push_back(&static_cast<CheckBuffer*>(block)->buffer());
    for (int i = 0; i < plan_.programs(program).dispatches_size(); ++i)
      TRAMA_RETURN_IF_ERROR(RunDispatch(program, i, memory));
    return absl::OkStatus();
  }

  std::string Statistics() override {
    return absl::StrCat(R"({"checked_dispatches": )", checked_, "}");
  }

 private:
  // Every index of the plan names something: what Split and Probe rely on before A validates.
  absl::Status CheckReferences() const {
    for (const plan::Buffer& buffer : plan_.buffers())
      if (buffer.block() >= static_cast<uint32_t>(plan_.blocks_size()) ||
          !DTypeFromName(buffer.type().dtype()))
        return absl::InvalidArgumentError(
            absl::StrCat("buffer ", buffer.name(), " has no block or no type"));
    const auto bad = [&](uint32_t i) { return i >= static_cast<uint32_t>(plan_.buffers_size()); };
    for (const plan::Program& program : plan_.programs())
      for (const plan::Dispatch& dispatch : program.dispatches())
        if (dispatch.kernel() >= static_cast<uint32_t>(plan_.kernels_size()) ||
            std::any_of(dispatch.operands().begin(), dispatch.operands().end(), bad) ||
            std::any_of(dispatch.results().begin(), dispatch.results().end(), bad))
          return absl::InvalidArgumentError(
              absl::StrCat("a dispatch of ", program.name(), " names what is not there"));
    return absl::OkStatus();
  }

  absl::Status RunDispatch(uint32_t program, int index, absl::Span<Buffer* const> memory) {
    const plan::Dispatch& dispatch = plan_.programs(program).dispatches(index);
    LoadedProbe& probe = probes_.at(ProbeOf(plan_, dispatch).key);
    // Copies: A's run may overwrite what it reads.
    TRAMA_ASSIGN_OR_RETURN(const std::vector<HostTensor> operands, Operands(dispatch, memory));
    TRAMA_RETURN_IF_ERROR(probe.Fill(operands));

    absl::InlinedVector<TramaBuffer*, 8> handles;
    for (Buffer* block : memory) handles.push_back(block->handle());
    TRAMA_RETURN_IF_ERROR(truth_.Run(first_[program] + index, handles));
    TRAMA_RETURN_IF_ERROR(pair_.truth.Wait());
    TRAMA_RETURN_IF_ERROR(probe.Run(pair_.other));
    ++checked_;

    for (int r = 0; r < dispatch.results_size(); ++r) {
      const plan::Buffer& buffer = plan_.buffers(dispatch.results(r));
      TRAMA_ASSIGN_OR_RETURN(const HostTensor want, ReadFrom(memory, buffer));
      TRAMA_ASSIGN_OR_RETURN(const HostTensor got, probe.Result(r, TensorOf(buffer.type())));
      const Tolerance tolerance = pair_.tolerances.For(want.dtype);
      auto difference = FindDifference(got, want, tolerance);
      if (difference && IsFloat(want.dtype)) {
        TRAMA_ASSIGN_OR_RETURN(const HostTensor rounding, Rounding(dispatch, operands, r));
        difference = FindDifference(got, want, tolerance, &rounding);
      }
      if (!difference) continue;
      return absl::InternalError(absl::StrCat(
          "check: dispatch ", index, " ", NameOf(dispatch), ": ",
          dispatch.results_size() > 1 ? absl::StrCat("result ", r, " ") : "", "element ",
          IndexText(difference->element, want.shape), ": ", pair_.truth.info().backend, " ",
          difference->want, ", ", pair_.other.info().backend, " ", difference->got));
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<HostTensor> ReadFrom(absl::Span<Buffer* const> memory,
                                             const plan::Buffer& buffer) {
    HostTensor tensor = TensorOf(buffer.type());
    TRAMA_RETURN_IF_ERROR(
        memory[buffer.block()]->Read(buffer.offset(), tensor.bytes.data(), tensor.bytes.size()));
    return tensor;
  }

  absl::StatusOr<std::vector<HostTensor>> Operands(const plan::Dispatch& dispatch,
                                                   absl::Span<Buffer* const> memory) const {
    std::vector<HostTensor> operands;
    for (uint32_t index : dispatch.operands()) {
      TRAMA_ASSIGN_OR_RETURN(operands.emplace_back(), ReadFrom(memory, plan_.buffers(index)));
    }
    return operands;
  }

  // What rounding alone may make of each element of a result.
  absl::StatusOr<HostTensor> Rounding(const plan::Dispatch& dispatch,
                                      absl::Span<const HostTensor> operands, int result) const {
    TRAMA_ASSIGN_OR_RETURN(
        std::vector<HostTensor> errors,
        reference::RoundingErrors(plan_.kernels(dispatch.kernel()).body(), operands));
    HostTensor& error = errors[result];
    for (double& x : error.data<double>()) x *= kRoundings;
    return std::move(error);
  }

  static HostTensor TensorOf(const plan::TensorType& type) {
    return HostTensor(*DTypeFromName(type.dtype()),
                      Shape(type.shape().begin(), type.shape().end()));
  }

  // "matmul (h.0.attn.c_attn, gpt2.h:41)".
  std::string NameOf(const plan::Dispatch& dispatch) const {
    const plan::Kernel& kernel = plan_.kernels(dispatch.kernel());
    const std::string op =
        kernel.op().empty() || kernel.op() == kernel.kind() ? "" : absl::StrCat(" ", kernel.op());
    const std::string where = absl::StrJoin({dispatch.label(), dispatch.location()}, ", ");
    return absl::StrCat(kernel.kind(), op, " (", where, ")");
  }

  Pair& pair_;
  plan::Plan plan_;
  Executable truth_;
  std::vector<uint32_t> first_;
  std::map<std::string, LoadedProbe> probes_;
  int64_t checked_ = 0;
};

// What both can run: a device that compiles bodies runs any op, and any composite that it lists.
std::string KernelsOfBoth(const DeviceTarget& a, const DeviceTarget& b) {
  if (a.compiles_bodies != b.compiles_bodies)
    return absl::StrJoin(a.compiles_bodies ? b.anchors : a.anchors, ",");
  std::vector<std::string> both;
  if (a.compiles_bodies) both.push_back("*");
  for (const std::string& anchor : a.anchors)
    if (std::find(b.anchors.begin(), b.anchors.end(), anchor) != b.anchors.end())
      both.push_back(anchor);
  return absl::StrJoin(both, ",");
}

class CheckDevice : public plugin::DeviceBase {
 public:
  explicit CheckDevice(Pair pair) : pair_(std::move(pair)) {}

  std::string Info() override {
    const DeviceTarget &a = pair_.truth.target(), &b = pair_.other.target();
    std::vector<std::string> features;
    for (const std::string& feature : pair_.truth.info().features)
      if (const auto& others = pair_.other.info().features;
          std::find(others.begin(), others.end(), feature) != others.end())
        features.push_back(absl::StrCat("\"", feature, "\""));
    return absl::StrCat(R"({"device": "checks the second against the first", "kernels": ")",
                        KernelsOfBoth(a, b), R"(", "alignment": )",
                        std::max(a.alignment, b.alignment), R"(, "max_block_bytes": )",
                        std::min(a.max_block_bytes, b.max_block_bytes), R"(, "memory_bytes": )",
                        std::min(a.memory_bytes, b.memory_bytes), R"(, "features": [)",
                        absl::StrJoin(features, ", "), "]}");
  }
  absl::StatusOr<std::unique_ptr<plugin::BufferBase>> Alloc(size_t bytes) override {
    TRAMA_ASSIGN_OR_RETURN(Buffer buffer, pair_.truth.Alloc(bytes));
    return std::make_unique<CheckBuffer>(std::move(buffer));
  }
  absl::StatusOr<std::unique_ptr<plugin::ExecutableBase>> Load(std::string_view plan) override {
    auto executable = std::make_unique<CheckExecutable>(pair_);
    TRAMA_RETURN_IF_ERROR(executable->Load(plan));
    return executable;
  }

 private:
  Pair pair_;
};

absl::StatusOr<std::optional<double>> ReadNumber(const plugin::Options& options,
                                                 std::string_view key) {
  const std::string text(plugin::GetOption(options, key));
  if (text.empty()) return std::nullopt;
  double value;
  if (!absl::SimpleAtod(text, &value) || !(value >= 0))
    return absl::InvalidArgumentError(
        absl::StrCat("check: ", std::string(key), "=", text, " is no tolerance"));
  return value;
}

absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> Open(const plugin::Options& options) {
  const std::vector<std::string> names =
      absl::StrSplit(std::string(plugin::GetOption(options, "backends")), ',', absl::SkipEmpty());
  if (names.size() != 2)
    return absl::InvalidArgumentError("check needs two backends, as check:reference,cpu");
  DeviceOptions inner;
  inner.plugin_path = plugin::GetOption(options, "plugin_path");
  inner.precision = plugin::GetOption(options, "precision");
  inner.cache_dir = plugin::GetOption(options, "cache_dir");
  for (const auto& [key, value] : options)
    if (key == "device" || key == "threads") inner.more[key] = value;
  Tolerances tolerances;
  TRAMA_ASSIGN_OR_RETURN(tolerances.relative, ReadNumber(options, "rtol"));
  TRAMA_ASSIGN_OR_RETURN(tolerances.of_max, ReadNumber(options, "atol"));
  TRAMA_ASSIGN_OR_RETURN(Device truth, Device::Open(names[0], inner));
  TRAMA_ASSIGN_OR_RETURN(Device other, Device::Open(names[1], inner));
  return std::make_unique<CheckDevice>(Pair{std::move(truth), std::move(other), tolerances});
}

}  // namespace
}  // namespace trama::check

TRAMA_BACKEND("check", trama::check::Open)
