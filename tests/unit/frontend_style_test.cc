// Models as a user writes them: STYLE.md's, letter by letter, plus what they become.
#include <cmath>

#include "base/status_matchers.h"
#include "frontend/init.h"
#include "frontend/nn.h"
#include "tests/unit/frontend_testing.h"

namespace trama {
namespace {
using ::testing::HasSubstr;

struct LogisticRegression : nn::Module {  // p(y=1|x) = sigmoid(x W^T + b)
  nn::Linear linear{*this, "linear", 784, 1};
  Tensor operator()(Tensor x) const { return sigmoid(linear(x)); }
};

struct LSTMConfig {
  int64_t input_size = 3, hidden_size = 5;
};
struct LSTMCell : nn::ModuleOf<LSTMConfig> {  // gate order i, f, g, o, as torch
  using ModuleOf::ModuleOf;
  int64_t I = cfg.input_size, H = cfg.hidden_size;
  nn::Parameter weight_ih{*this, "weight_ih", {4 * H, I}}, bias_ih{*this, "bias_ih", {4 * H}};
  nn::Parameter weight_hh{*this, "weight_hh", {4 * H, H}}, bias_hh{*this, "bias_hh", {4 * H}};
  std::pair<Tensor, Tensor> operator()(Tensor x, Tensor h, Tensor c) const {
    auto [i, f, g, o] = chunk<4>(linear(x, weight_ih, bias_ih) + linear(h, weight_hh, bias_hh), -1);
    c = sigmoid(f) * c + sigmoid(i) * tanh(g);
    return {sigmoid(o) * tanh(c), c};
  }
};

struct GPT2Config {
  int64_t vocab_size = 11, n_positions = 16, n_embd = 8, n_layer = 2, n_head = 2;
};
struct Attention : nn::ModuleOf<GPT2Config> {  // softmax(Q K^T / sqrt(d) + mask) V
  using ModuleOf::ModuleOf;
  nn::Conv1D c_attn{*this, "c_attn", cfg.n_embd, 3 * cfg.n_embd};
  nn::Conv1D c_proj{*this, "c_proj", cfg.n_embd, cfg.n_embd};
  Tensor operator()(Tensor x) const {  // [B, T, C] -> [B, T, C]
    auto [q, k, v] = chunk<3>(c_attn(x), -1);
    Tensor scores =
        matmul(heads(q), heads(k).transpose(-2, -1)) / std::sqrt(cfg.n_embd / cfg.n_head);
    Tensor y = matmul(softmax(scores + causal_mask(scores), -1), heads(v));
    return c_proj(y.transpose(1, 2).flatten(2));
  }
  Tensor heads(Tensor t) const { return t.unflatten(-1, {cfg.n_head, -1}).transpose(1, 2); }
};
struct MLP : nn::ModuleOf<GPT2Config> {
  using ModuleOf::ModuleOf;
  nn::Conv1D c_fc{*this, "c_fc", cfg.n_embd, 4 * cfg.n_embd};
  nn::Conv1D c_proj{*this, "c_proj", 4 * cfg.n_embd, cfg.n_embd};
  Tensor operator()(Tensor x) const { return c_proj(gelu(c_fc(x), Gelu::kTanh)); }
};
struct Block : nn::ModuleOf<GPT2Config> {
  using ModuleOf::ModuleOf;
  nn::LayerNorm ln_1{*this, "ln_1", cfg.n_embd}, ln_2{*this, "ln_2", cfg.n_embd};
  Attention attn{*this, "attn", cfg};
  MLP mlp{*this, "mlp", cfg};
  Tensor operator()(Tensor x) const {
    x = x + attn(ln_1(x));
    return x + mlp(ln_2(x));
  }
};
struct GPT2 : nn::ModuleOf<GPT2Config> {
  using ModuleOf::ModuleOf;
  nn::Embedding wte{*this, "wte", cfg.vocab_size, cfg.n_embd},
      wpe{*this, "wpe", cfg.n_positions, cfg.n_embd};
  nn::ModuleList<Block> h{*this, "h", cfg.n_layer, cfg};
  nn::LayerNorm ln_f{*this, "ln_f", cfg.n_embd};
  Tensor operator()(Tensor ids) const {  // i32 [B, T] -> f32 logits [B, T, V]
    Tensor x = wte(ids) + wpe(arange(ids.size(1)));
    for (const Block& block : h) x = block(x);
    return matmul(ln_f(x), wte.weight.transpose(0, 1));  // lm_head is tied to wte
  }
};

TEST(Style, LogisticRegression) {
  const LogisticRegression model;
  auto module =
      TraceFunction([&](const auto& in) { return model(in[0]); }, {{DType::kF32, {9, 784}}});
  ASSERT_OK(module);
  EXPECT_THAT(module->ToString(), HasSubstr(R"(trama.name = "linear.weight")"));
  EXPECT_THAT(module->ToString(), HasSubstr("trama.matmul %arg0, %arg1 transposed"));
}

TEST(Style, LstmOverTime) {
  const LSTMCell cell(LSTMConfig{});
  auto module = TraceFunction(
      [&](const auto& in) {
        auto state = std::pair(zeros({2, 5}), zeros({2, 5}));
        auto step = [&](std::pair<Tensor, Tensor> hc, Tensor x) {
          auto next = cell(x, hc.first, hc.second);
          return std::pair(next, next.first);
        };
        return scan(in[0], state, step, 1).second;
      },
      {{DType::kF32, {2, 7, 3}}});
  ASSERT_OK(module);
  EXPECT_THAT(module->ToString(), HasSubstr("tensor<2x7x5xf32>"));
}

TEST(Style, GPT2) {
  const GPT2 model(GPT2Config{});
  auto module = TraceFunction([&](const auto& in) { return model(in[0]); }, {{DType::kI32, {2, 8}}},
                              DType::kF32, /*training=*/false, /*time_dim=*/1);
  ASSERT_OK(module);
  const std::string text = module->ToString();
  EXPECT_THAT(text, HasSubstr(R"(-> (tensor<2x8x11xf32> {trama.name = "y"}))"));
  EXPECT_THAT(text, HasSubstr("trama.iota dim = 0 sequence : tensor<8xi32>"));
  EXPECT_EQ(model.h[1].mlp.c_fc.weight.path(), "h.1.mlp.c_fc.weight");
  EXPECT_EQ(InitialParameters(model, 0)->size(), 4 + 2 * 12u);
}

// T = 8 = C here: a size is the time axis where it came from it, not where it equals it.
TEST(Style, SizesRememberTheTimeAxis) {
  std::vector<bool> is_time;
  auto module = TraceFunction(
      [&](const auto& in) {
        Tensor x = in[0];  // [2, T, 8]
        Tensor heads = x.unflatten(-1, {2, 4}).transpose(1, 2);
        Tensor scores = matmul(heads, heads.transpose(-2, -1));
        Tensor y = matmul(softmax(scores, -1), heads).transpose(1, 2).flatten(2);
        for (const Size& size :
             {x.size(1), x.size(2), heads.size(2), scores.size(2), scores.size(3), y.size(1),
              y.size(2), y.sum({1}).size(1), y.sum({0}).size(0), y.select(1, -1).size(1),
              y.view({2, y.size(1), 8}).size(1), y.unsqueeze(0).size(2), cat({y, y}, 1).size(1)})
          is_time.push_back(size.is_time());
        return y;
      },
      {{DType::kF32, {2, 8, 8}}}, DType::kF32, /*training=*/false, /*time_dim=*/1);
  ASSERT_OK(module);
  EXPECT_EQ(is_time, (std::vector<bool>{true, false, true, true, true, true, false, false, true,
                                        false, true, true, false}));
}

TEST(Style, SizesAreNumbers) {
  auto module = TraceFunction(
      [](const auto& in) {
        Tensor x = in[0];
        EXPECT_EQ(x.size(0) * x.size(1), 6);
        EXPECT_EQ(x.size(0) + 1, 3);
        EXPECT_TRUE(x.size(0) < x.size(1) && x.size(-1) == 3);
        return x / x.size(1) + 2 * x;
      },
      {{DType::kF32, {2, 3}}});
  EXPECT_OK(module);
}

TEST(Style, OpsKnowTheirLine) {
  const int line = __LINE__ + 1;
  auto module = TraceFunction([](const auto& in) { return in[0] + 1; }, {{DType::kF32, {2}}});
  ASSERT_OK(module);
  EXPECT_THAT(module->ToString(/*locations=*/true),
              HasSubstr("frontend_style_test.cc\":" + std::to_string(line)));
}

}  // namespace
}  // namespace trama
