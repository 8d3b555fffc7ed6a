#include "tests/plugins/wrong.h"

#include <map>
#include <set>

#include "backends/reference/plan_runner.h"
#include "base/status_macros.h"
#include "ir/dialect.h"

namespace trama {
namespace {

using mlir::func::FuncOp;
using reference::PlanRunner;
using Tensors = std::vector<HostTensor>;

// The one op of `body` if it is an Op, else null.
template <typename Op>
Op Only(FuncOp body) {
  return llvm::hasSingleElement(body.front().without_terminator())
             ? mlir::dyn_cast<Op>(body.front().front())
             : Op();
}

// Passes over the last element of a sum.
struct WrongSum : PlanRunner {
  absl::StatusOr<Tensors> RunKernel(FuncOp body, Tensors operands) override {
    if (Only<SumOp>(body)) operands[0].set(operands[0].num_elements() - 1, 0);
    return PlanRunner::RunKernel(body, std::move(operands));
  }
};

// Leaves the last element of every result as it was.
struct Unwritten : PlanRunner {
  void Store(const HostTensor& result, char* address) override {
    std::memcpy(address, result.bytes.data(), result.bytes.size() - SizeOf(result.dtype));
  }
};

// Attends to keys that the mask hides.
struct IgnoredMask : PlanRunner {
  absl::StatusOr<Tensors> RunKernel(FuncOp body, Tensors operands) override {
    auto attention = Only<AttentionOp>(body);
    if (attention && attention.getKeyMask()) {
      auto mask = mlir::cast<mlir::BlockArgument>(attention.getKeyMask()).getArgNumber();
      for (int64_t i = 0; i < operands[mask].num_elements(); ++i) operands[mask].set(i, 1);
    }
    return PlanRunner::RunKernel(body, std::move(operands));
  }
};

// Reads the operands of a kernel's first run for ever.
struct StaleBuffer : PlanRunner {
  absl::StatusOr<Tensors> RunKernel(FuncOp body, Tensors operands) override {
    const auto [it, inserted] = first_.try_emplace(body, std::move(operands));
    return PlanRunner::RunKernel(body, it->second);
  }
  std::map<mlir::Operation*, Tensors> first_;
};

// Of equal elements, argmax takes the last.
struct LastOfTies : PlanRunner {
  absl::StatusOr<Tensors> RunKernel(FuncOp body, Tensors operands) override {
    TRAMA_ASSIGN_OR_RETURN(Tensors results, PlanRunner::RunKernel(body, operands));
    if (auto argmax = Only<ArgmaxOp>(body)) {
      const HostTensor& x = operands[0];
      const int64_t n = x.shape[argmax.getDim()], inner = Strides(x.shape)[argmax.getDim()];
      for (int64_t i = 0; i < x.num_elements(); ++i) {
        const int64_t k = i / inner % n, at = i / (inner * n) * inner + i % inner;
        const int64_t best = static_cast<int64_t>(results[0].at(at));
        if (x.at(i) == x.at(i + (best - k) * inner)) results[0].set(at, std::max(k, best));
      }
    }
    return results;
  }
};

// Adds a row as if it were a column.
struct WrongAxis : PlanRunner {
  absl::StatusOr<Tensors> RunKernel(FuncOp body, Tensors operands) override {
    TRAMA_ASSIGN_OR_RETURN(Tensors results, PlanRunner::RunKernel(body, operands));
    const bool is_row =
        operands.size() == 2 && operands[0].shape.size() == 2 && operands[1].shape.size() == 1;
    if (Only<AddOp>(body) && is_row) {
      const HostTensor &x = operands[0], &row = operands[1];
      for (int64_t i = 0; i < x.num_elements(); ++i)
        results[0].set(i, x.at(i) + row.at(i / row.num_elements() % row.num_elements()));
    }
    return results;
  }
};

// Takes a transposed right-hand side as it lies.
struct IgnoredTranspose : PlanRunner {
  absl::StatusOr<Tensors> RunKernel(FuncOp body, Tensors operands) override {
    auto matmul = Only<MatmulOp>(body);
    if (matmul && matmul.getTransposeRhs() && operands.size() == 2) {
      HostTensor& rhs = operands[1];
      const HostTensor as_it_lies = rhs;  // [.., N, K], read as [.., K, N]
      const int64_t N = rhs.shape.end()[-2], K = rhs.shape.end()[-1];
      for (int64_t i = 0; i < rhs.num_elements(); ++i) {
        const int64_t matrix = i / (N * K) * N * K, n = i % (N * K) / K, k = i % K;
        rhs.set(i, as_it_lies.at(matrix + k * N + n));
      }
    }
    return PlanRunner::RunKernel(body, std::move(operands));
  }
};

// Starts a slice one element late where there is room.
struct LateSlice : PlanRunner {
  absl::StatusOr<Tensors> RunKernel(FuncOp body, Tensors operands) override {
    if (auto slice = Only<SliceOp>(body); slice && moved_.insert(slice).second) {
      llvm::SmallVector<int64_t> starts(slice.getStarts());
      const auto from = slice.getX().getType().getShape(), to = slice.getY().getType().getShape();
      for (size_t d = 0; d < starts.size(); ++d)
        if (starts[d] + (to[d] - 1) * slice.getStrides()[d] + 1 < from[d]) ++starts[d];
      slice.setStarts(starts);
    }
    return PlanRunner::RunKernel(body, std::move(operands));
  }
  std::set<mlir::Operation*> moved_;
};

// Every run starts from the state before the first one.
struct LostState : PlanRunner {
  absl::Status Run(uint32_t program, absl::Span<plugin::BufferBase* const> blocks) override {
    for (int i = 0; i < plan().blocks_size() && i < static_cast<int>(blocks.size()); ++i) {
      if (plan().blocks(i).kind() != plan::Block::STATE) continue;
      const auto [it, inserted] = first_.try_emplace(i, blocks[i]->size(), '\0');
      std::vector<char>& bytes = it->second;
      TRAMA_RETURN_IF_ERROR(inserted ? blocks[i]->Read(0, bytes.data(), bytes.size())
                                     : blocks[i]->Write(0, bytes.data(), bytes.size()));
    }
    return PlanRunner::Run(program, blocks);
  }
  std::map<int, std::vector<char>> first_;
};

// Keeps 11 bits of a float.
struct HalfPrecision : PlanRunner {
  absl::StatusOr<Tensors> RunKernel(FuncOp body, Tensors operands) override {
    TRAMA_ASSIGN_OR_RETURN(Tensors results, PlanRunner::RunKernel(body, std::move(operands)));
    for (HostTensor& result : results)
      for (int64_t i = 0; IsFloat(result.dtype) && i < result.num_elements(); ++i)
        result.set(i, FromF16(ToF16(static_cast<float>(result.at(i)))));
    return results;
  }
};

// Runs ten times, and is gone.
struct LostDevice : PlanRunner {
  absl::Status Run(uint32_t program, absl::Span<plugin::BufferBase* const> blocks) override {
    if (++runs_ > 10) return absl::UnavailableError("the device was lost");
    return PlanRunner::Run(program, blocks);
  }
  int runs_ = 0;
};

template <typename Runner>
absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> Open() {
  return reference::InterpreterDevice<Runner>::Open({});
}

}  // namespace

absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> OpenWrong(std::string_view how) {
  using OpenFunction = absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> (*)();
  static const auto* table = new std::map<std::string_view, OpenFunction>{
      {"sum", Open<WrongSum>},
      {"unwritten", Open<Unwritten>},
      {"mask", Open<IgnoredMask>},
      {"stale", Open<StaleBuffer>},
      {"tie", Open<LastOfTies>},
      {"axis", Open<WrongAxis>},
      {"transpose", Open<IgnoredTranspose>},
      {"slice", Open<LateSlice>},
      {"state", Open<LostState>},
      {"half", Open<HalfPrecision>},
      {"lost", Open<LostDevice>},
  };
  return table->at(how)();
}

}  // namespace trama
