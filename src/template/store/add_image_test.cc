// Images into the store: layers that are made once and shared, what is put above them, what of an
// image holds, and what stays of one that fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "template/layers/test_layers.h"
#include "template/store/template_store.h"
#include "template/store/test_sandboxes.h"
#include "template/test_directory.h"

namespace cay::templates {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// An image whose layers are plain archives.
struct TestImage {
  NewImage image;
  std::vector<std::string> tars;

  TestImage() {
    image.origin.reference = "docker.io/library/app:1";
    image.origin.digest = "sha256:" + std::string(64, '1');
    image.origin.config.platform = {.os = "linux", .architecture = "amd64"};
  }
  TestImage& Add(LayerTar& tar) {
    tars.push_back(tar.Finish());
    const oci::Digest digest = *oci::Digest::Of(tars.back());
    image.layers.push_back({.media_type = std::string(oci::kOciLayerTar),
                            .digest = digest,
                            .size = tars.back().size()});
    image.origin.config.diff_ids.push_back(digest);
    return *this;
  }
};

TestImage TwoLayers() {
  TestImage image;
  LayerTar lower;
  lower.Directory("bin").File("bin/sh", "a shell", 0755).Directory("etc", 0750);
  lower.File("etc/passwd", "root:x:0:0::/root:/bin/sh\n").File("old").Directory("tmp", 01777);
  LayerTar upper;
  upper.Whiteout(".wh.old").File("new", "of the second");
  image.Add(lower).Add(upper);
  return image;
}

class AddImageTest : public ::testing::Test {
 protected:
  AddImageTest() {
    auto store = TemplateStore::Open({dir_.At("state"), dir_.At("run")}, NoSandboxes);
    if (!store) std::abort();
    store_.emplace(*std::move(store));
  }

  Result<TemplateInfo> Add(const std::string& name, const TestImage& image,
                           const ImportOptions& options = {}) {
    return store_->AddImage(
        name, image.image,
        [&](size_t index) -> Result<std::unique_ptr<archive::ByteSource>> {
          opened_.push_back(index);
          return std::make_unique<archive::StringSource>(image.tars[index]);
        },
        options);
  }
  std::vector<std::string> RootsOf(const std::string& name) {
    const auto found = store_->Find(name);
    EXPECT_TRUE(found) << found.error().ToString();
    return found ? engine::HostLayersOf(found->root).overlays.at(0).layers
                 : std::vector<std::string>();
  }
  size_t CountIn(const char* name) const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         fs::directory_iterator(dir_.At("state/templates") + name))
      ++count;
    return count;
  }

  TestDirectory dir_;
  std::optional<TemplateStore> store_;
  std::vector<size_t> opened_;
};

TEST_F(AddImageTest, ItsLayersAreBelowWhatEverySandboxNeeds) {
  const auto added = Add("app:1", TwoLayers());
  ASSERT_TRUE(added) << added.error().ToString();
  EXPECT_EQ(added->layers, 3U);
  EXPECT_EQ(added->source, "docker.io/library/app:1");
  const std::vector<std::string> roots = RootsOf("app:1");
  ASSERT_THAT(roots, SizeIs(3));
  // The topmost has what the layers below lack, and what it says of users is theirs and more.
  EXPECT_TRUE(fs::is_directory(roots[0] + "/workspace"));
  EXPECT_FALSE(fs::exists(roots[0] + "/bin"));
  const std::string passwd = ReadFile(roots[0] + "/etc/passwd", 4096).value_or("");
  EXPECT_THAT(passwd, HasSubstr("root:x:0:0::/root:/bin/sh\n"));
  EXPECT_THAT(passwd, HasSubstr(":1000:1000:"));
  struct stat info{};
  ASSERT_EQ(::stat((roots[0] + "/etc").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0750U) << "a directory of both is as it was";
  EXPECT_TRUE(fs::exists(roots[1] + "/new"));
  ASSERT_EQ(::lstat((roots[1] + "/old").c_str(), &info), 0);
  EXPECT_TRUE(IsWhiteout(info));
  EXPECT_TRUE(fs::exists(roots[2] + "/bin/sh"));
}

TEST_F(AddImageTest, LayersAreSharedAndGoWithTheLastThatNeedsThem) {
  ASSERT_TRUE(Add("one:1", TwoLayers()));
  EXPECT_THAT(opened_, ElementsAre(0, 1));
  TestImage other = TwoLayers();
  LayerTar more;
  more.File("more");
  other.Add(more);
  EXPECT_THAT(store_->FindLayers(other.image).value(), ElementsAre(true, true, false));
  opened_.clear();
  ASSERT_TRUE(Add("two", other));
  EXPECT_THAT(opened_, ElementsAre(2));
  EXPECT_EQ(RootsOf("one:1")[1], RootsOf("two")[2]);
  EXPECT_EQ(store_->List()->at(2).size, store_->List()->at(1).size + 1) << "what is below counts";
  ASSERT_TRUE(store_->Remove("one:1"));
  EXPECT_EQ(CountIn("/.layers"), 4U);
  EXPECT_TRUE(fs::exists(RootsOf("two")[3] + "/bin/sh"));
  ASSERT_TRUE(store_->Remove("two"));
  EXPECT_EQ(CountIn("/.layers"), 0U);
}

// What is unpacked depends on what is below.
TEST_F(AddImageTest, TheSameLayerAboveOthersIsAnother) {
  LayerTar first;
  first.Directory("usr/bin").Symlink("bin", "usr/bin");
  LayerTar second;
  second.Directory("bin");
  LayerTar last;
  last.File("bin/tool");
  TestImage linked;
  linked.Add(first).Add(last);
  LayerTar last_again;
  last_again.File("bin/tool");
  TestImage plain;
  plain.Add(second).Add(last_again);
  ASSERT_TRUE(Add("linked:1", linked));
  ASSERT_TRUE(Add("plain:1", plain));
  EXPECT_TRUE(fs::exists(RootsOf("linked:1")[1] + "/usr/bin/tool"));
  EXPECT_TRUE(fs::exists(RootsOf("plain:1")[1] + "/bin/tool"));
}

TEST_F(AddImageTest, WhatItSaysOfItsProgramsHolds) {
  TestImage image = TwoLayers();
  oci::ProcessConfig& process = image.image.origin.config.process;
  process.env = {"PATH=/opt/bin", "LANG=de_DE.UTF-8", "MODE=fast"};
  process.working_dir = "/srv";
  process.user = "33:33";
  ASSERT_TRUE(Add("app:1", image));
  const auto found = store_->Find("docker.io/library/app:1");
  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ(found->name, "app:1");
  EXPECT_THAT(found->env, Contains("PATH=/opt/bin"));
  EXPECT_THAT(found->env, Contains("LANG=de_DE.UTF-8"));
  EXPECT_THAT(found->env, Contains("MODE=fast"));
  EXPECT_EQ(std::ranges::count_if(found->env,
                                  [](const std::string& one) { return one.starts_with("PATH="); }),
            1);
  EXPECT_EQ(found->workdir, "/srv");
  EXPECT_EQ(found->user, ::geteuid() == 0 ? "33:33" : "user");
}

TEST_F(AddImageTest, AShortNameIsAlsoThatOfTheLatest) {
  ASSERT_TRUE(Add("app:latest", TwoLayers()));
  EXPECT_EQ(store_->Find("app")->name, "app:latest");
  ASSERT_TRUE(Add("app", TwoLayers()));
  EXPECT_EQ(store_->Find("app")->name, "app");
}

TEST_F(AddImageTest, OfOneThatFailsNothingStays) {
  TestImage wrong = TwoLayers();
  wrong.tars[1][0] ^= 1;
  const auto added = Add("app:1", wrong);
  ASSERT_FALSE(added);
  EXPECT_EQ(CountIn("/.layers"), 0U);
  EXPECT_EQ(CountIn("/.partial"), 0U);
  EXPECT_EQ(store_->Find("app:1").error().code(), ErrorCode::kNotFound);
  TestImage unequal = TwoLayers();
  unequal.image.layers.pop_back();
  EXPECT_EQ(Add("app:1", unequal).error().code(), ErrorCode::kInvalidArgument);
  TestImage elsewhere;
  LayerTar link;
  link.Symlink("etc", "/elsewhere");
  elsewhere.Add(link);
  EXPECT_THAT(Add("app:1", elsewhere).error().message(), HasSubstr("its /etc is a symlink"));
  EXPECT_EQ(CountIn("/.partial"), 0U);
  // A layer that was made by the way, and that nobody needs, goes with the next collection.
  ASSERT_TRUE(store_->CollectGarbage());
  EXPECT_EQ(CountIn("/.layers"), 0U);
}

// As images are that are made FROM scratch.
TEST_F(AddImageTest, OneFileIsAnImage) {
  TestImage image;
  LayerTar file;
  file.File("hello");
  image.Add(file);
  ASSERT_TRUE(Add("hello:1", image));
  const auto found = store_->Find("hello:1");
  ASSERT_TRUE(found);
  EXPECT_EQ(engine::HostLayersOf(found->root).overlays.front().layers.size(), 2U);
}

TEST_F(AddImageTest, TheBoundIsOfAllLayersTogether) {
  TestImage image = TwoLayers();
  LayerTar large;
  large.File("large", std::string(100'000, 'x'));
  image.Add(large);
  ImportOptions options;
  options.max_bytes = 100'010;  // the third alone would fit
  EXPECT_EQ(Add("app:1", image, options).error().code(), ErrorCode::kLimitTooHigh);
}

// Of layers that both need each is made by one of them.
TEST_F(AddImageTest, TwoAtTheSameTimeDoNotHinderEachOther) {
  const TestImage image = TwoLayers();
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto open = [&](size_t index) -> Result<std::unique_ptr<archive::ByteSource>> {
        return std::make_unique<archive::StringSource>(image.tars[index]);
      };
      auto store = TemplateStore::Open({dir_.At("state"), dir_.At("run")}, NoSandboxes);
      if (store && store->AddImage("app-" + std::to_string(i), image.image, open, {})) ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 4);
  EXPECT_EQ(CountIn("/.layers"), 2U + 4U);
}

// Somebody wrote there: two chains cannot have one layer.
TEST_F(AddImageTest, ALayerThatIsAnothersIsNotTaken) {
  ASSERT_TRUE(Add("app:1", TwoLayers()));
  const std::string about = fs::path(RootsOf("app:1")[2]).parent_path() / "about.json";
  std::string text = ReadFile(about, 4096).value_or("");
  const size_t at = text.find("sha256:") + 7;
  text[at] = text[at] == '0' ? '1' : '0';
  std::ofstream(about) << text;
  const auto again = Add("app:2", TwoLayers());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kIo);
  std::ofstream(about) << "garbage";
  EXPECT_EQ(Add("app:2", TwoLayers()).error().code(), ErrorCode::kIo);
}

// A layer's id, as another process would have it: LayerStore::Begin holds the lock on it.
std::string IdOfLowest(const TestImage& image) {
  return *LayerIdOf("layer of an image, first rules: " + image.image.layers[0].digest.text());
}

TEST_F(AddImageTest, SomebodyWhoMakesALayerForEverIsNotWaitedForForEver) {
  const TestImage image = TwoLayers();
  auto layers = LayerStore::Open({dir_.At("state"), dir_.At("run")}, NoSandboxes);
  ASSERT_TRUE(layers);
  const auto made = layers->Begin(IdOfLowest(image));
  ASSERT_TRUE(made);
  ImportOptions options;
  options.maker_patience = Millis(120);
  const auto added = Add("app", image, options);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code(), ErrorCode::kTimeout);
  EXPECT_THAT(added.error().ToString(), HasSubstr("/.partial/" + made->id()));
}

TEST_F(AddImageTest, WhoWaitsForALayerCanBeStopped) {
  const TestImage image = TwoLayers();
  auto layers = LayerStore::Open({dir_.At("state"), dir_.At("run")}, NoSandboxes);
  ASSERT_TRUE(layers);
  const auto made = layers->Begin(IdOfLowest(image));
  ASSERT_TRUE(made);
  int asked = 0;
  ImportOptions options;
  options.is_stopped = [&] { return ++asked == 3; };
  const auto added = Add("app", image, options);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().sys_errno(), ECANCELED);
  EXPECT_EQ(asked, 3);
}

TEST_F(AddImageTest, WhatAnImageSaysOfItsProgramsIsFoundWithIt) {
  TestImage image = TwoLayers();
  image.image.origin.config.process.entrypoint = {"/bin/sh", "-c"};
  image.image.origin.config.process.stop_signal = "SIGINT";
  ASSERT_TRUE(Add("app", image));
  const auto found = store_->Find("app");
  ASSERT_TRUE(found);
  ASSERT_NE(found->process, nullptr);
  EXPECT_THAT(found->process->entrypoint, ElementsAre("/bin/sh", "-c"));
  EXPECT_EQ(found->process->stop_signal, "SIGINT");
  const auto host = store_->Find("host");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->process, nullptr);
}

}  // namespace
}  // namespace cay::templates
