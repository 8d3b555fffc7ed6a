// Independent expected results: reading them, comparing with them, counting.
//
// A case is a folder with inputs and an expected file {"format": "oracle-1", "info": {...},
// "entries": {NAME: {"compare": "close"|"exact", "atol", "rtol", "data" | "file" and "tensor"}}}.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "runtime/formats/json.h"
#include "runtime/session.h"

namespace trama::oracles {

struct Report {
  int passed = 0, failed = 0;
  bool verbose = false;
  // Above 0: an entry is met also where max |got - want| <= relative max |want|. Ids, texts and
  // other exact entries are passed over: what is nearly equal may round to either side.
  double relative = 0;
  void Pass(const std::string& what, const std::string& detail);
  void Fail(const std::string& what, const std::string& detail);
};

class Oracle {
 public:
  // `label` precedes every line: "attention/mha2 cpu". `scale` multiplies every tolerance.
  static absl::StatusOr<Oracle> Load(const std::string& path, std::string label, Report* report,
                                     double scale = 1);

  const Json& info() const { return info_; }
  bool Has(const std::string& entry) const { return entries_.Find(entry) != nullptr; }
  // The shape that the entry says it has; {} where it says none.
  Shape ShapeOf(const std::string& entry) const;
  // |got - want| <= scale (atol + rtol |want|) everywhere, or equality. Shapes may differ where the
  // numbers of elements agree.
  void Check(const std::string& entry, const HostTensor& got);
  void Check(const std::string& entry, const std::vector<double>& got);
  void Check(const std::string& entry, double got) { Check(entry, std::vector<double>{got}); }
  // What a rounding may change much: parameters after Adam's first updates, which are the signs of
  // gradients, or after hundreds of any, and which tokens are kept for sampling. Passed over where
  // `relative` is above 0.
  template <typename T>
  void CheckSensitive(const std::string& entry, const T& got) {
    if (report_->relative > 0)
      checked_.insert(entry);
    else
      Check(entry, got);
  }
  void CheckText(const std::string& entry, const std::string& got);
  void CheckIds(const std::string& entry, const std::vector<int32_t>& got);
  // Every entry that no Check named is a failure, but for those with one of these prefixes, which a
  // later part of the project is to meet.
  void Finish(const std::vector<std::string>& later = {});

 private:
  absl::StatusOr<std::vector<double>> Wanted(const Json& entry) const;
  void Compare(const std::string& name, const std::vector<double>& got);

  std::string directory_, label_;
  Json info_, entries_;
  Report* report_ = nullptr;
  double scale_ = 1;
  std::set<std::string> checked_;
};

// A family of cases: TRAMA_ORACLE("tabular", RunTabular); the folder is DIR/tabular/NAME.
using Runner = absl::Status (*)(const std::string& directory, const SessionOptions& options,
                                Report* report);
bool RegisterRunner(const std::string& family, Runner runner);
#define TRAMA_ORACLE(family, runner)                            \
  static const bool trama_oracle_registered_ [[maybe_unused]] = \
      ::trama::oracles::RegisterRunner(family, runner)

// Runs one function of a model on given tensors.
absl::StatusOr<TensorMap> CallOnce(const Model& model, ProgramKind kind,
                                   const TensorMap& parameters, const TensorMap& inputs,
                                   const SessionOptions& options,
                                   const ForwardOptions& forward = {});

// i32 of rows of ids, [[1, 2], [3, 4]]. InvalidArgument where they differ in length.
absl::StatusOr<HostTensor> IdsOf(const Json& rows);

// "CASE BACKEND" of a case's folder.
std::string LabelOf(const std::string& directory, const SessionOptions& options);

}  // namespace trama::oracles
