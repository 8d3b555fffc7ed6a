// How matrix products are cut: every tile that one can have gives the right result, and what a
// tuner measured is kept, found again, and never trusted.
#include <filesystem>
#include <fstream>

#include "backends/vulkan/executable.h"
#include "backends/vulkan/tile_tuner.h"
#include "tests/temp_dir.h"
#include "tests/unit/matmul_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"

namespace trama::vulkan {
namespace {
using ::testing::HasSubstr;

// One tile for every product, and how many there were.
class TileNumber : public TileChoice {
 public:
  explicit TileNumber(size_t number) : number_(number) {}
  size_t Choose(const std::string& product, llvm::ArrayRef<ProductTile> tiles) const override {
    name = product;
    all.assign(tiles.begin(), tiles.end());
    return number_;
  }
  std::string Identity() const override { return absl::StrCat("tile ", number_); }

  mutable std::string name;
  mutable std::vector<ProductTile> all;

 private:
  size_t number_;
};

class VulkanTilesTest : public AnchorTest {
 protected:
  void CheckEveryTile(const std::string& text, double tolerance = 2e-6) {
    ASSERT_OK_AND_ASSIGN(TestDevice * device, TestDevice::Get(GetParam().abi, GetParam().as_gpu));
    size_t count = 1;
    for (size_t i = 0; i < count; ++i) {
      SCOPED_TRACE(absl::StrCat("tile ", i));
      const auto tile = std::make_shared<TileNumber>(i);
      device->device->SetTiles(tile);
      Check(text, tolerance);
      device->device->SetTiles(nullptr);
      ASSERT_FALSE(tile->all.empty()) << text;
      count = tile->all.size();
      for (size_t k = 0; k < i; ++k) EXPECT_NE(TileName(tile->all[k]), TileName(tile->all[i]));
    }
    EXPECT_GT(count, 1u) << text;
  }
};

TEST_P(VulkanTilesTest, EveryTileIsRight) {
  using kernel_testing::Matmul;
  CheckEveryTile(Matmul({}, 1, 260, 36, false, false));
  CheckEveryTile(Matmul({}, 2, 131, 70, false, true));
  CheckEveryTile(Matmul({}, 13, 300, 41, true, false));
  CheckEveryTile(Matmul({2}, 100, 1100, 132, false, false), 4e-6);
}

INSTANTIATE_TEST_SUITE_P(Machines, VulkanTilesTest, TestedMachines(), MachineName);

const std::string& SomeProduct() {
  static const std::string text = kernel_testing::Matmul({}, 40, 64, 96, false, false);
  return text;
}

// The products that `text` has on the first device.
TileNumber Products(Device& device, const std::string& text) {
  const auto choice = std::make_shared<TileNumber>(0);
  Target target = device.target();
  target.tiles = choice;
  EXPECT_OK(CompileKernel(*NewContext(), target, "matmul", text));
  return *choice;
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(VulkanTileTableTest, IsThereAgain) {
  TempDir temp;
  ASSERT_OK_AND_ASSIGN(auto device, Device::Open({}));
  const TileNumber products = Products(*device, SomeProduct());
  ASSERT_GT(products.all.size(), 2u);
  const std::string path = temp / "made/when/needed/tiles.json";
  ASSERT_OK_AND_ASSIGN(TileTable none, TileTable::Read(path, "a device"));
  EXPECT_EQ(none.size(), 0u);
  EXPECT_EQ(none.Identity(), "");
  TileTable table("a device");
  table.Set(products.name, products.all[2]);
  ASSERT_OK(table.Write(path));
  ASSERT_OK_AND_ASSIGN(const TileTable again, TileTable::Read(path, "a device"));
  EXPECT_EQ(again.size(), 1u);
  EXPECT_EQ(again.Choose(products.name, products.all), 2u);
  EXPECT_EQ(again.Choose("another product", products.all), 0u);
  EXPECT_EQ(again.Identity(), table.Identity());
  EXPECT_NE(again.Identity(), "");
  // A tile that the product has not, as of another build: the built-in one.
  EXPECT_EQ(again.Choose(products.name, llvm::ArrayRef(products.all).take_front(2)), 0u);
}

TEST(VulkanTileTableTest, RefusesWhatIsNone) {
  TempDir temp;
  const std::string path = temp / "tiles.json";
  for (const char* text : {"", "{", "[1]", "\xff\xfe", R"({"format": 1, "device": "d"})",
                           R"({"format": 9, "device": "d", "tiles": {}})",
                           R"({"format": 1, "device": "d", "tiles": {"p": 3}})"}) {
    WriteText(path, text);
    EXPECT_THAT(TileTable::Read(path, "d"),
                StatusIs(absl::StatusCode::kDataLoss, path + " is no table of tiles"))
        << text;
  }
  WriteText(path, R"({"format": 1, "device": "d", "tiles": {}})");
  EXPECT_OK(TileTable::Read(path, "d"));
  EXPECT_THAT(TileTable::Read(path, "e"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "is of d, not of e"));
  EXPECT_THAT(TileTable("d").Write("/proc/no/such/place"),
              StatusIs(absl::StatusCode::kPermissionDenied, "/proc/no/such/place"));
}

// Another tile is another kernel, also on disk.
TEST(VulkanTileTableTest, IsPartOfTheKey) {
  TempDir temp;
  ASSERT_OK_AND_ASSIGN(auto test, TestDevice::Open(DeviceOptions(), false, temp.path()));
  const TileNumber products = Products(*test->device, SomeProduct());
  const auto compiled = [&](size_t tile) {
    auto table = std::make_shared<TileTable>("d");
    if (tile) table->Set(products.name, products.all[tile]);
    test->device->SetTiles(table);
    LoadStatistics statistics;
    EXPECT_OK(test->shaders->Load({{"matmul", &SomeProduct(), "hash"}}, &statistics));
    return statistics.compiled;
  };
  EXPECT_EQ(compiled(0), 1);
  EXPECT_EQ(compiled(1), 1);
  EXPECT_EQ(compiled(2), 1);
  EXPECT_EQ(compiled(1), 0);
  EXPECT_EQ(compiled(0), 0);
}

TEST(VulkanTileTunerTest, MeasuresEachProductOnce) {
  ASSERT_OK_AND_ASSIGN(auto test, TestDevice::Open(DeviceOptions()));
  const TileNumber products = Products(*test->device, SomeProduct());
  TileTable table("d");
  const std::string add =
      "func.func private @k(%a: tensor<4xf32>) -> tensor<4xf32> attributes "
      "{trama.kind = \"fused\"} {\n  %y = trama.add %a, %a : tensor<4xf32>, "
      "tensor<4xf32>\n  return %y : tensor<4xf32>\n}\n";
  const KernelSource sources[] = {
      {"fused", &add, ""}, {"matmul", &SomeProduct(), ""}, {"matmul", &SomeProduct(), ""}};
  ASSERT_OK_AND_ASSIGN(const auto tuned, TuneTiles(*test->memory, *test->shaders, sources, table));
  ASSERT_EQ(tuned.size(), 1u);
  EXPECT_EQ(tuned[0].product, products.name);
  EXPECT_EQ(tuned[0].builtin, TileName(products.all[0]));
  EXPECT_EQ(tuned[0].tiles, products.all.size());
  EXPECT_GT(tuned[0].fastest_us, 0);
  EXPECT_LE(tuned[0].fastest_us, tuned[0].builtin_us);
  EXPECT_EQ(table.size(), tuned[0].fastest == tuned[0].builtin ? 0u : 1u);
  EXPECT_EQ(TileName(products.all[table.Choose(products.name, products.all)]), tuned[0].fastest);
}

// While tuning, a file that is none is replaced; else it is an error before anything runs.
TEST(VulkanTileTunerTest, ReplacesADamagedFile) {
  TempDir temp;
  Engine engine;
  ASSERT_OK_AND_ASSIGN(engine.device, Device::Open({}));
  engine.memory = std::make_unique<Memory>(*engine.device);
  engine.shaders = std::make_unique<ShaderCache>(*engine.memory, "", 2);
  engine.tile_file = temp / "tiles.json";
  WriteText(engine.tile_file, "nonsense");
  EXPECT_THAT(engine.ReadTiles(), StatusIs(absl::StatusCode::kDataLoss, "tune again"));
  engine.tune = true;
  ASSERT_OK(engine.ReadTiles());
  const KernelSource source = {"matmul", &SomeProduct(), ""};
  ASSERT_OK_AND_ASSIGN(const std::string json, engine.Tune({&source, 1}));
  EXPECT_THAT(json, HasSubstr(engine.tile_file));
  engine.tune = false;
  EXPECT_OK(engine.ReadTiles());
}

}  // namespace
}  // namespace trama::vulkan
