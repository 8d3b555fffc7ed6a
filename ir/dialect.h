// The trama dialect: its ops, enums and interfaces. The ops' meaning is in ops.td.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace trama::OpTrait {
// Marks ops whose element i depends on the operands' elements i only (with broadcasting).
template <typename T>
class Pointwise : public mlir::OpTrait::TraitBase<T, Pointwise> {};
// Marks ops that move elements without computing.
template <typename T>
class View : public mlir::OpTrait::TraitBase<T, View> {};
}  // namespace trama::OpTrait

#include "ir/dialect.h.inc"
#include "ir/enums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "ir/attributes.h.inc"
#include "ir/interfaces.h.inc"
#define GET_OP_CLASSES
#include "ir/ops.h.inc"

namespace trama {

// Attributes of a model's func.func arguments and results; see the dialect's description.
inline constexpr llvm::StringLiteral kNameAttr = "trama.name";
inline constexpr llvm::StringLiteral kRoleAttr = "trama.role";
// On an argument: the dimension that is its time axis.
inline constexpr llvm::StringLiteral kSequenceAttr = "trama.sequence";
// On a result: the argument (by index) whose storage it takes over, as a parameter's new value
// does.
inline constexpr llvm::StringLiteral kDonatesAttr = "trama.donates";
// Of a model's func.func: what passes are to derive from it; docs/architecture.md.
inline constexpr llvm::StringLiteral kDifferentiateAttr = "trama.differentiate";
inline constexpr llvm::StringLiteral kInputGradientsAttr = "trama.input_gradients";
inline constexpr llvm::StringLiteral kDropResultAttr = "trama.drop_result";
inline constexpr llvm::StringLiteral kTrainableAttr = "trama.trainable";
inline constexpr llvm::StringLiteral kOptimizerAttr = "trama.optimizer";
inline constexpr llvm::StringLiteral kAccumulateAttr = "trama.accumulate";
inline constexpr llvm::StringLiteral kApplyAttr = "trama.apply";
inline constexpr llvm::StringLiteral kDecodeAttr = "trama.decode";
// On an outlined kernel: its family, such as "fused", "matmul", "attention".
inline constexpr llvm::StringLiteral kKindAttr = "trama.kind";

// Loads trama and the upstream dialects that models use.
void LoadDialects(mlir::MLIRContext& context);
void RegisterDialects(mlir::DialectRegistry& registry);

}  // namespace trama
