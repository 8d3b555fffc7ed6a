#include "tools/trama/data_flags.h"

#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {
std::vector<std::string> Names(const Config& config, const char* key) {
  auto it = config.values().find(key);
  if (it == config.values().end()) return {};
  auto* names = std::get_if<std::vector<std::string>>(&it->second);
  return names ? *names : std::vector<std::string>();
}

// "70/10/20", or as shares of 1.
absl::StatusOr<std::vector<double>> Splits(const std::string& text) {
  std::vector<double> shares;
  double sum = 0;
  for (absl::string_view part : absl::StrSplit(text, absl::ByAnyChar("/,"), absl::SkipEmpty())) {
    double share;
    if (!absl::SimpleAtod(part, &share) || !(share >= 0))
      return UsageError(absl::StrCat("--splits: '", part, "' is no share"));
    shares.push_back(share);
    sum += share;
  }
  if (!shares.empty() && (shares.size() != 3 || !(sum > 0)))
    return UsageError("--splits: not three shares, as in 70/10/20");
  for (double& share : shares) share /= sum;
  return shares;
}

// Texts to classify: for a model that has a head for that, or gets one.
absl::StatusOr<bool> ClassifiesText(const Flags& flags, const Config& config,
                                    const std::string& data) {
  if (!config.Has("num_labels")) return false;
  TRAMA_ASSIGN_OR_RETURN(const int64_t labels, config.Int("num_labels", 0));
  const std::string extension = ExtensionOf(data);
  if (extension == ".safetensors") return false;
  return labels > 0 || flags.Given("text_column") || extension == ".csv" || extension == ".tsv";
}

// --tokenizer beside a model that has one: another would number the ids in its own way. A run that
// is resumed has the one that it was started with.
absl::Status CheckSameTokenizer(const Flags& flags, const LoadedModel& model) {
  const std::string& spec = flags.String("tokenizer");
  if (!flags.Given("tokenizer") || !model.tokenizer || spec == "chars" || flags.Bool("resume"))
    return absl::OkStatus();
  TRAMA_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> given, MakeTokenizer(spec, {}));
  if (given->Fingerprint() == model.tokenizer->Fingerprint()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--tokenizer: ", flags.positional()[0],
                                                 " has a tokenizer of its own, and ", spec,
                                                 " is another"));
}

absl::Status CheckFeatures(const std::string& data, const std::vector<std::string>& features,
                           const Config& config) {
  if (features.empty() || !config.Has("features")) return absl::OkStatus();
  TRAMA_ASSIGN_OR_RETURN(const int64_t wanted, config.Int("features", 0));
  if (wanted == static_cast<int64_t>(features.size())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(data, ": ", features.size(), " features (",
                                                 absl::StrJoin(features, ", "),
                                                 "), the model takes ", wanted));
}

// The inputs that the model does not do without: all but masks, and labels where nothing is
// learned.
absl::StatusOr<std::vector<std::string>> NeededTensors(const ModelEntry& entry,
                                                       const Config& config, Purpose purpose) {
  TRAMA_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, entry.make(config));
  std::vector<std::string> names;
  for (const TensorSpec& input : model->Inputs(/*batch=*/1, /*length=*/1))
    if (!input.name.ends_with("_mask") && (input.name != "labels" || purpose != Purpose::kPredict))
      names.push_back(input.name);
  return names;
}

std::string Text(const Config& config, const char* key) {
  return config.String(key, "").value_or("");
}

// What the flags alone say.
absl::StatusOr<DataOptions> OptionsOf(const Flags& flags, Purpose purpose) {
  DataOptions options;
  options.training = purpose == Purpose::kTrain;
  options.data = flags.String(flags.Given("input") ? "input" : "data");
  if (options.data.empty()) return UsageError("--data is missing: what to read");
  options.val_data = flags.String("val_data");
  options.val_fraction = flags.Double("val_fraction");
  if (options.val_fraction < 0 || options.val_fraction >= 1)
    return UsageError("--val_fraction: not in [0, 1)");
  if (options.val_fraction > 0 && !options.val_data.empty())
    return UsageError("--val_data and --val_fraction exclude each other");
  TRAMA_RETURN_IF_ERROR(CheckTokenizerFlag(flags));
  options.limit = flags.Int("limit");
  options.seed = static_cast<uint64_t>(flags.Int("seed"));
  options.tokenizer_spec = flags.String("tokenizer");
  options.seq_len = flags.Int("seq_len");
  options.stride = flags.Int("stride");
  options.shuffle = flags.Bool("shuffle");
  options.strip_gutenberg = flags.Bool("strip_gutenberg");
  options.target = flags.String("target");
  options.positive = flags.String("positive");
  options.negative = flags.String("negative");
  if (flags.Given("features"))
    options.features = absl::StrSplit(flags.String("features"), ',', absl::SkipEmpty());
  options.text_column = flags.String("text_column");
  options.balance = flags.Bool("balance");
  options.part = flags.String("part");
  options.mask_instruction = flags.Bool("mask_instruction");
  TRAMA_ASSIGN_OR_RETURN(options.splits, Splits(flags.String("splits")));
  return options;
}

// What a model of that configuration reads: windows and their labels, ids, tensors, classes.
absl::Status AddModelsNeeds(const ModelEntry& entry, const Config& config, const Flags& flags,
                            Purpose purpose, DataOptions& options) {
  const bool next_token = entry.task == "next-token";
  options.labels = next_token ? WindowLabels::kNextToken : WindowLabels::kEveryToken;
  // A model that learns one token after each window sees them all.
  if (next_token && options.stride == 0) options.stride = 1;
  if (options.seq_len == 0) {
    TRAMA_ASSIGN_OR_RETURN(const int64_t positions, config.Int("n_positions", 0));
    TRAMA_ASSIGN_OR_RETURN(options.seq_len, config.Int("seq_len", positions));
  }
  TRAMA_ASSIGN_OR_RETURN(options.ids, IdRangeOf(config));
  if (ExtensionOf(options.data) == ".safetensors") {
    TRAMA_ASSIGN_OR_RETURN(options.tensors, NeededTensors(entry, config, purpose));
  }
  TRAMA_ASSIGN_OR_RETURN(options.classifies_text, ClassifiesText(flags, config, options.data));
  const std::string pool = flags.Given("pool") ? flags.String("pool") : Text(config, "pool");
  options.reads_padding = options.classifies_text && pool == "last";
  TRAMA_ASSIGN_OR_RETURN(const int64_t end_id, config.Int("eos_token_id", -1, -1, INT32_MAX));
  options.pad_id = static_cast<int32_t>(end_id);
  TRAMA_ASSIGN_OR_RETURN(options.classes,
                         config.Int(options.classifies_text ? "num_labels" : "classes", 0));
  return absl::OkStatus();
}

// What a trained model brings: its tokenizer, the token that ends a text, and how the table or the
// texts that it learned from were read, where the user says nothing else.
absl::Status AddWhatTheModelRemembers(const LoadedModel& model, const Config& config,
                                      const Flags& flags, Purpose purpose, DataOptions& options) {
  // What it stops at is what it learns.
  TRAMA_ASSIGN_OR_RETURN(const std::vector<int32_t> ends, EndOfText(model));
  options.pad_id = ends.empty() ? -1 : ends.front();
  options.tokenizer = model.tokenizer;
  TRAMA_RETURN_IF_ERROR(CheckSameTokenizer(flags, model));
  // One made of the data would number the vocabulary in another way than the model learned.
  if (!flags.Given("tokenizer")) {
    options.tokenizer_status = CheckTokenizer(model);
    if (!options.tokenizer_status.ok() && purpose != Purpose::kPredict)
      options.tokenizer_status = absl::FailedPreconditionError(
          absl::StrCat(options.tokenizer_status.message(), "; --tokenizer=DIR gives it one"));
  }
  if (options.target.empty() && purpose != Purpose::kPredict)
    options.target = Text(config, "target");
  if (!flags.Given("positive")) options.positive = Text(config, "positive");
  if (!flags.Given("negative")) options.negative = Text(config, "negative");
  TRAMA_ASSIGN_OR_RETURN(options.vocab_size, config.Int("vocab_size", 0));
  if (options.features.empty()) options.features = Names(config, "feature_names");
  if (options.text_column.empty()) options.text_column = Text(config, "text_column");
  // A head of another size is for other classes.
  TRAMA_ASSIGN_OR_RETURN(const int64_t labels, model.config.Int("num_labels", 0));
  if (flags.Int("num_labels") == 0 || flags.Int("num_labels") == labels)
    options.class_names = Names(config, "class_names");
  return absl::OkStatus();
}
}  // namespace

std::vector<FlagSpec> WithDataFlags(Purpose purpose, std::vector<FlagSpec> flags) {
  std::vector<FlagSpec> all = {
      {"data", FlagKind::kString, "",
       "text, tables, instructions or tensors: .txt .json .jsonl .csv .tsv .bin "
       ".safetensors, or a folder of .txt"},
      {"val_data", FlagKind::kString, "", "validation data of the same kind"},
      {"val_fraction", FlagKind::kDouble, "0", "or the last part of --data"},
      {"limit", FlagKind::kInt, "0", "the first so many examples; 0: all", 0},
      {"tokenizer", FlagKind::kString, "chars", "of a new model: chars, bytes, or a directory"},
      {"strip_gutenberg", FlagKind::kBool, "false",
       "leaves out what Project Gutenberg puts around a book"},
      {"seq_len", FlagKind::kInt, "0", "tokens of a window; 0: the model's", 0},
      {"stride", FlagKind::kInt, "0",
       "windows this far apart; 0: random ones to train on, side by side to evaluate", 0},
      {"target", FlagKind::kString, "", "a table's column of labels"},
      {"positive", FlagKind::kString, "", "the target's value that counts as 1"},
      {"negative", FlagKind::kString, "", "the one that counts as 0; other rows are left out"},
      {"features", FlagKind::kString, "", "a table's columns a,b,c; default: all other numbers"},
      {"text_column", FlagKind::kString, "", "a table's column of texts to classify"},
      {"balance", FlagKind::kBool, "false", "as many texts of each class as the rarest has"},
      {"splits", FlagKind::kString, "", "70/10/20: training, validation and test, shuffled"},
      {"mask_instruction", FlagKind::kBool, "false", "learns responses only"}};
  std::erase_if(all, [purpose](const FlagSpec& flag) {
    static const std::set<std::string> training{"val_data", "val_fraction"},
        prediction{"limit", "seq_len", "features", "text_column"};
    return purpose == Purpose::kEvaluate
               ? training.contains(flag.name)
               : purpose == Purpose::kPredict && !prediction.contains(flag.name);
  });
  all.insert(all.end(), flags.begin(), flags.end());
  return all;
}

absl::StatusOr<LoadedData> LoadDataFor(const Flags& flags, const LoadedModel* model,
                                       const std::string& name, Purpose purpose) {
  TRAMA_ASSIGN_OR_RETURN(DataOptions options, OptionsOf(flags, purpose));
  if (flags.Given("tokenizer") && options.tokenizer_spec == "chars" &&
      !(model && model->tokenizer) && ExtensionOf(options.data) == ".bin")
    return UsageError("--tokenizer=chars: is made of text, and a .bin has ids; name a directory");

  TRAMA_ASSIGN_OR_RETURN(const ModelEntry* entry, EntryOf(name));
  Config config = model ? model->config : entry->defaults;
  TRAMA_ASSIGN_OR_RETURN(const Config new_config, ConfigOf(flags));
  if (!model)
    for (const auto& [key, value] : new_config.values()) config.Set(key, value);
  if (flags.Int("num_labels") > 0 && config.Has("num_labels"))
    config.Set("num_labels", flags.Int("num_labels"));
  TRAMA_RETURN_IF_ERROR(AddModelsNeeds(*entry, config, flags, purpose, options));
  if (model) {
    TRAMA_RETURN_IF_ERROR(AddWhatTheModelRemembers(*model, config, flags, purpose, options));
  } else if (options.positive.empty() && !new_config.Has("classes") && !options.classifies_text) {
    options.classes = 0;  // a new classifier gets as many classes as the target has values
  }
  if (new_config.Has("vocab_size")) {
    TRAMA_ASSIGN_OR_RETURN(options.vocab_size, new_config.Int("vocab_size", 0));
  }
  // Lines of label TAB text name no column: their labels are read all the same.
  if (options.classifies_text && options.text_column.empty() && purpose != Purpose::kPredict)
    options.target = "label";
  TRAMA_ASSIGN_OR_RETURN(LoadedData data, LoadData(options));
  if (model || new_config.Has("features"))
    TRAMA_RETURN_IF_ERROR(CheckFeatures(options.data, data.features, config));
  return data;
}

void RememberTable(const Flags& flags, const LoadedData& data, LoadedModel* model) {
  if (data.seq_len > 0) model->config.Set("seq_len", data.seq_len);
  if (data.features.empty() && data.class_names.empty()) return;
  if (!data.features.empty()) model->config.Set("feature_names", data.features);
  model->config.Set("class_names", data.class_names);
  for (const char* flag : {"target", "positive", "negative", "text_column"})
    if (flags.Given(flag)) model->config.Set(flag, flags.String(flag));
}

std::vector<std::string> ClassNames(const LoadedModel& model) {
  return Names(model.config, "class_names");
}

}  // namespace trama::cli
