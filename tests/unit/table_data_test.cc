#include <random>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/data/csv.h"
#include "runtime/data/data.h"
#include "runtime/data/table.h"
#include "runtime/formats/safetensors.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using absl::StatusCode::kInvalidArgument;
using absl::StatusCode::kNotFound;

constexpr char kFlowers[] =
    "length,width,species\n"
    "5.1,3.5,setosa\n"
    "7.0,3.2,versicolor\n"
    "6.3,3.3,virginica\n"
    "4.9,3.0,setosa\n";

std::vector<double> Values(const HostTensor& tensor) {
  std::vector<double> values;
  for (int64_t i = 0; i < tensor.num_elements(); ++i) values.push_back(tensor.at(i));
  return values;
}

TensorMap All(const Dataset& dataset) {
  std::vector<int64_t> all(static_cast<size_t>(dataset.size()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  return *dataset.Batch(all);
}

TEST(CsvTest, ReadsQuotesLineEndsAndByteOrderMarks) {
  ASSERT_OK_AND_ASSIGN(
      const CsvTable table,
      CsvTable::Parse("\xEF\xBB\xBF\"a\",b\r\n\"x, \"\"y\"\"\nz\",\r\n\r\n1,2", ',', "t.csv"));
  EXPECT_EQ(table.header(), (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(table.num_rows(), 2);
  EXPECT_EQ(table.cell(0, 0), "x, \"y\"\nz");
  EXPECT_EQ(table.cell(0, 1), "");
  EXPECT_EQ(table.cell(1, 1), "2");
  EXPECT_EQ(table.PlaceOf(1, 1), "t.csv:5:3");
  ASSERT_OK_AND_ASSIGN(const CsvTable tabs, CsvTable::Parse("a\tb\n\"x\t1\n", '\t', "t.tsv"));
  EXPECT_EQ(tabs.cell(0, 0), "\"x");
}

TEST(CsvTest, NamesLineAndColumn) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "t.csv: no header"},
      {"a,b\n", "t.csv: no rows"},
      {"a,b\n1,2\n3\n", "t.csv:3:1: 1 cells where the header has 2"},
      {"a,b\n1,2,3\n", "t.csv:2:1: 3 cells where the header has 2"},
      {"a,b\n1,\"2\n", "t.csv:2:3: the quote is never closed"},
      {"a,b\n\"1\"x,2\n", "t.csv:2:4: text after a closing quote"},
      {"a,b,a\n1,2,3\n", "t.csv:1:5: the header has 'a' twice"},
      {"a,b\n1,\xff\n", "t.csv:2:3: invalid UTF-8"},
  };
  for (const auto& [text, message] : cases)
    EXPECT_THAT(CsvTable::Parse(text, ',', "t.csv"), StatusIs(kInvalidArgument, message)) << text;
}

TEST(CsvTest, SurvivesMutations) {
  const std::string seed = "a,\"b\"\"c\",d\r\n1.5,\"x,\ny\",z\n-2e3,,\"\"\n";
  std::mt19937 random(4);
  int accepted = 0;
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string text = seed;
    for (int edits = 1 + random() % 3; edits > 0 && !text.empty(); --edits) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = "\",\r\na1\xC3\xA9\0 "[random() % 10];
          break;
        case 1:
          text.erase(at, 1 + random() % 4);
          break;
        case 2:
          text.insert(at, 1, "\",\r\n1\t"[random() % 6]);
          break;
      }
    }
    const auto table = CsvTable::Parse(text, random() % 4 ? ',' : '\t', "t");
    if (!table.ok()) {
      EXPECT_EQ(table.status().message().find("t:"), 0u) << table.status();
      continue;
    }
    ++accepted;
    const DataOptions options{.data = "t", .target = table->header().back()};
    if (const auto schema = SchemaOf(*table, options); schema.ok())
      TableTensors(*table, *schema, options).IgnoreError();
    for (int64_t row = 0; row < table->num_rows(); ++row)
      for (size_t column = 0; column < table->header().size(); ++column)
        EXPECT_EQ(table->PlaceOf(row, column).find("t:"), 0u) << table->cell(row, column);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(TableDataTest, MakesClassesByName) {
  const TempDir dir;
  DataOptions options{.data = dir.Write("f.csv", kFlowers), .target = "species"};
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  EXPECT_EQ(loaded.features, (std::vector<std::string>{"length", "width"}));
  EXPECT_EQ(loaded.class_names, (std::vector<std::string>{"setosa", "versicolor", "virginica"}));
  const TensorMap all = All(*loaded.train);
  EXPECT_EQ(all.at("x").shape, (Shape{4, 2}));
  EXPECT_EQ(all.at("x").at(3), 3.2f);
  EXPECT_EQ(all.at("labels").dtype, DType::kI32);
  EXPECT_EQ(Values(all.at("labels")), (std::vector<double>{0, 1, 2, 0}));
}

TEST(TableDataTest, MakesBinaryTargets) {
  const TempDir dir;
  DataOptions options{.data = dir.Write("f.csv", kFlowers),
                      .target = "species",
                      .positive = "setosa",
                      .classes = 1};
  options.features = {"width"};
  ASSERT_OK_AND_ASSIGN(LoadedData loaded, LoadData(options));
  EXPECT_EQ(loaded.class_names, (std::vector<std::string>{"not setosa", "setosa"}));
  TensorMap all = All(*loaded.train);
  EXPECT_EQ(all.at("labels").dtype, DType::kF32);
  EXPECT_EQ(all.at("labels").shape, (Shape{4}));
  EXPECT_EQ(Values(all.at("labels")), (std::vector<double>{1, 0, 0, 1}));
  options.negative = "virginica";
  options.classes = 2;
  ASSERT_OK_AND_ASSIGN(loaded, LoadData(options));
  all = All(*loaded.train);
  EXPECT_EQ(all.at("labels").dtype, DType::kI32);
  EXPECT_EQ(Values(all.at("labels")), (std::vector<double>{1, 0, 1}));
  EXPECT_EQ(Values(all.at("x")), (std::vector<double>{3.5f, 3.3f, 3.0f}));
  // Numbers sort as numbers, and two of them need no name for the positive one.
  options = {.data = dir.Write("n.csv", "x,y\n1,10\n2,9\n"), .target = "y", .classes = 1};
  ASSERT_OK_AND_ASSIGN(loaded, LoadData(options));
  EXPECT_EQ(loaded.class_names, (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(Values(All(*loaded.train).at("labels")), (std::vector<double>{1, 0}));
}

TEST(TableDataTest, SplitsLimitsAndEvaluates) {
  const TempDir dir;
  DataOptions options{
      .data = dir.Write("f.csv", kFlowers), .val_fraction = 0.25, .target = "species"};
  ASSERT_OK_AND_ASSIGN(LoadedData loaded, LoadData(options));
  EXPECT_EQ(loaded.train->size(), 3);
  EXPECT_EQ(Values(All(*loaded.validation).at("x")), (std::vector<double>{4.9f, 3.0f}));
  EXPECT_NE(loaded.train->Checksum(), loaded.validation->Checksum());
  options.limit = 2;
  options.val_fraction = 0;
  ASSERT_OK_AND_ASSIGN(loaded, LoadData(options));
  EXPECT_EQ(loaded.train->size(), 2);
  options.limit = 0;
  options.val_data = dir.Write("v.csv", "species,width,length\nvirginica,1,2\n");
  ASSERT_OK_AND_ASSIGN(loaded, LoadData(options));
  EXPECT_EQ(Values(All(*loaded.validation).at("x")), (std::vector<double>{2, 1}));
  EXPECT_EQ(Values(All(*loaded.validation).at("labels")), (std::vector<double>{2}));
  DataOptions predict{.data = dir.Write("p.csv", "width,length\n1,2\n"), .training = false};
  predict.features = {"length", "width"};
  ASSERT_OK_AND_ASSIGN(loaded, LoadData(predict));
  const TensorMap all = All(*loaded.validation);
  EXPECT_EQ(all.size(), 1u);
  EXPECT_EQ(Values(all.at("x")), (std::vector<double>{2, 1}));
}

TEST(TableDataTest, NamesWhatIsWrong) {
  const TempDir dir;
  DataOptions options{.data = dir.Write("f.csv", kFlowers), .target = "specis"};
  EXPECT_THAT(LoadData(options), StatusIs(kNotFound, "no column specis; did you mean species?"));
  options.target = "";
  EXPECT_THAT(LoadData(options),
              StatusIs(kInvalidArgument, "the columns are length, width, species"));
  options.target = "species";
  options.positive = "setose";
  EXPECT_THAT(LoadData(options), StatusIs(kNotFound, "has no value setose; did you mean setosa?"));
  options.positive = "";
  options.classes = 2;
  EXPECT_THAT(LoadData(options),
              StatusIs(kInvalidArgument, "has 3 values, the model only 2 classes"));
  options.classes = 1;
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "has 3 values for a binary target"));
  options.classes = 0;
  options.features = {"lenght"};
  EXPECT_THAT(LoadData(options), StatusIs(kNotFound, "did you mean length?"));
  options.features = {"species"};
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "is the target and a feature"));
  options.features = {};
  for (const char* bad : {"abc", "nan", "inf", "1e39", "1e999", "", "1,5"}) {
    const std::string cell = std::string(bad) == "1,5" ? "\"1,5\"" : bad;
    options.data = dir.Write("g.csv", "a,b,species\n1,2,x\n3," + cell + ",y\n5,6,x\n");
    EXPECT_THAT(
        LoadData(options),
        StatusIs(kInvalidArgument, "g.csv:3:3: b is '" + std::string(bad) + "', not a finite"))
        << bad;
  }
  // A feature of which most cells are empty does not stay away in silence.
  options.data = dir.Write("g.csv", "a,b,species\n1,2,x\n3,,y\n5, ,x\n");
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "g.csv:3:3: b is '', not a finite"));
  // An empty label is no class, and one class is none to tell from others.
  options.data = dir.Write("g.csv", "a,species\n1,x\n2,\n3,y\n");
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "g.csv:3:3: species is empty"));
  options.positive = "x";
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "g.csv:3:3: species is empty"));
  options.negative = "y";
  EXPECT_OK(LoadData(options));  // a row that is neither is left out
  options.positive = options.negative = "";
  options.class_names = {"x", "y"};
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "g.csv:3:3: species is empty"));
  options.class_names = {};
  options.data = dir.Write("g.csv", "a,species\n1,x\n2,x\n");
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "species is x in every row"));
  options.data = dir.Write("t.csv", "a,species\nx,y\nz,x\n");
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "no numeric column"));
  options.data = dir / "f.csv";
  options.class_names = {"setosa", "versicolour"};
  EXPECT_THAT(
      LoadData(options),
      StatusIs(kInvalidArgument,
               "f.csv:3:9: 'versicolor' is none of the classes; did you mean versicolour?"));
  options.class_names = {};
  options.val_fraction = 0.01;
  EXPECT_OK(LoadData(options));  // 3.96 of 4 rows are 3
  options.limit = 1;
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "cannot be split"));
}

TEST(SafetensorsDataTest, GivesRowsOfEveryTensor) {
  const TempDir dir;
  TensorMap tensors;
  tensors["x"] = HostTensor::F32({3, 2}, {1, 2, 3, 4, 5, 6});
  tensors["labels"] = HostTensor::I32({3}, {0, 1, 0});
  ASSERT_OK(WriteSafetensors(dir / "d.safetensors", tensors));
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded,
                       LoadData({.data = dir / "d.safetensors", .val_fraction = 0.3}));
  ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.train->Batch({1, 0}));
  EXPECT_EQ(Values(batch.at("x")), (std::vector<double>{3, 4, 1, 2}));
  EXPECT_EQ(Values(batch.at("labels")), (std::vector<double>{1, 0}));
  EXPECT_EQ(Values(All(*loaded.validation).at("x")), (std::vector<double>{5, 6}));
  tensors["labels"] = HostTensor::I32({2}, {0, 1});
  ASSERT_OK(WriteSafetensors(dir / "d.safetensors", tensors));
  EXPECT_THAT(LoadData({.data = dir / "d.safetensors"}),
              StatusIs(kInvalidArgument, "tensor x has 3 examples, labels has 2"));
  tensors.erase("labels");
  tensors["x"].set(3, NAN);
  ASSERT_OK(WriteSafetensors(dir / "d.safetensors", tensors));
  EXPECT_THAT(LoadData({.data = dir / "d.safetensors"}),
              StatusIs(kInvalidArgument, "tensor x has nan"));
  tensors["x"] = HostTensor::F32({}, {1});
  ASSERT_OK(WriteSafetensors(dir / "d.safetensors", tensors));
  EXPECT_THAT(LoadData({.data = dir / "d.safetensors"}),
              StatusIs(kInvalidArgument, "has no examples"));
}

}  // namespace
}  // namespace trama
