// Continues prompts: prefill in chunks, then one token a step with a key/value cache; models that
// cannot decode with a cache run their forward over a window instead.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/model_directory.h"
#include "runtime/sampler.h"
#include "runtime/session.h"

namespace trama {

struct GenerateOptions {
  int64_t max_tokens = 100;
  SamplingOptions sampling;
  std::vector<std::string> stop;  // ends a sample before any of these
  std::vector<int32_t> eos_ids;   // each ends a sample
  bool special_text = false;      // special tokens stand in the text too
  // Rows in a row that continue the same prompt: row r draws as sample r modulo this, so that a
  // prompt's samples are the same whatever other prompts run beside it. 0: each row is another.
  uint32_t samples_each = 0;
  bool keep_distributions = false;
};

struct GeneratedSample {
  std::vector<int32_t> ids;                      // the new ones, without the end-of-text id
  std::string text;                              // of the new ids, cut before a stop string
  std::vector<TokenDistribution> distributions;  // one an id, where asked for
};

struct GenerateStats {
  int64_t prompt_tokens = 0, new_tokens = 0;
  int64_t from_candidates = 0;  // of the new tokens, those drawn without reading all logits
  double prefill_seconds = 0, decode_seconds = 0;
};

class Generator {
 public:
  // Compiles for `batch` rows at once, with `parameters` in place of the model's own, each of which
  // is freed once the device has it. `use_cache` false runs the forward over the whole window for
  // every token. `candidates`: of the options that will be generated with
  // (SamplingOptions::Candidates), so that the device gives as many of the largest logits, which
  // are read in place of all where they decide; the samples are the same with any number.
  static absl::StatusOr<std::unique_ptr<Generator>> Create(const LoadedModel& model,
                                                           TensorMap parameters,
                                                           const SessionOptions& options,
                                                           int64_t batch = 1, bool use_cache = true,
                                                           int64_t candidates = 0);

  // Continues up to `batch` prompts of ids, of any lengths. Row r draws with sample number
  // `first_sample` + r, or as options.samples_each says.
  // `on_text(row, text)` gets whole characters as they come (never part of a stop string); null
  // for none. Beyond the context the last MaxLength() ids are kept. InvalidArgument for an empty
  // prompt or an id outside the vocabulary.
  absl::StatusOr<std::vector<GeneratedSample>> Generate(
      const std::vector<std::vector<int32_t>>& prompts, const GenerateOptions& options,
      uint32_t first_sample = 0,
      const std::function<void(int64_t row, std::string_view text)>& on_text = nullptr);

  const GenerateStats& stats() const { return stats_; }
  bool uses_cache() const { return use_cache_; }

 private:
  explicit Generator(const LoadedModel& model) : model_(model) {}
  using Rows = std::vector<std::vector<int32_t>>;
  // Brings logits_ or candidates_ up to date with the last ids of every row that is `active`.
  absl::Status Advance(const Rows& rows, const std::vector<bool>& active);
  absl::Status AdvanceWithCache(const Rows& rows, const std::vector<bool>& active);
  absl::Status RunChunk(uint32_t program, int64_t width, const Rows& windows,
                        const std::vector<bool>& active);
  // Of the rows that `ended` with this run: what their next ids are drawn from.
  absl::Status ReadLogits(uint32_t program, const std::vector<size_t>& ended);
  // Draws the id after row `r`.
  absl::StatusOr<int32_t> Draw(Sampler& sampler, size_t r, const std::vector<int32_t>& ids) const;
  absl::StatusOr<Session*> WindowSession(int64_t length, bool causal);
  // The logits after the window's last id.
  absl::StatusOr<std::vector<float>> RunWindow(const std::vector<int32_t>& window);

  const LoadedModel& model_;
  SessionOptions options_;
  int64_t batch_ = 1, context_ = 0, vocab_ = 0;
  // After each row's last id: the candidates where they decide the draw, else all logits.
  std::vector<float> logits_;  // [batch, V]
  struct Candidates {
    std::vector<int32_t> ids;  // empty where they do not
    std::vector<float> logits;
  };
  std::vector<Candidates> candidates_;  // [batch]
  SamplingOptions sampling_;            // of the Generate that runs
  GenerateStats stats_;

  // With a cache: programs over one state.
  bool use_cache_ = false;
  std::unique_ptr<Session> session_;
  uint32_t long_prefill_ = 0, prefill_ = 0, decode_ = 0;
  int64_t long_chunk_ = 0, chunk_ = 0, step_ = 0;  // ids of each; no long one: 0
  std::vector<int64_t> cached_;                    // how many ids of each row the cache holds

  // Without: a forward for each length that was needed, of a causal model for the last one alone;
  // the first takes the parameters.
  TensorMap parameters_;
  std::map<int64_t, std::unique_ptr<Session>> windows_;
};

}  // namespace trama
