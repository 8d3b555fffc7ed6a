#include "runtime/registry.h"

#include "base/status_matchers.h"
#include "runtime/device.h"
#include "tests/paths.h"

namespace trama {
namespace {

const std::string kBroken = TRAMA_BINARY_DIR "/tests/plugins";
constexpr auto kRefused = absl::StatusCode::kFailedPrecondition;

TEST(RegistryTest, FindsThePluginsOfTheBuild) {
  ASSERT_OK_AND_ASSIGN(const Plugin plugin, Registry().Find("reference"));
  EXPECT_EQ(std::string(plugin.api->name.data, plugin.api->name.size), "reference");
  EXPECT_TRUE(plugin.path.ends_with("/trama_backend_reference.so")) << plugin.path;
}

TEST(RegistryTest, UnknownNameSuggestsTheNearestAndSaysWhatIsThere) {
  EXPECT_THAT(Registry().Find("refrence"),
              StatusIs(absl::StatusCode::kNotFound, "did you mean reference?"));
  EXPECT_THAT(Registry().Find("nothing_like_it"),
              StatusIs(absl::StatusCode::kNotFound, "trama_backend_reference.so"));
  EXPECT_THAT(Registry("/no/such/folder").Find("x"),
              StatusIs(absl::StatusCode::kNotFound, "/no/such/folder:"));
}

TEST(RegistryTest, RefusesWhatIsNoPlugin) {
  const Registry registry(kBroken);
  EXPECT_THAT(registry.Find("text"), StatusIs(kRefused, "does not load"));
  EXPECT_THAT(registry.Find("no_symbol"), StatusIs(kRefused, "does not export"));
}

TEST(RegistryTest, RefusesOtherVersions) {
  const Registry registry(kBroken);
  EXPECT_THAT(registry.Find("null_api"), StatusIs(kRefused, "does not serve ABI 1.1"));
  EXPECT_THAT(registry.Find("other_major"), StatusIs(kRefused, "is built for ABI 2.1"));
  EXPECT_THAT(registry.Find("no_functions"), StatusIs(kRefused, "lacks the function status_code"));
  EXPECT_THAT(registry.Find("short_table"), StatusIs(kRefused, "lacks the function status_code"));
}

TEST(RegistryTest, TheFirstFolderCounts) {
  const Registry registry(kBroken + ":" TRAMA_BINARY_DIR "/lib/trama/plugins");
  EXPECT_EQ(registry.folders()[0], kBroken);
  std::vector<std::string> names;
  for (const Registry::Found& found : registry.List()) names.push_back(found.name);
  EXPECT_THAT(names, testing::IsSupersetOf({"null_api", "reference", "text"}));
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST(RegistryTest, OpeningADevicePassesItsErrorOn) {
  EXPECT_THAT(Device::Open("no_symbol", {.plugin_path = kBroken}),
              StatusIs(kRefused, "does not export"));
  EXPECT_THAT(Device::Open("cqu"), StatusIs(absl::StatusCode::kNotFound, "no backend \"cqu\""));
}

}  // namespace
}  // namespace trama
