// Models in one safetensors file or in shards.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"

namespace trama {
namespace {

constexpr char kFile[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";

absl::StatusOr<std::vector<SafetensorsFile>> OpenShards(const std::string& index_path) {
  TRAMA_ASSIGN_OR_RETURN(const Json index, Json::ParseFile(index_path));
  const Json* map = index.Find("weight_map");
  if (!map || !map->is_object() || map->object().empty())
    return absl::InvalidArgumentError(absl::StrCat(index_path, ": no \"weight_map\""));
  std::map<std::string, std::vector<std::string>> tensors_of;  // by shard
  for (const auto& [tensor, shard] : map->object()) {
    const std::string* name = shard.if_string();
    // A shard lies beside its index; anything else would reach out of the model's directory.
    if (!name || name->empty() || absl::StrContains(*name, '/') || *name == "..")
      return absl::InvalidArgumentError(
          absl::StrCat(index_path, ": \"weight_map\": ", tensor, " names no file"));
    tensors_of[*name].push_back(tensor);
  }
  std::vector<SafetensorsFile> files;
  std::set<std::string> seen;
  for (const auto& [shard, tensors] : tensors_of) {
    TRAMA_ASSIGN_OR_RETURN(SafetensorsFile file,
                           SafetensorsFile::Open(JoinPath(DirectoryOf(index_path), shard)));
    for (const std::string& tensor : tensors)
      if (!file.Find(tensor))
        return absl::InvalidArgumentError(
            absl::StrCat(file.path(), ": no tensor ", tensor, " (", index_path, " names it)"));
    for (const SafetensorsFile::Entry& entry : file.entries())
      if (!seen.insert(entry.name).second)
        return absl::InvalidArgumentError(
            absl::StrCat(file.path(), ": tensor ", entry.name, " is in another shard too"));
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

absl::StatusOr<SafetensorsModel> SafetensorsModel::Open(const std::string& path) {
  SafetensorsModel model;
  std::string file = path;
  if (IsDirectory(path)) {
    file = JoinPath(path, kFile);
    const std::string index = JoinPath(path, kIndex);
    if (!FileExists(file) && FileExists(index)) file = index;
  }
  if (absl::EndsWith(file, ".json")) {
    TRAMA_ASSIGN_OR_RETURN(model.files_, OpenShards(file));
  } else {
    TRAMA_ASSIGN_OR_RETURN(SafetensorsFile single, SafetensorsFile::Open(file));
    model.files_.push_back(std::move(single));
  }
  return model;
}

std::vector<std::string> SafetensorsModel::names() const {
  std::vector<std::string> names;
  for (const SafetensorsFile& file : files_)
    for (const SafetensorsFile::Entry& entry : file.entries()) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  return names;
}

std::pair<const SafetensorsFile*, const SafetensorsFile::Entry*> SafetensorsModel::Find(
    std::string_view name) const {
  for (const SafetensorsFile& file : files_)
    if (const SafetensorsFile::Entry* entry = file.Find(name)) return {&file, entry};
  return {nullptr, nullptr};
}

absl::StatusOr<HostTensor> SafetensorsModel::Read(std::string_view name) const {
  const auto [file, entry] = Find(name);
  if (entry) return file->Read(*entry);
  return absl::NotFoundError(absl::StrCat(files_.front().path(), ": no tensor ", std::string(name),
                                          DidYouMean(name, names())));
}

absl::StatusOr<TensorMap> ReadSafetensors(const std::string& path) {
  TRAMA_ASSIGN_OR_RETURN(const SafetensorsModel model, SafetensorsModel::Open(path));
  TensorMap tensors;
  for (const SafetensorsFile& file : model.files())
    for (const SafetensorsFile::Entry& entry : file.entries())
      tensors.emplace(entry.name, file.Read(entry));
  return tensors;
}

}  // namespace trama
