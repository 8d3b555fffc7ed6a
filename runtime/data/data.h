// --data=FILE: which kind of file it is, and the datasets it becomes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/dataset.h"
#include "runtime/data/id_range.h"
#include "runtime/data/instruction.h"
#include "runtime/tokenizer/tokenizer.h"

namespace trama {

// What a model learns from a window of text.
enum class WindowLabels {
  kEveryToken,  // labels i32 [B, T]: the id that follows each position
  kNextToken,   // labels i32 [B]: the id that follows the window
};

struct DataOptions {
  std::string data;              // a file or directory
  std::string val_data{};        // validation from another file of the same kind
  double val_fraction = 0;       // or from the last part of `data`, in [0, 1)
  int64_t limit = 0;             // the first so many examples of `data`; 0: all
  bool strip_gutenberg = false;  // of text: StripGutenberg
  uint64_t seed = 0;
  // False: for eval and predict. All of `data` comes in its order as LoadedData::validation, and
  // labels are left out where `target` is empty.
  bool training = true;

  IdRange ids{};                       // of tensors and .bin; ids beyond it are an error
  std::vector<std::string> tensors{};  // that .safetensors must have

  // Text: --tokenizer=chars|bytes|DIR, or one that is loaded already and then wins.
  std::string tokenizer_spec = "chars";
  std::shared_ptr<const Tokenizer> tokenizer{};
  absl::Status tokenizer_status{};  // why there may be none: what text is refused with
  int64_t vocab_size = 0;           // the model's; ids beyond it are an error. 0: not checked
  int64_t seq_len = 0;
  int64_t stride = 0;   // 0: random windows, and side by side where `training` is false
  bool shuffle = true;  // false: side by side in training too
  WindowLabels labels = WindowLabels::kEveryToken;

  // Token sequences of different lengths: classified texts and instructions. Longer ones are cut at
  // seq_len; shorter ones are padded with `pad_id`, or where that is -1 with the tokenizer's end of
  // text.
  int32_t pad_id = -1;
  bool classifies_text = false;   // the model gives a class to each text
  std::string text_column{};      // of a table; empty: lines of label TAB text
  bool reads_padding = false;     // all are padded to one length, and the padding is read as text
  bool balance = false;           // as many texts of each class as the rarest has
  std::vector<double> splits{};   // shares of training, validation and test, shuffled by `seed`
  std::string part{};             // the one of them that is read where `training` is false
  bool mask_instruction = false;  // no target before the response

  // Tables.
  std::string target{};                    // the label's column
  std::string positive{}, negative{};      // values of a binary target
  std::vector<std::string> features{};     // empty: all other numeric columns
  int64_t classes = 0;                     // the model's; 1: a binary target as f32 0 and 1
  std::vector<std::string> class_names{};  // in the order of their ids; empty: from the data
};

struct LoadedData {
  std::unique_ptr<Dataset> train;                  // null unless options.training
  std::unique_ptr<Dataset> validation;             // null where none was asked for
  std::shared_ptr<const Tokenizer> tokenizer;      // text; null for .bin without one
  std::vector<std::string> features, class_names;  // tables; classes of texts too
  int64_t seq_len = 0;             // of options.reads_padding: the length that all have
  std::vector<std::string> notes;  // a line each: what the user should know of the data
  // Text to evaluate: the bytes that its targets stand for; 0 where that is not known.
  int64_t target_bytes = 0;
  std::vector<Instruction>
      records;  // instructions to evaluate: those of `validation`, in its order
};

// Reads the data by its kind. Errors are one line that names the file: NotFound where it is not
// there (with the nearest name), InvalidArgument where it is empty, too short or wrong.
absl::StatusOr<LoadedData> LoadData(const DataOptions& options);

// A kind of data is a file of its own that registers itself: TRAMA_DATA_KIND((DataKind{...})).
struct DataKind {
  std::string name;  // "text (.txt, .jsonl)": for the message where no kind fits
  bool (*claims)(const DataOptions& options);
  absl::StatusOr<LoadedData> (*load)(const DataOptions& options);
  int priority = 0;  // of several that claim the data, the highest loads it
  // Of splits (and part), balance, mask_instruction and strip_gutenberg those that `load` knows.
  // Others are refused.
  std::vector<std::string_view> knows = {};
};
bool RegisterDataKind(const DataKind& kind);

#define TRAMA_DATA_KIND(kind) \
  static const bool trama_data_kind_registered_ [[maybe_unused]] = ::trama::RegisterDataKind(kind)

// How many of `count` examples are trained on: the first part, int((1 - val_fraction) * count).
int64_t TrainingPart(int64_t count, double val_fraction);

}  // namespace trama
