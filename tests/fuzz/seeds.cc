// Writes what the fuzz targets start from: fuzz_seeds OUT makes OUT/NAME/ for each of them.
#include <google/protobuf/text_format.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "frontend/model.h"
#include "runtime/compiler.h"
#include "runtime/formats/config_json.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "runtime/llmc_model.h"
#include "runtime/model_directory.h"
#include "tests/tensorflow_checkpoint_writer.h"

namespace trama {
namespace {

absl::Status Write(const std::string& out, const std::string& name, const std::string& content) {
  TRAMA_RETURN_IF_ERROR(MakeDirectories(DirectoryOf(JoinPath(out, name))));
  return AtomicWriteFile(JoinPath(out, name), content);
}

absl::Status WriteTexts(const std::string& out) {
  TRAMA_RETURN_IF_ERROR(
      Write(out, "json/values", R"({"a": [1, -2.5e-3, true, null, "ç\u00e7\n"], "b": {"c": {}}})"));
  TRAMA_RETURN_IF_ERROR(Write(out, "csv/quotes", "a,b,c\n1,\"x, \"\"y\"\"\",2.5\r\n\n-3,,z\n"));
  TRAMA_RETURN_IF_ERROR(Write(out, "csv/tabs", "a\tb\n1\tum\n2\tdois \"três\"\n"));
  TRAMA_RETURN_IF_ERROR(Write(out, "config/lines",
                              "n_layer=2\nn_head=2\nn_embd=16\nvocab_size=50\nn_positions=8\n"
                              "num_labels=3\nlora_rank=2\nactivation_function=relu\nfeatures=4\n"
                              "classes=3\nhidden=8\ntie_word_embeddings=false\n"));
  for (const auto& [name, entry] : Models())
    TRAMA_RETURN_IF_ERROR(
        Write(out, absl::StrCat("config/", name), ConfigToJson(entry.defaults).Dump(2)));
  return absl::OkStatus();
}

absl::Status WriteTokenizers(const std::string& out) {
  const std::string bpe =
      "==== vocab.json\n{\"l\": 0, \"o\": 1, \"w\": 2, \"e\": 3, \"r\": 4, \"\u0120\": 5, \"lo\": "
      "6, \"low\": 7, \"er\": 8, \"\u0120low\": 9, \"<|endoftext|>\": 10}\n"
      "==== merges.txt\n#version: 0.2\nl o\nlo w\ne r\n\u0120 low\n"
      "==== tokenizer_config.json\n{\"tokenizer_class\": \"GPT2Tokenizer\"}\n";
  TRAMA_RETURN_IF_ERROR(Write(out, "tokenizer/bpe", bpe));
  TRAMA_RETURN_IF_ERROR(
      Write(out, "tokenizer/wordpiece",
            "==== vocab.txt\n[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nlow\n##er\n##est\nnew\n,\n!\n"
            "==== tokenizer_config.json\n"
            "{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": true}\n"));
  TRAMA_RETURN_IF_ERROR(Write(
      out, "tokenizer/fast",
      "==== tokenizer.json\n{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 3, \"content\": "
      "\"<|endoftext|>\", \"special\": true}], \"pre_tokenizer\": {\"type\": \"ByteLevel\", "
      "\"add_prefix_space\": false}, \"decoder\": {\"type\": \"ByteLevel\"}, \"model\": {\"type\": "
      "\"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, \"<|endoftext|>\": 3}, \"merges\": "
      "[\"a b\"]}}\n"));
  return Write(out, "tokenizer/chars",
               "==== vocab.json\n{\"a\": 0, \"ç\": 1}\n"
               "==== tokenizer_config.json\n{\"tokenizer_class\": \"TramaCharTokenizer\"}\n");
}

absl::Status WriteWeights(const std::string& out) {
  Config config;
  for (const auto& [key, value] : {std::pair("n_layer", 1),
                                   {"n_head", 1},
                                   {"n_embd", 4},
                                   {"vocab_size", 3},
                                   {"n_positions", 2}})
    config.Set(key, int64_t{value});
  TRAMA_ASSIGN_OR_RETURN(const LoadedModel model, NewModel("gpt2", config, 0));
  for (const char* folder : {"safetensors", "llmc", "tensorflow", "plan"})
    TRAMA_RETURN_IF_ERROR(MakeDirectories(JoinPath(out, folder)));
  TRAMA_RETURN_IF_ERROR(WriteSafetensors(JoinPath(out, "safetensors/gpt2"),
                                         SourcesOf(model.parameters), {{"format", "pt"}}));
  TRAMA_RETURN_IF_ERROR(WriteLlmcModel(model, DType::kF32, JoinPath(out, "llmc/f32")));
  TRAMA_RETURN_IF_ERROR(WriteLlmcModel(model, DType::kBF16, JoinPath(out, "llmc/bf16")));
  const Bundle bundle = MakeBundle(model.parameters);
  TRAMA_RETURN_IF_ERROR(Write(out, "tensorflow/index", WriteTable(bundle.entries).bytes));
  std::string entries;
  for (const auto& [key, value] : bundle.entries)
    absl::StrAppend(&entries, "==== ", key, "\n", value, "\n");
  TRAMA_RETURN_IF_ERROR(Write(out, "tensorflow/entries", entries));

  Config small;
  small.Set("features", int64_t{2});
  TRAMA_ASSIGN_OR_RETURN(const LoadedModel classifier, NewModel("logistic-regression", small, 0));
  const std::vector<Program> programs = {
      ProgramOf(*classifier.model, ProgramKind::kForward, 1, 1),
      ProgramOf(*classifier.model, ProgramKind::kTrainStep, 2, 1)};
  CompileOptions options;
  options.device.compiles_bodies = false;
  TRAMA_ASSIGN_OR_RETURN(const plan::Plan plan,
                         CompileModel(*classifier.model, programs, options, DType::kF32));
  std::string text;
  google::protobuf::TextFormat::PrintToString(plan, &text);
  TRAMA_RETURN_IF_ERROR(Write(out, "plan/text", text));
  return Write(out, "plan/bytes", plan.SerializeAsString());
}

absl::Status WriteAll(const std::string& out) {
  TRAMA_RETURN_IF_ERROR(RemoveAll(out));
  TRAMA_RETURN_IF_ERROR(WriteTexts(out));
  TRAMA_RETURN_IF_ERROR(WriteTokenizers(out));
  return WriteWeights(out);
}

}  // namespace
}  // namespace trama

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds OUT\n");
    return 2;
  }
  const absl::Status status = trama::WriteAll(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
