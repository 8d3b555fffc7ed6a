#include "backends/vulkan/lower_to_spirv.h"

#include "absl/strings/str_cat.h"
#include "backends/vulkan/rewrite_kernel.h"
#include "mlir/Conversion/ArithToSPIRV/ArithToSPIRV.h"
#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRV.h"
#include "mlir/Conversion/IndexToSPIRV/IndexToSPIRV.h"
#include "mlir/Conversion/MathToSPIRV/MathToSPIRV.h"
#include "mlir/Conversion/MemRefToSPIRV/MemRefToSPIRV.h"
#include "mlir/Conversion/SCFToSPIRV/SCFToSPIRV.h"
#include "mlir/Conversion/UBToSPIRV/UBToSPIRV.h"
#include "mlir/Conversion/VectorToSPIRV/VectorToSPIRV.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Dialect/SPIRV/Transforms/SPIRVConversion.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Target/SPIRV/Serialization.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/Passes.h"

namespace trama::vulkan {
namespace {
namespace arith = mlir::arith;
namespace gpu = mlir::gpu;
namespace memref = mlir::memref;
namespace spirv = mlir::spirv;
namespace vector = mlir::vector;
using llvm::SmallVector;
using mlir::failed;
using mlir::failure;
using mlir::LogicalResult;
using mlir::MemRefType;
using mlir::MLIRContext;
using mlir::success;
using mlir::Type;
using mlir::Value;
using mlir::VectorType;

constexpr spirv::StorageClass kAddress = spirv::StorageClass::PhysicalStorageBuffer;
constexpr uint32_t kAddressBytes = 8;

mlir::Attribute Space(MLIRContext* context, spirv::StorageClass space) {
  return spirv::StorageClassAttr::get(context, space);
}

// matrices: the shader has cooperative ones, which want Vulkan's memory model.
spirv::TargetEnvAttr TargetEnvironment(MLIRContext* context, const Target& target, bool matrices) {
  using C = spirv::Capability;
  using E = spirv::Extension;
  SmallVector<C> capabilities = {C::Shader, C::GroupNonUniform};
  SmallVector<E> extensions = {E::SPV_KHR_storage_buffer_storage_class};
  auto allow = [&](bool has, std::initializer_list<C> add, std::initializer_list<E> with = {}) {
    if (!has) return;
    capabilities.append(add);
    extensions.append(with);
  };
  allow(target.device_address, {C::PhysicalStorageBufferAddresses},
        {E::SPV_KHR_physical_storage_buffer});
  allow(target.subgroup_arithmetic, {C::GroupNonUniformArithmetic});
  allow(target.subgroup_shuffle, {C::GroupNonUniformShuffle});
  allow(target.int8, {C::Int8});
  allow(target.int16, {C::Int16});
  allow(target.int64, {C::Int64});
  allow(target.float16, {C::Float16});
  allow(target.float64, {C::Float64});
  allow(target.special_values, {C::SignedZeroInfNanPreserve}, {E::SPV_KHR_float_controls});
  allow(target.storage8, {C::StorageBuffer8BitAccess}, {E::SPV_KHR_8bit_storage});
  allow(target.storage16, {C::StorageBuffer16BitAccess}, {E::SPV_KHR_16bit_storage});
  allow(matrices, {C::VulkanMemoryModel, C::VulkanMemoryModelDeviceScope, C::CooperativeMatrixKHR},
        {E::SPV_KHR_vulkan_memory_model, E::SPV_KHR_cooperative_matrix});
  const bool bfloat16 = llvm::any_of(target.matrices, [](const MatrixShape& shape) {
    return shape.element == MatrixShape::kBF16;
  });
  allow(matrices && bfloat16, {C::BFloat16TypeKHR, C::BFloat16CooperativeMatrixKHR},
        {E::SPV_KHR_bfloat16});
  const auto version = matrices ? spirv::Version::V_1_6 : spirv::Version::V_1_5;
  auto triple = spirv::VerCapExtAttr::get(version, capabilities, extensions, context);
  mlir::Builder b(context);
  SmallVector<int32_t> size(std::begin(target.max_workgroup_size),
                            std::end(target.max_workgroup_size));
  auto limits = spirv::ResourceLimitsAttr::get(
      context, target.shared_bytes, target.max_invocations, b.getI32ArrayAttr(size),
      target.subgroup_size, /*min_subgroup_size=*/std::nullopt,
      /*max_subgroup_size=*/std::nullopt, /*cooperative_matrix_properties_khr=*/b.getArrayAttr({}),
      /*cooperative_matrix_properties_nv=*/b.getArrayAttr({}));
  return spirv::TargetEnvAttr::get(triple, limits, spirv::ClientAPI::Vulkan);
}

// gpu.func -> spirv.func without arguments. Their addresses are loaded from the block of push
// constants, or from a table whose address is there. The blocks' members are pointers, so that no
// 64-bit integers are needed.
class PushConstantKernel : public mlir::OpConversionPattern<gpu::GPUFuncOp> {
 public:
  PushConstantKernel(const mlir::TypeConverter& types, MLIRContext* context, bool address_table)
      : OpConversionPattern(types, context, /*benefit=*/10), address_table_(address_table) {}

  LogicalResult matchAndRewrite(gpu::GPUFuncOp function, OpAdaptor,
                                mlir::ConversionPatternRewriter& b) const override {
    mlir::Location loc = function.getLoc();
    SmallVector<Type> pointers;
    for (Type type : function.getArgumentTypes()) {
      pointers.push_back(getTypeConverter()->convertType(type));
      if (!pointers.back()) return b.notifyMatchFailure(function, "a buffer's type");
    }
    auto lowered = spirv::FuncOp::create(b, loc, function.getName(), b.getFunctionType({}, {}));
    lowered->setAttr(spirv::getEntryPointABIAttrName(),
                     function->getAttr(spirv::getEntryPointABIAttrName()));
    mlir::Block* entry = lowered.addEntryBlock();
    mlir::TypeConverter::SignatureConversion signature(pointers.size());
    if (!pointers.empty()) {
      Type block = Block(b, pointers);
      if (address_table_) block = Block(b, spirv::PointerType::get(block, kAddress));
      b.setInsertionPoint(lowered);
      auto variable = spirv::GlobalVariableOp::create(
          b, loc, spirv::PointerType::get(block, spirv::StorageClass::PushConstant), "buffers",
          /*initializer=*/nullptr);
      b.setInsertionPointToStart(entry);
      Value base = spirv::AddressOfOp::create(b, loc, variable);
      if (address_table_) base = spirv::LoadOp::create(b, loc, Member(b, loc, base, 0));
      for (size_t i = 0; i < pointers.size(); ++i) {
        Value member = Member(b, loc, base, i);
        auto access = spirv::MemoryAccessAttr::get(b.getContext(), spirv::MemoryAccess::Aligned);
        auto alignment = b.getI32IntegerAttr(kAddressBytes);
        Value pointer = address_table_ ? spirv::LoadOp::create(b, loc, member, access, alignment)
                                       : spirv::LoadOp::create(b, loc, member);
        signature.remapInput(i, pointer);
      }
    }
    mlir::Block* body = &function.getBody().front();
    b.inlineRegionBefore(function.getBody(), lowered.getBody(), lowered.getBody().end());
    body = b.applySignatureConversion(body, signature, getTypeConverter());
    b.mergeBlocks(body, entry);
    b.eraseOp(function);
    return success();
  }

 private:
  static Type Block(mlir::Builder& b, llvm::ArrayRef<Type> pointers) {
    SmallVector<spirv::StructType::OffsetInfo> offsets;
    for (size_t i = 0; i < pointers.size(); ++i) offsets.push_back(kAddressBytes * i);
    SmallVector<spirv::StructType::StructDecorationInfo> decorations;
    decorations.emplace_back(spirv::Decoration::Block, b.getUnitAttr());
    return spirv::StructType::get(pointers, offsets, /*memberDecorations=*/{}, decorations);
  }
  static Value Member(mlir::OpBuilder& b, mlir::Location loc, Value block, size_t i) {
    Value at = spirv::ConstantOp::create(b, loc, b.getI32Type(), b.getI32IntegerAttr(i));
    return spirv::AccessChainOp::create(b, loc, block, at);
  }

  bool address_table_;
};

// Loads and stores of vector elements through an address, whose alignment MLIR's own patterns know
// for scalars only.
template <typename Op>
struct AlignedVectorAccess : mlir::OpConversionPattern<Op> {
  using mlir::OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                                mlir::ConversionPatternRewriter& b) const override {
    auto type = mlir::cast<MemRefType>(op.getMemref().getType());
    auto element = mlir::dyn_cast<VectorType>(type.getElementType());
    if (!element || type.getMemorySpace() != Space(b.getContext(), kAddress))
      return b.notifyMatchFailure(op, "not a vector at an address");
    Value pointer =
        spirv::getElementPtr(*this->template getTypeConverter<mlir::SPIRVTypeConverter>(), type,
                             adaptor.getMemref(), adaptor.getIndices(), op.getLoc(), b);
    auto access = spirv::MemoryAccessAttr::get(b.getContext(), spirv::MemoryAccess::Aligned);
    auto alignment = b.getI32IntegerAttr(ElementBytes(element));
    if constexpr (std::is_same_v<Op, memref::LoadOp>)
      b.replaceOpWithNewOp<spirv::LoadOp>(op, pointer, access, alignment);
    else
      b.replaceOpWithNewOp<spirv::StoreOp>(op, pointer, adaptor.getValue(), access, alignment);
    return success();
  }
};

// The atomic operations on words of StoreNarrowTypes, which MLIR's own patterns do not make through
// addresses. Nothing is ordered by them.
struct AtomicWord : mlir::OpConversionPattern<memref::AtomicRMWOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(memref::AtomicRMWOp op, OpAdaptor adaptor,
                                mlir::ConversionPatternRewriter& b) const override {
    Value pointer =
        spirv::getElementPtr(*getTypeConverter<mlir::SPIRVTypeConverter>(), op.getMemRefType(),
                             adaptor.getMemref(), adaptor.getIndices(), op.getLoc(), b);
    const auto replace = [&]<typename Op>() {
      b.replaceOpWithNewOp<Op>(op, b.getI32Type(), pointer, spirv::Scope::Device,
                               spirv::MemorySemantics::None, adaptor.getValue());
      return success();
    };
    if (op.getKind() == arith::AtomicRMWKind::andi) return replace.operator()<spirv::AtomicAndOp>();
    if (op.getKind() == arith::AtomicRMWKind::ori) return replace.operator()<spirv::AtomicOrOp>();
    return b.notifyMatchFailure(op, "another operation");
  }
};

// ElementPointer's casts (matrix_fragments.h).
struct PointerOfElement : mlir::OpConversionPattern<mlir::UnrealizedConversionCastOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(mlir::UnrealizedConversionCastOp op, OpAdaptor adaptor,
                                mlir::ConversionPatternRewriter& b) const override {
    auto type = op.getNumOperands() == 2 ? mlir::dyn_cast<MemRefType>(op.getOperand(0).getType())
                                         : MemRefType();
    if (!type) return b.notifyMatchFailure(op, "no element of a memref");
    b.replaceOp(op, spirv::getElementPtr(*getTypeConverter<mlir::SPIRVTypeConverter>(), type,
                                         adaptor.getOperands()[0], adaptor.getOperands()[1],
                                         op.getLoc(), b));
    return success();
  }
};

// Constants of bf16, as the bits that its values are.
struct BFloat16Constant : mlir::OpConversionPattern<arith::ConstantOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(arith::ConstantOp op, OpAdaptor,
                                mlir::ConversionPatternRewriter& b) const override {
    if (!getElementTypeOrSelf(op.getType()).isBF16())
      return b.notifyMatchFailure(op, "another type");
    auto bits = [](const llvm::APFloat& value) { return value.bitcastToAPInt(); };
    mlir::Attribute value;
    if (auto scalar = mlir::dyn_cast<mlir::FloatAttr>(op.getValue()))
      value = b.getIntegerAttr(b.getI16Type(), bits(scalar.getValue()));
    else
      value = mlir::cast<mlir::DenseFPElementsAttr>(op.getValue()).mapValues(b.getI16Type(), bits);
    b.replaceOpWithNewOp<spirv::ConstantOp>(op, getTypeConverter()->convertType(op.getType()),
                                            value);
    return success();
  }
};

LogicalResult Convert(gpu::GPUModuleOp module, const Target& target, bool address_table,
                      spirv::TargetEnvAttr environment) {
  mlir::SPIRVTypeConverter types(environment, {});
  // Values that are only moved; RewriteKernel has expanded what computes with them.
  types.addConversion(
      [](mlir::BFloat16Type type) { return mlir::IntegerType::get(type.getContext(), 16); });
  types.addConversion([](VectorType type) -> std::optional<Type> {
    if (!type.getElementType().isBF16()) return std::nullopt;
    return type.clone(mlir::IntegerType::get(type.getContext(), 16));
  });
  mlir::RewritePatternSet patterns(module.getContext());
  mlir::ScfToSPIRVContext scf;
  mlir::populateGPUToSPIRVPatterns(types, patterns);
  mlir::populateSCFToSPIRVPatterns(types, scf, patterns);
  mlir::populateMemRefToSPIRVPatterns(types, patterns);
  mlir::populateVectorToSPIRVPatterns(types, patterns);
  mlir::populateMathToSPIRVPatterns(types, patterns);
  arith::populateArithToSPIRVPatterns(types, patterns);
  mlir::index::populateIndexToSPIRVPatterns(types, patterns);
  mlir::ub::populateUBToSPIRVConversionPatterns(types, patterns);
  const mlir::PatternBenefit first(10);
  patterns.add<AlignedVectorAccess<memref::LoadOp>, AlignedVectorAccess<memref::StoreOp>,
               AtomicWord, BFloat16Constant, PointerOfElement>(types, module.getContext(), first);
  if (target.device_address)
    patterns.add<PushConstantKernel>(types, module.getContext(), address_table);
  auto legal = mlir::SPIRVConversionTarget::get(environment);
  return applyFullConversion(module.getOperation(), *legal, std::move(patterns));
}

// MLIR stores what a loop carries at the end of its body, where a loop without iterations never
// comes: that goes to the start of the header, which comes by before every iteration and after the
// last.
void StoreCarriedInHeader(spirv::LoopOp loop) {
  mlir::Block* header = loop.getHeaderBlock();
  auto b = mlir::OpBuilder::atBlockBegin(header);
  unsigned next = 1;  // after the induction variable
  for (auto store : llvm::make_early_inc_range(loop.getContinueBlock()->getOps<spirv::StoreOp>())) {
    auto variable = store.getPtr().getDefiningOp<spirv::VariableOp>();
    if (!variable || variable->getBlock() != loop->getBlock()) continue;
    // Matrices lie in variables of the emitter's own (matrix_fragments.h).
    if (mlir::isa<spirv::CooperativeMatrixType>(store.getValue().getType())) continue;
    spirv::StoreOp::create(b, store.getLoc(), variable, header->getArgument(next++));
    store.erase();
  }
}

// In Vulkan's memory model an access is the invocation's own affair unless it says otherwise: what
// invocations exchange is workgroup memory, at barriers.
void ShareWorkgroupMemory(spirv::ModuleOp module) {
  mlir::Builder b(module.getContext());
  auto shared = b.getAttr<spirv::MemoryAccessAttr>(spirv::MemoryAccess::NonPrivatePointer);
  auto in_workgroup = [](Value pointer) {
    return mlir::cast<spirv::PointerType>(pointer.getType()).getStorageClass() ==
           spirv::StorageClass::Workgroup;
  };
  module.walk([&](mlir::Operation* op) {
    if (auto load = mlir::dyn_cast<spirv::LoadOp>(op); load && in_workgroup(load.getPtr()))
      load.setMemoryAccessAttr(shared);
    if (auto store = mlir::dyn_cast<spirv::StoreOp>(op); store && in_workgroup(store.getPtr()))
      store.setMemoryAccessAttr(shared);
    using S = spirv::MemorySemantics;
    if (auto barrier = mlir::dyn_cast<spirv::ControlBarrierOp>(op))
      barrier.setMemorySemantics(S::AcquireRelease | S::WorkgroupMemory | S::MakeAvailable |
                                 S::MakeVisible);
  });
}

LogicalResult Finish(spirv::ModuleOp module, const Target& target, bool matrices,
                     spirv::TargetEnvAttr environment) {
  if (matrices) {
    module.setMemoryModel(spirv::MemoryModel::Vulkan);
    ShareWorkgroupMemory(module);
  }
  if (target.special_values) {
    auto function = *module.getOps<spirv::FuncOp>().begin();
    auto b = mlir::OpBuilder::atBlockEnd(module.getBody());
    spirv::ExecutionModeOp::create(b, function.getLoc(), function,
                                   spirv::ExecutionMode::SignedZeroInfNanPreserve, {32});
  }
  module.walk(StoreCarriedInHeader);
  mlir::PassManager passes(module.getContext(), spirv::ModuleOp::getOperationName());
  passes.addPass(spirv::createSPIRVLowerABIAttributesPass());
  passes.addPass(mlir::createCanonicalizerPass());
  passes.addPass(mlir::createCSEPass());
  passes.addPass(spirv::createSPIRVUpdateVCEPass());
  if (failed(passes.run(module))) return failure();
  mlir::Builder b(module.getContext());
  // Every operation is rounded as it stands: neither fused with another nor reordered, which the
  // rounding to integers by adding a large number would not survive.
  module.walk([&](mlir::Operation* op) {
    if (mlir::isa<spirv::FAddOp, spirv::FSubOp, spirv::FMulOp, spirv::FDivOp, spirv::FNegateOp,
                  spirv::GLFmaOp>(op))
      op->setAttr("no_contraction", b.getUnitAttr());
  });
  // A result may lie on an operand, and two arguments may be one buffer; without the decoration
  // drivers may assume the contrary.
  for (auto variable : module.getOps<spirv::GlobalVariableOp>())
    if (variable.storageClass() == spirv::StorageClass::StorageBuffer)
      variable->setAttr("aliased", b.getUnitAttr());
  // The pass counts what ops need but not decorations, such as NoSignedWrap, and picks the name of
  // an extension that Vulkan does not take.
  auto triple = *module.getVceTriple();
  SmallVector<spirv::Extension> extensions(triple.getExtensions());
  for (spirv::Extension& extension : extensions)
    if (extension == spirv::Extension::SPV_EXT_physical_storage_buffer)
      extension = spirv::Extension::SPV_KHR_physical_storage_buffer;
  SmallVector<spirv::Capability> capabilities(triple.getCapabilities());
  auto need = [&](spirv::Capability capability) {
    if (!llvm::is_contained(capabilities, capability)) capabilities.push_back(capability);
  };
  if (matrices) {
    need(spirv::Capability::VulkanMemoryModel);
    need(spirv::Capability::VulkanMemoryModelDeviceScope);
    need(spirv::Capability::GroupNonUniform);  // the subgroup's number and the lane
  }
  module.walk([&](spirv::KHRCooperativeMatrixMulAddOp op) {
    if (mlir::cast<spirv::CooperativeMatrixType>(op.getA().getType()).getElementType().isBF16())
      need(spirv::Capability::BFloat16CooperativeMatrixKHR);
  });
  module.setVceTripleAttr(spirv::VerCapExtAttr::get(environment.getVersion(), capabilities,
                                                    extensions, module.getContext()));
  return success();
}
}  // namespace

void PrepareLowering(MLIRContext& context) {
  context.loadDialect<gpu::GPUDialect, spirv::SPIRVDialect, mlir::ub::UBDialect>();
}

mlir::Attribute BufferSpace(MLIRContext* context, const Target& target) {
  return Space(context, target.device_address ? kAddress : spirv::StorageClass::StorageBuffer);
}
mlir::Attribute SharedSpace(MLIRContext* context) {
  return Space(context, spirv::StorageClass::Workgroup);
}
mlir::Attribute PrivateSpace(MLIRContext* context) {
  return Space(context, spirv::StorageClass::Function);
}

uint64_t ElementBytes(Type element) {
  if (auto vector = mlir::dyn_cast<VectorType>(element))
    return vector.getNumElements() * ElementBytes(vector.getElementType());
  return element.isIndex() ? 4 : (element.getIntOrFloatBitWidth() + 7) / 8;
}

std::string ShaderName(const std::string& module_name) { return "__spv__" + module_name; }

absl::StatusOr<Shader> LowerToSpirv(gpu::GPUModuleOp module, const Target& target) {
  MLIRContext* context = module.getContext();
  std::string message;
  mlir::ScopedDiagnosticHandler handler(context, [&](mlir::Diagnostic& diagnostic) {
    absl::StrAppend(&message, message.empty() ? "" : "; ", diagnostic.str());
    return success();
  });
  const std::string name = module.getName().str();
  auto unsupported = [&](const char* step) {
    return absl::UnimplementedError(absl::StrCat(name, ": ", step, ": ", message));
  };
  auto parent = module->getParentOfType<mlir::ModuleOp>();
  const bool matrices =
      module.walk([](spirv::KHRCooperativeMatrixMulAddOp) { return mlir::WalkResult::interrupt(); })
          .wasInterrupted();
  auto environment = TargetEnvironment(context, target, matrices);
  parent->setAttr(spirv::getTargetEnvAttrName(), environment);
  auto function = *module.getOps<gpu::GPUFuncOp>().begin();
  Shader shader;
  if (matrices) shader.subgroup_size = target.matrix_subgroup_size;
  SmallVector<int32_t> local_size(*function.getKnownBlockSize());
  function->setAttr(spirv::getEntryPointABIAttrName(),
                    spirv::getEntryPointABIAttr(context, local_size));

  if (failed(RewriteKernel(module, target, shader.pieces))) return unsupported("rewriting");
  shader.address_table =
      target.device_address && function.getNumArguments() * kAddressBytes > target.max_push_bytes;
  if (failed(Convert(module, target, shader.address_table, environment)))
    return unsupported("no SPIR-V");
  // The conversion has put it where the gpu.module was.
  auto lowered = parent.lookupSymbol<spirv::ModuleOp>(ShaderName(name));
  if (!lowered || failed(Finish(lowered, target, matrices, environment)))
    return unsupported("finishing");
  llvm::SmallVector<uint32_t, 0> words;
  if (failed(spirv::serialize(lowered, words))) return unsupported("serializing");
  shader.words.assign(words.begin(), words.end());
  return shader;
}

}  // namespace trama::vulkan
