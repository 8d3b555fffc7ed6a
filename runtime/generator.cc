#include "runtime/generator.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "runtime/formats/utf8.h"

namespace trama {
namespace {

// Prompts run in chunks of this many ids, so that nothing is compiled for a prompt's own length; in
// long ones, of which a device makes more, where half of one is left and the context has several.
constexpr int64_t kPrefillChunk = 64, kLongChunk = 256;
// Without a cache, causal windows are padded to a multiple of this.
constexpr int64_t kWindowStep = 32;

Program ForwardProgram(const Model& model, int64_t batch, int64_t length) {
  Program program;
  program.name = "forward";
  for (TensorSpec& spec : model.Inputs(batch, length))
    if (spec.name == "input_ids") program.inputs.push_back(std::move(spec));
  return program;
}

Program ChunkProgram(const Model& model, const std::string& name, int64_t batch, int64_t length,
                     int64_t candidates) {
  Program program = ForwardProgram(model, batch, length);
  program.name = name;
  program.kind = ProgramKind::kDecode;
  program.cache_capacity = model.MaxLength();
  program.candidates = candidates;
  return program;
}

// How much of `text` may be given out: what could still become a stop string is held back. Sets
// `stopped` and the length before the first stop string where there is one.
size_t SafeLength(std::string_view text, const std::vector<std::string>& stops, bool* stopped) {
  size_t safe = text.size();
  for (const std::string& stop : stops) {
    if (stop.empty()) continue;
    if (size_t at = text.find(stop); at != std::string_view::npos) {
      *stopped = true;
      safe = std::min(safe, at);
      continue;
    }
    for (size_t length = std::min(stop.size() - 1, text.size()); length > 0; --length)
      if (text.substr(text.size() - length) == std::string_view(stop).substr(0, length)) {
        safe = std::min(safe, text.size() - length);
        break;
      }
  }
  return safe;
}

// A sample's text as it comes: whole characters, given out up to the first stop string.
class SampleText {
 public:
  using Give = std::function<void(std::string_view text)>;  // or null

  SampleText(const std::vector<std::string>& stops, Give give)
      : stops_(stops), give_(std::move(give)) {}

  void Push(std::string_view bytes) {
    text_ += stream_.Push(bytes);
    GiveOut(/*at_end=*/false);
  }
  // The whole text, the last of it given out.
  std::string Finish() {
    if (!stopped_) text_ += stream_.Flush();
    GiveOut(/*at_end=*/true);
    return std::move(text_);
  }
  bool stopped() const { return stopped_; }

 private:
  void GiveOut(bool at_end) {
    bool stops = false;
    size_t safe = SafeLength(text_, stops_, &stops);
    if (at_end && !stops) safe = text_.size();
    if (stops) {
      text_.resize(safe);
      stopped_ = true;
    }
    if (safe > given_ && give_) give_(std::string_view(text_).substr(given_, safe - given_));
    given_ = std::max(given_, safe);
  }

  const std::vector<std::string>& stops_;
  Give give_;
  Utf8Stream stream_;
  std::string text_;
  size_t given_ = 0;  // of text_
  bool stopped_ = false;
};

absl::Status CheckPrompts(const std::vector<std::vector<int32_t>>& prompts, int64_t batch,
                          int64_t vocab_size) {
  if (static_cast<int64_t>(prompts.size()) > batch)
    return absl::InvalidArgumentError(
        absl::StrCat(prompts.size(), " prompts for a batch of ", batch));
  for (const std::vector<int32_t>& prompt : prompts) {
    if (prompt.empty()) return absl::InvalidArgumentError("the prompt is empty");
    for (const int32_t id : prompt)
      if (id < 0 || id >= vocab_size)
        return absl::InvalidArgumentError(
            absl::StrCat("id ", id, " of the prompt is not in [0, ", vocab_size, ")"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Generator>> Generator::Create(const LoadedModel& model,
                                                             TensorMap parameters,
                                                             const SessionOptions& options,
                                                             int64_t batch, bool use_cache,
                                                             int64_t candidates) {
  std::unique_ptr<Generator> generator(new Generator(model));
  generator->options_ = options;
  generator->batch_ = batch;
  generator->context_ = model.model->MaxLength();
  generator->candidates_.resize(static_cast<size_t>(batch));
  if (generator->context_ <= 0)
    return absl::InvalidArgumentError(
        absl::StrCat(model.entry->name, ": this model does not generate"));
  generator->use_cache_ = use_cache && model.model->SequenceDim("input_ids") >= 0;
  if (!generator->use_cache_) {
    generator->parameters_ = std::move(parameters);
    return generator;
  }

  generator->chunk_ = std::min(kPrefillChunk, generator->context_);
  generator->long_chunk_ = generator->context_ >= 2 * kLongChunk ? kLongChunk : 0;
  std::vector<Program> programs{
      Program(), ChunkProgram(*model.model, "prefill", batch, generator->chunk_, candidates)};
  if (generator->long_chunk_)
    programs.push_back(
        ChunkProgram(*model.model, "long_prefill", batch, generator->long_chunk_, candidates));
  // A step has one position; two, of which one is not used, where the time axis of one cannot be
  // told from other dimensions of size 1, as with a single head.
  absl::StatusOr<std::unique_ptr<Session>> session;
  for (generator->step_ = 1; generator->step_ <= 2; ++generator->step_) {
    programs[0] = ChunkProgram(*model.model, "decode", batch, generator->step_, candidates);
    session = Session::Create(*model.model, programs, options);
    if (session.ok()) break;
  }
  TRAMA_ASSIGN_OR_RETURN(generator->session_, std::move(session));
  TRAMA_RETURN_IF_ERROR(generator->session_->TakeState(std::move(parameters)));
  TRAMA_ASSIGN_OR_RETURN(generator->prefill_, generator->session_->Find("prefill"));
  TRAMA_ASSIGN_OR_RETURN(generator->decode_, generator->session_->Find("decode"));
  if (generator->long_chunk_) {
    TRAMA_ASSIGN_OR_RETURN(generator->long_prefill_, generator->session_->Find("long_prefill"));
  }
  generator->vocab_ = generator->session_->Output(generator->decode_, "logits")->shape.back();
  generator->logits_.resize(static_cast<size_t>(batch * generator->vocab_));
  return generator;
}

absl::StatusOr<Session*> Generator::WindowSession(int64_t length, bool causal) {
  if (auto it = windows_.find(length); it != windows_.end()) return it->second.get();
  TRAMA_ASSIGN_OR_RETURN(
      std::unique_ptr<Session> session,
      Session::Create(*model_.model, {ForwardProgram(*model_.model, 1, length)}, options_));
  if (windows_.empty()) {
    TRAMA_RETURN_IF_ERROR(session->TakeState(std::move(parameters_)));
  } else {
    TRAMA_RETURN_IF_ERROR(session->CopyParameters(*windows_.begin()->second));
  }
  if (causal) windows_.clear();
  return (windows_[length] = std::move(session)).get();
}

absl::StatusOr<std::vector<float>> Generator::RunWindow(const std::vector<int32_t>& window) {
  const Model& model = *model_.model;
  const int64_t count = static_cast<int64_t>(window.size());
  const bool causal = model.SequenceDim("input_ids") >= 0;
  // What follows the last id does not reach it in a causal model; others run at their own length.
  const int64_t length =
      causal ? std::min(context_, (count + kWindowStep - 1) / kWindowStep * kWindowStep) : count;
  TRAMA_ASSIGN_OR_RETURN(Session * session, WindowSession(length, causal));
  HostTensor ids(DType::kI32, {1, length});
  std::copy(window.begin(), window.end(), ids.data<int32_t>().begin());
  TRAMA_ASSIGN_OR_RETURN(TensorMap outputs, session->Call("forward", {{"input_ids", ids}}));
  const HostTensor all = outputs["logits"].Cast(DType::kF32);
  // [1, T, V], or [1, V] of a model that predicts after the last id only.
  const int64_t vocab = all.shape.back(), row = all.shape.size() == 3 ? count - 1 : 0;
  const float* first = all.data<float>().data() + row * vocab;
  return std::vector<float>(first, first + vocab);
}

absl::Status Generator::RunChunk(uint32_t program, int64_t width, const Rows& windows,
                                 const std::vector<bool>& active) {
  HostTensor ids(DType::kI32, {batch_, width}), position(DType::kI32, {batch_}),
      length(DType::kI32, {batch_});
  for (int64_t r = 0; r < batch_; ++r) {
    const int64_t left = active[r] ? static_cast<int64_t>(windows[r].size()) - cached_[r] : 0;
    const int64_t count = std::min(width, left);
    position.data<int32_t>()[r] = static_cast<int32_t>(cached_[r]);
    length.data<int32_t>()[r] = static_cast<int32_t>(count);
    std::copy_n(windows[r].begin() + cached_[r], count, ids.data<int32_t>().begin() + r * width);
  }
  Session& session = *session_;
  TRAMA_RETURN_IF_ERROR(session.Write(*session.Input(program, "input_ids"), ids));
  TRAMA_RETURN_IF_ERROR(session.Write(*session.Input(program, "position"), position));
  TRAMA_RETURN_IF_ERROR(session.Write(*session.Input(program, "length"), length));
  TRAMA_RETURN_IF_ERROR(session.Run(program));
  std::vector<size_t> ended;
  for (size_t r = 0; r < windows.size(); ++r) {
    const int64_t count = length.data<int32_t>()[r];
    cached_[r] += count;
    if (count > 0 && cached_[r] == static_cast<int64_t>(windows[r].size())) ended.push_back(r);
  }
  return ReadLogits(program, ended);
}

absl::Status Generator::ReadLogits(uint32_t program, const std::vector<size_t>& ended) {
  const Session& session = *session_;
  std::vector<size_t> undecided;
  const Session::Slot* values = session.Output(program, "candidates");
  // Doubles that differ may be one float: their order is not that of the floats.
  if (values && values->dtype != DType::kF64 && sampling_.Candidates() > 0 && !ended.empty()) {
    HostTensor largest, ids;
    TRAMA_RETURN_IF_ERROR(session.Read(*values, &largest));
    TRAMA_RETURN_IF_ERROR(session.Read(*session.Output(program, "candidate_ids"), &ids));
    largest = largest.Cast(DType::kF32);
    const auto count = static_cast<size_t>(values->shape.back());
    for (size_t r : ended) {
      const auto logits = largest.data<float>().subspan(r * count, count);
      if (!sampling_.DecidedBy(logits)) {
        undecided.push_back(r);
        continue;
      }
      const auto row = ids.data<int32_t>().subspan(r * count, count);
      candidates_[r] = {{row.begin(), row.end()}, {logits.begin(), logits.end()}};
    }
  } else {
    undecided = ended;
  }
  if (undecided.empty()) return absl::OkStatus();
  HostTensor logits;
  TRAMA_RETURN_IF_ERROR(session.Read(*session.Output(program, "logits"), &logits));
  const HostTensor narrow = logits.Cast(DType::kF32);
  for (size_t r : undecided) {
    candidates_[r].ids.clear();
    const auto at = static_cast<int64_t>(r) * vocab_;
    std::memcpy(logits_.data() + at, narrow.data<float>().data() + at,
                static_cast<size_t>(vocab_) * sizeof(float));
  }
  return absl::OkStatus();
}

absl::StatusOr<int32_t> Generator::Draw(Sampler& sampler, size_t r,
                                        const std::vector<int32_t>& ids) const {
  const auto position = static_cast<int64_t>(ids.size());
  const Candidates& candidates = candidates_[r];
  if (!candidates.ids.empty())
    return sampler.NextOf(candidates.ids, candidates.logits, ids, position);
  return sampler.Next(
      {logits_.data() + static_cast<int64_t>(r) * vocab_, static_cast<size_t>(vocab_)}, ids,
      position);
}

absl::Status Generator::AdvanceWithCache(const Rows& rows, const std::vector<bool>& active) {
  Rows windows(rows.size());
  for (size_t r = 0; r < rows.size(); ++r) {
    const int64_t count = static_cast<int64_t>(rows[r].size());
    windows[r].assign(rows[r].end() - std::min(count, context_), rows[r].end());
    // The window moved: every position in it changed, and so did every key and value.
    if (active[r] && count > context_) cached_[r] = 0;
  }
  while (true) {
    int64_t left = 0;
    for (size_t r = 0; r < rows.size(); ++r)
      if (active[r]) left = std::max(left, static_cast<int64_t>(windows[r].size()) - cached_[r]);
    if (left == 0) return absl::OkStatus();
    const bool is_long = long_chunk_ && 2 * left > long_chunk_;
    TRAMA_RETURN_IF_ERROR(left == 1 ? RunChunk(decode_, step_, windows, active)
                          : is_long ? RunChunk(long_prefill_, long_chunk_, windows, active)
                                    : RunChunk(prefill_, chunk_, windows, active));
  }
}

absl::Status Generator::Advance(const Rows& rows, const std::vector<bool>& active) {
  if (use_cache_) return AdvanceWithCache(rows, active);
  for (size_t r = 0; r < rows.size(); ++r) {
    if (!active[r]) continue;
    const int64_t count = std::min(static_cast<int64_t>(rows[r].size()), context_);
    TRAMA_ASSIGN_OR_RETURN(std::vector<float> logits,
                           RunWindow({rows[r].end() - count, rows[r].end()}));
    vocab_ = static_cast<int64_t>(logits.size());  // the first run says how many there are
    logits_.resize(static_cast<size_t>(batch_ * vocab_));
    std::copy(logits.begin(), logits.end(), logits_.begin() + static_cast<int64_t>(r) * vocab_);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<GeneratedSample>> Generator::Generate(
    const std::vector<std::vector<int32_t>>& prompts, const GenerateOptions& options,
    uint32_t first_sample, const std::function<void(int64_t row, std::string_view text)>& on_text) {
  TRAMA_RETURN_IF_ERROR(options.sampling.Validate());
  sampling_ = options.sampling;
  TRAMA_ASSIGN_OR_RETURN(const int64_t vocab_size, model_.config.Int("vocab_size", INT32_MAX, 1));
  TRAMA_RETURN_IF_ERROR(CheckPrompts(prompts, batch_, vocab_size));
  Rows rows = prompts;
  std::vector<Sampler> samplers;
  std::vector<SampleText> texts;
  for (size_t r = 0; r < rows.size(); ++r) {
    const auto row = static_cast<uint32_t>(r);
    const uint32_t sample = options.samples_each > 0 ? row % options.samples_each : row;
    samplers.emplace_back(options.sampling, first_sample + sample);
    SampleText::Give give;
    if (on_text) give = [&on_text, row](std::string_view text) { on_text(row, text); };
    texts.emplace_back(options.stop, std::move(give));
    stats_.prompt_tokens += static_cast<int64_t>(rows[r].size());
  }
  // Rows beyond the prompts run along, inactive.
  std::vector<bool> active(static_cast<size_t>(batch_), false);
  rows.resize(static_cast<size_t>(batch_), {0});
  std::fill_n(active.begin(), prompts.size(), options.max_tokens > 0);
  cached_.assign(static_cast<size_t>(batch_), 0);
  std::vector<GeneratedSample> samples(prompts.size());
  std::set<int32_t> untold;  // ids that stand for no text
  if (model_.tokenizer && !options.special_text) untold = model_.tokenizer->special_ids();

  for (int64_t step = 0; std::find(active.begin(), active.end(), true) != active.end(); ++step) {
    const double start = MonotonicSeconds();
    TRAMA_RETURN_IF_ERROR(Advance(rows, active));
    (step == 0 ? stats_.prefill_seconds : stats_.decode_seconds) += MonotonicSeconds() - start;
    for (size_t r = 0; r < prompts.size(); ++r) {
      if (!active[r]) continue;
      TRAMA_ASSIGN_OR_RETURN(const int32_t id, Draw(samplers[r], r, rows[r]));
      ++stats_.new_tokens;
      if (!candidates_[r].ids.empty()) ++stats_.from_candidates;
      if (std::find(options.eos_ids.begin(), options.eos_ids.end(), id) != options.eos_ids.end()) {
        active[r] = false;
        continue;
      }
      rows[r].push_back(id);
      samples[r].ids.push_back(id);
      if (options.keep_distributions)
        samples[r].distributions.push_back(samplers[r].distribution());
      if (model_.tokenizer && !untold.contains(id))
        texts[r].Push(model_.tokenizer->Decode({&id, 1}));
      if (texts[r].stopped() || static_cast<int64_t>(samples[r].ids.size()) >= options.max_tokens)
        active[r] = false;
    }
  }
  for (size_t r = 0; r < prompts.size(); ++r) samples[r].text = texts[r].Finish();
  return samples;
}

}  // namespace trama
