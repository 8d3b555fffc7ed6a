#include "ir/dialect.h"

#include "ir/enums.cc.inc"
#include "ir/interfaces.cc.inc"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectImplementation.h"

#define GET_ATTRDEF_CLASSES
#include "ir/attributes.cc.inc"
#define GET_OP_CLASSES
#include "ir/ops.cc.inc"

#include "ir/dialect.cc.inc"

namespace trama {
namespace {
// Bytecode carries the dialect's version, so that a newer file is refused with a clear message.
struct Version : mlir::DialectVersion {
  int64_t value;
  explicit Version(int64_t value) : value(value) {}
};

struct BytecodeInterface : mlir::BytecodeDialectInterface {
  explicit BytecodeInterface(mlir::Dialect* dialect) : BytecodeDialectInterface(dialect) {}
  void writeVersion(mlir::DialectBytecodeWriter& writer) const override {
    writer.writeVarInt(TramaDialect::kBytecodeVersion);
  }
  std::unique_ptr<mlir::DialectVersion> readVersion(
      mlir::DialectBytecodeReader& reader) const override {
    uint64_t version;
    if (failed(reader.readVarInt(version))) return nullptr;
    if (version > TramaDialect::kBytecodeVersion) {
      reader.emitError() << "trama bytecode of version " << version << "; this build reads up to "
                         << TramaDialect::kBytecodeVersion;
      return nullptr;
    }
    return std::make_unique<Version>(version);
  }
};
}  // namespace

void TramaDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "ir/ops.cc.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ir/attributes.cc.inc"
      >();
  addInterfaces<BytecodeInterface>();
}

mlir::Operation* TramaDialect::materializeConstant(mlir::OpBuilder& b, mlir::Attribute value,
                                                   mlir::Type type, mlir::Location loc) {
  auto elements = mlir::dyn_cast<mlir::ElementsAttr>(value);
  return elements && elements.getType() == type ? ConstantOp::create(b, loc, elements) : nullptr;
}

void RegisterDialects(mlir::DialectRegistry& registry) {
  registry.insert<TramaDialect, mlir::func::FuncDialect>();
}

void LoadDialects(mlir::MLIRContext& context) {
  context.loadDialect<TramaDialect, mlir::func::FuncDialect>();
}

}  // namespace trama
