#include "backends/codegen/kernel_source.h"

#include <link.h>

#include <cstring>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "llvm/Config/llvm-config.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

namespace trama::codegen {

absl::StatusOr<mlir::OwningOpRef<mlir::ModuleOp>> ParseBody(mlir::MLIRContext& context,
                                                            const std::string& body) {
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic& diagnostic) {
    absl::StrAppend(&message, message.empty() ? "" : "; ", diagnostic.str());
    return mlir::success();
  });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(body, mlir::ParserConfig(&context));
  if (!module) return absl::InvalidArgumentError(absl::StrCat("kernel body: ", message));
  auto functions = module->getOps<mlir::func::FuncOp>();
  if (std::distance(functions.begin(), functions.end()) != 1)
    return absl::InvalidArgumentError("kernel body: wants one func.func");
  return module;
}

namespace {
struct BuildIdQuery {
  const char* address;
  std::string id;
};

int FindBuildId(dl_phdr_info* info, size_t, void* data) {
  auto* query = static_cast<BuildIdQuery*>(data);
  bool holds = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    const char* start = reinterpret_cast<const char*>(info->dlpi_addr + segment.p_vaddr);
    holds |= segment.p_type == PT_LOAD && query->address >= start &&
             query->address < start + segment.p_memsz;
  }
  if (!holds) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(info->dlpi_addr + segment.p_vaddr);
    const char* end = at + segment.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      const auto* note = reinterpret_cast<const ElfW(Nhdr)*>(at);
      const char* name = at + sizeof(*note);
      const char* value = name + (note->n_namesz + 3) / 4 * 4;
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !std::memcmp(name, "GNU", 4))
        query->id = absl::BytesToHexString(absl::string_view(value, note->n_descsz));
      at = value + (note->n_descsz + 3) / 4 * 4;
    }
  }
  return 1;
}

std::string BuildIdAt(const void* address) {
  BuildIdQuery query{static_cast<const char*>(address), ""};
  dl_iterate_phdr(FindBuildId, &query);
  return query.id;
}
}  // namespace

std::string BuildIdentity(const void* function) {
  return absl::StrCat(LLVM_VERSION_STRING, " ", BuildIdAt(function), " ",
                      BuildIdAt(reinterpret_cast<const void*>(&BuildIdentity)));
}

}  // namespace trama::codegen
