#include "runtime/formats/tensorflow_checkpoint.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "runtime/formats/crc32c.h"
#include "runtime/formats/tensorflow_table.h"
#include "runtime/tensor_bundle.pb.h"

namespace trama {
namespace {

constexpr int kReaderVersion = 1;  // of the format that this file knows
constexpr int kMostShards = 99999;

template <typename... Parts>
absl::Status Damaged(const std::string& path, size_t byte, const Parts&... what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": byte ", byte, ": ", what...));
}

std::optional<DType> FromTensorflow(int dtype) {
  switch (dtype) {
    case 1:
      return DType::kF32;
    case 2:
      return DType::kF64;
    case 3:
      return DType::kI32;
    case 4:
      return DType::kU8;
    case 5:
      return DType::kI16;
    case 6:
      return DType::kI8;
    case 9:
      return DType::kI64;
    case 10:
      return DType::kBool;
    case 14:
      return DType::kBF16;
    case 17:
      return DType::kU16;
    case 19:
      return DType::kF16;
    default:
      return std::nullopt;
  }
}

bool ParseMessage(std::string_view bytes, google::protobuf::MessageLite& message) {
  return bytes.size() <= INT32_MAX &&
         message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

absl::StatusOr<size_t> ParseHeader(const TableEntry& entry, const std::string& path) {
  tensor_bundle::Header header;
  if (!ParseMessage(entry.value, header)) return Damaged(path, entry.byte, "the header is damaged");
  if (header.num_shards() < 1 || header.num_shards() > kMostShards)
    return Damaged(path, entry.byte, "a checkpoint of ", header.num_shards(), " data files");
  if (header.endianness() != 0)
    return absl::UnimplementedError(
        absl::StrCat(path, ": byte ", entry.byte, ": the data is not little-endian"));
  if (header.version().min_consumer() > kReaderVersion)
    return absl::UnimplementedError(absl::StrCat(path, ": byte ", entry.byte,
                                                 ": needs a reader of version ",
                                                 header.version().min_consumer()));
  return static_cast<size_t>(header.num_shards());
}

absl::StatusOr<TensorflowCheckpoint::Entry> ParseEntry(const TableEntry& stored, size_t shards,
                                                       const std::string& path) {
  const auto wrong = [&](const auto&... what) {
    return Damaged(path, stored.byte, "tensor ", stored.key, ": ", what...);
  };
  tensor_bundle::Entry message;
  if (!ParseMessage(stored.value, message)) return wrong("its entry is damaged");
  if (message.slices_size() > 0) return wrong("stored in slices, which is not supported");
  TensorflowCheckpoint::Entry entry;
  entry.name = stored.key;
  const std::optional<DType> dtype = FromTensorflow(message.dtype());
  if (!dtype) return wrong("dtype ", message.dtype(), " is not supported");
  entry.dtype = *dtype;
  if (message.shape().unknown_rank()) return wrong("its shape is unknown");
  for (const tensor_bundle::Shape::Dim& dim : message.shape().dim())
    entry.shape.push_back(dim.size());
  const std::optional<int64_t> count = NumElements(entry.shape);
  int64_t bytes, end;
  if (!count || __builtin_mul_overflow(*count, static_cast<int64_t>(SizeOf(entry.dtype)), &bytes))
    return wrong("shape ", ToString(entry.shape), " is not possible");
  if (message.size() != bytes)
    return wrong("shape ", ToString(entry.shape), " of ", std::string(Name(entry.dtype)), " needs ",
                 bytes, " bytes, not ", message.size());
  if (message.shard_id() < 0 || static_cast<size_t>(message.shard_id()) >= shards)
    return wrong("data file ", message.shard_id(), " of ", shards);
  if (message.offset() < 0 || __builtin_add_overflow(message.offset(), bytes, &end))
    return wrong("offset ", message.offset(), " is not possible");
  entry.shard = static_cast<size_t>(message.shard_id());
  entry.begin = static_cast<size_t>(message.offset());
  entry.end = static_cast<size_t>(end);
  entry.checksum = message.crc32c();
  return entry;
}

}  // namespace

absl::StatusOr<TensorflowCheckpoint> TensorflowCheckpoint::Open(const std::string& prefix) {
  TensorflowCheckpoint checkpoint;
  checkpoint.prefix_ = prefix;
  TRAMA_ASSIGN_OR_RETURN(const MappedFile index, MappedFile::Open(prefix + ".index"));
  TRAMA_ASSIGN_OR_RETURN(const size_t count, checkpoint.ParseIndex(index.bytes()));
  std::vector<std::string_view> shards;
  for (size_t i = 0; i < count; ++i) {
    TRAMA_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(checkpoint.ShardPath(i, count)));
    checkpoint.mapped_.push_back(std::make_shared<const MappedFile>(std::move(file)));
    shards.push_back(checkpoint.mapped_.back()->bytes());
  }
  TRAMA_RETURN_IF_ERROR(checkpoint.Attach(std::move(shards)));
  return checkpoint;
}

absl::StatusOr<TensorflowCheckpoint> TensorflowCheckpoint::Parse(
    std::string_view index, std::vector<std::string_view> shards, const std::string& prefix) {
  TensorflowCheckpoint checkpoint;
  checkpoint.prefix_ = prefix;
  TRAMA_ASSIGN_OR_RETURN(const size_t count, checkpoint.ParseIndex(index));
  if (count != shards.size())
    return absl::InvalidArgumentError(
        absl::StrCat(prefix, ".index: ", count, " data files, not ", shards.size()));
  TRAMA_RETURN_IF_ERROR(checkpoint.Attach(std::move(shards)));
  return checkpoint;
}

absl::StatusOr<size_t> TensorflowCheckpoint::ParseIndex(std::string_view index) {
  const std::string path = prefix_ + ".index";
  TRAMA_ASSIGN_OR_RETURN(const std::vector<TableEntry> table, ReadTable(index, path));
  if (table.empty() || !table[0].key.empty()) return Damaged(path, 0, "the header is missing");
  TRAMA_ASSIGN_OR_RETURN(const size_t shards, ParseHeader(table[0], path));
  for (size_t i = 1; i < table.size(); ++i) {
    TRAMA_ASSIGN_OR_RETURN(Entry entry, ParseEntry(table[i], shards, path));
    entries_.push_back(std::move(entry));
    places_.push_back(table[i].byte);
  }
  return shards;
}

absl::Status TensorflowCheckpoint::Attach(std::vector<std::string_view> shards) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    if (entry.end > shards[entry.shard].size())
      return Damaged(prefix_ + ".index", places_[i], "tensor ", entry.name, ": bytes ", entry.begin,
                     " to ", entry.end, " of ", FileNameOf(ShardPath(entry.shard, shards.size())),
                     ", which has ", shards[entry.shard].size());
  }
  shards_ = std::move(shards);
  return absl::OkStatus();
}

std::string TensorflowCheckpoint::ShardPath(size_t shard, size_t count) const {
  return absl::StrFormat("%s.data-%05d-of-%05d", prefix_, shard, count);
}

const TensorflowCheckpoint::Entry* TensorflowCheckpoint::Find(std::string_view name) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const Entry& entry, std::string_view key) { return entry.name < key; });
  return found != entries_.end() && found->name == name ? &*found : nullptr;
}

absl::StatusOr<HostTensor> TensorflowCheckpoint::Read(const Entry& entry) const {
  const std::string_view raw = shards_[entry.shard].substr(entry.begin, entry.end - entry.begin);
  if (MaskCrc32c(Crc32c(raw)) != entry.checksum)
    return Damaged(ShardPath(entry.shard, shards_.size()), entry.begin, "wrong checksum of tensor ",
                   entry.name);
  HostTensor tensor(entry.dtype, entry.shape);
  if (!raw.empty()) std::memcpy(tensor.bytes.data(), raw.data(), raw.size());
  return tensor;
}

}  // namespace trama
