#include "passes/support/remarks.h"

#include "ir/source_line.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

namespace trama {
namespace {

constexpr llvm::StringLiteral kPrefix = "trama.";

mlir::remark::RemarkOpts OptionsOf(mlir::Operation* op, llvm::StringRef name,
                                   llvm::StringRef category) {
  auto func = op->getParentOfType<mlir::func::FuncOp>();
  auto opts = mlir::remark::RemarkOpts::name(name).category(category);
  return func ? opts.function(func.getSymName()) : opts;
}

class Collector : public mlir::remark::detail::MLIRRemarkStreamerBase {
 public:
  explicit Collector(std::vector<PassRemark>* remarks) : remarks_(remarks) {}
  void streamOptimizationRemark(const mlir::remark::detail::Remark& remark) override {
    llvm::StringRef pass = remark.getCategoryName();
    pass.consume_front(kPrefix);
    std::string message;
    for (const auto& arg : remark.getArgs()) message += arg.val;
    remarks_->push_back({pass.str(), remark.getFunction().str(), std::move(message),
                         LocationText(remark.getLocation())});
  }

 private:
  std::vector<PassRemark>* remarks_;
};

}  // namespace

void NotFused(mlir::Operation* op, llvm::StringRef pass, const llvm::Twine& why) {
  if (!op->getContext()->getRemarkEngine()) return;
  const std::string category = (kPrefix + pass).str(), message = ("not fused: " + why).str();
  mlir::remark::missed(op->getLoc(), OptionsOf(op, "NotFused", category)) << message;
}

void Missed(mlir::Operation* op, llvm::StringRef pass, const llvm::Twine& what) {
  if (!op->getContext()->getRemarkEngine()) return;
  const std::string category = (kPrefix + pass).str(), message = what.str();
  mlir::remark::missed(op->getLoc(), OptionsOf(op, "Missed", category)) << message;
}

void Made(mlir::Operation* op, llvm::StringRef pass, const llvm::Twine& what) {
  if (!op->getContext()->getRemarkEngine()) return;
  const std::string category = (kPrefix + pass).str(), message = what.str();
  mlir::remark::passed(op->getLoc(), OptionsOf(op, "Made", category)) << message;
}

llvm::LogicalResult CollectRemarks(mlir::MLIRContext& context, std::vector<PassRemark>* remarks) {
  mlir::remark::RemarkCategories categories;
  categories.missed = categories.passed = "trama.*";
  return mlir::remark::enableOptimizationRemarks(
      context, std::make_unique<Collector>(remarks),
      std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(), categories);
}

}  // namespace trama
