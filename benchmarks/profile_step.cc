// Where a training step's time goes: runs a model's train_step on the cpu backend and prints the
// time of each kind of kernel and the slowest dispatches, each the best of all steps.
//
//   profile_step [MODEL [BATCH [LENGTH [STEPS [THREADS [KEY=VALUE...]]]]]]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/status_macros.h"
#include "frontend/model.h"
#include "runtime/session.h"
#include "simdjson.h"

namespace trama {
namespace {

struct Row {
  std::string name;
  double us = 0, flops = 0;
  int count = 0;
};

void Print(std::vector<Row> rows, double total, size_t limit) {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.us > b.us; });
  for (size_t i = 0; i < rows.size() && i < limit; ++i)
    std::printf("  %9.1f us %5.1f %%  %4d x  %7.1f GFLOP/s  %s\n", rows[i].us,
                100 * rows[i].us / total, rows[i].count, rows[i].flops / rows[i].us / 1e3,
                rows[i].name.c_str());
}

using simdjson::dom::element;

simdjson::dom::array Items(const element& object, const char* key) {
  simdjson::dom::array items;
  static_cast<void>(object[key].get(items));
  return items;
}
std::string Text(const element& object, const char* key) {
  std::string_view text;
  static_cast<void>(object[key].get(text));
  return std::string(text);
}
double Number(const element& object, const char* key) {
  double number = 0;
  static_cast<void>(object[key].get(number));
  return number;
}

absl::Status PrintProfile(const std::string& statistics) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(statistics).get(root)) return absl::InternalError("statistics are no JSON");
  std::printf("%s\n", statistics.substr(0, statistics.find(", \"programs\"")).c_str());
  for (element program : Items(root, "programs")) {
    std::map<std::string, Row> kinds;
    std::vector<Row> dispatches;
    double total = 0;
    for (element d : Items(program, "dispatches")) {
      const std::string kind = Text(d, "kind"), label = Text(d, "label");
      const double us = Number(d, "best_us"), flops = Number(d, "flops");
      Row& row = kinds[kind];
      row.name = kind;
      row.us += us;
      row.flops += flops;
      ++row.count;
      dispatches.push_back(
          {kind + " " + label + " #" + std::to_string(dispatches.size()), us, flops, 1});
      total += us;
    }
    std::vector<Row> rows;
    for (auto& [kind, row] : kinds) rows.push_back(row);
    std::printf("%s: %.1f us, %zu dispatches\n", Text(program, "name").c_str(), total,
                dispatches.size());
    Print(rows, total, 30);
    std::printf(" slowest dispatches\n");
    Print(dispatches, total, 25);
  }
  return absl::OkStatus();
}

absl::Status Run(const std::vector<std::string>& args) {
  auto number = [&](size_t i, int64_t fallback) {
    return i < args.size() ? std::atoll(args[i].c_str()) : fallback;
  };
  const std::string name = args.empty() ? "gpt" : args[0];
  const int64_t batch = number(1, 12), length = number(2, 64), steps = number(3, 50);
  TRAMA_ASSIGN_OR_RETURN(const ModelEntry* entry, FindModel(name));
  Config config;
  for (size_t i = 5; i < args.size(); ++i) TRAMA_RETURN_IF_ERROR(config.SetFromText(args[i]));
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Model> model, entry->make(config));
  Program step{.name = "train_step", .kind = ProgramKind::kTrainStep};
  step.inputs = model->Inputs(batch, length);
  step.training = true;
  step.optimizer.clip_norm = 1;
  for (const char* profile : {"0", "1"}) {
    SessionOptions options;
    options.device.threads = static_cast<int>(number(4, 0));
    options.device.more["profile"] = profile;
    TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                           Session::Create(*model, {step}, options));
    TRAMA_ASSIGN_OR_RETURN(const uint32_t program, session->Find("train_step"));
    std::vector<double> times;
    for (int64_t i = 0; i < steps; ++i) {
      const auto start = std::chrono::steady_clock::now();
      TRAMA_RETURN_IF_ERROR(session->Run(program));
      times.push_back(
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
              .count());
    }
    std::sort(times.begin(), times.end());
    std::printf("profile=%s: a step takes %.1f us (median), %.1f us (best)\n", profile,
                times[times.size() / 2], times[0]);
    if (*profile == '1') TRAMA_RETURN_IF_ERROR(PrintProfile(session->Statistics()));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace trama

int main(int argc, char** argv) {
  const absl::Status status = trama::Run({argv + 1, argv + argc});
  if (!status.ok()) std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return !status.ok();
}
