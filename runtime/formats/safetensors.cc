#include "runtime/formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/json.h"

namespace trama {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kLargestHeader = 100'000'000;  // the format's own limit
constexpr char kMetadata[] = "__metadata__";

struct TypeName {
  const char* name;
  DType dtype;
};
constexpr TypeName kTypes[] = {
    {"F64", DType::kF64}, {"F32", DType::kF32}, {"F16", DType::kF16},   {"BF16", DType::kBF16},
    {"I64", DType::kI64}, {"I32", DType::kI32}, {"I16", DType::kI16},   {"I8", DType::kI8},
    {"U16", DType::kU16}, {"U8", DType::kU8},   {"BOOL", DType::kBool},
};

const char* FileNameOfType(DType dtype) {
  for (const TypeName& type : kTypes)
    if (type.dtype == dtype) return type.name;
  return "";
}

template <typename... Parts>
absl::Status Damaged(const std::string& path, size_t byte, const Parts&... what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": byte ", byte, ": ", what...));
}

// One tensor of the header. `data` is where the data begins, `size` the bytes of the file.
absl::StatusOr<SafetensorsFile::Entry> ParseEntry(const Json::Member& member, size_t data,
                                                  size_t size) {
  const auto& [name, value] = member;
  const auto wrong = [&name = name](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", name, ": ", what...));
  };
  if (!value.is_object()) return wrong("its entry is ", std::string(value.KindName()));
  const absl::StatusOr<std::string> type = value.Get<std::string>("dtype");
  if (!type.ok()) return wrong(type.status().message());
  absl::StatusOr<Shape> shape = value.Get<Shape>("shape");
  if (!shape.ok()) return wrong(shape.status().message());
  const absl::StatusOr<std::vector<int64_t>> offsets =
      value.Get<std::vector<int64_t>>("data_offsets");
  if (!offsets.ok()) return wrong(offsets.status().message());

  SafetensorsFile::Entry entry;
  entry.name = name;
  const auto* known = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [&](const TypeName& t) { return t.name == *type; });
  if (known == std::end(kTypes)) return wrong("dtype ", *type, " is not supported");
  entry.dtype = known->dtype;
  entry.shape = *std::move(shape);
  const std::optional<int64_t> count = NumElements(entry.shape);
  int64_t bytes;
  if (!count || __builtin_mul_overflow(*count, static_cast<int64_t>(SizeOf(entry.dtype)), &bytes))
    return wrong("shape ", ToString(entry.shape), " is not possible");
  if (offsets->size() != 2) return wrong("data_offsets has ", offsets->size(), " numbers, not 2");
  const int64_t begin = (*offsets)[0], end = (*offsets)[1];
  if (begin < 0 || end < begin) return wrong("data_offsets [", begin, ", ", end, "] run backwards");
  if (static_cast<uint64_t>(end) > size - data)
    return wrong("data_offsets [", begin, ", ", end, "] go beyond the file's ", size - data,
                 " bytes of data");
  if (end - begin != bytes)
    return wrong("shape ", ToString(entry.shape), " of ", *type, " needs ", bytes,
                 " bytes, data_offsets give ", end - begin);
  entry.begin = data + static_cast<size_t>(begin);
  entry.end = data + static_cast<size_t>(end);
  return entry;
}

}  // namespace

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  TRAMA_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  auto shared = std::make_shared<const MappedFile>(std::move(mapped));
  TRAMA_ASSIGN_OR_RETURN(SafetensorsFile file, Parse(shared->bytes(), path));
  file.mapped_ = std::move(shared);
  return file;
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::Parse(std::string_view bytes,
                                                       const std::string& path) {
  if (bytes.size() < kLengthBytes)
    return Damaged(path, bytes.size(), "the file ends before its header");
  uint64_t length;
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > bytes.size() - kLengthBytes || length > kLargestHeader)
    return Damaged(path, 0, "a header of ", length, " bytes in a file of ", bytes.size());
  const std::string_view header = bytes.substr(kLengthBytes, length);
  absl::StatusOr<Json> json = Json::Parse(header, /*max_depth=*/8);
  if (!json.ok()) return Damaged(path, kLengthBytes, "the header: ", json.status().message());
  if (!json->is_object())
    return Damaged(path, kLengthBytes, "the header is ", std::string(json->KindName()));

  SafetensorsFile file;
  file.path_ = path;
  file.bytes_ = bytes;
  const size_t data = kLengthBytes + length;
  // Where a name stands in the file, for messages.
  const auto place = [&](const std::string& name) {
    const size_t at = header.find(Json(name).Dump());
    return kLengthBytes + (at == std::string_view::npos ? 0 : at);
  };
  for (const Json::Member& member : json->object()) {
    const auto& [name, value] = member;
    if (name == kMetadata) {
      for (const auto& [key, text] : value.object()) {
        if (!text.if_string()) return Damaged(path, place(key), "metadata ", key, " is no string");
        file.metadata_.emplace_back(key, *text.if_string());
      }
      continue;
    }
    absl::StatusOr<Entry> entry = ParseEntry(member, data, bytes.size());
    if (!entry.ok()) return Damaged(path, place(name), entry.status().message());
    file.entries_.push_back(*std::move(entry));
  }

  const std::vector<Entry>& entries = file.entries_;
  file.by_name_.resize(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) file.by_name_[i] = i;
  std::vector<size_t> by_place = file.by_name_;
  std::sort(file.by_name_.begin(), file.by_name_.end(),
            [&](size_t a, size_t b) { return entries[a].name < entries[b].name; });
  for (size_t i = 1; i < entries.size(); ++i) {
    const std::string& name = entries[file.by_name_[i]].name;
    if (name == entries[file.by_name_[i - 1]].name)
      return Damaged(path, place(name), "tensor ", name, " is there twice");
  }
  // The data is covered without a gap or an overlap, as the format demands.
  std::sort(by_place.begin(), by_place.end(), [&](size_t a, size_t b) {
    return std::pair(entries[a].begin, entries[a].end) <
           std::pair(entries[b].begin, entries[b].end);
  });
  size_t covered = data;
  for (const size_t i : by_place) {
    const Entry& entry = entries[i];
    if (entry.begin < covered)
      return Damaged(path, entry.begin, "tensor ", entry.name, " overlaps the one before it");
    if (entry.begin > covered)
      return Damaged(path, covered, entry.begin - covered, " bytes belong to no tensor");
    covered = entry.end;
  }
  if (covered < bytes.size())
    return Damaged(path, covered, bytes.size() - covered, " bytes belong to no tensor");
  return file;
}

const SafetensorsFile::Entry* SafetensorsFile::Find(std::string_view name) const {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [this](size_t i, std::string_view wanted) { return entries_[i].name < wanted; });
  if (found == by_name_.end() || entries_[*found].name != name) return nullptr;
  return &entries_[*found];
}

HostTensor SafetensorsFile::Read(const Entry& entry) const {
  const std::string_view raw = Raw(entry);
  const auto* bytes = reinterpret_cast<const std::byte*>(raw.data());
  HostTensor tensor;
  tensor.dtype = entry.dtype;
  tensor.shape = entry.shape;
  tensor.bytes.assign(bytes, bytes + raw.size());
  if (mapped_) mapped_->Release(raw);  // a large model is not in memory twice
  return tensor;
}

absl::StatusOr<HostTensor> SafetensorsFile::Read(std::string_view name) const {
  if (const Entry* entry = Find(name)) return Read(*entry);
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.name);
  return absl::NotFoundError(
      absl::StrCat(path_, ": no tensor ", std::string(name), DidYouMean(name, names)));
}

TensorSource SourceOf(std::string name, const HostTensor& tensor) {
  return {std::move(name), tensor.dtype, tensor.shape, [&tensor] {
            return std::string_view(reinterpret_cast<const char*>(tensor.bytes.data()),
                                    tensor.bytes.size());
          }};
}

std::vector<TensorSource> SourcesOf(const TensorMap& tensors) {
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : tensors) sources.push_back(SourceOf(name, tensor));
  return sources;
}

absl::Status WriteSafetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                              const SafetensorsMetadata& metadata) {
  const auto refuse = [&path](const TensorSource& tensor, const auto&... why) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write: ", path, " (tensor ", tensor.name, " ", why..., ")"));
  };
  Json header = Json::MakeObject();
  if (!metadata.empty()) {
    Json values = Json::MakeObject();
    for (const auto& [key, value] : metadata) values.Set(key, value);
    header.Set(kMetadata, std::move(values));
  }
  Json::Object members = header.object();
  std::set<std::string_view> names;
  std::vector<int64_t> sizes;
  int64_t offset = 0;
  for (const TensorSource& tensor : tensors) {
    if (tensor.name == kMetadata || !names.insert(tensor.name).second)
      return refuse(tensor, "is there twice");
    const std::optional<int64_t> count = NumElements(tensor.shape);
    int64_t& size = sizes.emplace_back();
    if (!count || __builtin_mul_overflow(*count, static_cast<int64_t>(SizeOf(tensor.dtype)), &size))
      return refuse(tensor, "has the impossible shape ", ToString(tensor.shape));
    members.emplace_back(tensor.name,
                         Json::MakeObject({{"dtype", FileNameOfType(tensor.dtype)},
                                           {"shape", Json::ArrayOf(tensor.shape)},
                                           {"data_offsets", Json::Array{offset, offset + size}}}));
    offset += size;
  }
  std::string text = Json::MakeObject(std::move(members)).Dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins aligned
  const uint64_t length = text.size();

  TRAMA_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  TRAMA_RETURN_IF_ERROR(file.Write({reinterpret_cast<const char*>(&length), sizeof(length)}));
  TRAMA_RETURN_IF_ERROR(file.Write(text));
  for (size_t i = 0; i < tensors.size(); ++i) {
    TRAMA_ASSIGN_OR_RETURN(const std::string_view bytes, tensors[i].bytes());
    if (static_cast<int64_t>(bytes.size()) != sizes[i])
      return refuse(tensors[i], "has ", bytes.size(), " bytes for shape ",
                    ToString(tensors[i].shape));
    TRAMA_RETURN_IF_ERROR(file.Write(bytes));
  }
  return file.Commit();
}

absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors,
                              const SafetensorsMetadata& metadata) {
  return WriteSafetensors(path, SourcesOf(tensors), metadata);
}

}  // namespace trama
