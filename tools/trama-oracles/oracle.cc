#include "tools/trama-oracles/oracle.h"

#include <algorithm>
#include <cmath>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"

namespace trama::oracles {
namespace {
void Flatten(const Json& json, std::vector<double>* out) {
  if (json.is_array()) {
    for (const Json& item : json.array()) Flatten(item, out);
  } else if (const bool* truth = json.if_bool()) {
    out->push_back(*truth);
  } else if (absl::StatusOr<double> number = json.As<double>(); number.ok()) {
    out->push_back(*number);
  }
}
}  // namespace

void Report::Pass(const std::string& what, const std::string& detail) {
  ++passed;
  if (verbose) std::cout << "PASS " << what << " " << detail << "\n";
}

void Report::Fail(const std::string& what, const std::string& detail) {
  ++failed;
  std::cout << "FAIL " << what << " " << detail << std::endl;
}

absl::StatusOr<Oracle> Oracle::Load(const std::string& path, std::string label, Report* report,
                                    double scale) {
  Oracle oracle;
  oracle.directory_ = DirectoryOf(path);
  oracle.label_ = std::move(label);
  oracle.report_ = report;
  oracle.scale_ = scale;
  TRAMA_ASSIGN_OR_RETURN(Json json, Json::ParseFile(path));
  const Json* entries = json.Find("entries");
  if (!entries || !entries->is_object())
    return absl::InvalidArgumentError(absl::StrCat(path, ": no entries"));
  oracle.entries_ = *entries;
  if (const Json* info = json.Find("info")) oracle.info_ = *info;
  return oracle;
}

Shape Oracle::ShapeOf(const std::string& entry) const {
  const Json* found = entries_.Find(entry);
  return found ? found->Get<Shape>("shape").value_or(Shape()) : Shape();
}

absl::StatusOr<std::vector<double>> Oracle::Wanted(const Json& entry) const {
  std::vector<double> values;
  if (const Json* data = entry.Find("data")) {
    Flatten(*data, &values);
    return values;
  }
  TRAMA_ASSIGN_OR_RETURN(std::string file, entry.Get<std::string>("file"));
  TRAMA_ASSIGN_OR_RETURN(std::string name, entry.Get<std::string>("tensor"));
  TRAMA_ASSIGN_OR_RETURN(SafetensorsFile tensors,
                         SafetensorsFile::Open(JoinPath(directory_, file)));
  TRAMA_ASSIGN_OR_RETURN(HostTensor tensor, tensors.Read(name));
  for (int64_t i = 0; i < tensor.num_elements(); ++i) values.push_back(tensor.at(i));
  return values;
}

void Oracle::Compare(const std::string& name, const std::vector<double>& got) {
  checked_.insert(name);
  const std::string what = absl::StrCat(label_, " ", name);
  const Json* entry = entries_.Find(name);
  if (!entry) return report_->Fail(what, "is not among the expected entries");
  absl::StatusOr<std::vector<double>> want = Wanted(*entry);
  if (!want.ok()) return report_->Fail(what, std::string(want.status().message()));
  if (want->size() != got.size())
    return report_->Fail(what, absl::StrCat("has ", got.size(), " values, want ", want->size()));
  const bool exact = entry->GetOr<std::string>("compare", "close").value_or("") == "exact";
  if (exact && report_->relative > 0) return;
  const double atol = exact ? 0 : scale_ * entry->GetOr<double>("atol", 0).value_or(0);
  const double rtol = exact ? 0 : scale_ * entry->GetOr<double>("rtol", 0).value_or(0);
  double worst = 0, largest = 0;
  for (const double x : *want) largest = std::max(largest, std::abs(x));
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(got[i] - (*want)[i]);
    const double limit = std::max(atol + rtol * std::abs((*want)[i]), report_->relative * largest);
    if (!(error <= limit))
      return report_->Fail(what, absl::StrFormat("at %d: want %.9g, got %.9g, off by %.3g of %.3g",
                                                 i, (*want)[i], got[i], error, limit));
    if (limit > 0) worst = std::max(worst, error / limit);
  }
  report_->Pass(what, absl::StrFormat("%.3f of the tolerance", worst));
}

void Oracle::Check(const std::string& entry, const HostTensor& got) {
  std::vector<double> values(static_cast<size_t>(got.num_elements()));
  for (int64_t i = 0; i < got.num_elements(); ++i) values[i] = got.at(i);
  Compare(entry, values);
}

void Oracle::Check(const std::string& entry, const std::vector<double>& got) {
  Compare(entry, got);
}

void Oracle::CheckIds(const std::string& entry, const std::vector<int32_t>& got) {
  Compare(entry, {got.begin(), got.end()});
}

void Oracle::CheckText(const std::string& name, const std::string& got) {
  checked_.insert(name);
  const std::string what = absl::StrCat(label_, " ", name);
  const Json* entry = entries_.Find(name);
  const Json* data = entry ? entry->Find("data") : nullptr;
  const std::string* want = data ? data->if_string() : nullptr;
  if (want && report_->relative > 0) return;
  if (!want) return report_->Fail(what, "is not among the expected texts");
  if (*want != got) return report_->Fail(what, absl::StrCat("want '", *want, "', got '", got, "'"));
  report_->Pass(what, "equal");
}

void Oracle::Finish(const std::vector<std::string>& later) {
  for (const auto& [name, entry] : entries_.object()) {
    bool known = checked_.contains(name);
    for (const std::string& prefix : later) known |= absl::StartsWith(name, prefix);
    if (!known) report_->Fail(absl::StrCat(label_, " ", name), "was not computed");
  }
}

absl::StatusOr<TensorMap> CallOnce(const Model& model, ProgramKind kind,
                                   const TensorMap& parameters, const TensorMap& inputs,
                                   const SessionOptions& options, const ForwardOptions& forward) {
  Program program;
  program.name = "call";
  program.kind = kind;
  program.options = forward;
  for (const auto& [name, tensor] : inputs)
    program.inputs.push_back({name, tensor.dtype, tensor.shape});
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                         Session::Create(model, {program}, options));
  if (!parameters.empty()) TRAMA_RETURN_IF_ERROR(session->LoadState(parameters));
  return session->Call("call", inputs);
}

absl::StatusOr<HostTensor> IdsOf(const Json& rows) {
  std::vector<int32_t> values;
  size_t length = 0;
  for (const Json& row : rows.array()) {
    TRAMA_ASSIGN_OR_RETURN(std::vector<int64_t> ids, row.As<std::vector<int64_t>>());
    length = ids.size();
    values.insert(values.end(), ids.begin(), ids.end());
  }
  const auto count = static_cast<int64_t>(rows.array().size());
  if (count * static_cast<int64_t>(length) != static_cast<int64_t>(values.size()))
    return absl::InvalidArgumentError("rows of ids differ in length");
  return HostTensor::I32({count, static_cast<int64_t>(length)}, values);
}

std::string LabelOf(const std::string& directory, const SessionOptions& options) {
  return absl::StrCat(FileNameOf(DirectoryOf(directory)), "/", FileNameOf(directory), " ",
                      options.backend);
}

}  // namespace trama::oracles
