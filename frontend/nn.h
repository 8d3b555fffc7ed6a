// Modules: trees of named parameters. A parameter is named once, where it is declared; its path
// ("h.0.attn.c_attn.weight") is its key in PyTorch's state_dict, and its shape the checkpoint's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/shape.h"
#include "frontend/functional.h"
#include "frontend/tensor.h"

namespace trama::nn {

// How a fresh parameter is drawn.
struct Init {
  enum class Kind { kConstant, kUniform, kNormal };
  Kind kind = Kind::kConstant;
  double a = 0, b = 0;  // constant a; uniform in [a, b); normal of mean a and deviation b

  static Init Constant(double value) { return {Kind::kConstant, value, 0}; }
  static Init Uniform(double low, double high) { return {Kind::kUniform, low, high}; }
  static Init Normal(double mean, double deviation) { return {Kind::kNormal, mean, deviation}; }
  // torch's nn.Linear: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), for its weight and its bias.
  static Init FanIn(int64_t fan_in);
};

class Module;

class Parameter : public Tensor {
 public:
  Parameter(Module& owner, std::string name, Shape shape, Init init = Init::Constant(0));
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;

  std::string path() const;
  const Shape& shape() const { return shape_; }
  const Init& init() const { return init_; }

 private:
  const Module* owner_;
  std::string name_;
  Shape shape_;
  Init init_;
};

class Module {
 public:
  Module() = default;                        // a model
  Module(Module& parent, std::string name);  // a part of one
  Module(const Module&) = delete;            // parameters hold on to their module
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  // Depth first, in the order of declaration.
  std::vector<const Parameter*> parameters() const;
  // "h.0.attn"; "" for the model itself.
  std::string path() const;
  // The number of elements of all parameters.
  int64_t num_parameters() const;

 private:
  friend class Parameter;
  struct Child {
    const Module* module;  // exactly one of the two is set
    const Parameter* parameter;
  };
  const Module* parent_ = nullptr;
  std::string name_;
  std::vector<Child> children_;
};

// A module with a configuration, which members' initialisers read as `cfg`.
template <typename Config>
class ModuleOf : public Module {
 public:
  explicit ModuleOf(Config config) : cfg(std::move(config)) {}
  ModuleOf(Module& parent, std::string name, Config config)
      : Module(parent, std::move(name)), cfg(std::move(config)) {}
  const Config cfg;
};

// n modules named "0", "1", ..: each made from the list, its name and `args`.
template <typename T>
class ModuleList : public Module {
 public:
  template <typename... Args>
  ModuleList(Module& parent, std::string name, int64_t n, const Args&... args)
      : Module(parent, std::move(name)) {
    for (int64_t i = 0; i < n; ++i)
      modules_.push_back(std::make_unique<T>(*this, std::to_string(i), args...));
  }
  int64_t size() const { return static_cast<int64_t>(modules_.size()); }
  const T& operator[](int64_t i) const { return *modules_[i]; }
  T& operator[](int64_t i) { return *modules_[i]; }

  class Iterator {
   public:
    explicit Iterator(const std::unique_ptr<T>* at) : at_(at) {}
    const T& operator*() const { return **at_; }
    Iterator& operator++() { return ++at_, *this; }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const std::unique_ptr<T>* at_;
  };
  Iterator begin() const { return Iterator(modules_.data()); }
  Iterator end() const { return Iterator(modules_.data() + modules_.size()); }

 private:
  std::vector<std::unique_ptr<T>> modules_;
};

// y = x W^T + b. x: [.., in] -> [.., out]; weight: [out, in]; bias: [out]. Both U(+-1/sqrt(in)).
class Linear : public Module {
 public:
  Linear(Module& parent, std::string name, int64_t in, int64_t out, bool has_bias = true);
  // Of other values: the bias starts at 0.
  Linear(Module& parent, std::string name, int64_t in, int64_t out, bool has_bias, Init init);
  Tensor operator()(Tensor x, Loc loc = Loc::current()) const;
  Parameter weight;
  std::optional<Parameter> bias;
};

// What is learned beside frozen weights W of some layers: alpha / rank A B. Hu et al. 2021.
struct LowRank {
  int64_t rank = 0;  // 0: nothing
  double alpha = 0;
  std::vector<std::string> targets = {};  // layers, by the ends of their paths: "attn.c_attn"

  bool Adapts(const std::string& path) const;
  double scale() const { return alpha / static_cast<double>(rank); }
};

// y = x W + b, as GPT-2's layers in Hugging Face's files: weight: [in, out]. Bias 0, or none. Where
// `low_rank` adapts the layer, + scale (x A) B: lora_A: [in, rank], U(+-1/sqrt(in)); lora_B: [rank,
// out], 0.
class Conv1D : public Module {
 public:
  Conv1D(Module& parent, std::string name, int64_t in, int64_t out,
         Init init = Init::Normal(0, 0.02), const LowRank& low_rank = {}, bool has_bias = true);
  Tensor operator()(Tensor x, Loc loc = Loc::current()) const;
  Parameter weight;
  std::optional<Parameter> bias, lora_A, lora_B;

 private:
  double scale_ = 1;
};

// ids: integers of any shape -> shape(ids) x dim; weight: [count, dim].
class Embedding : public Module {
 public:
  Embedding(Module& parent, std::string name, int64_t count, int64_t dim,
            Init init = Init::Normal(0, 1));
  Tensor operator()(Tensor ids, Loc loc = Loc::current()) const;
  Parameter weight;
};

// Over the last dimension, of size `dim`. weight 1, bias 0.
class LayerNorm : public Module {
 public:
  LayerNorm(Module& parent, std::string name, int64_t dim, double eps = 1e-5);
  Tensor operator()(Tensor x, Loc loc = Loc::current()) const;
  Parameter weight, bias;

 private:
  double eps_;
};

// dropout(x, p): a function that remembers its p.
struct Dropout {
  double p = 0;
  Tensor operator()(Tensor x, Loc loc = Loc::current()) const { return dropout(x, p, loc); }
};

}  // namespace trama::nn
