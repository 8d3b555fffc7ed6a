#include "backends/codegen/table_grad.h"

#include "base/status_macros.h"

namespace trama::codegen {

absl::StatusOr<TableGrad> TableGradOf(EmbeddingGradOp op, mlir::func::FuncOp body) {
  TableGrad result;
  TRAMA_ASSIGN_OR_RETURN(result.grad, ReadAccess(op.getGrad()));
  TRAMA_ASSIGN_OR_RETURN(result.ids, ReadAccess(op.getIds()));
  Value table = op.getY();
  if (table.hasOneUse()) {
    if (auto add = mlir::dyn_cast<AddOp>(*table.user_begin());
        add && add.getLhs().getType() == add.getRhs().getType()) {
      Value start = add.getLhs() == table ? add.getRhs() : add.getLhs();
      TRAMA_ASSIGN_OR_RETURN(result.start, ReadAccess(start));
      table = add.getY();
    }
  }
  TRAMA_ASSIGN_OR_RETURN(auto outputs, OutputsOf(body, table));
  result.tables = std::move(outputs[0]);
  return result;
}

}  // namespace trama::codegen
