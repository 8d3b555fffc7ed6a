#include "runtime/session.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "runtime/compiler.h"
#include "runtime/failure.h"

namespace trama {
namespace {

std::string Describe(DType dtype, const Shape& shape) {
  return absl::StrCat(std::string(Name(dtype)), "[", absl::StrJoin(shape, ","), "]");
}

bool Persists(const std::string& role) { return role == "parameter" || role == "state"; }

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Create(const Model& model,
                                                         absl::Span<const Program> programs,
                                                         const SessionOptions& options) {
  std::unique_ptr<Session> session(new Session);
  DeviceOptions device_options = options.device;
  device_options.precision = std::string(Name(options.precision));
  TRAMA_ASSIGN_OR_RETURN(session->device_, Device::Open(options.backend, device_options));
  CompileOptions compile;
  compile.device = session->device_->target();
  compile.recompute = options.recompute;
  compile.dump_dir = options.dump_dir;
  compile.timing = options.timing;
  TRAMA_ASSIGN_OR_RETURN(session->plan_, CompileModel(model, programs, compile, options.precision));
  const plan::Plan& plan = session->plan_;

  TRAMA_ASSIGN_OR_RETURN(session->blocks_, session->device_->AllocBlocks(plan));
  TRAMA_ASSIGN_OR_RETURN(session->executable_, session->device_->Load(plan));
  for (int p = 0; p < plan.programs_size(); ++p) {
    const plan::Program& program = plan.programs(p);
    ProgramSlots slots;
    for (const plan::Binding& binding : program.inputs()) {
      Slot slot = session->MakeSlot(binding);
      if (Persists(slot.role))
        session->state_.emplace(slot.name, std::move(slot));
      else
        slots.inputs.push_back(std::move(slot));
    }
    for (const plan::Binding& binding : program.outputs()) {
      Slot slot = session->MakeSlot(binding);
      slot.role = "output";
      slots.outputs.push_back(std::move(slot));
    }
    session->program_index_[program.name()] = static_cast<uint32_t>(p);
    session->programs_.push_back(std::move(slots));
  }
  return session;
}

Session::Slot Session::MakeSlot(const plan::Binding& binding) const {
  const plan::Buffer& buffer = plan_.buffers(static_cast<int>(binding.buffer()));
  Slot slot{binding.name(),
            binding.role(),
            DTypeFromName(buffer.type().dtype()).value_or(DType::kF32),
            Shape(buffer.type().shape().begin(), buffer.type().shape().end()),
            buffer.block(),
            buffer.offset(),
            buffer.bytes(),
            nullptr};
  if (void* base = blocks_[slot.block].Map())
    slot.mapped = static_cast<std::byte*>(base) + slot.offset;
  return slot;
}

absl::StatusOr<uint32_t> Session::Find(const std::string& program) const {
  auto it = program_index_.find(program);
  if (it != program_index_.end()) return it->second;
  return absl::NotFoundError(absl::StrCat(
      "no program '", program, "'; there are ",
      absl::StrJoin(program_index_, ", ",
                    [](std::string* out, const auto& entry) { out->append(entry.first); })));
}

const Session::Slot* Session::Input(uint32_t program, const std::string& name) const {
  for (const Slot& slot : programs_[program].inputs)
    if (slot.name == name) return &slot;
  return nullptr;
}

const Session::Slot* Session::Output(uint32_t program, const std::string& name) const {
  for (const Slot& slot : programs_[program].outputs)
    if (slot.name == name) return &slot;
  return nullptr;
}

absl::Status Session::WriteRaw(const Slot& slot, const void* bytes) {
  if (slot.mapped) {
    std::memcpy(slot.mapped, bytes, slot.bytes);
    return absl::OkStatus();
  }
  return blocks_[slot.block].Write(slot.offset, bytes, slot.bytes);
}

absl::Status Session::Write(const Slot& slot, const HostTensor& tensor) {
  if (tensor.shape != slot.shape)
    return absl::InvalidArgumentError(absl::StrCat(slot.name, " is ",
                                                   Describe(tensor.dtype, tensor.shape), ", not ",
                                                   Describe(slot.dtype, slot.shape)));
  if (IsFloat(tensor.dtype) && !IsFloat(slot.dtype))
    return absl::InvalidArgumentError(absl::StrCat(
        slot.name, " takes ", std::string(Name(slot.dtype)), ", not floating-point numbers"));
  if (tensor.dtype == slot.dtype) return WriteRaw(slot, tensor.bytes.data());
  // In pieces: a large parameter does not stand in memory once more.
  constexpr int64_t kPiece = 1 << 18;
  for (int64_t first = 0; first < tensor.num_elements(); first += kPiece) {
    const int64_t count = std::min(kPiece, tensor.num_elements() - first);
    HostTensor piece(tensor.dtype, {count});
    const auto from = tensor.bytes.begin() + static_cast<ptrdiff_t>(first * SizeOf(tensor.dtype));
    std::copy_n(from, piece.bytes.size(), piece.bytes.begin());
    const HostTensor cast = piece.Cast(slot.dtype);
    const uint64_t at = slot.offset + static_cast<uint64_t>(first) * SizeOf(slot.dtype);
    TRAMA_RETURN_IF_ERROR(blocks_[slot.block].Write(at, cast.bytes.data(), cast.bytes.size()));
  }
  return absl::OkStatus();
}

absl::Status Session::Read(const Slot& slot, HostTensor* tensor) const {
  if (tensor->dtype != slot.dtype || tensor->shape != slot.shape ||
      tensor->bytes.size() != slot.bytes)  // a fresh HostTensor is a scalar without bytes
    *tensor = HostTensor(slot.dtype, slot.shape);
  if (slot.mapped) {
    std::memcpy(tensor->bytes.data(), slot.mapped, slot.bytes);
    return absl::OkStatus();
  }
  return blocks_[slot.block].Read(slot.offset, tensor->bytes.data(), slot.bytes);
}

absl::StatusOr<double> Session::ReadScalar(const Slot& slot) const {
  HostTensor tensor(slot.dtype, slot.shape);
  TRAMA_RETURN_IF_ERROR(Read(slot, &tensor));
  return tensor.at(0);
}

absl::Status Session::WriteScalars(uint32_t program, const Scalars& scalars) {
  for (const Slot& slot : programs_[program].inputs) {
    if (slot.role != "scalar") continue;
    if (slot.name == "rng") {
      const int32_t rng[4] = {
          static_cast<int32_t>(scalars.seed), static_cast<int32_t>(scalars.seed >> 32),
          static_cast<int32_t>(scalars.step), static_cast<int32_t>(scalars.first_example)};
      TRAMA_RETURN_IF_ERROR(WriteRaw(slot, rng));
      continue;
    }
    const double step = static_cast<double>(scalars.step);
    double value = scalars.lr;
    if (slot.name == "correction1") value = 1 - std::pow(scalars.beta1, step);
    if (slot.name == "correction2") value = 1 - std::pow(scalars.beta2, step);
    const float narrow = static_cast<float>(value);
    TRAMA_RETURN_IF_ERROR(WriteRaw(slot, slot.dtype == DType::kF64
                                             ? static_cast<const void*>(&value)
                                             : static_cast<const void*>(&narrow)));
  }
  return absl::OkStatus();
}

absl::Status Session::Run(uint32_t program) {
  absl::Status status = RunOf(executable_, program);
  return status.ok() ? status : KeepFailure(status, plan_, program, blocks_);
}

absl::Status Session::RunOf(Executable& executable, uint32_t program) {
  TRAMA_RETURN_IF_ERROR(executable.Run(program, blocks_));
  return device_->Wait();
}

absl::StatusOr<Executable> Session::Load(const plan::Plan& plan) { return device_->Load(plan); }

absl::StatusOr<HostTensor> Session::ReadBuffer(uint32_t buffer) const {
  plan::Binding binding;
  binding.set_buffer(buffer);
  HostTensor tensor;
  TRAMA_RETURN_IF_ERROR(Read(MakeSlot(binding), &tensor));
  return tensor;
}

absl::StatusOr<TensorMap> Session::Call(const std::string& program, const TensorMap& inputs,
                                        const Scalars& scalars) {
  TRAMA_ASSIGN_OR_RETURN(const uint32_t index, Find(program));
  std::vector<std::string> missing, unknown;
  for (const Slot& slot : programs_[index].inputs)
    if (slot.role == "input" && !inputs.contains(slot.name)) missing.push_back(slot.name);
  for (const auto& [name, tensor] : inputs)
    if (!Input(index, name)) unknown.push_back(name);
  if (!missing.empty() || !unknown.empty())
    return absl::InvalidArgumentError(absl::StrCat(
        program, ": ", missing.empty() ? "" : "missing inputs: ", absl::StrJoin(missing, ", "),
        missing.empty() || unknown.empty() ? "" : "; ",
        unknown.empty() ? "" : "unknown inputs: ", absl::StrJoin(unknown, ", ")));
  for (const auto& [name, tensor] : inputs)
    TRAMA_RETURN_IF_ERROR(Write(*Input(index, name), tensor));
  TRAMA_RETURN_IF_ERROR(WriteScalars(index, scalars));
  TRAMA_RETURN_IF_ERROR(Run(index));
  TensorMap results;
  for (const Slot& slot : programs_[index].outputs) {
    TRAMA_RETURN_IF_ERROR(Read(slot, &results[slot.name]));
  }
  return results;
}

absl::Status Session::CheckState(const TensorMap& tensors, bool partial) const {
  std::vector<std::string> problems;
  if (!partial)
    for (const auto& [name, slot] : state_)
      if (slot.role == "parameter" && !tensors.contains(name))
        problems.push_back(absl::StrCat("missing ", name));
  for (const auto& [name, tensor] : tensors) {
    auto it = state_.find(name);
    if (it == state_.end())
      problems.push_back(absl::StrCat("unknown ", name));
    else if (tensor.shape != it->second.shape)
      problems.push_back(absl::StrCat(name, " is ", Describe(tensor.dtype, tensor.shape), ", not ",
                                      Describe(it->second.dtype, it->second.shape)));
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("tensors: ", absl::StrJoin(problems, "; ")));
}

absl::Status Session::LoadState(const TensorMap& tensors, bool partial) {
  TRAMA_RETURN_IF_ERROR(CheckState(tensors, partial));
  for (const auto& [name, tensor] : tensors) TRAMA_RETURN_IF_ERROR(Write(state_.at(name), tensor));
  return absl::OkStatus();
}

absl::Status Session::TakeState(TensorMap&& tensors, bool partial) {
  TRAMA_RETURN_IF_ERROR(CheckState(tensors, partial));
  for (; !tensors.empty(); tensors.erase(tensors.begin()))
    TRAMA_RETURN_IF_ERROR(Write(state_.at(tensors.begin()->first), tensors.begin()->second));
  return absl::OkStatus();
}

absl::Status Session::CopyParameters(const Session& other) {
  for (const auto& [name, slot] : other.state_) {
    if (slot.role != "parameter") continue;
    HostTensor tensor;
    TRAMA_RETURN_IF_ERROR(other.Read(slot, &tensor));
    TRAMA_RETURN_IF_ERROR(Write(state_.at(name), tensor));
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorMap> Session::ReadState() const {
  TensorMap tensors;
  for (const auto& [name, slot] : state_) TRAMA_RETURN_IF_ERROR(Read(slot, &tensors[name]));
  return tensors;
}

absl::StatusOr<TensorMap> Session::ReadParameters() const {
  TensorMap tensors;
  for (const auto& [name, slot] : state_)
    if (slot.role == "parameter") TRAMA_RETURN_IF_ERROR(Read(slot, &tensors[name]));
  return tensors;
}

absl::Status Session::ClearState(const std::string& prefix) {
  for (const auto& [name, slot] : state_)
    if (name.compare(0, prefix.size(), prefix) == 0)
      TRAMA_RETURN_IF_ERROR(Write(slot, HostTensor(slot.dtype, slot.shape)));
  return absl::OkStatus();
}

uint64_t Session::plan_bytes() const {
  uint64_t bytes = 0;
  for (const plan::Block& block : plan_.blocks()) bytes += block.bytes();
  return bytes;
}

std::string Session::Statistics() const { return executable_.Statistics(); }

}  // namespace trama
