#include <gmock/gmock.h>
#include <lzma.h>

#include "archive/compression.h"
#include "build/copy/test_copy.h"
#include "template/layers/test_layer_tar.h"

namespace cay::build {
namespace {

using archive::Compression;
using templates::LayerTar;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string Packed(const std::string& bytes, Compression form) {
  archive::StringSink sink;
  const auto packed = archive::Compress(sink, form);
  EXPECT_TRUE((*packed)->Write(bytes).has_value());
  EXPECT_TRUE((*packed)->Finish().has_value());
  return sink.text();
}

std::string Xz(const std::string& text) {
  std::string packed(text.size() + 4096, '\0');
  size_t used = 0;
  EXPECT_EQ(::lzma_easy_buffer_encode(
                0, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const uint8_t*>(text.data()),
                text.size(), reinterpret_cast<uint8_t*>(packed.data()), &used, packed.size()),
            LZMA_OK);
  return packed.substr(0, used);
}

class AddWorld : public CopyWorld {
 public:
  CopyRequest Add(const std::string& source, const std::string& destination) {
    CopyRequest request = Request({source}, destination);
    request.add = true;
    return request;
  }
};

LayerTar Sample() {
  LayerTar tar;
  tar.Directory("./d", 0750).File("./d/f", "1", 0640).Link("./d/again", "./d/f");
  tar.Symlink("link", "d");
  return tar;
}

TEST(Add, AnArchiveIsUnpackedByItsContentWhateverItsName) {
  const std::string tar = Sample().Finish();
  for (const std::string& packed :
       {tar, Packed(tar, Compression::kGzip), Packed(tar, Compression::kZstd), Xz(tar)}) {
    AddWorld world;
    world.context.Write("rootfs.txt", packed);
    EXPECT_THAT(world.Copy(world.Add("rootfs.txt", "/x")),
                UnorderedElementsAre(
                    Key("x"), Pair("x/d", Shown("d 750")), Pair("x/d/f", Shown("f 640", "1")),
                    Pair("x/d/again", Shown("f 640", "1")), Pair("x/link", "l d")));
    EXPECT_EQ(world.layers().Stat("layer0/x/d/f").st_ino,
              world.layers().Stat("layer0/x/d/again").st_ino);
  }
}

TEST(Add, WhatIsNoArchiveIsCopied) {
  AddWorld world;
  world.context.Write("a.tar.gz", "text");
  world.context.Write("b.gz", Packed("text", Compression::kGzip));
  world.context.Write("zeros.tar", std::string(2048, '\0'));
  EXPECT_THAT(world.Copy(world.Add("a.tar.gz", "/x/")), Contains(Key("x/a.tar.gz")));
  EXPECT_THAT(world.Copy(world.Add("b.gz", "/x/")), Contains(Key("x/b.gz")));
  EXPECT_THAT(world.Copy(world.Add("zeros.tar", "/x/")), Contains(Key("x/zeros.tar")));
}

TEST(Add, UnpackFalseCopiesAnArchiveAndCopyDoesAsWell) {
  AddWorld world;
  world.context.Write("a.tar", Sample().Finish());
  CopyRequest request = world.Add("a.tar", "/x/");
  request.unpack = false;
  EXPECT_THAT(world.Copy(request), UnorderedElementsAre(Key("x"), Key("x/a.tar")));
  EXPECT_THAT(world.Copy({"a.tar"}, "/y/"), Contains(Key("y/a.tar")));
}

TEST(Add, AFetchedArchiveIsUnpackedOnlyWhenItIsSaid) {
  AddWorld world;
  world.context.Write("blob", Sample().Finish());
  CopyRequest request;
  request.add = true;
  request.destination = "/x/";
  request.sources.emplace_back(
      FetchedFile{.name = "a.tar",
                  .file = std::make_shared<const Fd>(OpenPath(world.context.At("blob"), O_RDONLY)),
                  .mtime = std::nullopt});
  EXPECT_THAT(world.Copy(request), Contains(Key("x/a.tar")));
  request.unpack = true;
  request.destination = "/y/";
  EXPECT_THAT(world.Copy(request), Contains(Key("y/d/f")));
}

TEST(Add, AnArchiveComesOverWhatIsThere) {
  AddWorld world;
  world.AddLayer();
  world.layers().MakeDirectory("layer0/usr/d");
  world.layers().Write("layer0/usr/d/old", "old");
  world.layers().MakeDirectory("layer0/usr/link");
  world.layers().Symlink("layer0/x", "usr");
  world.context.Write("a.tar", Sample().Finish());
  const Tree shown = world.Copy(world.Add("a.tar", "/x"));
  EXPECT_THAT(shown, Contains(Pair("usr/d", Shown("d 750"))));
  EXPECT_THAT(shown, Contains(Key("usr/d/old")));
  EXPECT_THAT(shown, Contains(Pair("usr/link", "l d")));
  EXPECT_THAT(shown, Contains(Pair("x", "l usr")));
}

TEST(Add, TheRootOfAnArchiveIsNotTheDestination) {
  AddWorld world;
  LayerTar tar;
  tar.Directory("./", 0700).File("/abs", "1");
  world.context.Write("a.tar", tar.Finish());
  EXPECT_THAT(world.Copy(world.Add("a.tar", "/")), ElementsAre(Key("abs")));
  EXPECT_THAT(world.Copy(world.Add("a.tar", "/x")), Contains(Pair("x", Shown("d 755"))));
}

TEST(Add, ChownIsOfWhatAnArchiveHoldsAndChmodIsNot) {
  AddWorld world;
  world.context.Write("a.tar", Sample().Finish());
  CopyRequest request = world.Add("a.tar", "/x");
  request.owner = Owner{.uid = 7, .gid = 8};
  request.chmod = ModeChange::Parse("0777").value();
  const Tree shown = world.Copy(request);
  EXPECT_THAT(shown, Contains(Pair("x/d/f", Shown("f 640", "1", "7:8"))));
  EXPECT_THAT(shown, Contains(Pair("x", Shown("d 755", "", "7:8"))));
}

TEST(Add, HostileArchivesLeaveTheLayerAlone) {
  for (const char* name : {"../up", "d/../../up", "d/.wh.f", ".wh..wh..opq", ".wh.d/f"}) {
    AddWorld world;
    LayerTar tar;
    tar.File("first").File(name);
    world.context.Write("a.tar", tar.Finish());
    Result<CopyPlan> plan = world.Plan(world.Add("a.tar", "/x"));
    ASSERT_TRUE(plan.has_value());
    const auto applied = world.Apply(*plan);
    ASSERT_FALSE(applied.has_value()) << name;
    EXPECT_EQ(applied.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(Add, ALinkOutOfTheDestinationStaysInside) {
  AddWorld world;
  LayerTar tar;
  tar.Symlink("out", "/../../../tmp").File("out/f", "1");
  world.context.Write("a.tar", tar.Finish());
  const Tree shown = world.Copy(world.Add("a.tar", "/x"));
  EXPECT_THAT(shown, Contains(Pair("x/out", "l /../../../tmp")));
  EXPECT_THAT(shown, Contains(Key("tmp/f")));
}

TEST(Add, DevicesAreLeftOutAndCounted) {
  AddWorld world;
  LayerTar tar;
  tar.Add(LayerTar::Entry(archive::EntryType::kFifo, "fifo", 0600));
  tar.Add(LayerTar::Entry(archive::EntryType::kBlockDevice, "disk", 0600)).File("f");
  world.context.Write("a.tar", tar.Finish());
  Result<CopyPlan> plan = world.Plan(world.Add("a.tar", "/x"));
  ASSERT_TRUE(plan.has_value());
  const auto report = world.Apply(*plan);
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  EXPECT_EQ(report->unpacked.skipped_special, 2U);
}

TEST(Add, AnArchiveThatUnfoldsToTooMuchIsRefused) {
  AddWorld world;
  LayerTar tar;
  tar.File("big", std::string(4 << 20, 'x'));
  world.context.Write("a.tar", Packed(tar.Finish(), Compression::kZstd));
  world.options.layer.max_bytes = 1 << 20;
  Result<CopyPlan> plan = world.Plan(world.Add("a.tar", "/x"));
  ASSERT_TRUE(plan.has_value());
  const auto applied = world.Apply(*plan);
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error().code(), ErrorCode::kLimitTooHigh);
}

TEST(Add, TheDigestTellsAnUnpackedArchiveFromACopiedOne) {
  AddWorld world;
  world.context.Write("a.tar", Sample().Finish());
  const auto digest = [&](const CopyRequest& request) {
    Result<CopyPlan> plan = world.Plan(request);
    EXPECT_TRUE(plan.has_value());
    const std::string hex = CopyDigest(*plan).value_or("");
    world.options.expected_digest = hex;
    EXPECT_TRUE(world.Apply(*plan).has_value());
    return hex;
  };
  CopyRequest request = world.Add("a.tar", "/x/");
  const std::string unpacked = digest(request);
  EXPECT_EQ(unpacked.size(), 64U);
  request.owner = Owner{};
  EXPECT_NE(digest(request), unpacked);
  request.owner.reset();
  request.unpack = false;
  request.destination = "/x/";
  EXPECT_NE(digest(request), unpacked);
}

TEST(Add, AnArchiveThatIsChangedMeanwhileIsFoundOut) {
  AddWorld world;
  world.context.Write("a.tar", Sample().Finish());
  Result<CopyPlan> plan = world.Plan(world.Add("a.tar", "/x/"));
  ASSERT_TRUE(plan.has_value());
  world.context.Write("a.tar", "now text");
  const auto applied = world.Apply(*plan);
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error().sys_errno(), ESTALE);
  EXPECT_THAT(applied.error().message(), HasSubstr("a.tar"));
}

}  // namespace
}  // namespace cay::build
