// Checks a plan by running it over byte ranges instead of bytes.
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/dtype.h"
#include "base/shape.h"
#include "base/status_macros.h"
#include "passes/pipelines.h"

namespace trama {
namespace {
bool SameType(const plan::TensorType& a, const plan::TensorType& b) {
  return a.dtype() == b.dtype() && a.shape_size() == b.shape_size() &&
         std::equal(a.shape().begin(), a.shape().end(), b.shape().begin());
}

bool Overlap(const plan::Buffer& a, const plan::Buffer& b) {
  return a.block() == b.block() && a.offset() < b.offset() + b.bytes() &&
         b.offset() < a.offset() + a.bytes();
}

bool SameRange(const plan::Buffer& a, const plan::Buffer& b) {
  return a.block() == b.block() && a.offset() == b.offset() && a.bytes() == b.bytes();
}

class Validator {
 public:
  Validator(const plan::Plan& plan, const DeviceTarget& device) : plan_(plan), device_(device) {}

  absl::Status Run() {
    if (plan_.version() > kPlanVersion)
      return absl::InvalidArgumentError(absl::StrCat("a plan of version ", plan_.version(),
                                                     "; this build reads up to ", kPlanVersion));
    for (int i = 0; i < plan_.blocks_size(); ++i)
      if (plan_.blocks(i).bytes() > device_.max_block_bytes)
        return absl::InternalError(absl::StrCat("block ", i, " has ", plan_.blocks(i).bytes(),
                                                " bytes, more than the device allows"));
    for (int i = 0; i < plan_.buffers_size(); ++i) TRAMA_RETURN_IF_ERROR(CheckBuffer(i));
    std::set<std::string> hashes;
    for (const plan::Kernel& kernel : plan_.kernels())
      if (!hashes.insert(kernel.hash()).second)
        return absl::InternalError(
            absl::StrCat("a kernel of kind ", kernel.kind(), " is there twice"));
    for (const plan::Program& program : plan_.programs())
      if (absl::Status status = CheckProgram(program); !status.ok())
        return absl::InternalError(
            absl::StrCat(program.name(), ": ", std::string(status.message())));
    return absl::OkStatus();
  }

 private:
  // Who wrote a range last: a buffer's index.
  struct Write {
    uint64_t end;
    uint32_t buffer;
  };
  using Memory = std::map<std::pair<uint32_t, uint64_t>, Write>;  // by block and first byte

  absl::Status CheckBuffer(int i) const {
    const plan::Buffer& buffer = plan_.buffers(i);
    const std::string what = absl::StrCat("buffer ", i, " (", buffer.name(), ")");
    const auto dtype = DTypeFromName(buffer.type().dtype());
    const Shape shape(buffer.type().shape().begin(), buffer.type().shape().end());
    const auto elements = NumElements(shape);
    if (!dtype || !elements) return absl::InternalError(absl::StrCat(what, " has no valid type"));
    if (buffer.bytes() != SizeOf(*dtype) * static_cast<uint64_t>(*elements))
      return absl::InternalError(
          absl::StrCat(what, " has ", buffer.bytes(), " bytes, its type not"));
    if (buffer.block() >= static_cast<uint32_t>(plan_.blocks_size()))
      return absl::InternalError(
          absl::StrCat(what, " is in block ", buffer.block(), ", which is not there"));
    const uint64_t size = plan_.blocks(buffer.block()).bytes();
    if (buffer.offset() > size || buffer.bytes() > size - buffer.offset())
      return absl::InternalError(absl::StrCat(what, " reaches beyond its block"));
    if (buffer.offset() % device_.alignment != 0)
      return absl::InternalError(absl::StrCat(what, " is not aligned to ", device_.alignment));
    return absl::OkStatus();
  }

  absl::Status CheckTypes(const plan::Dispatch& dispatch) const {
    const uint32_t buffers = plan_.buffers_size();
    if (dispatch.kernel() >= static_cast<uint32_t>(plan_.kernels_size()))
      return absl::InternalError("its kernel is not there");
    const plan::Kernel& kernel = plan_.kernels(dispatch.kernel());
    if (kernel.operands_size() != dispatch.operands_size() ||
        kernel.results_size() != dispatch.results_size())
      return absl::InternalError("its kernel has another number of operands or results");
    for (int i = 0; i < dispatch.operands_size(); ++i)
      if (dispatch.operands(i) >= buffers ||
          !SameType(plan_.buffers(dispatch.operands(i)).type(), kernel.operands(i)))
        return absl::InternalError(absl::StrCat("operand ", i, " is not of its kernel's type"));
    for (int i = 0; i < dispatch.results_size(); ++i)
      if (dispatch.results(i) >= buffers ||
          !SameType(plan_.buffers(dispatch.results(i)).type(), kernel.results(i)))
        return absl::InternalError(absl::StrCat("result ", i, " is not of its kernel's type"));
    return absl::OkStatus();
  }

  // A result may lie on an operand only as the kernel says, and never on another result.
  absl::Status CheckInPlace(const plan::Dispatch& dispatch) const {
    const plan::Kernel& kernel = plan_.kernels(dispatch.kernel());
    for (int r = 0; r < dispatch.results_size(); ++r) {
      const plan::Buffer& result = plan_.buffers(dispatch.results(r));
      for (int other = 0; other < r; ++other)
        if (Overlap(result, plan_.buffers(dispatch.results(other))))
          return absl::InternalError(absl::StrCat("results ", other, " and ", r, " overlap"));
      for (int o = 0; o < dispatch.operands_size(); ++o) {
        const plan::Buffer& operand = plan_.buffers(dispatch.operands(o));
        if (!Overlap(result, operand)) continue;
        const bool allowed = SameRange(result, operand) &&
                             std::any_of(kernel.may_alias().begin(), kernel.may_alias().end(),
                                         [&](const plan::Alias& alias) {
                                           return alias.result() == static_cast<uint32_t>(r) &&
                                                  alias.operand() == static_cast<uint32_t>(o);
                                         });
        if (!allowed)
          return absl::InternalError(absl::StrCat("result ", r, " overwrites operand ", o));
      }
    }
    return absl::OkStatus();
  }

  void DoWrite(uint32_t index, Memory& memory) const {
    const plan::Buffer& buffer = plan_.buffers(index);
    const uint64_t begin = buffer.offset(), end = begin + buffer.bytes();
    if (begin == end) return;
    auto it = memory.lower_bound({buffer.block(), begin});
    if (it != memory.begin()) {
      auto before = std::prev(it);
      if (before->first.first == buffer.block() && before->second.end > begin) it = before;
    }
    // A value that is partly overwritten is lost as a whole.
    while (it != memory.end() && it->first.first == buffer.block() && it->first.second < end)
      it = memory.erase(it);
    memory[{buffer.block(), begin}] = {end, index};
  }

  absl::Status DoRead(uint32_t index, const std::set<uint32_t>& written,
                      const Memory& memory) const {
    const plan::Buffer& buffer = plan_.buffers(index);
    if (buffer.bytes() == 0) return absl::OkStatus();
    auto it = memory.find({buffer.block(), buffer.offset()});
    if (it == memory.end() || it->second.end != buffer.offset() + buffer.bytes())
      return absl::InternalError("is not written, or overwritten since");
    // Under another name it must be a reshape: only a buffer that nobody writes is one.
    if (it->second.buffer != index && written.contains(index))
      return absl::InternalError("is overwritten by another value since");
    return absl::OkStatus();
  }

  absl::Status CheckProgram(const plan::Program& program) const {
    Memory memory;
    std::set<uint32_t> written;  // by a dispatch or as an input, so far
    for (const plan::Binding& input : program.inputs()) {
      if (input.buffer() >= static_cast<uint32_t>(plan_.buffers_size()))
        return absl::InternalError(absl::StrCat("input ", input.name(), " has no buffer"));
      for (const auto& [begin, write] : memory)
        if (Overlap(plan_.buffers(write.buffer), plan_.buffers(input.buffer())))
          return absl::InternalError(
              absl::StrCat("input ", input.name(), " overlaps another input"));
      DoWrite(input.buffer(), memory);
      written.insert(input.buffer());
    }
    for (int i = 0; i < program.dispatches_size(); ++i) {
      const plan::Dispatch& dispatch = program.dispatches(i);
      const std::string what = absl::StrCat("dispatch ", i, " (", dispatch.label(), "): ");
      absl::Status status = CheckTypes(dispatch);
      if (status.ok()) status = CheckInPlace(dispatch);
      if (!status.ok())
        return absl::InternalError(absl::StrCat(what, std::string(status.message())));
      for (int o = 0; o < dispatch.operands_size(); ++o)
        if (absl::Status read = DoRead(dispatch.operands(o), written, memory); !read.ok())
          return absl::InternalError(
              absl::StrCat(what, "operand ", o, " ", std::string(read.message())));
      for (uint32_t result : dispatch.results()) {
        DoWrite(result, memory);
        written.insert(result);
      }
    }
    for (const plan::Binding& output : program.outputs()) {
      if (output.buffer() >= static_cast<uint32_t>(plan_.buffers_size()))
        return absl::InternalError(absl::StrCat("output ", output.name(), " has no buffer"));
      if (absl::Status read = DoRead(output.buffer(), written, memory); !read.ok())
        return absl::InternalError(
            absl::StrCat("output ", output.name(), " ", std::string(read.message())));
    }
    return absl::OkStatus();
  }

  const plan::Plan& plan_;
  const DeviceTarget& device_;
};
}  // namespace

absl::Status ValidatePlan(const plan::Plan& plan, const DeviceTarget& device) {
  return Validator(plan, device).Run();
}

}  // namespace trama
