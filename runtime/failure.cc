#include "runtime/failure.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"

namespace trama {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 30;
constexpr char kProgram[] = "program";

std::string Folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  // A path that is not absolute says nothing, by the XDG specification.
  const std::string base =
      cache && *cache == '/' ? cache : JoinPath(home && *home ? home : "/tmp", ".cache");
  return JoinPath(base, "trama/failed");
}

std::string BlockName(size_t index) { return absl::StrCat("block.", index); }

absl::StatusOr<std::string> Keep(const plan::Plan& plan, uint32_t program,
                                 absl::Span<const Buffer> blocks) {
  uint64_t total = 0;
  for (const Buffer& block : blocks) total += block.size();
  if (total > kMaxBytes) return absl::ResourceExhaustedError("too large to keep");
  TRAMA_RETURN_IF_ERROR(MakeDirectories(Folder()));
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const std::string path = JoinPath(Folder(), absl::StrCat(now, "-", getpid()));
  TensorMap tensors;
  for (size_t i = 0; i < blocks.size(); ++i) {
    HostTensor bytes(DType::kU8, {static_cast<int64_t>(blocks[i].size())});
    TRAMA_RETURN_IF_ERROR(blocks[i].Read(0, bytes.bytes.data(), bytes.bytes.size()));
    tensors.emplace(BlockName(i), std::move(bytes));
  }
  TRAMA_RETURN_IF_ERROR(
      WriteSafetensors(path + ".safetensors", tensors, {{kProgram, absl::StrCat(program)}}));
  TRAMA_RETURN_IF_ERROR(AtomicWriteFile(path + ".plan", plan.SerializeAsString()));
  return path + ".plan";
}

}  // namespace

absl::Status KeepFailure(const absl::Status& failure, const plan::Plan& plan, uint32_t program,
                         absl::Span<const Buffer> blocks) {
  absl::StatusOr<std::string> path = Keep(plan, program, blocks);
  if (!path.ok()) return failure;
  return absl::Status(failure.code(),
                      absl::StrCat(failure.message(), "; trama replay ", *path, " runs it again"));
}

absl::StatusOr<Failure> ReadFailure(const std::string& path) {
  if (!absl::EndsWith(path, ".plan"))
    return absl::InvalidArgumentError(absl::StrCat(path, ": not the .plan of a failure"));
  Failure failure;
  TRAMA_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  if (!failure.plan.ParseFromString(bytes))
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a plan"));
  const std::string data = std::string(absl::StripSuffix(path, ".plan")) + ".safetensors";
  TRAMA_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(data));
  for (const auto& [key, value] : file.metadata())
    if (key == kProgram && !absl::SimpleAtoi(value, &failure.program))
      return absl::InvalidArgumentError(absl::StrCat(data, ": no program number"));
  if (failure.program >= static_cast<uint32_t>(failure.plan.programs_size()))
    return absl::InvalidArgumentError(absl::StrCat(data, ": the plan has no such program"));
  for (int i = 0; i < failure.plan.blocks_size(); ++i) {
    TRAMA_ASSIGN_OR_RETURN(HostTensor block, file.Read(BlockName(static_cast<size_t>(i))));
    if (block.bytes.size() != failure.plan.blocks(i).bytes())
      return absl::InvalidArgumentError(
          absl::StrCat(data, ": ", BlockName(static_cast<size_t>(i)), " has the wrong size"));
    failure.blocks.push_back(std::move(block.bytes));
  }
  return failure;
}

}  // namespace trama
