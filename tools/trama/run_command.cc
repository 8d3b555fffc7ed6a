// trama run DIR --function=F: one function of a model on given tensors.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/data/id_range.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "tools/trama/common.h"
#include "tools/trama/head_flags.h"

namespace trama::cli {
namespace {

absl::StatusOr<ProgramKind> KindOf(const std::string& function) {
  if (function == "forward") return ProgramKind::kForward;
  if (function == "loss") return ProgramKind::kLoss;
  if (function == "gradients") return ProgramKind::kGradients;
  return UsageError(absl::StrCat("--function: '", function, "' is none of forward, loss, gradients",
                                 DidYouMean(function, {"forward", "loss", "gradients"})));
}

// Whether the program has outputs PREFIX.N.
bool HasOutputs(const Session& session, const std::string& prefix) {
  const auto& outputs = session.outputs(0);
  return std::any_of(outputs.begin(), outputs.end(), [&](const Session::Slot& output) {
    return absl::StartsWith(output.name, prefix + ".");
  });
}

absl::StatusOr<int> Run(const Flags& flags) {
  TRAMA_ASSIGN_OR_RETURN(const ProgramKind kind, KindOf(flags.String("function")));
  if (flags.String("inputs").empty() || flags.String("outputs").empty())
    return UsageError("--inputs and --outputs name the safetensors files to read and write");
  TRAMA_ASSIGN_OR_RETURN(SessionOptions options, SessionOptionsOf(flags));
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, ModelOf(flags));
  TRAMA_RETURN_IF_ERROR(AddHead(flags, &model));
  TRAMA_ASSIGN_OR_RETURN(TensorMap inputs, ReadSafetensors(flags.String("inputs")));

  // The shapes are those of the tensors given; the types are the model's.
  Program program;
  program.name = flags.String("function");
  program.kind = kind;
  program.options.hidden_states = flags.Bool("hidden_states");
  program.options.attentions = flags.Bool("attentions");
  TRAMA_ASSIGN_OR_RETURN(const IdRange ids, IdRangeOf(model.config));
  for (auto& [name, tensor] : inputs) {
    if (tensor.num_elements() == 0)
      return absl::InvalidArgumentError(absl::StrCat(flags.String("inputs"), ": tensor ", name,
                                                     " of shape ", ToString(tensor.shape),
                                                     " is empty"));
    TRAMA_RETURN_IF_ERROR(CheckIds(flags.String("inputs"), name, tensor, ids));
    if (tensor.dtype == DType::kI64 || tensor.dtype == DType::kBool || tensor.dtype == DType::kU8)
      tensor = tensor.Cast(DType::kI32);
    // The DSL's f32 is the session's precision, to which it casts what is given.
    program.inputs.push_back(
        {name, IsFloat(tensor.dtype) ? DType::kF32 : tensor.dtype, tensor.shape});
  }
  // A name that cannot be written would waste the work.
  TRAMA_RETURN_IF_ERROR(AtomicFile::Create(flags.String("outputs")).status());
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                         Session::Create(*model.model, {program}, options));
  for (const char* more : {"hidden_states", "attentions"})
    if (flags.Bool(more) && !HasOutputs(*session, more))
      return UsageError(
          absl::StrCat("--", more, ": ", program.name, " of a ", model.entry->name, " has none"));
  if (!model.parameters.empty()) TRAMA_RETURN_IF_ERROR(session->LoadState(model.parameters));
  TRAMA_ASSIGN_OR_RETURN(TensorMap outputs, session->Call(program.name, inputs));
  TRAMA_RETURN_IF_ERROR(WriteSafetensors(flags.String("outputs"), outputs));
  return 0;
}

TRAMA_COMMAND((Command{
    "run", "DIR", "runs forward, loss or gradients on given tensors",
    "trama run my-gpt --function=gradients --inputs=batch.safetensors --outputs=out.safetensors",
    WithRuntimeFlags(WithHeadFlags(
        {{"function", FlagKind::kString, "forward", "forward, loss or gradients"},
         {"inputs", FlagKind::kString, "", "a safetensors file: the inputs by name"},
         {"outputs", FlagKind::kString, "", "the safetensors file to write"},
         {"hidden_states", FlagKind::kBool, "false", "also hidden_states.N and final_norm"},
         {"attentions", FlagKind::kBool, "false", "also attentions.N"},
         {"set", FlagKind::kRepeated, "", "key=value of the config where MODEL is a name"}})),
    Run}));

}  // namespace
}  // namespace trama::cli
