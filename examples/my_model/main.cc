// The whole command line for MyModel: my_model train my-model --data=..., generate, eval, explain.
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "models/language_model.h"
#include "my_model.h"
#include "tools/trama/command.h"

namespace my {
namespace {

// A model of a config.json or of --set=key=value; a value of a wrong type or size is refused.
absl::StatusOr<std::unique_ptr<trama::Model>> Make(const trama::Config& config) {
  MyConfig c;
  TRAMA_ASSIGN_OR_RETURN(c.vocab_size, config.Int("vocab_size", c.vocab_size, 1, 1 << 20));
  TRAMA_ASSIGN_OR_RETURN(c.n_positions, config.Int("n_positions", c.n_positions, 1, 1 << 20));
  TRAMA_ASSIGN_OR_RETURN(c.width, config.Int("width", c.width, 1, 1 << 16));
  TRAMA_ASSIGN_OR_RETURN(c.layers, config.Int("layers", c.layers, 0, 1000));
  TRAMA_ASSIGN_OR_RETURN(c.heads, config.Int("heads", c.heads, 1, c.width));
  if (c.width % c.heads) return absl::InvalidArgumentError("width: not a multiple of heads");
  return std::make_unique<trama::models::LanguageModel<MyModel>>(c);
}

trama::ModelEntry Entry() {
  trama::ModelEntry entry;
  entry.name = "my-model";
  entry.task = "language-modeling";
  entry.summary = "attention and a gated MLP side by side";
  const MyConfig c;
  for (auto [key, value] :
       {std::pair("vocab_size", c.vocab_size), std::pair("n_positions", c.n_positions),
        std::pair("width", c.width), std::pair("layers", c.layers), std::pair("heads", c.heads)})
    entry.defaults.Set(key, value);
  entry.make = Make;
  return entry;
}
TRAMA_MODEL(Entry());
}  // namespace
}  // namespace my

int main(int argc, char** argv) {
  return trama::cli::Main(std::vector<std::string>(argv + 1, argv + argc));
}
