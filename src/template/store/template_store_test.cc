#include "template/store/template_store.h"
#include "template/store/test_sandboxes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "template/metadata/metadata.h"
#include "template/test_directory.h"

namespace cay::templates {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class TemplateStoreTest : public ::testing::Test {
 protected:
  Paths StorePaths() const { return {dir_.At("state"), dir_.At("run")}; }

  TemplateStore Open() {
    Result<TemplateStore> store = TemplateStore::Open(StorePaths(), NoSandboxes);
    EXPECT_TRUE(store.has_value()) << store.error().ToString();
    return *std::move(store);
  }

  Template FindHost(TemplateStore& store) {
    Result<Template> host = store.Find("host");
    EXPECT_TRUE(host.has_value()) << host.error().ToString();
    return *std::move(host);
  }

  static std::string Skeleton(const Template& host) {
    return engine::HostLayersOf(host.root).overlays.at(0).layers.at(0);
  }

  TestDirectory dir_;
};

TEST_F(TemplateStoreTest, HostHasASkeletonBelowAndTheMachinesUsrAboveIt) {
  TemplateStore store = Open();
  const Template host = FindHost(store);
  EXPECT_EQ(engine::HostLayersOf(host.root).overlays.at(0).target, "/");
  bool usr = false;
  for (const engine::Overlay& overlay : engine::HostLayersOf(host.root).overlays) {
    if (overlay.target == "/usr") {
      usr = true;
      EXPECT_EQ(overlay.layers.back(), "/usr");  // below a name for python3, where there is none
      EXPECT_LE(overlay.layers.size(), 2U);
    }
  }
  EXPECT_TRUE(usr);
  EXPECT_EQ(host.user, "user");
  EXPECT_EQ(host.workdir, "/workspace");
  EXPECT_THAT(host.env, Contains("HOME=/home/user"));
}

TEST_F(TemplateStoreTest, TheSkeletonHasWhatProgramsExpect) {
  TemplateStore store = Open();
  const Template host = FindHost(store);
  const std::string root = Skeleton(host);
  EXPECT_THAT(ReadFile(root + "/etc/passwd").value_or(""), HasSubstr("user:x:1000:1000:"));
  EXPECT_THAT(ReadFile(root + "/etc/hosts").value_or(""), HasSubstr("localhost"));
  struct stat info{};
  ASSERT_EQ(::stat((root + "/tmp").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 01777U);
  for (const char* path :
       {"/proc", "/sys", "/dev", "/run", "/home/user", "/var/tmp", "/workspace/project_files",
        "/workspace/agent_workspace", "/workspace/outputs", "/sys/devices/system/cpu/online"}) {
    EXPECT_EQ(::lstat((root + path).c_str(), &info), 0) << path;
  }
}

TEST_F(TemplateStoreTest, TheCodesUserOwnsItsHomeAndOutputsButNotProjectFiles) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  TemplateStore store = Open();
  const std::string root = Skeleton(FindHost(store));
  struct stat info{};
  ASSERT_EQ(::stat((root + "/home/user").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 1000U);
  ASSERT_EQ(::stat((root + "/workspace/outputs").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 1000U);
  ASSERT_EQ(::stat((root + "/workspace/project_files").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0U);
  EXPECT_EQ(info.st_mode & 07777, 0755U);
}

TEST_F(TemplateStoreTest, NothingOfTheSkeletonIsWritableForAllButTemporaryPlaces) {
  TemplateStore store = Open();
  const std::string root = Skeleton(FindHost(store));
  struct stat info{};
  for (const char* secret : {"/etc/shadow", "/etc/machine-id", "/etc/ssh", "/etc/ssl/private"}) {
    EXPECT_NE(::lstat((root + secret).c_str(), &info), 0) << secret;
  }
  ASSERT_EQ(::stat((root + "/etc").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0022, 0U);
}

TEST_F(TemplateStoreTest, TheSkeletonIsBuiltOnce) {
  TemplateStore store = Open();
  const std::string first = Skeleton(FindHost(store));
  TemplateStore again = Open();
  EXPECT_EQ(Skeleton(FindHost(again)), first);
}

TEST_F(TemplateStoreTest, ProcessesThatRaceForHostGetTheSameOne) {
  std::vector<std::string> roots(8);
  std::vector<std::thread> threads;
  for (std::string& root : roots) {
    threads.emplace_back([&] {
      TemplateStore store = Open();
      root = Skeleton(FindHost(store));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& root : roots) EXPECT_EQ(root, roots.front());
}

TEST_F(TemplateStoreTest, HostIsBuiltAnewWhenItsLayerIsGone) {
  TemplateStore store = Open();
  const std::string first = Skeleton(FindHost(store));
  ASSERT_TRUE(RemoveTreeAt(AT_FDCWD, first.substr(0, first.rfind('/'))).has_value());
  const std::string second = Skeleton(FindHost(store));
  EXPECT_NE(first, second);
  EXPECT_EQ(::access((second + "/etc/passwd").c_str(), R_OK), 0);
}

TEST_F(TemplateStoreTest, AnUnknownTemplateIsRefusedWithTheNamesThatExist) {
  TemplateStore store = Open();
  const Result<Template> found = store.Find("alpine");
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(found.error().message(), HasSubstr("there are: host"));
}

TEST_F(TemplateStoreTest, AnEnvironmentIsFoundByItsOtherNamesUnlessOneIsCalledSo) {
  TemplateStore store = Open();
  const Result<Template> missing = store.Find("python3.11");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().remedy().text(), "build it: build environment python-3.11");
  const std::string root = ::testing::TempDir() + "/root-" + std::to_string(::getpid());
  ASSERT_TRUE(MakeDirectories(root + "/bin", 0755).has_value());
  ASSERT_TRUE(store.Import("python-3.11", root, {}).has_value());
  for (const std::string_view name : {"python-3.11", "python3.11", "python", "py311"}) {
    const Result<Template> found = store.Find(std::string(name));
    ASSERT_TRUE(found.has_value()) << name;
    EXPECT_EQ(found->name, "python-3.11");
  }
  EXPECT_FALSE(store.Open("python").has_value()) << "what a FROM calls so is the image";
  ASSERT_TRUE(store.Import("python:latest", root, {}).has_value());
  EXPECT_EQ(store.Find("python")->name, "python:latest");
  ASSERT_TRUE(store.Import("python", root, {}).has_value());
  EXPECT_EQ(store.Find("python")->name, "python");
  ASSERT_TRUE(RemoveTreeAt(AT_FDCWD, root).has_value());
}

TEST_F(TemplateStoreTest, NamesThatAreNoNamesAreRefused) {
  TemplateStore store = Open();
  for (const std::string& name :
       {std::string(), std::string("../x"), std::string(".host"), std::string("A"),
        std::string("a/B"), std::string("a\0b", 3), std::string(65, 'a'), std::string("-x")}) {
    const Result<Template> found = store.Find(name);
    ASSERT_FALSE(found.has_value()) << name;
    EXPECT_EQ(found.error().code(), ErrorCode::kInvalidArgument) << name;
  }
}

TEST_F(TemplateStoreTest, HostCannotBeRemoved) {
  TemplateStore store = Open();
  const Result<void> removed = store.Remove("host");
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ(removed.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(TemplateStoreTest, HostIsListedAsBuiltIn) {
  TemplateStore store = Open();
  const Result<std::vector<TemplateInfo>> infos = store.List();
  ASSERT_TRUE(infos.has_value());
  ASSERT_EQ(infos->size(), 1U);
  EXPECT_EQ(infos->front().name, "host");
  EXPECT_EQ(infos->front().source, "built in");
}

TEST(MetadataTest, SurvivesBeingWrittenAndRead) {
  Metadata metadata;
  metadata.info.name = "alpine";
  metadata.info.imported_unix_ms = 1'700'000'000'123;
  metadata.info.size = 12345;
  metadata.info.entries = 67;
  metadata.info.source = "/tmp/al\"pine.tar";
  metadata.info.notes.skipped_special = 3;
  metadata.layers = {std::string(20, 'a')};
  metadata.user = {"node", "/home/node", "/bin/sh"};
  const std::string text = SerializeMetadata(metadata).value();
  EXPECT_THAT(text, HasSubstr(R"("version":1)")) << "older programs read it";
  const Result<Metadata> read = ParseMetadata("alpine", text);
  ASSERT_TRUE(read.has_value()) << read.error().ToString();
  EXPECT_EQ(read->info.imported_unix_ms, metadata.info.imported_unix_ms);
  EXPECT_EQ(read->info.source, metadata.info.source);
  EXPECT_EQ(read->info.notes.skipped_special, 3U);
  EXPECT_EQ(read->layers, metadata.layers);
  EXPECT_EQ(read->user.home, "/home/node");
}

TEST(MetadataTest, AnImageHasItsLayersAndWhatItSaysOfItsPrograms) {
  Metadata metadata;
  metadata.info.name = "python:3.12";
  metadata.layers = {std::string(20, 'b'), std::string(20, 'a')};
  metadata.user = {"app", "/home/app", "/bin/sh"};
  ImageOrigin& image = metadata.image.emplace();
  image.reference = "docker.io/library/python:3.12";
  image.digest = "sha256:" + std::string(64, '1');
  image.config.platform = {.os = "linux", .architecture = "amd64"};
  image.config.process.env = {"PATH=/bin", "QUOTED=\"\\"};
  image.config.process.entrypoint = {"/start", "--now"};
  image.config.diff_ids = {*oci::Digest::Of("a layer")};
  const std::string text = SerializeMetadata(metadata).value();
  EXPECT_THAT(text, HasSubstr(R"("version":2)")) << "older programs leave it alone";
  const Result<Metadata> read = ParseMetadata("python:3.12", text);
  ASSERT_TRUE(read.has_value()) << read.error().ToString();
  EXPECT_EQ(read->layers, metadata.layers);
  ASSERT_TRUE(read->image);
  EXPECT_EQ(read->image->reference, image.reference);
  EXPECT_EQ(read->image->config, image.config);
  EXPECT_EQ(read->info.layers, 2U);
  EXPECT_EQ(read->info.digest, image.digest);
}

TEST(MetadataTest, LayersThatAreNoneAreDamage) {
  const std::string rest =
      R"(,"imported_unix_ms":0,"size":0,"entries":0,"source":"","user":"","home":"","shell":"",)"
      R"("notes":{}})";
  for (const char* layers : {R"([])", R"(["../../../etc"])", R"([1])", R"("aaaaaaaaaaaaaaaaaaaa")"})
    EXPECT_FALSE(ParseMetadata("x", R"({"version":2,"layers":)" + std::string(layers) + rest));
  std::string many = R"({"version":2,"layers":[)";
  for (int i = 0; i < 300; ++i) many += (i == 0 ? "\"" : ",\"") + std::string(20, 'a') + "\"";
  EXPECT_FALSE(ParseMetadata("x", many + "]" + rest));
}

TEST(MetadataTest, DamagedTextIsAnErrorWithARemedy) {
  for (const char* text : {"", "{", "[]", "{}", R"({"version":1,"layer":"../../x"})"}) {
    const Result<Metadata> read = ParseMetadata("alpine", text);
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_THAT(read.error().remedy().text(), HasSubstr("remove template alpine"));
  }
}

}  // namespace
}  // namespace cay::templates
