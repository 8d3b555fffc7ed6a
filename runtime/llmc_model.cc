#include "runtime/llmc_model.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"

namespace trama {
namespace {

constexpr int32_t kMagic = 20240326;
constexpr size_t kHeaderInts = 256, kHeaderBytes = kHeaderInts * sizeof(int32_t);
constexpr int64_t kPadding = 128;  // of the vocabulary, as llm.c writes it
constexpr int64_t kEndOfText = 50256, kPublishedVocabulary = 50257;

struct LlmcSizes {
  int64_t context, vocabulary, layers, heads, width, padded;
};

// One tensor in the file's order.
struct Part {
  std::string name;  // Hugging Face's
  Shape shape;       // and its layout
  bool transposed = false;
  int64_t padding = 0;  // rows of zeros behind it
};

std::vector<Part> Layout(const LlmcSizes& sizes) {
  const int64_t c = sizes.width;
  std::vector<Part> parts = {
      {"wte.weight", {sizes.vocabulary, c}, false, sizes.padded - sizes.vocabulary},
      {"wpe.weight", {sizes.context, c}}};
  const std::vector<Part> block = {{"ln_1.weight", {c}},
                                   {"ln_1.bias", {c}},
                                   {"attn.c_attn.weight", {c, 3 * c}, true},
                                   {"attn.c_attn.bias", {3 * c}},
                                   {"attn.c_proj.weight", {c, c}, true},
                                   {"attn.c_proj.bias", {c}},
                                   {"ln_2.weight", {c}},
                                   {"ln_2.bias", {c}},
                                   {"mlp.c_fc.weight", {c, 4 * c}, true},
                                   {"mlp.c_fc.bias", {4 * c}},
                                   {"mlp.c_proj.weight", {4 * c, c}, true},
                                   {"mlp.c_proj.bias", {c}}};
  for (const Part& part : block)
    for (int64_t i = 0; i < sizes.layers; ++i)
      parts.push_back({absl::StrCat("h.", i, ".", part.name), part.shape, part.transposed});
  parts.push_back({"ln_f.weight", {c}});
  parts.push_back({"ln_f.bias", {c}});
  return parts;
}

// from: [rows, columns] of elements of T -> [columns, rows], by squares that fit a cache.
template <typename T>
void Transpose(const char* from, char* to, int64_t rows, int64_t columns) {
  constexpr int64_t kSide = 32;
  for (int64_t r0 = 0; r0 < rows; r0 += kSide)
    for (int64_t c0 = 0; c0 < columns; c0 += kSide)
      for (int64_t r = r0; r < std::min(rows, r0 + kSide); ++r)
        for (int64_t c = c0; c < std::min(columns, c0 + kSide); ++c)
          std::memcpy(to + (c * rows + r) * static_cast<int64_t>(sizeof(T)),
                      from + (r * columns + c) * static_cast<int64_t>(sizeof(T)), sizeof(T));
}

void Transpose(DType dtype, const char* from, char* to, int64_t rows, int64_t columns) {
  if (SizeOf(dtype) == sizeof(float))
    Transpose<float>(from, to, rows, columns);
  else
    Transpose<uint16_t>(from, to, rows, columns);
}

template <typename... What>
absl::Status Damaged(const std::string& path, size_t byte, const What&... what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": byte ", byte, ": ", what...));
}

// The integers of the header, bounded so that no product of theirs overflows.
absl::StatusOr<LlmcSizes> ReadSizes(const std::array<int32_t, kHeaderInts>& header,
                                    const std::string& path) {
  struct Field {
    const char* name;
    int32_t low, high;
  };
  const Field fields[] = {{"context", 1, 1 << 24},       {"vocabulary", 1, 1 << 24},
                          {"number of blocks", 0, 1000}, {"number of heads", 1, 1 << 16},
                          {"width", 1, 1 << 16},         {"padded vocabulary", header[3], 1 << 25}};
  const size_t count = header[1] == 1 ? 5 : 6;  // version 1 does not pad
  for (size_t i = 0; i < count; ++i)
    if (const int32_t value = header[2 + i]; value < fields[i].low || value > fields[i].high)
      return Damaged(path, (2 + i) * sizeof(int32_t), "the ", fields[i].name, " is ", value);
  return LlmcSizes{header[2], header[3], header[4],
                   header[5], header[6], header[1] == 1 ? header[3] : header[7]};
}

// What the format has no place for.
absl::StatusOr<LlmcSizes> SizesToWrite(const LoadedModel& model) {
  if (model.entry->model_type != "gpt2")
    return absl::InvalidArgumentError(
        absl::StrCat("llm.c's format holds gpt2, and no ", model.entry->name));
  const Config& config = model.config;
  LlmcSizes sizes{};
  for (const auto& [key, value] :
       {std::pair("n_positions", &sizes.context), std::pair("vocab_size", &sizes.vocabulary),
        std::pair("n_layer", &sizes.layers), std::pair("n_head", &sizes.heads),
        std::pair("n_embd", &sizes.width)}) {
    TRAMA_ASSIGN_OR_RETURN(*value, config.Int(key, 0));
  }
  sizes.padded = (sizes.vocabulary + kPadding - 1) / kPadding * kPadding;
  TRAMA_ASSIGN_OR_RETURN(const std::string activation, config.String("activation_function", ""));
  TRAMA_ASSIGN_OR_RETURN(const double epsilon, config.Double("layer_norm_epsilon", 0));
  TRAMA_ASSIGN_OR_RETURN(const bool scaled, config.Bool("scale_attn_weights", true));
  TRAMA_ASSIGN_OR_RETURN(const bool by_layer,
                         config.Bool("scale_attn_by_inverse_layer_idx", false));
  std::vector<std::string> problems;
  if (activation != "gelu_new")
    problems.push_back(absl::StrCat("activation_function is '", activation, "', not gelu_new"));
  if (epsilon != 1e-5)
    problems.push_back(absl::StrCat("layer_norm_epsilon is ", epsilon, ", not 1e-05"));
  if (!scaled) problems.push_back("scale_attn_weights is false");
  if (by_layer) problems.push_back("scale_attn_by_inverse_layer_idx is true");
  const std::vector<Part> layout = Layout(sizes);
  TensorMap::size_type found = 0;
  for (const Part& part : layout) {
    const auto parameter = model.parameters.find(part.name);
    found += parameter != model.parameters.end();
    if (parameter == model.parameters.end() || parameter->second.shape != part.shape)
      problems.push_back(absl::StrCat("no ", part.name, " of shape ", ToString(part.shape)));
  }
  if (found != model.parameters.size())
    problems.push_back("parameters beyond those of a language model with a tied head");
  if (!problems.empty())
    return absl::InvalidArgumentError(
        absl::StrCat("llm.c's format cannot hold this model: ", absl::StrJoin(problems, "; ")));
  return sizes;
}

}  // namespace

absl::StatusOr<LoadedModel> ReadLlmcModel(const std::string& path) {
  TRAMA_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const std::string_view bytes = file.bytes();
  std::array<int32_t, kHeaderInts> header;
  if (bytes.size() < kHeaderBytes)
    return Damaged(path, bytes.size(), "the file ends before its header");
  std::memcpy(header.data(), bytes.data(), kHeaderBytes);
  if (header[0] != kMagic)
    return Damaged(path, 0, "not the magic number of llm.c's checkpoints, ", kMagic);
  const int32_t version = header[1];
  if (version != 1 && version != 3 && version != 5)
    return Damaged(path, sizeof(int32_t), "version ", version, " is none of 1, 3, 5");
  TRAMA_ASSIGN_OR_RETURN(const LlmcSizes sizes, ReadSizes(header, path));
  const DType dtype = version == 5 ? DType::kBF16 : DType::kF32;

  const std::vector<Part> layout = Layout(sizes);
  size_t end = kHeaderBytes;
  for (const Part& part : layout) {
    const int64_t padding = part.padding * part.shape.back();
    end += static_cast<size_t>(*NumElements(part.shape) + padding) * SizeOf(dtype);
  }
  if (end != bytes.size())
    return Damaged(path, std::min(end, bytes.size()), "the header speaks of ", end,
                   " bytes, the file has ", bytes.size());

  Config config;
  for (const auto& [key, value] :
       {std::pair("n_positions", sizes.context), std::pair("vocab_size", sizes.vocabulary),
        std::pair("n_layer", sizes.layers), std::pair("n_head", sizes.heads),
        std::pair("n_embd", sizes.width)})
    config.Set(key, value);
  if (sizes.vocabulary == kPublishedVocabulary)
    for (const char* key : {"bos_token_id", "eos_token_id"}) config.Set(key, kEndOfText);
  absl::StatusOr<LoadedModel> loaded = ModelOfConfig("gpt2", config);
  if (!loaded.ok()) return Damaged(path, 0, "the header: ", loaded.status().message());
  size_t at = kHeaderBytes;
  for (const Part& part : layout) {
    HostTensor tensor(dtype, part.shape);
    char* to = reinterpret_cast<char*>(tensor.bytes.data());
    if (part.transposed)
      Transpose(dtype, bytes.data() + at, to, part.shape[1], part.shape[0]);
    else
      std::memcpy(to, bytes.data() + at, tensor.bytes.size());
    at +=
        tensor.bytes.size() + static_cast<size_t>(part.padding * part.shape.back()) * SizeOf(dtype);
    loaded->parameters[part.name] = std::move(tensor);
  }
  return loaded;
}

absl::Status WriteLlmcModel(const LoadedModel& model, DType dtype, const std::string& path) {
  if (dtype != DType::kF32 && dtype != DType::kBF16)
    return absl::InvalidArgumentError(
        absl::StrCat("llm.c's format holds f32 or bf16, not ", std::string(Name(dtype))));
  TRAMA_ASSIGN_OR_RETURN(const LlmcSizes sizes, SizesToWrite(model));
  std::array<int32_t, kHeaderInts> header{};
  const int64_t values[] = {kMagic,        dtype == DType::kF32 ? 3 : 5,
                            sizes.context, sizes.vocabulary,
                            sizes.layers,  sizes.heads,
                            sizes.width,   sizes.padded};
  std::copy(std::begin(values), std::end(values), header.begin());
  TRAMA_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  TRAMA_RETURN_IF_ERROR(file.Write({reinterpret_cast<const char*>(header.data()), kHeaderBytes}));
  for (const Part& part : Layout(sizes)) {
    const HostTensor& stored = model.parameters.at(part.name);
    const HostTensor cast = stored.dtype == dtype ? HostTensor() : stored.Cast(dtype);
    const HostTensor& tensor = stored.dtype == dtype ? stored : cast;
    const char* from = reinterpret_cast<const char*>(tensor.bytes.data());
    std::string bytes(tensor.bytes.size(), '\0');
    if (part.transposed)
      Transpose(dtype, from, bytes.data(), part.shape[0], part.shape[1]);
    else
      bytes.assign(from, tensor.bytes.size());
    bytes.append(static_cast<size_t>(part.padding * part.shape.back()) * SizeOf(dtype), '\0');
    TRAMA_RETURN_IF_ERROR(file.Write(bytes));
  }
  return file.Commit();
}

}  // namespace trama
