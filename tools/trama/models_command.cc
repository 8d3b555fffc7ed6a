// trama models: the zoo.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "frontend/model.h"
#include "runtime/formats/config_json.h"
#include "runtime/formats/json.h"
#include "tools/trama/command.h"

namespace trama::cli {
namespace {

absl::StatusOr<int> Run(const Flags& flags) {
  Json all = Json::EmptyArray();
  for (const auto& [name, entry] : Models()) {
    TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Model> model, entry.make(entry.defaults));
    Json item = Json::MakeObject();
    item.Set("name", name);
    item.Set("aliases", Json::ArrayOf(entry.aliases));
    item.Set("task", entry.task);
    item.Set("summary", entry.summary);
    item.Set("config", ConfigToJson(entry.defaults));
    item.Set("parameters", model->module().num_parameters());
    all.Append(std::move(item));
  }
  if (flags.Bool("json")) {
    std::cout << all.Dump(2) << "\n";
    return 0;
  }
  for (const Json& item : all.array()) {
    std::string left = *item.Find("name")->if_string();
    left.resize(std::max<size_t>(left.size() + 1, 24), ' ');
    const std::vector<std::string> aliases = *item.Get<std::vector<std::string>>("aliases");
    std::cout << left << *item.Find("summary")->if_string()
              << (aliases.empty() ? "" : "; also named ") << absl::StrJoin(aliases, ", ") << "\n"
              << "    task " << *item.Find("task")->if_string() << ", "
              << *item.Find("parameters")->if_int() << " parameters; config";
    for (const auto& [key, value] : item.Find("config")->object())
      std::cout << " " << key << "=" << value.Dump();
    std::cout << "\n";
  }
  return 0;
}

TRAMA_COMMAND((Command{"models",
                       "",
                       "the model families: config keys, tasks, sizes",
                       "trama models --json",
                       {{"json", FlagKind::kBool, "false", "as JSON"}},
                       Run}));

}  // namespace
}  // namespace trama::cli
