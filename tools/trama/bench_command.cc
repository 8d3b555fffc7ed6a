// trama bench MODEL|DIR: what a training step, a prefill and a decoded token take.
#include <sys/resource.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "benchmarks/peak.h"
#include "runtime/compiler.h"
#include "runtime/formats/json.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {

double PeakMebibytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// Inputs that are valid for any model: ids and labels 0, masks 1, numbers of no pattern.
HostTensor SomeInput(const Session::Slot& slot, int64_t length) {
  HostTensor tensor(slot.dtype, slot.shape);
  for (int64_t i = 0; i < tensor.num_elements(); ++i) {
    if (IsFloat(slot.dtype))
      tensor.set(i, slot.name == "labels" ? static_cast<double>(i % 2)
                                          : static_cast<double>(i * 7919 % 1000) / 500 - 1);
    else if (slot.name.find("mask") != std::string::npos)
      tensor.set(i, 1);
    else if (slot.name == "length")
      tensor.set(i, static_cast<double>(length));
  }
  return tensor;
}

double Flops(const plan::Plan& plan, uint32_t program) {
  double flops = 0;
  for (const plan::Dispatch& dispatch : plan.programs(static_cast<int>(program)).dispatches())
    flops += plan.kernels(static_cast<int>(dispatch.kernel())).flops();
  return flops;
}

// Seconds of each run, in rising order. `position` is where a decoded chunk stands.
absl::StatusOr<std::vector<double>> Time(Session& session, uint32_t program, int64_t length,
                                         int64_t position, double seconds) {
  for (const Session::Slot& slot : session.inputs(program)) {
    if (slot.role != "input") continue;
    HostTensor input = SomeInput(slot, length);
    if (slot.name == "position")
      for (int64_t i = 0; i < input.num_elements(); ++i)
        input.set(i, static_cast<double>(position));
    TRAMA_RETURN_IF_ERROR(session.Write(slot, input));
  }
  Scalars scalars;
  scalars.lr = 1e-6;
  scalars.beta1 = 0.9;
  scalars.beta2 = 0.999;
  std::vector<double> times;
  const double end = MonotonicSeconds() + seconds;
  // Several runs a measurement where one is too short for the clock.
  int64_t repeat = 1;
  for (int64_t run = -3; MonotonicSeconds() < end || run < 5; ++run) {
    const double start = MonotonicSeconds();
    for (int64_t i = 0; i < repeat; ++i) {
      ++scalars.step;
      TRAMA_RETURN_IF_ERROR(session.WriteScalars(program, scalars));
      TRAMA_RETURN_IF_ERROR(session.Run(program));
    }
    const double taken = (MonotonicSeconds() - start) / static_cast<double>(repeat);
    if (run < 0)
      repeat = std::max<int64_t>(1, static_cast<int64_t>(1e-3 / std::max(taken, 1e-9)));
    else
      times.push_back(taken);
  }
  std::sort(times.begin(), times.end());
  return times;
}

// Where a profiled run's time goes, by kind of kernel: each dispatch's best run, as the first ones
// take memory from the system.
absl::Status PrintProfile(const std::string& statistics) {
  TRAMA_ASSIGN_OR_RETURN(Json json, Json::Parse(statistics));
  const Json* programs = json.Find("programs");
  if (!programs)
    return absl::FailedPreconditionError("--profile: this backend does not time its kernels");
  struct Row {
    double us = 0, flops = 0, bytes = 0;
    int64_t count = 0;
  };
  for (const Json& program : programs->array()) {
    std::map<std::string, Row> rows;
    double total = 0;
    for (const Json& dispatch : program.Find("dispatches")->array()) {
      TRAMA_ASSIGN_OR_RETURN(const std::string kind, dispatch.Get<std::string>("kind"));
      TRAMA_ASSIGN_OR_RETURN(const std::string op, dispatch.GetOr<std::string>("op", ""));
      TRAMA_ASSIGN_OR_RETURN(const double us, dispatch.Get<double>("best_us"));
      TRAMA_ASSIGN_OR_RETURN(const double flops, dispatch.Get<double>("flops"));
      TRAMA_ASSIGN_OR_RETURN(const double bytes, dispatch.Get<double>("bytes"));
      Row& row = rows[kind];
      row.us += us;
      row.flops += flops;
      row.bytes += bytes;
      ++row.count;
      total += us;
    }
    std::vector<std::pair<std::string, Row>> sorted(rows.begin(), rows.end());
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.second.us > b.second.us; });
    std::cerr << absl::StrFormat("%s: %.1f us in kernels\n  %-26s %5s %10s %6s %9s %8s\n",
                                 program.Get<std::string>("name").value_or(""), total, "kind",
                                 "count", "us", "share", "GFLOP/s", "GB/s");
    for (const auto& [kind, row] : sorted)
      std::cerr << absl::StrFormat("  %-26s %5d %10.1f %5.1f%% %9.1f %8.1f\n", kind, row.count,
                                   row.us, 100 * row.us / total, row.flops / row.us / 1e3,
                                   row.bytes / row.us / 1e3);
  }
  return absl::OkStatus();
}

// What the backend measured of the products of a plan, and where it keeps that.
absl::Status PrintTuned(const std::string& statistics) {
  TRAMA_ASSIGN_OR_RETURN(Json json, Json::Parse(statistics));
  const Json* tuned = json.Find("tuned");
  if (!tuned) return absl::FailedPreconditionError("--tune: this backend has nothing to tune");
  for (const Json& product : tuned->Find("products")->array()) {
    TRAMA_ASSIGN_OR_RETURN(const std::string name, product.Get<std::string>("product"));
    TRAMA_ASSIGN_OR_RETURN(const std::string fastest, product.Get<std::string>("fastest"));
    TRAMA_ASSIGN_OR_RETURN(const double before, product.Get<double>("builtin_us"));
    TRAMA_ASSIGN_OR_RETURN(const double after, product.Get<double>("fastest_us"));
    TRAMA_ASSIGN_OR_RETURN(const int64_t tiles, product.Get<int64_t>("tiles"));
    TRAMA_ASSIGN_OR_RETURN(const std::string builtin, product.Get<std::string>("builtin"));
    std::cerr << absl::StrFormat("%-40s %9.1f us -> %9.1f us of %d tiles: %s\n", name, before,
                                 after, tiles, fastest == builtin ? "the built-in one" : fastest);
  }
  std::cerr << "tiles are kept in " << tuned->Get<std::string>("file").value_or("") << "\n";
  return absl::OkStatus();
}

struct Measured {
  Program program;
  int64_t batch, length;
};

// A program's times, sorted, and what else is told of it. In tokens a second where the model has a
// time axis, else in examples.
Json RowOf(const Session& session, const Measured& what, const std::vector<double>& times,
           double compile_ms, double peak, bool has_tokens) {
  const double median = times[times.size() / 2], flops = Flops(session.plan(), 0);
  const auto read = static_cast<double>(what.batch * (has_tokens ? what.length : 1));
  Json row = Json::MakeObject();
  row.Set("program", what.program.name);
  row.Set("batch_size", what.batch);
  if (has_tokens) row.Set("seq_len", what.length);
  row.Set("ms_median", median * 1e3);
  row.Set("ms_min", times.front() * 1e3);
  row.Set("ms_90th", times[times.size() * 9 / 10] * 1e3);
  row.Set(has_tokens ? "tokens_per_second" : "examples_per_second", read / median);
  row.Set("gflops", flops / median / 1e9);
  row.Set("share_of_peak", flops / median / 1e9 / peak);
  row.Set("dispatches", session.plan().programs(0).dispatches_size());
  row.Set("compile_ms", compile_ms);
  row.Set("plan_bytes", static_cast<int64_t>(session.plan_bytes()));
  row.Set("peak_memory_mib", PeakMebibytes());
  return row;
}

void PrintRow(const Json& row, bool has_tokens) {
  auto number = [&](const char* key) { return row.Get<double>(key).value_or(0); };
  std::cout << absl::StrFormat(
      "%-11s %9.4f ms (min %.4f, 90%% %.4f)  %10.0f %s/s  %7.1f GFLOP/s, %4.1f%% of peak  "
      "%.0f dispatches, compiled in %.0f ms, %.0f MiB\n",
      *row.Find("program")->if_string(), number("ms_median"), number("ms_min"), number("ms_90th"),
      number(has_tokens ? "tokens_per_second" : "examples_per_second"),
      has_tokens ? "tokens" : "examples", number("gflops"), 100 * number("share_of_peak"),
      number("dispatches"), number("compile_ms"), number("peak_memory_mib"));
}

absl::StatusOr<int> Run(const Flags& flags) {
  TRAMA_ASSIGN_OR_RETURN(SessionOptions options, SessionOptionsOf(flags));
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, ModelOf(flags));
  options.recompute = flags.Bool("recompute");
  const bool profile = flags.Bool("profile");
  if (profile) options.device.more["profile"] = "1";
  const bool tune = flags.Bool("tune");
  if (tune) options.device.more["tune"] = "1";
  const int64_t batch = flags.Int("batch_size"), context = model.model->MaxLength();
  const int64_t length =
      flags.Int("seq_len") > 0 ? flags.Int("seq_len") : std::max<int64_t>(context, 1);
  const std::string& optimizer = flags.String("optimizer");
  if (optimizer != "adamw" && optimizer != "sgd")
    return UsageError(absl::StrCat("--optimizer: '", optimizer, "' is neither adamw nor sgd",
                                   DidYouMean(optimizer, {"adamw", "sgd"})));
  if (context > 0 && length > context)
    return UsageError(absl::StrCat("--seq_len: beyond the model's ", context));
  const bool decodes = model.model->SequenceDim("input_ids") >= 0;
  std::vector<Measured> measured;
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> names, ProgramNames(flags));
  for (const std::string& name : names) {
    // Of the default, what the model has.
    if (!decodes && !flags.Given("program") && (name == "prefill" || name == "decode")) continue;
    TRAMA_ASSIGN_OR_RETURN(Program program, ProgramNamed(model, name, batch, length));
    measured.push_back(
        {std::move(program), name == "prefill" ? 1 : batch, name == "decode" ? 1 : length});
  }
  if (measured.empty()) return UsageError("--program: names nothing to time");

  const int threads = options.device.threads > 0
                          ? options.device.threads
                          : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  Json results = Json::MakeObject();
  const double bf16_peak = options.precision == DType::kBF16 ? PeakBf16Gflops(threads) : 0;
  const double peak = bf16_peak > 0 ? bf16_peak : PeakFmaGflops(threads);
  results.Set("model", model.entry->name);
  results.Set("backend", options.backend);
  results.Set("precision", std::string(Name(options.precision)));
  results.Set("threads", threads);
  results.Set(bf16_peak > 0 ? "peak_bf16_gflops" : "peak_fma_gflops", peak);
  Json all = Json::EmptyArray();
  for (Measured& what : measured) {
    Program& program = what.program;
    program.optimizer.kind = optimizer == "sgd" ? OptimizerKind::kSgd : OptimizerKind::kAdamW;
    const double start = MonotonicSeconds();
    TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                           Session::Create(*model.model, {program}, options));
    const double compile_ms = (MonotonicSeconds() - start) * 1e3;
    if (tune) TRAMA_RETURN_IF_ERROR(PrintTuned(session->Statistics()));
    if (!model.parameters.empty())
      TRAMA_RETURN_IF_ERROR(&what == &measured.back()
                                ? session->TakeState(std::move(model.parameters))
                                : session->LoadState(model.parameters));
    const int64_t position =
        program.name == "decode" ? std::min<int64_t>(flags.Int("position"), context - 1) : 0;
    TRAMA_ASSIGN_OR_RETURN(std::vector<double> times,
                           Time(*session, 0, what.length, position, flags.Double("seconds")));
    all.Append(RowOf(*session, what, times, compile_ms, peak, context > 0));
    if (profile) TRAMA_RETURN_IF_ERROR(PrintProfile(session->Statistics()));
  }
  if (flags.Bool("json")) {
    results.Set("programs", std::move(all));
    std::cout << results.Dump(2) << "\n";
    return 0;
  }
  std::cout << absl::StrFormat("%s in %s on %s, %d threads, %s peak %.0f GFLOP/s\n",
                               model.entry->name, std::string(Name(options.precision)),
                               options.backend, threads, bf16_peak > 0 ? "bf16" : "FMA", peak);
  for (const Json& row : all.array()) PrintRow(row, context > 0);
  return 0;
}

TRAMA_COMMAND((Command{
    "bench", "MODEL|DIR", "times training steps, prefill and decoding",
    "trama bench gpt --set=vocab_size=65 --batch_size=12 --seq_len=64 --profile",
    WithRuntimeFlags(
        {{"program", FlagKind::kString, "train_step,prefill,decode",
          "what to time: any of explain's programs, prefill, decode"},
         {"batch_size", FlagKind::kInt, "1", "examples", 1},
         {"seq_len", FlagKind::kInt, "0", "the time axis; 0: the longest", 0},
         {"position", FlagKind::kInt, "128", "keys in the cache when a token is decoded", 0},
         {"optimizer", FlagKind::kString, "adamw", "adamw or sgd"},
         {"recompute", FlagKind::kBool, "false", "activations again instead of keeping them"},
         {"seconds", FlagKind::kDouble, "2", "how long to time each", 0},
         {"profile", FlagKind::kBool, "false", "time by kind of kernel, on standard error"},
         {"tune", FlagKind::kBool, "false",
          "first measures how the device is to cut the programs' matrix products, for all later "
          "runs on it"},
         {"set", FlagKind::kRepeated, "", "key=value of the config where MODEL is a name"},
         {"json", FlagKind::kBool, "false", "as JSON"}}),
    Run}));

}  // namespace
}  // namespace trama::cli
