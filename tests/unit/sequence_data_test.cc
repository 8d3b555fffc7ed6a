// Texts of different lengths: classified ones and instructions.
#include <algorithm>
#include <numeric>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/data/batch_iterator.h"
#include "runtime/data/data.h"
#include "runtime/data/instruction.h"
#include "runtime/data/sequence_dataset.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using absl::StatusCode::kInvalidArgument;
using Ids = std::vector<int32_t>;

Ids Ints(const HostTensor& tensor) {
  const auto span = tensor.data<int32_t>();
  return {span.begin(), span.end()};
}

std::string Message(const absl::StatusOr<LoadedData>& loaded) {
  return std::string(loaded.status().message());
}

// ---------------------------------------------------------------- classified texts

DataOptions Classified(const std::string& path) {
  DataOptions options{.data = path, .tokenizer_spec = "bytes", .seq_len = 64};
  options.classifies_text = true;
  return options;
}

TEST(LabelledTextTest, PadsToTheLongestAndMasks) {
  const TempDir dir;
  DataOptions options = Classified(dir.Write("a.tsv", "spam\tbuy\tnow\r\nham\thi\n\nham\t\n"));
  options.pad_id = 7;
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  EXPECT_EQ(loaded.class_names, (std::vector<std::string>{"ham", "spam"}));
  ASSERT_EQ(loaded.train->size(), 3);
  ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.train->Batch({0, 1, 2}));
  EXPECT_EQ(Ints(batch.at("labels")), (Ids{1, 0, 0}));
  EXPECT_EQ(batch.at("input_ids").shape, (Shape{3, 8}));  // the next multiple of 8
  EXPECT_EQ(Ints(batch.at("input_ids")),
            (Ids{'b', 'u', 'y', '\t', 'n', 'o', 'w', 7, 'h', 'i', 7, 7, 7, 7, 7, 7,  //
                 7,   7,   7,   7,    7,   7,   7,   7}));
  EXPECT_EQ(Ints(batch.at("attention_mask")), (Ids{1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0,  //
                                                   0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(LabelledTextTest, HasFewShapesAndCutsAtSeqLen) {
  const TempDir dir;
  std::string rows;
  for (int i = 1; i <= 100; ++i)
    rows += std::string(i % 2 ? "a" : "b") + "\t" + std::string(static_cast<size_t>(i), 'x') + "\n";
  DataOptions options = Classified(dir.Write("a.tsv", rows));
  options.seq_len = 90;
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  std::vector<int64_t> lengths;
  for (const int64_t example : loaded.train->ShapeExamples()) {
    ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.train->Batch({example}));
    lengths.push_back(batch.at("input_ids").shape[1]);
  }
  EXPECT_EQ(lengths, (std::vector<int64_t>{24, 48, 72, 90}));
  for (int64_t i = 0; i < 100; ++i) {
    ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.train->Batch({i, 0}));
    const int64_t length = batch.at("input_ids").shape[1];
    EXPECT_NE(std::find(lengths.begin(), lengths.end(), length), lengths.end());
    EXPECT_GE(length, std::min<int64_t>(i + 1, 90));
  }
}

TEST(LabelledTextTest, ReadsTablesByColumn) {
  const TempDir dir;
  DataOptions options =
      Classified(dir.Write("a.csv", "id,label,text\n1,no,\"a, b\"\n2,yes,c\n3,no,d\n"));
  options.text_column = "text";
  options.target = "label";
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  EXPECT_EQ(loaded.class_names, (std::vector<std::string>{"no", "yes"}));
  ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.train->Batch({0}));
  EXPECT_EQ(batch.at("input_ids").at(1), ',');
}

// 747 of each class, 1045 / 149 / 300: the book's numbers for the SMS collection.
TEST(LabelledTextTest, BalancesAndSplits) {
  const TempDir dir;
  std::string rows;
  for (int i = 0; i < 4825; ++i) rows += "ham\th" + std::to_string(i) + "\n";
  for (int i = 0; i < 747; ++i) rows += "spam\ts" + std::to_string(i) + "\n";
  DataOptions options = Classified(dir.Write("a.tsv", rows));
  options.balance = true;
  options.splits = {0.7, 0.1, 0.2};
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  EXPECT_EQ(loaded.train->size(), 1045);
  EXPECT_EQ(loaded.validation->size(), 149);
  std::vector<Ids> all;
  int64_t spam = 0;
  const auto count = [&](const Dataset& dataset) {
    for (int64_t i = 0; i < dataset.size(); ++i) {
      const TensorMap batch = *dataset.Batch({i});
      all.push_back(Ints(batch.at("input_ids")));
      spam += static_cast<int64_t>(batch.at("labels").at(0));
    }
  };
  count(*loaded.train);
  count(*loaded.validation);
  options.training = false;
  options.target = "label";
  options.part = "test";
  ASSERT_OK_AND_ASSIGN(const LoadedData test, LoadData(options));
  EXPECT_EQ(test.validation->size(), 300);
  count(*test.validation);
  EXPECT_EQ(spam, 747);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());  // no text is in two parts
  options.seed = 1;
  ASSERT_OK_AND_ASSIGN(const LoadedData other, LoadData(options));
  EXPECT_NE(other.validation->Checksum(), test.validation->Checksum());
}

TEST(LabelledTextTest, PredictsFromLinesWithAndWithoutALabel) {
  const TempDir dir;
  DataOptions options = Classified(dir.Write("a.txt", "plain\nham\tx\nno\tlabel\n"));
  options.training = false;
  options.class_names = {"ham", "spam"};
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.validation->Batch({0, 1, 2}));
  EXPECT_FALSE(batch.contains("labels"));
  const Ids mask = Ints(batch.at("attention_mask"));
  EXPECT_EQ(std::accumulate(mask.begin(), mask.end(), 0), 5 + 1 + 8);
}

TEST(LabelledTextTest, NamesTheLine) {
  const TempDir dir;
  EXPECT_EQ(Message(LoadData(Classified(dir.Write("a.tsv", "ham\tx\nspam y\n")))),
            dir.path() +
                "/a.tsv:2: not 'label TAB text'; a table's columns are named by "
                "text_column and target");
  EXPECT_EQ(Message(LoadData(Classified(dir.Write("b.tsv", "ham\tx\nspam\t\xff\n")))),
            dir.path() + "/b.tsv:2:6: invalid UTF-8");
  DataOptions options = Classified(dir.Write("c.tsv", "ham\tx\nspma\ty\n"));
  options.class_names = {"ham", "spam"};
  EXPECT_EQ(Message(LoadData(options)),
            dir.path() + "/c.tsv:2: 'spma' is none of the classes ham, spam");
  options = Classified(dir.Write("d.tsv", "a\tx\nb\ty\nc\tz\n"));
  options.classes = 2;
  EXPECT_EQ(Message(LoadData(options)),
            dir.path() + "/d.tsv: 3 different labels, the model has only 2 classes");
  options = Classified(dir.Write("e.csv", "label,text\na,x\n"));
  EXPECT_EQ(Message(LoadData(options)),
            dir.path() + "/e.csv: no text_column is named; the columns are label, text");
  EXPECT_EQ(LoadData(Classified(dir.Write("f.tsv", ""))).status().code(), kInvalidArgument);
}

// ---------------------------------------------------------------- instructions

// The example of Raschka's chapter 7.
TEST(InstructionTest, CollatesAsTheBook) {
  const std::vector<Sequence> sequences = {
      {.ids = {0, 1, 2, 3, 4}}, {.ids = {5, 6}}, {.ids = {7, 8, 9}}};
  const std::vector<const Sequence*> rows = {&sequences[0], &sequences[1], &sequences[2]};
  const InstructionBatch batch = CollateNextToken(rows, 5, 50256);
  EXPECT_EQ(Ints(batch.input_ids), (Ids{0, 1, 2, 3, 4,              //
                                        5, 6, 50256, 50256, 50256,  //
                                        7, 8, 9, 50256, 50256}));
  EXPECT_EQ(Ints(batch.labels), (Ids{1, 2, 3, 4, 50256,           //
                                     6, 50256, -100, -100, -100,  //
                                     8, 9, 50256, -100, -100}));
  // allowed_max_length: cut after the shift, so that the last target is what was cut off.
  const InstructionBatch cut = CollateNextToken({rows[0]}, 3, 50256);
  EXPECT_EQ(Ints(cut.input_ids), (Ids{0, 1, 2}));
  EXPECT_EQ(Ints(cut.labels), (Ids{1, 2, 3}));
  // Instruction masking: targets[:length - 1] = -100.
  const Sequence masked{.ids = {0, 1, 2, 3, 4}, .num_hidden = 3};
  EXPECT_EQ(Ints(CollateNextToken({&masked}, 6, 50256).labels),
            (Ids{-100, -100, 3, 4, 50256, -100}));
}

TEST(InstructionTest, FormatsAsTheBook) {
  Instruction record{.instruction = "Name it.", .input = "", .output = "It.", .place = ""};
  EXPECT_EQ(InstructionText(record),
            "Below is an instruction that describes a task. Write a response that appropriately "
            "completes the request.\n\n### Instruction:\nName it.");
  record.input = "a cat";
  EXPECT_EQ(InstructionText(record),
            "Below is an instruction that describes a task. Write a response that appropriately "
            "completes the request.\n\n### Instruction:\nName it.\n\n### Input:\na cat");
}

constexpr char kRecords[] =
    "[{\"instruction\": \"a\", \"input\": \"\", \"output\": \"b\"},\n"
    " {\"instruction\": \"c\", \"output\": \"dd\"}]";

TEST(InstructionTest, LearnsEveryTokenOrTheResponse) {
  const TempDir dir;
  DataOptions options{.data = dir.Write("a.json", kRecords), .tokenizer_spec = "bytes"};
  options.seq_len = 512;
  options.pad_id = 0;
  for (const bool masked : {false, true}) {
    options.mask_instruction = masked;
    ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
    ASSERT_EQ(loaded.train->size(), 2);
    ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.train->Batch({1}));
    EXPECT_FALSE(batch.contains("attention_mask"));
    std::string learned;
    for (const int32_t id : Ints(batch.at("labels")))
      if (id != -100) learned += static_cast<char>(id);
    const std::string response = std::string(kResponseHeading) + "dd" + std::string(1, '\0');
    if (masked)
      EXPECT_EQ(learned, response);
    else
      EXPECT_TRUE(learned.starts_with("elow is") && learned.ends_with(response)) << learned;
  }
}

TEST(InstructionTest, TellsRecordsFromDocuments) {
  const TempDir dir;
  DataOptions options{.data = dir.Write("a.jsonl",
                                        "\n{\"instruction\": \"a\", \"output\": \"b\"}\n"
                                        "{\"instruction\": \"c\", \"output\": \"d\"}\n"),
                      .val_fraction = 0.5,
                      .tokenizer_spec = "bytes",
                      .seq_len = 512};
  options.pad_id = 0;
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  EXPECT_FALSE(loaded.train->endless());
  EXPECT_EQ(loaded.validation->size(), 1);
}

TEST(InstructionTest, NamesTheRecordAndTheField) {
  const TempDir dir;
  const auto message = [&](const std::string& name, const std::string& text) {
    DataOptions options{.data = dir.Write(name, text), .tokenizer_spec = "bytes", .seq_len = 64};
    options.pad_id = 0;
    const std::string found = Message(LoadData(options));
    return found.substr(std::min(found.size(), dir.path().size() + 1));
  };
  EXPECT_EQ(
      message("a.json",
              "[{\"instruction\": \"[\\\"\", \"output\": \"b\"},\n\n{\"instruction\": \"a\"}]"),
      "a.json:3: record 2: missing \"output\"");
  EXPECT_EQ(message("b.json", R"([{"output": "b"}])"),
            "b.json:1: record 1: missing \"instruction\"");
  EXPECT_EQ(message("c.json", R"([{"instruction": 3, "output": "b"}])"),
            "c.json:1: record 1: \"instruction\": expected a string, not an integer");
  EXPECT_EQ(message("d.json", R"({"instruction": "a"})"),
            "d.json: not an array of records but an object");
  EXPECT_EQ(message("e.json", "[]"), "e.json: no record, the data is empty");
  EXPECT_EQ(message("f.jsonl",
                    "{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\": "
                    "\"a\"}\n"),
            "f.jsonl:2: missing \"output\"");
  DataOptions options{.data = dir.Write("g.json", kRecords), .tokenizer_spec = "bytes"};
  options.seq_len = 64;
  EXPECT_NE(Message(LoadData(options)).find("nothing ends a response"), std::string::npos);
}

// Every example once an epoch, whatever the lengths; and a resumed run notices other data.
TEST(SequenceDatasetTest, IteratesInBatches) {
  const TempDir dir;
  std::string rows;
  for (int i = 1; i <= 10; ++i)
    rows +=
        std::string(i % 2 ? "a" : "b") + "\t" + std::string(static_cast<size_t>(3 * i), 'x') + "\n";
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(Classified(dir.Write("a.tsv", rows))));
  ASSERT_OK_AND_ASSIGN(BatchIterator batches,
                       BatchIterator::Create(*loaded.train, {.batch_size = 4, .seed = 3}));
  int64_t tokens = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const Batch batch, batches.Next());
    for (const int32_t kept : Ints(batch.tensors.at("attention_mask"))) tokens += kept;
  }
  EXPECT_EQ(tokens, 3 * 55);
  EXPECT_EQ(batches.epoch(), 1);
}

}  // namespace
}  // namespace trama
