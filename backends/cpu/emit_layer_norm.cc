// layer_norm and layer_norm_grad, a row at a time: a row stays in L1 between its passes, so each
// runs at the bandwidth of whatever holds the tensors. The gradient's sums over rows are taken by
// chunks of rows that a second phase adds in order.
#include "absl/strings/str_cat.h"
#include "backends/codegen/vector_math.h"
#include "backends/cpu/product.h"
#include "backends/cpu/row_loops.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {
using codegen::PhaseArguments;

absl::Status CheckFloat32(Value x) {
  if (mlir::getElementTypeOrSelf(x).isF32()) return absl::OkStatus();
  return absl::UnimplementedError("layer_norm: element types other than f32");
}

// The rows of `shape`, with `accesses` over them; a vector is one row.
RowSpace MakeRows(ArrayRef<int64_t> shape, ArrayRef<Access*> accesses) {
  RowSpace space{SmallVector<int64_t>(shape)};
  if (shape.size() == 1) {
    space.sizes.insert(space.sizes.begin(), 1);
    for (Access* access : accesses) access->strides.insert(access->strides.begin(), 0);
  }
  MergeDimensions(space.sizes, accesses);
  return space;
}

struct Moments {
  Value mean, scale;  // vectors: the mean and 1 / sqrt(var + eps)
};

Moments EmitMoments(Builder& b, ArrayRef<Value> buffers, const RowSpace& space, const Access& x,
                    Value row, double eps) {
  const int64_t n = space.columns();
  auto load = [&](Value column, int64_t live) {
    return LoadLanes(b, buffers, x, space.At(b, row, column), live);
  };
  auto constant = [&](double value) { return b.Constant(b.F32(), value); };
  Value sum = SumLanes(b, n, 1, [&](Value column, int64_t live) {
    return SmallVector<Value>{KeepLive(b, load(column, live), live, 0)};
  })[0];
  Value mean = b.Broadcast(b.Mul(sum, constant(1.0 / n)));
  Value squares = SumProducts(b, n, 1, [&](Value column, int64_t live) {
    Value d = KeepLive(b, b.Sub(load(column, live), mean), live, 0);
    return SmallVector<Factors>{{d, d}};
  })[0];
  Value variance = b.Mul(squares, constant(1.0 / n));
  return {mean, b.Broadcast(codegen::Rsqrt(b, b.Add(variance, constant(eps))))};
}

absl::StatusOr<Kernel> EmitLayerNorm(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target) {
  auto op = FindAnchor<LayerNormOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_RETURN_IF_ERROR(CheckFloat32(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(Access x, ReadAccess(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(const Access weight, ReadAccess(op.getWeight()));
  TRAMA_ASSIGN_OR_RETURN(const Access bias, ReadAccess(op.getBias()));
  TRAMA_ASSIGN_OR_RETURN(Epilogue epilogue, Epilogue::Create(body, op.getY()));
  SmallVector<Access*> accesses = epilogue.Accesses();
  accesses.push_back(&x);
  const RowSpace space = MakeRows(ShapeOf(op.getX()), accesses);
  const double eps = op.getEps().convertToDouble();

  Builder b(module, target.lanes);
  Kernel kernel;
  AppendPhase(
      b, body, "rows", space.rows(), 16.0 * space.rows() * space.columns(),
      [&](PhaseArguments& arguments) {
        const SmallVector<Value> buffers = FlatBuffers(b, arguments);
        b.For(arguments.begin, arguments.end, 1, [&](Value row) {
          const Moments moments = EmitMoments(b, buffers, space, x, row, eps);
          ForLanes(b, space.columns(), [&](Value column, int64_t live) {
            const SmallVector<Value> at = space.At(b, row, column);
            Value y = b.Mul(b.Sub(LoadLanes(b, buffers, x, at, live), moments.mean), moments.scale);
            y = b.Fma(y, LoadLanes(b, buffers, weight, column, live),
                      LoadLanes(b, buffers, bias, column, live));
            EmitEpilogue(b, epilogue, buffers, at, y, live);
          });
        });
      },
      kernel);
  return kernel;
}

// dweight and dbias of chunks of rows: rows 2c and 2c + 1 of a workspace are chunk c's.
struct ChunkSums {
  int64_t columns, chunks, padded;  // columns, and these rounded up to whole vectors
  Value Take(Builder& b, PhaseArguments& arguments) const {
    return arguments.workspace.Take(b, {2 * chunks, padded});
  }
};

// Adds up the chunks' sums.
void AppendTotals(Builder& b, mlir::func::FuncOp body, const ChunkSums& sums,
                  ArrayRef<SmallVector<Access>> outputs, Kernel& kernel) {
  AppendPhase(
      b, body, "sums", sums.padded / b.lanes, 2.0 * sums.chunks * sums.columns,
      [&](PhaseArguments& arguments) {
        const SmallVector<Value> buffers = FlatBuffers(b, arguments);
        Value parts = sums.Take(b, arguments);
        auto column = [&](Value at, int64_t live) {
          const SmallVector<Value> zeros{b.Splat(0), b.Splat(0)};
          auto totals = b.For(
              b.Index(0), b.Index(2 * sums.chunks), 2, zeros, [&](Value part, ValueRange carried) {
                Value dweight = b.LoadVector(parts, {part, at});
                Value dbias = b.LoadVector(parts, {b.Add(part, 1), at});
                return SmallVector<Value>{b.Add(carried[0], dweight), b.Add(carried[1], dbias)};
              });
          for (int i = 0; i < 2; ++i)
            for (const Access& to : outputs[i]) StoreLanes(b, totals[i], buffers, to, at, live);
        };
        b.For(arguments.begin, arguments.end, 1, [&](Value task) {
          Value at = b.Mul(task, b.lanes);
          if (sums.columns == sums.padded) return column(at, b.lanes);
          const int64_t last = sums.padded - b.lanes;  // the first of the last lanes
          b.If(
              b.Less(at, b.Index(last)), [&] { column(at, b.lanes); },
              [&] { column(at, sums.columns - last); });
        });
      },
      kernel);
}

absl::StatusOr<Kernel> EmitLayerNormGrad(mlir::func::FuncOp body, mlir::ModuleOp module,
                                         const Target& target) {
  auto op = FindAnchor<LayerNormGradOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_RETURN_IF_ERROR(CheckFloat32(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(Access grad, ReadAccess(op.getGrad()));
  TRAMA_ASSIGN_OR_RETURN(Access x, ReadAccess(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(const Access weight, ReadAccess(op.getWeight()));
  const SmallVector<Value> parameters{op.getDweight(), op.getDbias()};
  TRAMA_ASSIGN_OR_RETURN(Epilogue epilogue, Epilogue::Create(body, op.getDx(), parameters));
  TRAMA_ASSIGN_OR_RETURN(const auto outputs, OutputsOf(body, parameters, /*others_too=*/true));
  SmallVector<Access*> accesses = epilogue.Accesses();
  accesses.push_back(&grad);
  accesses.push_back(&x);
  const RowSpace space = MakeRows(ShapeOf(op.getX()), accesses);
  const double eps = op.getEps().convertToDouble();
  const int64_t n = space.columns(), rows = space.rows(), lanes = target.lanes;
  const int64_t chunk = std::max<int64_t>(32, (rows + 255) / 256);
  const int64_t chunks = (rows + chunk - 1) / chunk, padded = (n + lanes - 1) / lanes * lanes;
  const ChunkSums sums{n, chunks, padded};

  Builder b(module, lanes);
  Kernel kernel;
  AppendPhase(
      b, body, "rows", chunks, 32.0 * rows * n,
      [&](PhaseArguments& arguments) {
        const SmallVector<Value> buffers = FlatBuffers(b, arguments);
        Value parts = sums.Take(b, arguments);
        b.For(arguments.begin, arguments.end, 1, [&](Value task) {
          Value weights = b.Mul(task, 2), biases = b.Add(weights, 1);
          b.For(0, padded, lanes, [&](Value column) {
            b.StoreVector(b.Splat(0), parts, {weights, column});
            b.StoreVector(b.Splat(0), parts, {biases, column});
          });
          Value begin = b.Mul(task, chunk), end = b.Min(b.Add(begin, chunk), b.Index(rows));
          b.For(begin, end, 1, [&](Value row) {
            const Moments moments = EmitMoments(b, buffers, space, x, row, eps);
            auto normalized = [&](ValueRange at, int64_t live) {
              return b.Mul(b.Sub(LoadLanes(b, buffers, x, at, live), moments.mean), moments.scale);
            };
            SmallVector<Value> means = SumProducts(b, n, 2, [&](Value column, int64_t live) {
              const SmallVector<Value> at = space.At(b, row, column);
              Value g = KeepLive(b, LoadLanes(b, buffers, grad, at, live), live, 0);
              Value norm = KeepLive(b, normalized(at, live), live, 0);
              b.StoreVector(b.Fma(g, norm, b.LoadVector(parts, {weights, column})), parts,
                            {weights, column});
              b.StoreVector(b.Add(b.LoadVector(parts, {biases, column}), g), parts,
                            {biases, column});
              Value w = LoadLanes(b, buffers, weight, column, live);
              if (live < lanes) w = KeepLive(b, w, live, 0);
              return SmallVector<Factors>{{g, w}, {b.Mul(g, norm), w}};
            });
            // Subtracted below, so negative.
            for (Value& mean : means)
              mean = b.Broadcast(b.Mul(mean, b.Constant(b.F32(), -1.0 / n)));
            ForLanes(b, n, [&](Value column, int64_t live) {
              const SmallVector<Value> at = space.At(b, row, column);
              Value h = b.Fma(LoadLanes(b, buffers, grad, at, live),
                              LoadLanes(b, buffers, weight, column, live), means[0]);
              Value dx = b.Fma(normalized(at, live), means[1], h);
              EmitEpilogue(b, epilogue, buffers, at, b.Mul(dx, moments.scale), live);
            });
          });
        });
      },
      kernel);
  if (outputs[0].empty() && outputs[1].empty()) return kernel;
  AppendTotals(b, body, sums, outputs, kernel);
  return kernel;
}
}  // namespace

TRAMA_CPU_KERNEL("layer_norm", EmitLayerNorm);
TRAMA_CPU_KERNEL("layer_norm_grad", EmitLayerNormGrad);

}  // namespace trama::cpu
