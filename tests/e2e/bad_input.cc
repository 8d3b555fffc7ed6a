#include "tests/e2e/bad_input.h"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace trama::testing {
namespace fs = std::filesystem;

const Arguments kTrainTable{"train", "mlp", "--target=kind", "--steps=1", "--out=o"};
const Arguments kTrainText{"train",          "gpt",       "--set=n_layer=1",     "--set=n_embd=16",
                           "--set=n_head=2", "--steps=1", "--set=n_positions=8", "--seq_len=4",
                           "--out=o",        "--quiet"};

Arguments With(Arguments arguments, std::initializer_list<std::string> more) {
  arguments.insert(arguments.end(), more);
  return arguments;
}

void BadInput::Expect(const Arguments& arguments, int status, const std::string& message) {
  const std::map<std::string, std::string> before = place_.Contents();
  const Outcome outcome = place_.Trama(arguments);
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_THAT(outcome.err, ::testing::StartsWith("error: "));
  EXPECT_THAT(outcome.err, ::testing::HasSubstr(message));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(place_.Contents() == before) << "files have changed";
}

void BadInput::ExpectEach(const std::vector<BadCase>& cases) {
  for (const BadCase& bad : cases) {
    std::string command;
    for (const std::string& argument : bad.arguments) command += " " + argument;
    SCOPED_TRACE(bad.what + ": trama" + command);
    std::map<std::string, std::optional<std::string>> before;
    for (const auto& [name, bytes] : bad.files) {
      before[name] = place_.Has(name) ? std::optional(place_.Read(name)) : std::nullopt;
      place_.Write(name, bytes);
    }
    Expect(bad.arguments, bad.status, bad.message);
    for (const auto& [name, bytes] : before)
      if (bytes)
        place_.Write(name, *bytes);
      else
        fs::remove(place_ / name);
  }
}

void BadInput::MakeModel(const std::string& name) {
  const Outcome made = place_.Trama({"init", "gpt", "--set=n_layer=1", "--set=n_embd=16",
                                     "--set=n_head=2", "--set=n_positions=8",
                                     "--set=vocab_size=256", "--tokenizer=bytes", "--out=" + name});
  ASSERT_EQ(made.status, 0) << made.err;
}

void BadInputTable::SetUp() {
  place_.Write("t.csv", kTable);
  place_.Write("t.txt", "some text to read, long enough for windows");
  MakeModel("m");
  const Outcome trained = place_.Trama(
      {"train", "mlp", "--data=t.csv", "--target=kind", "--steps=1", "--out=t", "--quiet"});
  ASSERT_EQ(trained.status, 0) << trained.err;
}

}  // namespace trama::testing
