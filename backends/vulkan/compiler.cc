#include "backends/vulkan/compiler.h"

#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "backends/codegen/builder.h"
#include "backends/codegen/kernel_source.h"
#include "backends/vulkan/loop_limit.h"
#include "backends/vulkan/product_tile.h"
#include "base/status_macros.h"
#include "ir/dialect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

namespace trama::vulkan {
namespace {
// Raise when the ABI of kernels or the stored format changes.
constexpr uint32_t kFormatVersion = 3;

// Values one after another, lists after their length.
class Writer {
 public:
  template <typename T>
  void Add(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    } else {
      Add(static_cast<uint64_t>(value.size()));
      for (const auto& element : value) Add(element);
    }
  }
  void Add(const BufferUse& use) {
    Add(static_cast<uint8_t>(use.kind));
    Add(use.index);
    Add(use.reads);
    Add(use.writes);
    Add(use.offset);
  }
  void Add(const CompiledPhase& compiled) {
    Add(compiled.phase.symbol);
    for (int i = 0; i < 3; ++i) Add(compiled.phase.workgroups[i]);
    for (int i = 0; i < 3; ++i) Add(compiled.phase.local_size[i]);
    Add(compiled.phase.buffers);
    Add(compiled.phase.is_copy);
    Add(compiled.shader.words);
    Add(compiled.shader.pieces);
    Add(compiled.shader.address_table);
    Add(compiled.shader.subgroup_size);
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  // Whether all that was asked for was there, and nothing is left.
  bool Complete() const { return ok_ && rest_.empty(); }

  template <typename T>
  void Get(T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      ok_ = ok_ && rest_.size() >= sizeof(value);
      if (!ok_) return;
      std::memcpy(&value, rest_.data(), sizeof(value));
      rest_.remove_prefix(sizeof(value));
    } else {
      uint64_t size = 0;
      Get(size);
      ok_ = ok_ && size <= rest_.size();  // an element has a byte at least
      if (!ok_) return;
      value.resize(size);
      for (auto& element : value) Get(element);
    }
  }
  void Get(BufferUse& use) {
    uint8_t kind = 0;
    Get(kind);
    use.kind = static_cast<BufferUse::Kind>(kind);
    Get(use.index);
    Get(use.reads);
    Get(use.writes);
    Get(use.offset);
  }
  void Get(CompiledPhase& compiled) {
    Get(compiled.phase.symbol);
    for (int i = 0; i < 3; ++i) Get(compiled.phase.workgroups[i]);
    for (int i = 0; i < 3; ++i) Get(compiled.phase.local_size[i]);
    Get(compiled.phase.buffers);
    Get(compiled.phase.is_copy);
    Get(compiled.shader.words);
    Get(compiled.shader.pieces);
    Get(compiled.shader.address_table);
    Get(compiled.shader.subgroup_size);
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// The long type of the block of addresses, which most lines have, under a name of its own.
void AppendShader(mlir::spirv::ModuleOp shader, std::string& text) {
  std::string code;
  llvm::raw_string_ostream(code) << shader << "\n\n";
  for (auto variable : shader.getOps<mlir::spirv::GlobalVariableOp>()) {
    if (variable.storageClass() != mlir::spirv::StorageClass::PushConstant) continue;
    std::string type;
    llvm::raw_string_ostream(type)
        << mlir::cast<mlir::spirv::PointerType>(variable.getType()).getPointeeType();
    absl::StrReplaceAll({{type, "!addresses"}}, &code);
    absl::StrAppend(&text, "!addresses = ", type, "\n");
  }
  text += code;
}

// The phases and their SPIR-V as MLIR writes it.
std::string Describe(const CompiledKernel& kernel, mlir::ModuleOp shaders) {
  static constexpr const char* kKinds[] = {"operand", "result", "workspace", "constant"};
  std::string text;
  for (const auto& [phase, shader] : kernel.phases) {
    absl::StrAppend(&text, "// phase ", phase.symbol, ": ", absl::StrJoin(phase.workgroups, " x "),
                    " workgroups of ", absl::StrJoin(phase.local_size, " x "), " invocations, ",
                    shader.words.size() * sizeof(uint32_t), " bytes of SPIR-V\n");
    for (size_t i = 0; i < phase.buffers.size(); ++i) {
      const BufferUse& use = phase.buffers[i];
      absl::StrAppend(&text, "//   ", kKinds[use.kind], " ", use.index, use.reads ? " read" : "",
                      use.writes ? " written" : "");
      if (shader.pieces[i] > 1) absl::StrAppend(&text, " in ", shader.pieces[i], " buffers");
      text += "\n";
    }
    AppendShader(shaders.lookupSymbol<mlir::spirv::ModuleOp>(ShaderName(phase.symbol)), text);
  }
  return text;
}

uint64_t Checksum(std::string_view bytes) {
  return llvm::xxh3_64bits(llvm::StringRef(bytes.data(), bytes.size()));
}
}  // namespace

std::string CompiledKernel::Serialize() const {
  Writer content;
  content.Add(kFormatVersion);
  content.Add(phases);
  content.Add(workspaces);
  content.Add(constants);
  const std::string bytes = content.Take();
  Writer sum;
  sum.Add(Checksum(bytes));
  return sum.Take() + bytes;
}

absl::StatusOr<CompiledKernel> CompiledKernel::Parse(std::string_view bytes) {
  const auto damaged = [] { return absl::DataLossError("not a compiled Vulkan kernel"); };
  uint64_t sum = 0;
  if (bytes.size() < sizeof(sum)) return damaged();
  std::memcpy(&sum, bytes.data(), sizeof(sum));
  bytes.remove_prefix(sizeof(sum));
  if (sum != Checksum(bytes)) return damaged();
  Reader reader(bytes);
  uint32_t version = 0;
  reader.Get(version);
  if (version != kFormatVersion) return damaged();
  CompiledKernel kernel;
  reader.Get(kernel.phases);
  reader.Get(kernel.workspaces);
  reader.Get(kernel.constants);
  if (!reader.Complete()) return damaged();
  return kernel;
}

std::unique_ptr<mlir::MLIRContext> NewContext() {
  auto context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  LoadDialects(*context);
  codegen::LoadCodegenDialects(*context);
  PrepareLowering(*context);
  return context;
}

absl::StatusOr<CompiledKernel> CompileKernel(mlir::MLIRContext& context, const Target& target,
                                             const std::string& kind, const std::string& body,
                                             std::string* text) {
  Emitter emitter = FindEmitter(kind);
  if (!emitter) emitter = FindEmitter("fused");
  if (!emitter) return absl::UnimplementedError(absl::StrCat(kind, ": no emitter"));
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic& diagnostic) {
    absl::StrAppend(&message, message.empty() ? "" : "; ", diagnostic.str());
    return mlir::success();
  });
  TRAMA_ASSIGN_OR_RETURN(auto source, codegen::ParseBody(context, body));
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  auto function = *source->getOps<mlir::func::FuncOp>().begin();
  TRAMA_ASSIGN_OR_RETURN(Kernel kernel, emitter(function, *module, target));
  if (failed(mlir::verify(*module)))
    return absl::InternalError(absl::StrCat(kind, ": emitted code is invalid: ", message));
  CompiledKernel result;
  result.workspaces = std::move(kernel.workspaces);
  result.constants = std::move(kernel.constants);
  for (Phase& phase : kernel.phases) {
    auto gpu_module = module->lookupSymbol<mlir::gpu::GPUModuleOp>(phase.symbol);
    if (!gpu_module) return absl::InternalError(absl::StrCat(kind, ": no phase ", phase.symbol));
    if (target.is_cpu && IterationsOf(gpu_module) > kMostIterations)
      return absl::UnimplementedError(
          absl::StrCat(kind, ": an invocation has more than ", kMostIterations,
                       " loop iterations; Vulkan devices on processors end them all after 65535"));
    absl::StatusOr<Shader> shader = LowerToSpirv(gpu_module, target);
    if (!shader.ok())
      return absl::Status(shader.status().code(),
                          absl::StrCat(kind, ": ", std::string(shader.status().message())));
    result.phases.push_back({std::move(phase), *std::move(shader)});
  }
  if (text) *text = Describe(result, *module);
  return result;
}

std::string CompilerIdentity(const Target& target) {
  const auto& size = target.max_workgroup_size;
  std::string identity = absl::StrCat(
      kFormatVersion, " ", codegen::BuildIdentity(reinterpret_cast<const void*>(&CompileKernel)));
  for (uint64_t value : {uint64_t{target.device_address},
                         uint64_t{target.max_invocations},
                         uint64_t{size[0]},
                         uint64_t{size[1]},
                         uint64_t{size[2]},
                         uint64_t{target.max_workgroups},
                         uint64_t{target.shared_bytes},
                         uint64_t{target.max_push_bytes},
                         uint64_t{target.max_descriptors},
                         target.max_buffer_range,
                         uint64_t{target.subgroup_size},
                         uint64_t{target.subgroup_arithmetic},
                         uint64_t{target.subgroup_shuffle},
                         uint64_t{target.int8},
                         uint64_t{target.int16},
                         uint64_t{target.int64},
                         uint64_t{target.float16},
                         uint64_t{target.float64},
                         uint64_t{target.storage8},
                         uint64_t{target.storage16},
                         uint64_t{target.special_values},
                         uint64_t{target.is_cpu}})
    absl::StrAppend(&identity, " ", value);
  if (target.tiles) absl::StrAppend(&identity, " ", target.tiles->Identity());
  absl::StrAppend(&identity, " ", target.matrix_subgroup_size);
  for (const MatrixShape& shape : target.matrices) absl::StrAppend(&identity, " ", Name(shape));
  return identity;
}

}  // namespace trama::vulkan
