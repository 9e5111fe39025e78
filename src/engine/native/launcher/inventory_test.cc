// What a state directory's list says of sandboxes, whole and not.
#include "engine/native/launcher/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/os/file.h"
#include "engine/native/record/sandbox_dir.h"

namespace cay::engine::native {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class InventoryTest : public ::testing::Test {
 protected:
  InventoryTest() {
    std::string pattern = ::testing::TempDir() + "cay-inventory-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    paths_ = {.state_dir = pattern, .run_dir = pattern};
    if (!MakeDirectories(paths_.sandboxes_dir(), 0700)) std::abort();
    CreateRequest request(
        id_, HostLayers{.overlays = {{"/", {"/srv/base"}}, {"/usr", {"/srv/names", "/usr"}}}});
    request.lifetime = Lifetime::kPersistent;
    auto dir = SandboxDir::Make(paths_.sandboxes_dir(), id_);
    if (!dir || !dir->WriteRecord({.request = request, .id_range = std::nullopt})) std::abort();
    std::ofstream(File("scratch.img")) << "files";
  }
  ~InventoryTest() override { std::filesystem::remove_all(paths_.state_dir); }

  std::string File(const std::string& name) const {
    return paths_.sandboxes_dir() + "/" + id_.text() + "/" + name;
  }
  std::vector<SandboxStatus> List() const {
    auto list = ListStatuses(paths_);
    EXPECT_TRUE(list);
    return list ? *list : std::vector<SandboxStatus>();
  }

  const SandboxId id_ = *SandboxId::Generate();
  Paths paths_;
};

TEST_F(InventoryTest, AWholeOneNamesTheLayersThatItStandsOn) {
  ASSERT_THAT(List(), SizeIs(1));
  const SandboxStatus status = List().front();
  EXPECT_EQ(status.id, id_);
  EXPECT_EQ(status.damage, "");
  using enum LayerReference::Kind;
  EXPECT_THAT(status.layers, ElementsAre(LayerReference{kHostDirectory, "/srv/base"},
                                         LayerReference{kHostDirectory, "/srv/names"},
                                         LayerReference{kHostDirectory, "/usr"}));
}

// It may stand on any: whoever removes layers must hear of it.
TEST_F(InventoryTest, WhatHasLostItsRecordIsDamagedEvenWithoutItsLock) {
  std::filesystem::remove(File("record"));
  ASSERT_THAT(List(), SizeIs(1));
  EXPECT_NE(List().front().damage, "");
  std::filesystem::remove(File("lock"));
  ASSERT_THAT(List(), SizeIs(1));
  EXPECT_NE(List().front().damage, "");
  EXPECT_THAT(List().front().layers, IsEmpty());
}

TEST_F(InventoryTest, WhatIsBeingRemovedIsNone) {
  std::ofstream(File("destroyed")) << "";
  EXPECT_THAT(List(), IsEmpty());
  std::filesystem::remove(File("lock"));
  std::filesystem::remove(File("record"));
  EXPECT_THAT(List(), IsEmpty());
}

}  // namespace
}  // namespace cay::engine::native
