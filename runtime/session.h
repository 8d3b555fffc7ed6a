// A model on a device: its programs compiled into one plan, its state, and running them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/api/plan.pb.h"
#include "base/host_tensor.h"
#include "frontend/model.h"
#include "frontend/program.h"
#include "runtime/device.h"

namespace trama {

struct SessionOptions {
  std::string backend = "cpu";  // a plugin's name, or "check:A,B"
  DeviceOptions device;         // index, threads, plugin path, cache
  // kF64: the program in float64, on `reference`. kBF16: products multiply bf16 and sum in f32;
  // where no program trains, parameters that are multiplied are kept in bf16.
  DType precision = DType::kF32;
  bool recompute = false;  // activations of training steps, for less memory
  std::string dump_dir;    // the program after each pass; "" for none
  bool timing = false;     // of the passes, on standard error
};

// The numbers that reach a program at run time.
struct Scalars {
  double lr = 0;
  int64_t step = 0;             // of the update, from 1: Adam's corrections and dropout's stream
  uint64_t seed = 0;            // dropout's
  int64_t first_example = 0;    // the global index of the batch's first row
  double beta1 = 0, beta2 = 0;  // for the corrections 1 - beta^step
};

class Session {
 public:
  // Traces, compiles and loads `programs`. State starts as zeros.
  static absl::StatusOr<std::unique_ptr<Session>> Create(const Model& model,
                                                         absl::Span<const Program> programs,
                                                         const SessionOptions& options);

  // One tensor of a program's inputs or outputs, or of the state.
  struct Slot {
    std::string name;
    std::string role;  // "input", "scalar", "parameter", "state"; "output"
    DType dtype;
    Shape shape;
    uint32_t block;
    uint64_t offset, bytes;
    std::byte* mapped;  // the memory itself where the host can address it, else null
  };
  // A program's index. NotFound names those that there are.
  absl::StatusOr<uint32_t> Find(const std::string& program) const;
  const std::vector<Slot>& inputs(uint32_t program) const { return programs_[program].inputs; }
  const std::vector<Slot>& outputs(uint32_t program) const { return programs_[program].outputs; }
  // Null where the program has no such input or output.
  const Slot* Input(uint32_t program, const std::string& name) const;
  const Slot* Output(uint32_t program, const std::string& name) const;
  // Parameters and state by name.
  const std::map<std::string, Slot>& state() const { return state_; }

  // The hot path, without allocation: write inputs, run, read outputs. `tensor` is cast to the
  // slot's type; InvalidArgument names the slot where the shapes differ.
  absl::Status Write(const Slot& slot, const HostTensor& tensor);
  absl::Status WriteRaw(const Slot& slot, const void* bytes);  // slot.bytes of them
  absl::Status Read(const Slot& slot, HostTensor* tensor) const;
  absl::StatusOr<double> ReadScalar(const Slot& slot) const;
  absl::Status WriteScalars(uint32_t program, const Scalars& scalars);
  absl::Status Run(uint32_t program);

  // All of it at once: every "input" must be there, by name; more tensors than it has are an error.
  absl::StatusOr<TensorMap> Call(const std::string& program, const TensorMap& inputs,
                                 const Scalars& scalars = {});

  // Writes state by name. InvalidArgument lists every tensor that is missing (unless `partial`),
  // unknown or misshapen, all at once, and nothing is written then.
  absl::Status LoadState(const TensorMap& tensors, bool partial = false);
  // The same, each tensor freed once it is written: large states do not stand in memory twice.
  absl::Status TakeState(TensorMap&& tensors, bool partial = false);
  // The parameters of another session of the same model, one at a time.
  absl::Status CopyParameters(const Session& other);
  absl::StatusOr<TensorMap> ReadState() const;
  absl::StatusOr<TensorMap> ReadParameters() const;
  absl::Status ClearState(const std::string& prefix);  // zeros, e.g. "cache:"

  // For looking closer: another plan over the same blocks, one of its programs, any buffer.
  absl::StatusOr<Executable> Load(const plan::Plan& plan);
  absl::Status RunOf(Executable& executable, uint32_t program);
  absl::StatusOr<HostTensor> ReadBuffer(uint32_t buffer) const;

  const plan::Plan& plan() const { return plan_; }
  const Device& device() const { return *device_; }
  uint64_t plan_bytes() const;  // of all blocks: what the plan announces
  // JSON of the backend about the loaded plan: compiled kernels, milliseconds, workspace.
  std::string Statistics() const;

 private:
  struct ProgramSlots {
    std::vector<Slot> inputs, outputs;
  };
  Session() = default;
  Slot MakeSlot(const plan::Binding& binding) const;
  absl::Status CheckState(const TensorMap& tensors, bool partial) const;

  std::optional<Device> device_;
  std::vector<Buffer> blocks_;
  plan::Plan plan_;
  Executable executable_;
  std::vector<ProgramSlots> programs_;
  std::map<std::string, uint32_t> program_index_;
  std::map<std::string, Slot> state_;
};

}  // namespace trama
