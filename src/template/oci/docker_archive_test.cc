#include "template/oci/docker_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "template/oci/image_config.h"

namespace cay::templates::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kHex(64, 'a');

std::string WhyNot(std::string_view json) {
  const auto images = DecodeSavedImages(json);
  return images ? "it was read" : images.error().message();
}

// Before Docker 25.
TEST(DockerArchive, OfAnOldDockerIsRead) {
  const auto images =
      DecodeSavedImages(R"([{"Config":")" + kHex +
                        R"(.json","RepoTags":["python:3.12-slim","localhost:5000/x:1"],)"
                        R"("Layers":["0123/layer.tar","./4567//layer.tar"]}])");
  ASSERT_TRUE(images) << images.error().message();
  ASSERT_THAT(*images, SizeIs(1));
  EXPECT_EQ(images->front().config, kHex + ".json");
  ASSERT_THAT(images->front().tags, SizeIs(2));
  EXPECT_EQ(images->front().tags[0].Canonical(), "docker.io/library/python:3.12-slim");
  EXPECT_EQ(images->front().tags[1].domain, "localhost:5000");
  EXPECT_THAT(images->front().layers, ElementsAre("0123/layer.tar", "4567/layer.tar"));
}

// Since then the archive is an OCI layout too.
TEST(DockerArchive, OfANewDockerNamesBlobs) {
  const Digest config = Digest::Parse("sha256:" + kHex).value();
  const auto images = DecodeSavedImages(
      R"([{"Config":"blobs/sha256/)" + kHex + R"(","RepoTags":null,"Layers":["blobs/sha256/)" +
      kHex + R"("],"LayerSources":{"sha256:)" + kHex +
      R"(":{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":1,"digest":"x"}}}])");
  ASSERT_TRUE(images) << images.error().message();
  EXPECT_THAT(images->front().tags, IsEmpty());
  EXPECT_EQ(images->front().config, BlobPath(config));
  EXPECT_TRUE(CheckLayout(R"({"imageLayoutVersion":"1.0.0"})"));
  const auto index = DecodeIndex(
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
        {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:)" +
          kHex +
          R"(","size":401,"annotations":{"io.containerd.image.name":"docker.io/library/x:1",
        "org.opencontainers.image.ref.name":"1"}}]})",
      "");
  ASSERT_TRUE(index) << index.error().message();
  EXPECT_EQ(index->manifests[0].annotations.at(std::string(kRefNameAnnotation)), "1");
  EXPECT_TRUE(ChooseManifest(*index, Platform::Native()));
}

TEST(DockerArchive, OfPodmanMayHaveSeveralImages) {
  const auto images = DecodeSavedImages(
      R"([{"Config":"a.json","RepoTags":["localhost/a:latest"],"Layers":["1.tar"]},)"
      R"({"Config":"b.json","RepoTags":[],"Layers":null}])");
  ASSERT_TRUE(images) << images.error().message();
  EXPECT_THAT(*images, SizeIs(2));
  EXPECT_THAT((*images)[1].layers, IsEmpty());
}

TEST(DockerArchive, ThatIsWrongSaysWhere) {
  const std::pair<std::string, std::string> all[] = {
      {"", "malformed"},
      {"{}", "must be an array of images"},
      {"[]", "has no image"},
      {"[1]", "\"[0]\" must be an object"},
      {R"([{"Layers":[]}])", "\"[0].Config\" is missing"},
      {R"([{"Config":1}])", "\"[0].Config\" must be a string"},
      {R"([{"Config":""}])", "\"[0].Config\""},
      {R"([{"Config":"."}])", "\"[0].Config\" names no file"},
      {R"([{"Config":"/etc/passwd"}])", "\"[0].Config\""},
      {R"([{"Config":"a/../../b"}])", "\"[0].Config\""},
      {R"([{"Config":"a","config":"b"}])", "\"[0].config\" differs"},
      {R"([{"Config":"a","Layers":["../x"]}])", "\"[0].Layers[0]\""},
      {R"([{"Config":"a","Layers":["x","y\u0000"]}])", "\"[0].Layers[1]\""},
      {R"([{"Config":"a","RepoTags":["<none>:<none>"]}])", "\"[0].RepoTags[0]\""},
      {R"([{"Config":"a","RepoTags":["a@sha256:)" + kHex + R"("]}])", "has a digest"},
  };
  for (const auto& [json, why] : all) EXPECT_THAT(WhyNot(json), HasSubstr(why)) << json;
}

TEST(DockerArchive, IsBounded) {
  const auto images = [](size_t count) {
    std::string json = "[";
    for (size_t i = 0; i < count; ++i) json += i == 0 ? R"({"Config":"a"})" : R"(,{"Config":"a"})";
    return json + "]";
  };
  EXPECT_TRUE(DecodeSavedImages(images(kMaxSavedImages)));
  EXPECT_EQ(DecodeSavedImages(images(kMaxSavedImages + 1)).error().code(),
            ErrorCode::kLimitTooHigh);
  EXPECT_EQ(DecodeSavedImages(std::string(kMaxDocument + 1, ' ')).error().code(),
            ErrorCode::kLimitTooHigh);
}

TEST(OciLayout, IsOfVersion1) {
  EXPECT_TRUE(CheckLayout(R"({"imageLayoutVersion": "1.2.30"})"));
  for (const std::string_view version :
       {"2.0.0", "1", "1.0", "1.0.x", "1.0.0.0", "01.0.0", "1..0"}) {
    const auto checked = CheckLayout(R"({"imageLayoutVersion":")" + std::string(version) + "\"}");
    ASSERT_FALSE(checked) << version;
    EXPECT_EQ(checked.error().code(), ErrorCode::kNotSupported) << version;
  }
  EXPECT_THAT(CheckLayout("{}").error().message(), HasSubstr("is missing"));
  EXPECT_FALSE(CheckLayout(R"({"imageLayoutVersion":1})"));
}

}  // namespace
}  // namespace cay::templates::oci
