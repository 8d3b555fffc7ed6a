#include "frontend/nn.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace trama::nn {

Init Init::FanIn(int64_t fan_in) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return Uniform(-bound, bound);
}

Parameter::Parameter(Module& owner, std::string name, Shape shape, Init init)
    : Tensor(this), owner_(&owner), name_(std::move(name)), shape_(std::move(shape)), init_(init) {
  owner.children_.push_back({nullptr, this});
}

std::string Parameter::path() const {
  const std::string owner = owner_->path();
  return owner.empty() ? name_ : absl::StrCat(owner, ".", name_);
}

Module::Module(Module& parent, std::string name) : parent_(&parent), name_(std::move(name)) {
  parent.children_.push_back({this, nullptr});
}

std::vector<const Parameter*> Module::parameters() const {
  std::vector<const Parameter*> result;
  for (const Child& child : children_) {
    if (child.parameter) {
      result.push_back(child.parameter);
      continue;
    }
    for (const Parameter* parameter : child.module->parameters()) result.push_back(parameter);
  }
  return result;
}

std::string Module::path() const {
  if (!parent_) return "";
  const std::string parent = parent_->path();
  return parent.empty() ? name_ : absl::StrCat(parent, ".", name_);
}

int64_t Module::num_parameters() const {
  int64_t count = 0;
  for (const Parameter* parameter : parameters()) count += NumElements(parameter->shape()).value();
  return count;
}

Linear::Linear(Module& parent, std::string name, int64_t in, int64_t out, bool has_bias)
    : Module(parent, std::move(name)), weight(*this, "weight", {out, in}, Init::FanIn(in)) {
  if (has_bias) bias.emplace(*this, "bias", Shape{out}, Init::FanIn(in));
}

Linear::Linear(Module& parent, std::string name, int64_t in, int64_t out, bool has_bias, Init init)
    : Module(parent, std::move(name)), weight(*this, "weight", {out, in}, init) {
  if (has_bias) bias.emplace(*this, "bias", Shape{out});
}

Tensor Linear::operator()(Tensor x, Loc loc) const {
  return linear(x, weight, bias ? Tensor(*bias) : Tensor(), loc);
}

bool LowRank::Adapts(const std::string& path) const {
  if (rank == 0) return false;
  for (const std::string& target : targets)
    if (("." + path).ends_with("." + target)) return true;
  return false;
}

Conv1D::Conv1D(Module& parent, std::string name, int64_t in, int64_t out, Init init,
               const LowRank& low_rank, bool has_bias)
    : Module(parent, std::move(name)), weight(*this, "weight", {in, out}, init) {
  if (has_bias) bias.emplace(*this, "bias", Shape{out});
  if (!low_rank.Adapts(path())) return;
  scale_ = low_rank.scale();
  lora_A.emplace(*this, "lora_A", Shape{in, low_rank.rank}, Init::FanIn(in));
  lora_B.emplace(*this, "lora_B", Shape{low_rank.rank, out});
}

Tensor Conv1D::operator()(Tensor x, Loc loc) const {
  Tensor y = matmul(x, weight, loc);
  if (bias) y = Operand(y, loc) + Operand(*bias, loc);
  if (!lora_A) return y;
  Tensor learned = matmul(matmul(x, *lora_A, loc), *lora_B, loc);
  return Operand(y, loc) + Operand(Operand(learned, loc) * scale_, loc);
}

Embedding::Embedding(Module& parent, std::string name, int64_t count, int64_t dim, Init init)
    : Module(parent, std::move(name)), weight(*this, "weight", {count, dim}, init) {}

Tensor Embedding::operator()(Tensor ids, Loc loc) const { return embedding(ids, weight, loc); }

LayerNorm::LayerNorm(Module& parent, std::string name, int64_t dim, double eps)
    : Module(parent, std::move(name)),
      weight(*this, "weight", {dim}, Init::Constant(1)),
      bias(*this, "bias", {dim}),
      eps_(eps) {}

Tensor LayerNorm::operator()(Tensor x, Loc loc) const {
  return layer_norm(x, weight, bias, eps_, loc);
}

}  // namespace trama::nn
