// Archives and layouts of images, as others write them and as nobody should: what is found in them.
#include "template/saved/saved_image.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "archive/compression.h"
#include "archive/test_directory.h"
#include "template/layers/test_layer_tar.h"
#include "template/oci/docker_archive.h"
#include "template/saved/open_archive.h"

namespace cay::templates {
namespace {

using ::testing::HasSubstr;

std::string DigestOf(std::string_view bytes) { return oci::Digest::Of(bytes)->text(); }
std::string HexOf(std::string_view bytes) { return std::string(oci::Digest::Of(bytes)->hex()); }

std::string SmallLayer(const std::string& name) {
  LayerTar tar;
  tar.File(name, "content of " + name);
  return tar.Finish();
}

std::string ConfigOf(const std::vector<std::string>& layers,
                     const std::string& architecture = oci::Platform::Native().architecture) {
  std::string diff_ids;
  for (const std::string& layer : layers)
    diff_ids += (diff_ids.empty() ? "\"" : ",\"") + DigestOf(layer) + "\"";
  return R"({"architecture":")" + architecture +
         R"(","os":"linux","config":{"User":"app"},"rootfs":{"type":"layers","diff_ids":[)" +
         diff_ids + "]}}";
}

// What is written into an archive, or a directory.
using Files = std::vector<std::pair<std::string, std::string>>;

std::string TarOf(const Files& files) {
  LayerTar tar;
  for (const auto& [name, content] : files) tar.File(name, content);
  return tar.Finish();
}

std::string SavedEntry(const std::string& config, const std::string& tag,
                       const std::string& layers) {
  return R"({"Config":")" + config + R"(","RepoTags":[)" + (tag.empty() ? "" : '"' + tag + '"') +
         R"(],"Layers":[)" + layers + "]}";
}

// Of an OCI layout: a manifest for the platform, its blobs, and how an index names it.
struct LayoutImage {
  Files files;
  std::string descriptor;  // without its end, for what is added
};
LayoutImage ImageInLayout(const std::string& layer, const std::string& config) {
  const std::string manifest =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
      DigestOf(config) + R"(","size":)" + std::to_string(config.size()) +
      R"(},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" +
      DigestOf(layer) + R"(","size":)" + std::to_string(layer.size()) + "}]}";
  LayoutImage image;
  for (const std::string& blob : {layer, config, manifest})
    image.files.emplace_back("blobs/sha256/" + HexOf(blob), blob);
  image.descriptor = R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
                     DigestOf(manifest) + R"(","size":)" + std::to_string(manifest.size());
  return image;
}
std::string IndexOf(const std::string& entries) {
  return R"({"schemaVersion":2,"manifests":[)" + entries + "]}";
}
std::string Named(const std::string& name) {
  return R"(,"annotations":{"org.opencontainers.image.ref.name":")" + name + R"("}})";
}
constexpr const char* kMark = R"({"imageLayoutVersion":"1.0.0"})";

class SavedImageTest : public ::testing::Test {
 protected:
  Result<OpenedArchive> Open(const std::string& bytes, Bytes max = kGiB) {
    dir_.Put("archive", bytes);
    return OpenArchive(Fd::Adopt(::open((dir_ / "archive").c_str(), O_RDONLY | O_CLOEXEC)),
                       dir_.Open(), {.max_spooled = max});
  }
  Result<SavedImageFound> Find(const std::string& bytes, const ImageWish& wish = {}) {
    const auto opened = Open(bytes);
    EXPECT_TRUE(opened.has_value()) << opened.error().ToString();
    if (!opened) return Failure(opened.error());
    EXPECT_TRUE(opened->images.has_value());
    return FindSavedImage(*opened->images, wish);
  }
  void ExpectError(const Result<SavedImageFound>& found, ErrorCode code, const char* part) {
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code(), code) << found.error().ToString();
    EXPECT_THAT(found.error().ToString(), HasSubstr(part));
  }
  static std::string ReadAll(const FileRange& file) {
    const auto source = file.Open();
    std::string all(static_cast<size_t>(file.size) + 10, '\0');
    size_t have = 0;
    while (const size_t got = source->Read(std::span(all).subspan(have)).value_or(0)) have += got;
    all.resize(have);
    return all;
  }

  archive::TestDirectory dir_;
  const std::string one_ = SmallLayer("one");
  const std::string two_ = SmallLayer("two");
};

TEST_F(SavedImageTest, DockersOldFormHasLayersInDirectoriesAndLinksBetweenThem) {
  const std::string config = ConfigOf({one_, two_, one_});
  LayerTar tar;
  tar.Directory("aa").File("aa/VERSION", "1.0").File("aa/layer.tar", one_);
  tar.Directory("bb").File("bb/layer.tar", two_);
  tar.Directory("cc").Symlink("cc/layer.tar", "../aa/layer.tar");
  tar.File(HexOf(config) + ".json", config).File("repositories", "{}");
  tar.File("manifest.json", "[" +
                                SavedEntry(HexOf(config) + ".json", "app:1.2",
                                           R"("aa/layer.tar","bb/layer.tar","cc/layer.tar")") +
                                "]");
  const auto found = Find(tar.Finish());
  ASSERT_TRUE(found.has_value()) << found.error().ToString();
  EXPECT_EQ(found->what, "a docker archive of 3 layers");
  EXPECT_EQ(found->reference, "docker.io/library/app:1.2");
  EXPECT_EQ(found->config.process.user, "app");
  EXPECT_EQ(ReadAll(found->layers[1].file), two_);
  EXPECT_EQ(ReadAll(found->layers[2].file), one_);
  EXPECT_EQ(found->layers[2].blob.digest.text(), DigestOf(one_));
}

TEST_F(SavedImageTest, WhatIsALayoutToo) {
  LayoutImage image = ImageInLayout(one_, ConfigOf({one_}));
  image.files.emplace_back(
      "manifest.json",
      "[" + SavedEntry(image.files[1].first, "app:1", '"' + image.files[0].first + '"') + "]");
  image.files.emplace_back("oci-layout", kMark);
  image.files.emplace_back("index.json", IndexOf(image.descriptor + Named("1")));
  const auto found = Find(TarOf(image.files));
  ASSERT_TRUE(found.has_value()) << found.error().ToString();
  EXPECT_EQ(found->what, "an OCI archive of 1 layer");
  EXPECT_EQ(found->digest, DigestOf(image.files[2].second));
}

TEST_F(SavedImageTest, SeveralImagesHaveToBeChosenFrom) {
  const std::string config = ConfigOf({one_});
  const std::string other = ConfigOf({two_});
  const std::string tar = TarOf(
      {{"one.tar", one_},
       {"two.tar", two_},
       {"c.json", config},
       {"d.json", other},
       {"manifest.json", "[" + SavedEntry("c.json", "app:1", R"("one.tar")") + "," +
                             SavedEntry("d.json", "registry.example/x:2", R"("two.tar")") + "]"}});
  ExpectError(Find(tar), ErrorCode::kInvalidArgument, "app:1, registry.example/x:2");
  ExpectError(Find(tar), ErrorCode::kInvalidArgument, "--tag app:1");
  ExpectError(Find(tar, {.tag = "app:3"}), ErrorCode::kNotFound, "app:1, registry.example/x:2");
  for (const char* tag : {"registry.example/x:2", "2"}) {
    const auto found = Find(tar, {.tag = tag});
    ASSERT_TRUE(found.has_value()) << found.error().ToString();
    EXPECT_EQ(ReadAll(found->layers[0].file), two_);
  }
  const auto found = Find(tar, {.tag = "docker.io/library/app:1"});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(ReadAll(found->layers[0].file), one_);
}

TEST_F(SavedImageTest, ALayoutOfSeveralPlatformsIsChosenFromByPlatform) {
  const LayoutImage arm = ImageInLayout(one_, ConfigOf({one_}, "arm64"));
  const LayoutImage amd = ImageInLayout(two_, ConfigOf({two_}, "amd64"));
  Files files = arm.files;
  files.insert(files.end(), amd.files.begin(), amd.files.end());
  files.emplace_back("oci-layout", kMark);
  const auto on = [](const char* architecture) {
    return std::string(R"(,"platform":{"os":"linux","architecture":")") + architecture + R"("}})";
  };
  files.emplace_back("index.json",
                     IndexOf(arm.descriptor + on("arm64") + "," + amd.descriptor + on("amd64")));
  const std::string tar = TarOf(files);
  const auto found = Find(tar, {.platform = *oci::Platform::Parse("linux/arm64")});
  ASSERT_TRUE(found.has_value()) << found.error().ToString();
  EXPECT_EQ(ReadAll(found->layers[0].file), one_);
  ExpectError(Find(tar, {.platform = *oci::Platform::Parse("linux/s390x")}), ErrorCode::kNotFound,
              "linux/arm64");
}

TEST_F(SavedImageTest, ALayoutOfSeveralNamesIsChosenFromByTag) {
  const LayoutImage first = ImageInLayout(one_, ConfigOf({one_}));
  const LayoutImage second = ImageInLayout(two_, ConfigOf({two_}));
  Files files = first.files;
  files.insert(files.end(), second.files.begin(), second.files.end());
  files.emplace_back("oci-layout", kMark);
  files.emplace_back("index.json",
                     IndexOf(first.descriptor + Named("1") + "," + second.descriptor + Named("2")));
  const std::string tar = TarOf(files);
  ExpectError(Find(tar), ErrorCode::kInvalidArgument, "several images: 1, 2");
  const auto found = Find(tar, {.tag = "2"});
  ASSERT_TRUE(found.has_value()) << found.error().ToString();
  EXPECT_EQ(ReadAll(found->layers[0].file), two_);
}

TEST_F(SavedImageTest, ALayoutMayBeADirectory) {
  LayoutImage image = ImageInLayout(one_, ConfigOf({one_}));
  dir_.MakeDir("layout/blobs/sha256");
  for (const auto& [name, content] : image.files) dir_.Put("layout/" + name, content);
  dir_.Put("layout/oci-layout", kMark);
  const auto open = [&] {
    return Fd::Adopt(::open((dir_ / "layout").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  };
  EXPECT_FALSE(ImageFiles::IsLayout(open()).value_or(true));
  dir_.Put("layout/index.json", IndexOf(image.descriptor + "}"));
  EXPECT_TRUE(ImageFiles::IsLayout(open()).value_or(false));
  const auto found = FindSavedImage(ImageFiles(open()), {});
  ASSERT_TRUE(found.has_value()) << found.error().ToString();
  EXPECT_EQ(found->what, "an OCI layout of 1 layer");
  // A blob is not read through a symlink: it could lead anywhere.
  const std::string blob = dir_ / ("layout/" + image.files[0].first);
  dir_.Put("elsewhere", one_);
  ASSERT_EQ(::unlink(blob.c_str()), 0);
  ASSERT_EQ(::symlink((dir_ / "elsewhere").c_str(), blob.c_str()), 0);
  ExpectError(FindSavedImage(ImageFiles(open()), {}), ErrorCode::kInvalidArgument, "symlink");
  dir_.MakeDir("layout/usr");
  EXPECT_FALSE(ImageFiles::IsLayout(open()).value_or(true));
}

TEST_F(SavedImageTest, LinksThatLeadNowhereOutsideOrInACircleAreRefused) {
  const std::string config = ConfigOf({one_});
  const auto archive = [&](const std::string& target) {
    LayerTar tar;
    tar.File("c.json", config).Symlink("x/layer.tar", target).Symlink("x/again", "layer.tar");
    tar.File("manifest.json", "[" + SavedEntry("c.json", "", R"("x/layer.tar")") + "]");
    return tar.Finish();
  };
  ExpectError(Find(archive("../../layer.tar")), ErrorCode::kInvalidArgument, "out of the archive");
  ExpectError(Find(archive("/etc/passwd")), ErrorCode::kInvalidArgument, "out of the archive");
  ExpectError(Find(archive("../y/layer.tar")), ErrorCode::kInvalidArgument, "not in the archive");
  ExpectError(Find(archive("again")), ErrorCode::kInvalidArgument, "circle");
}

TEST_F(SavedImageTest, ANameThatIsThereTwiceIsRefused) {
  const std::string config = ConfigOf({one_});
  const std::string entry = "[" + SavedEntry("c.json", "", R"("one.tar")") + "]";
  ExpectError(
      Find(TarOf(
          {{"c.json", config}, {"one.tar", one_}, {"one.tar", two_}, {"manifest.json", entry}})),
      ErrorCode::kInvalidArgument, "more than once");
}

TEST_F(SavedImageTest, WhatIsMissingIsNamed) {
  const std::string config = ConfigOf({one_});
  ExpectError(
      Find(TarOf({{"c.json", config},
                  {"manifest.json", "[" + SavedEntry("c.json", "", R"("one.tar")") + "]"}})),
      ErrorCode::kInvalidArgument, "no \"one.tar\"");
  ExpectError(
      Find(TarOf({{"one.tar", one_},
                  {"manifest.json", "[" + SavedEntry("c.json", "", R"("one.tar")") + "]"}})),
      ErrorCode::kInvalidArgument, "no \"c.json\"");
  ExpectError(Find(TarOf({{"c.json", config},
                          {"manifest.json", "[" + SavedEntry("c.json", "", "") + "]"}})),
              ErrorCode::kInvalidArgument, "0 layers");
}

TEST_F(SavedImageTest, DocumentsHaveTheDigestsThatTheyAreNamedBy) {
  const std::string config = ConfigOf({one_});
  const std::string name = std::string(64, 'a') + ".json";
  ExpectError(Find(TarOf({{name, config},
                          {"one.tar", one_},
                          {"manifest.json", "[" + SavedEntry(name, "", R"("one.tar")") + "]"}})),
              ErrorCode::kProtocol, "sha256:");
  LayoutImage image = ImageInLayout(one_, config);
  image.files[2].second.back() = ' ';
  image.files.emplace_back("oci-layout", kMark);
  image.files.emplace_back("index.json", IndexOf(image.descriptor + "}"));
  ExpectError(Find(TarOf(image.files)), ErrorCode::kProtocol, "sha256:");
}

TEST_F(SavedImageTest, AStreamAndACompressedArchiveAreWrittenIntoAFileFirst) {
  const std::string config = ConfigOf({one_});
  const std::string tar =
      TarOf({{"c.json", config},
             {"one.tar", one_},
             {"manifest.json", "[" + SavedEntry("c.json", "", R"("one.tar")") + "]"}});
  archive::StringSink sink;
  auto packed = archive::Compress(sink, archive::Compression::kZstd);
  ASSERT_TRUE(packed && (*packed)->Write(tar) && (*packed)->Finish());
  const auto found = Find(sink.text());
  ASSERT_TRUE(found.has_value()) << found.error().ToString();
  EXPECT_EQ(ReadAll(found->layers[0].file), one_);
  const auto bounded = Open(sink.text(), 1024);
  ASSERT_FALSE(bounded.has_value());
  EXPECT_EQ(bounded.error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(SavedImageTest, ARootFilesystemIsOneWhateverElseIsInIt) {
  LayerTar tar;
  tar.File("manifest.json", "[]").File("index.json", "{}").File("oci-layout", kMark);
  tar.Directory("etc").File("etc/hostname", "h");
  const std::string bytes = tar.Finish();
  archive::StringSink sink;
  auto packed = archive::Compress(sink, archive::Compression::kGzip);
  ASSERT_TRUE(packed && (*packed)->Write(bytes) && (*packed)->Finish());
  for (const std::string& each : {bytes, sink.text()}) {
    const auto opened = Open(each);
    ASSERT_TRUE(opened.has_value()) << opened.error().ToString();
    EXPECT_FALSE(opened->images.has_value());
    std::string all(bytes.size() + 1, '\0');
    size_t have = 0;
    while (const size_t got = opened->tar->Read(std::span(all).subspan(have)).value_or(0))
      have += got;
    all.resize(have);
    EXPECT_EQ(all, bytes);
  }
}

TEST_F(SavedImageTest, WhatIsNoArchiveAndWhatIsCutShort) {
  EXPECT_FALSE(Open(std::string(5000, 'x')));
  EXPECT_FALSE(Open(""));
  const std::string tar = TarOf({{"one.tar", one_}, {"manifest.json", "[]"}});
  EXPECT_FALSE(Open(tar.substr(0, tar.size() / 2)));
}

}  // namespace
}  // namespace cay::templates
