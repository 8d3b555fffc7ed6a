// trama generate DIR --prompt="...": continues a prompt.
#include <algorithm>
#include <iostream>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "runtime/data/instruction.h"
#include "runtime/fine_tune.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/generator.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {

using Prompts = std::vector<std::vector<int32_t>>;

// --prompt, repeated, or the text that --instruction and --input have in instruction tuning.
std::vector<std::string> PromptTexts(const Flags& flags) {
  if (!flags.Given("instruction")) return flags.Repeated("prompt");
  Instruction record;
  record.instruction = flags.String("instruction");
  record.input = flags.String("input");
  return {InstructionText(record) + kResponseHeading};
}

absl::StatusOr<std::vector<int32_t>> ReadIds(const std::string& list) {
  std::vector<int32_t> ids;
  // Between commas, or between spaces, as --ids prints them.
  const bool commas = absl::StrContains(list, ',');
  std::vector<absl::string_view> texts;
  if (commas)
    texts = absl::StrSplit(list, ',');
  else
    texts = absl::StrSplit(list, ' ', absl::SkipEmpty());
  for (const absl::string_view text : texts) {
    int32_t id;
    if (!absl::SimpleAtoi(text, &id))
      return UsageError(absl::StrCat("--prompt_ids: '", text, "' is not an integer"));
    ids.push_back(id);
  }
  return ids;
}

absl::StatusOr<Prompts> PromptsOf(const Flags& flags, const LoadedModel& model) {
  if (flags.Given("prompt") + flags.Given("prompt_ids") + flags.Given("instruction") != 1)
    return UsageError("one of --prompt, --prompt_ids and --instruction says what to continue");
  if (flags.Given("input") && !flags.Given("instruction"))
    return UsageError("--input: only beside --instruction");
  Prompts prompts;
  if (flags.Given("prompt_ids")) {
    for (const std::string& list : flags.Repeated("prompt_ids")) {
      TRAMA_ASSIGN_OR_RETURN(prompts.emplace_back(), ReadIds(list));
    }
    return prompts;
  }
  if (absl::Status status = CheckTokenizer(model); !status.ok())
    return absl::Status(status.code(), absl::StrCat(flags.positional()[0], ": ", status.message(),
                                                    "; --prompt_ids gives ids instead"));
  for (const std::string& text : PromptTexts(flags)) {
    absl::StatusOr<std::vector<int32_t>> ids = model.tokenizer->Encode(text);
    if (!ids.ok())
      return absl::InvalidArgumentError(absl::StrCat(
          flags.Given("prompt") ? "--prompt: " : "--instruction: ", ids.status().message()));
    prompts.push_back(*std::move(ids));
  }
  return prompts;
}

// What generation_config.json says of drawing, in Hugging Face's words; null says nothing.
absl::Status ReadSampling(const Json& config, SamplingOptions* sampling) {
  TRAMA_ASSIGN_OR_RETURN(sampling->temperature, config.GetOr("temperature", sampling->temperature));
  TRAMA_ASSIGN_OR_RETURN(sampling->top_k, config.GetOr("top_k", sampling->top_k));
  TRAMA_ASSIGN_OR_RETURN(sampling->top_p, config.GetOr("top_p", sampling->top_p));
  TRAMA_ASSIGN_OR_RETURN(sampling->repetition_penalty,
                         config.GetOr("repetition_penalty", sampling->repetition_penalty));
  TRAMA_ASSIGN_OR_RETURN(const bool draws, config.GetOr("do_sample", true));
  sampling->greedy = !draws;
  return sampling->Validate();
}

absl::StatusOr<GenerateOptions> OptionsOf(const Flags& flags, const LoadedModel& model) {
  GenerateOptions options;
  SamplingOptions& sampling = options.sampling;
  if (absl::Status status = ReadSampling(model.generation_config, &sampling); !status.ok())
    return absl::InvalidArgumentError(absl::StrCat(
        JoinPath(flags.positional()[0], "generation_config.json"), ": ", status.message()));
  options.max_tokens = flags.Int("max_tokens");
  // Who says how to draw does not mean the file's do_sample=false.
  if (flags.Given("temperature") || flags.Given("top_k") || flags.Given("top_p"))
    sampling.greedy = false;
  if (flags.Given("greedy")) sampling.greedy = flags.Bool("greedy");
  if (flags.Given("temperature")) sampling.temperature = flags.Double("temperature");
  if (flags.Given("top_k")) sampling.top_k = flags.Int("top_k");
  if (flags.Given("top_p")) sampling.top_p = flags.Double("top_p");
  if (flags.Given("repetition_penalty"))
    sampling.repetition_penalty = flags.Double("repetition_penalty");
  sampling.seed = static_cast<uint64_t>(flags.Int("seed"));
  if (absl::Status status = sampling.Validate(); !status.ok())
    return UsageError(std::string(status.message()));
  options.stop = flags.Repeated("stop");
  if (std::find(options.stop.begin(), options.stop.end(), "") != options.stop.end())
    return UsageError("--stop: a text to stop at is not empty");
  options.keep_distributions = flags.Given("probabilities");
  options.special_text = flags.Bool("special");
  if (!flags.Bool("ignore_eos")) {
    TRAMA_ASSIGN_OR_RETURN(options.eos_ids, EndOfText(model));
  }
  return options;
}

Json DistributionsJson(const std::vector<GeneratedSample>& samples) {
  Json all = Json::EmptyArray();
  for (const GeneratedSample& sample : samples) {
    Json steps = Json::EmptyArray();
    for (size_t i = 0; i < sample.ids.size(); ++i) {
      Json step = Json::MakeObject();
      step.Set("id", sample.ids[i]);
      step.Set("ids", Json::ArrayOf(sample.distributions[i].ids));
      step.Set("probabilities", Json::ArrayOf(sample.distributions[i].probabilities));
      steps.Append(std::move(step));
    }
    all.Append(std::move(steps));
  }
  return all;
}

absl::StatusOr<int> Run(const Flags& flags) {
  TRAMA_ASSIGN_OR_RETURN(SessionOptions session_options, SessionOptionsOf(flags));
  const int64_t num_samples = flags.Int("num_samples");
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, LoadModelDirectory(flags.positional()[0]));
  if (Classifies(model))
    return absl::FailedPreconditionError(absl::StrCat(
        flags.positional()[0],
        ": classifies, and continues no text; trama predict says what it makes of one"));
  TRAMA_ASSIGN_OR_RETURN(const Prompts prompts, PromptsOf(flags, model));
  TRAMA_ASSIGN_OR_RETURN(GenerateOptions options, OptionsOf(flags, model));
  options.samples_each = static_cast<uint32_t>(num_samples);
  Prompts rows;  // each prompt's samples after one another
  for (const std::vector<int32_t>& prompt : prompts)
    rows.insert(rows.end(), static_cast<size_t>(num_samples), prompt);
  if (absl::Status status = CheckTokenizer(model); !flags.Bool("ids") && !status.ok())
    return absl::Status(status.code(), absl::StrCat(flags.positional()[0], ": ", status.message(),
                                                    "; --ids prints the new ids"));

  // Made before the work, which a wrong name would waste.
  std::optional<AtomicFile> probabilities;
  if (flags.Given("probabilities")) {
    TRAMA_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(flags.String("probabilities")));
    probabilities.emplace(std::move(file));
  }

  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Generator> generator,
                         Generator::Create(model, std::move(model.parameters), session_options,
                                           static_cast<int64_t>(rows.size()),
                                           !flags.Bool("no_cache"), options.sampling.Candidates()));
  // One sample streams; several come one after another, whole.
  const bool streams = rows.size() == 1 && !flags.Bool("ids");
  auto print = [&](int64_t, std::string_view text) { std::cout << text << std::flush; };
  TRAMA_ASSIGN_OR_RETURN(
      std::vector<GeneratedSample> samples,
      generator->Generate(
          rows, options, 0,
          streams ? std::function<void(int64_t, std::string_view)>(print) : nullptr));
  if (streams) {
    std::cout << "\n";
  } else {
    for (const GeneratedSample& sample : samples)
      std::cout << (flags.Bool("ids") ? absl::StrJoin(sample.ids, " ") : sample.text) << "\n";
  }
  if (probabilities) {
    TRAMA_RETURN_IF_ERROR(probabilities->Write(DistributionsJson(samples).Dump() + "\n"));
    TRAMA_RETURN_IF_ERROR(probabilities->Commit());
  }
  if (flags.Bool("stats")) {
    const GenerateStats& stats = generator->stats();
    const double decoded =
        static_cast<double>(stats.new_tokens) - static_cast<double>(samples.size());
    std::cerr << absl::StrFormat("prefill %.1f tokens/s, decode %.1f tokens/s\n",
                                 static_cast<double>(stats.prompt_tokens) / stats.prefill_seconds,
                                 stats.decode_seconds > 0 ? decoded / stats.decode_seconds : 0.0);
  }
  return 0;
}

TRAMA_COMMAND((Command{
    "generate", "DIR",
    "continues a prompt; defaults of how to draw are generation_config.json's, if there",
    "trama generate my-gpt --prompt=\"Once\" --max_tokens=200 --temperature=0.8 --top_k=50",
    WithRuntimeFlags(
        {{"prompt", FlagKind::kRepeated, "", "the text to continue; several run together"},
         {"prompt_ids", FlagKind::kRepeated, "", "or its ids: 1,2,3"},
         {"instruction", FlagKind::kString, "", "or what a model tuned on instructions answers"},
         {"input", FlagKind::kString, "", "of --instruction, where it has one"},
         {"max_tokens", FlagKind::kInt, "100", "new tokens at most", 0},
         {"temperature", FlagKind::kDouble, "1", "divides the logits; 0 is greedy"},
         {"top_k", FlagKind::kInt, "0", "only the k likeliest; 0: all"},
         {"top_p", FlagKind::kDouble, "1", "only the likeliest with this mass together"},
         {"repetition_penalty", FlagKind::kDouble, "1", "above 1 discourages ids so far"},
         {"greedy", FlagKind::kBool, "false", "always the likeliest"},
         {"stop", FlagKind::kRepeated, "", "ends before this text, repeatable"},
         {"ignore_eos", FlagKind::kBool, "false", "goes on after the end of a text"},
         {"special", FlagKind::kBool, "false", "prints special tokens as text too"},
         {"num_samples", FlagKind::kInt, "1", "how many continuations of each prompt", 1, 1 << 16},
         {"ids", FlagKind::kBool, "false", "prints the new ids instead of text"},
         {"no_cache", FlagKind::kBool, "false", "runs the whole window for every token"},
         {"probabilities", FlagKind::kString, "", "a JSON file: what each token was drawn from"},
         {"stats", FlagKind::kBool, "false", "tokens per second on standard error"}}),
    Run}));

}  // namespace
}  // namespace trama::cli
