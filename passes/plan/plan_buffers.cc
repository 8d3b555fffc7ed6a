#include "passes/plan/plan_buffers.h"

#include <map>
#include <tuple>

#include "base/status_macros.h"
#include "ir/element_type.h"
#include "passes/passes.h"
#include "passes/plan/block_allocator.h"
#include "passes/plan/kernel_info.h"
#include "passes/plan/own_results.h"

namespace trama {
namespace {
using mlir::BlockArgument;
using mlir::OpResult;
using mlir::RankedTensorType;
using mlir::Value;
using mlir::func::FuncOp;
using Kind = plan::Block::Kind;

std::string TypeText(mlir::Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

// Memory under one or more names: a value and its reshapes, and results that took it over.
struct Storage {
  Kind kind = plan::Block::ARENA;
  Lifetime life;
  Place place;
  bool placed = false;
};

// One program's values, as storages with lifetimes in dispatch numbers.
class ProgramValues {
 public:
  explicit ProgramValues(FuncOp program) : program_(program) {}

  FuncOp program() const { return program_; }
  std::vector<Storage>& storages() { return storages_; }
  Storage& Of(Value value) { return storages_[storage_of_.at(StorageRoot(value))]; }
  bool Has(Value value) const { return storage_of_.contains(StorageRoot(value)); }

  void Bind(Value root, int storage) { storage_of_[root] = storage; }
  int Add(Kind kind, Value root) {
    storages_.push_back({kind, {BytesOf(root.getType()), 0, 0}, {}, false});
    storage_of_[root] = storages_.size() - 1;
    return storages_.size() - 1;
  }
  int Index(Value value) const { return storage_of_.at(StorageRoot(value)); }

 private:
  FuncOp program_;
  std::vector<Storage> storages_;
  llvm::DenseMap<Value, int> storage_of_;
};

class Planner {
 public:
  Planner(const DeviceTarget& device, plan::Plan& plan)
      : plan_(plan),
        state_(device.alignment, device.max_block_bytes),
        io_(device.alignment, device.max_block_bytes),
        arena_(device.alignment, device.max_block_bytes) {}

  absl::StatusOr<BufferOf> Run(mlir::ModuleOp module) {
    for (FuncOp func : module.getOps<FuncOp>())
      if (!func.isPrivate() && !func.isExternal()) programs_.emplace_back(func);
    for (ProgramValues& program : programs_) {
      TRAMA_RETURN_IF_ERROR(CheckLevel(program.program()));
      TRAMA_RETURN_IF_ERROR(BindArguments(program));
    }
    TRAMA_RETURN_IF_ERROR(PlaceState());
    for (ProgramValues& program : programs_) {
      TRAMA_RETURN_IF_ERROR(BindResults(program));
      BindTransient(program);
      TRAMA_RETURN_IF_ERROR(PlaceKind(program, plan::Block::IO, io_));
      TRAMA_RETURN_IF_ERROR(PlaceKind(program, plan::Block::ARENA, arena_));
    }
    AddBlocks();
    BufferOf buffers;
    for (ProgramValues& program : programs_) AddBuffers(program, buffers);
    return buffers;
  }

 private:
  static absl::Status CheckLevel(FuncOp program) {
    for (mlir::Operation& op : program.front().without_terminator())
      if (!mlir::isa<DispatchOp, ReshapeOp>(op))
        return absl::InvalidArgumentError(absl::StrCat(op.getName().getStringRef().str(), " in ",
                                                       program.getName().str(),
                                                       " is in no kernel: outline-kernels first"));
    for (unsigned i = 0; i < program.getNumResults(); ++i)
      if (auto donates = program.getResultAttrOfType<mlir::IntegerAttr>(i, kDonatesAttr);
          donates && donates.getValue().uge(program.getNumArguments()))
        return absl::InvalidArgumentError(absl::StrCat(
            "result ", i, " of ", program.getName().str(), " takes the place of no argument"));
    return absl::OkStatus();
  }

  absl::Status BindArguments(ProgramValues& values) {
    FuncOp program = values.program();
    for (BlockArgument argument : program.getArguments()) {
      const unsigned i = argument.getArgNumber();
      auto name = program.getArgAttrOfType<mlir::StringAttr>(i, kNameAttr);
      auto role = program.getArgAttrOfType<mlir::StringAttr>(i, kRoleAttr);
      if (!name || !role)
        return absl::InternalError(absl::StrCat("argument ", i, " of ", program.getName().str(),
                                                " has no trama.name or trama.role"));
      const bool is_state = role.getValue() == "parameter" || role.getValue() == "state";
      const int storage = values.Add(is_state ? plan::Block::STATE : plan::Block::IO, argument);
      values.storages()[storage].life.last = INT64_MAX;
      if (!is_state) continue;
      auto [entry, inserted] = states_.try_emplace(name.str(), State{argument.getType(), {}});
      if (!inserted && entry->second.type != argument.getType())
        return absl::InvalidArgumentError(absl::StrCat(
            name.str(), ": ", TypeText(argument.getType()), " in ", program.getName().str(),
            ", but ", TypeText(entry->second.type), " in an earlier program"));
    }
    return absl::OkStatus();
  }

  absl::Status PlaceState() {
    std::vector<Lifetime> lives;
    for (const auto& [name, state] : states_) lives.push_back({BytesOf(state.type), 0, 0});
    TRAMA_ASSIGN_OR_RETURN(std::vector<Place> places, state_.Allocate(lives));
    size_t i = 0;
    for (auto& [name, state] : states_) state.place = places[i++];
    for (ProgramValues& values : programs_) {
      for (BlockArgument argument : values.program().getArguments()) {
        Storage& storage = values.Of(argument);
        if (storage.kind != plan::Block::STATE) continue;
        storage.place = states_.at(ArgumentName(values.program(), argument.getArgNumber())).place;
        storage.placed = true;
      }
    }
    return absl::OkStatus();
  }

  static std::string ArgumentName(FuncOp program, unsigned i) {
    return program.getArgAttrOfType<mlir::StringAttr>(i, kNameAttr).str();
  }

  // Results are computed where they will be read: in the storage they take over, or in IO.
  absl::Status BindResults(ProgramValues& values) {
    FuncOp program = values.program();
    for (mlir::OpOperand& result : program.front().getTerminator()->getOpOperands()) {
      const Value root = StorageRoot(result.get());
      auto donates =
          program.getResultAttrOfType<mlir::IntegerAttr>(result.getOperandNumber(), kDonatesAttr);
      const Value target = donates ? Value(program.getArgument(donates.getInt())) : Value();
      if (root == target) continue;
      if (mlir::isa<BlockArgument>(root) || values.Has(root))
        return absl::InternalError(
            absl::StrCat("result ", result.getOperandNumber(), " of ", program.getName().str(),
                         " has no buffer of its own: outline-kernels copies"));
      if (target) {
        values.Bind(root, values.Index(target));
      } else {
        values.storages()[values.Add(plan::Block::IO, root)].life.last = INT64_MAX;
      }
    }
    return absl::OkStatus();
  }

  // Everything else goes into the arena, in place of a dying operand where that is allowed.
  static void BindTransient(ProgramValues& values) {
    FuncOp program = values.program();
    llvm::DenseMap<Value, int64_t> last_use;
    llvm::SmallVector<DispatchOp> dispatches(program.front().getOps<DispatchOp>());
    for (auto [step, dispatch] : llvm::enumerate(dispatches))
      for (Value operand : dispatch->getOperands()) last_use[StorageRoot(operand)] = step;
    for (auto [step, dispatch] : llvm::enumerate(dispatches)) {
      auto kernel =
          mlir::SymbolTable::lookupNearestSymbolFrom<FuncOp>(dispatch, dispatch.getKernelAttr());
      const std::vector<MayAlias> aliases = AliasesOf(kernel);
      llvm::SmallVector<int> taken;
      for (OpResult result : dispatch->getResults()) {
        if (values.Has(result)) continue;
        const int64_t end = last_use.contains(result) ? last_use[result] : step;
        int storage = -1;
        for (const MayAlias& alias : aliases) {
          if (alias.result != result.getResultNumber()) continue;
          const int candidate = values.Index(dispatch->getOperand(alias.operand));
          const Storage& old = values.storages()[candidate];
          const bool once = llvm::count_if(dispatch->getOperands(), [&](Value operand) {
                              return values.Index(operand) == candidate;
                            }) == 1;
          if (old.kind == plan::Block::ARENA && old.life.last == static_cast<int64_t>(step) &&
              once && old.life.bytes == BytesOf(result.getType()) &&
              !llvm::is_contained(taken, candidate)) {
            storage = candidate;
            break;
          }
        }
        if (storage < 0) {
          storage = values.Add(plan::Block::ARENA, result);
          values.storages()[storage].life.first = step;
        } else {
          values.Bind(result, storage);
        }
        taken.push_back(storage);
        values.storages()[storage].life.last = end;
      }
    }
  }

  static absl::Status PlaceKind(ProgramValues& values, Kind kind, BlockAllocator& allocator) {
    std::vector<Lifetime> lives;
    std::vector<Storage*> storages;
    for (Storage& storage : values.storages()) {
      if (storage.kind != kind || storage.placed) continue;
      lives.push_back(storage.life);
      storages.push_back(&storage);
    }
    TRAMA_ASSIGN_OR_RETURN(std::vector<Place> places, allocator.Allocate(lives));
    for (auto [storage, place] : llvm::zip_equal(storages, places)) {
      storage->place = place;
      storage->placed = true;
    }
    return absl::OkStatus();
  }

  void AddBlocks() {
    for (auto [kind, allocator] :
         {std::pair(plan::Block::STATE, &state_), std::pair(plan::Block::IO, &io_),
          std::pair(plan::Block::ARENA, &arena_)}) {
      first_block_[kind] = plan_.blocks_size();
      for (uint64_t bytes : allocator->blocks()) {
        plan::Block* block = plan_.add_blocks();
        block->set_kind(kind);
        block->set_bytes(bytes);
      }
    }
  }

  void AddBuffers(ProgramValues& values, BufferOf& buffers) {
    FuncOp program = values.program();
    llvm::DenseMap<Value, std::string> names;
    for (BlockArgument argument : program.getArguments())
      names[argument] = ArgumentName(program, argument.getArgNumber());
    for (mlir::OpOperand& result : program.front().getTerminator()->getOpOperands()) {
      const unsigned i = result.getOperandNumber();
      auto donates = program.getResultAttrOfType<mlir::IntegerAttr>(i, kDonatesAttr);
      auto name = program.getResultAttrOfType<mlir::StringAttr>(i, kNameAttr);
      if (donates)
        names[result.get()] = ArgumentName(program, donates.getInt());
      else if (name)
        names[result.get()] = name.str();
    }
    auto add = [&](Value value) {
      const Storage& storage = values.Of(value);
      const uint32_t block = first_block_[storage.kind] + storage.place.block;
      const std::string& name = names[value];
      // What has a name is one buffer in all programs; a transient value has its own.
      uint32_t index = plan_.buffers_size();
      if (!name.empty())
        index =
            buffer_index_
                .try_emplace(
                    std::tuple(block, storage.place.offset, TypeText(value.getType()), name), index)
                .first->second;
      buffers[value] = index;
      if (index != static_cast<uint32_t>(plan_.buffers_size())) return;
      plan::Buffer* buffer = plan_.add_buffers();
      buffer->set_block(block);
      buffer->set_offset(storage.place.offset);
      buffer->set_bytes(BytesOf(value.getType()));
      *buffer->mutable_type() = ToPlan(value.getType());
      buffer->set_name(name);
    };
    for (BlockArgument argument : program.getArguments()) add(argument);
    for (mlir::Operation& op : program.front().without_terminator())
      for (OpResult result : op.getResults()) add(result);
  }

  struct State {
    mlir::Type type;
    Place place;
  };

  plan::Plan& plan_;
  BlockAllocator state_, io_, arena_;
  std::vector<ProgramValues> programs_;
  std::map<std::string, State> states_;
  std::map<int, uint32_t> first_block_;
  std::map<std::tuple<uint32_t, uint64_t, std::string, std::string>, uint32_t> buffer_index_;
};

}  // namespace

plan::TensorType ToPlan(mlir::Type type) {
  const auto tensor = mlir::cast<RankedTensorType>(type);
  plan::TensorType result;
  result.set_dtype(std::string(Name(DTypeOf(tensor.getElementType()))));
  for (int64_t size : tensor.getShape()) result.add_shape(size);
  return result;
}

absl::StatusOr<BufferOf> PlanBuffers(mlir::ModuleOp module, const DeviceTarget& device,
                                     plan::Plan& plan) {
  if (device.alignment == 0) return absl::InvalidArgumentError("buffers cannot be aligned to 0");
  return Planner(device, plan).Run(module);
}

}  // namespace trama
