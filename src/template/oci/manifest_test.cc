// Manifests and indexes as they are in the world, and as they must not be.
#include "template/oci/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::templates::oci {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string Sha(char letter) { return "sha256:" + std::string(64, letter); }

std::string DescriptorJson(std::string_view media_type, char letter, std::string_view more = "") {
  return R"({"mediaType":")" + std::string(media_type) + R"(","digest":")" + Sha(letter) +
         R"(","size":10)" + std::string(more) + "}";
}

std::string Oci(std::string_view members) {
  return R"({"schemaVersion":2,)" + std::string(members) + "}";
}

const std::string kConfigMember = R"("config":)" + DescriptorJson(kOciConfig, 'c');
const std::string kLayersMember = R"("layers":[)" + DescriptorJson(kOciLayerGzip, '1') + "]";
const std::string kImageMembers = kConfigMember + "," + kLayersMember;
const std::string kIndexMember = R"("manifests":[)" + DescriptorJson(kOciManifest, 'a') + "]";

std::string WhyNot(std::string_view json, std::string_view media_type = "") {
  const auto document = DecodeDocument(json, media_type);
  return document ? "it was read" : document.error().message();
}

ErrorCode CodeOf(std::string_view json, std::string_view media_type = "") {
  return DecodeDocument(json, media_type).error().code();
}

// As the index of an official image: annotations, variants, and an attestation for each image.
constexpr std::string_view kOfficialIndex = R"({
  "manifests": [
    {
      "annotations": {
        "com.docker.official-images.bashbrew.arch": "amd64",
        "org.opencontainers.image.base.name": "debian:trixie-slim",
        "org.opencontainers.image.created": "2026-03-17T20:41:29Z",
        "org.opencontainers.image.version": "3.12.11-slim"
      },
      "digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111",
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "platform": { "architecture": "amd64", "os": "linux" },
      "size": 1745
    },
    {
      "annotations": {
        "vnd.docker.reference.digest":
          "sha256:1111111111111111111111111111111111111111111111111111111111111111",
        "vnd.docker.reference.type": "attestation-manifest"
      },
      "digest": "sha256:2222222222222222222222222222222222222222222222222222222222222222",
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "platform": { "architecture": "unknown", "os": "unknown" },
      "size": 841
    },
    {
      "digest": "sha256:3333333333333333333333333333333333333333333333333333333333333333",
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "platform": { "architecture": "arm", "os": "linux", "variant": "v5" },
      "size": 1745
    },
    {
      "digest": "sha256:4444444444444444444444444444444444444444444444444444444444444444",
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "platform": { "architecture": "arm64", "os": "linux", "variant": "v8" },
      "size": 1745
    }
  ],
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "schemaVersion": 2
})";

TEST(Index, OfAnOfficialImageIsRead) {
  const auto index = DecodeIndex(kOfficialIndex, "application/vnd.oci.image.index.v1+json");
  ASSERT_TRUE(index) << index.error().message();
  ASSERT_THAT(index->manifests, SizeIs(4));
  EXPECT_EQ(index->manifests[0].annotations.at("org.opencontainers.image.version"), "3.12.11-slim");
  EXPECT_EQ(index->manifests[0].size, 1745U);
  for (const auto& [wanted, digest] : {std::pair("linux/amd64", '1'), std::pair("linux/arm64", '4'),
                                       std::pair("linux/arm", '3')}) {
    const auto chosen = ChooseManifest(*index, Platform::Parse(wanted).value());
    ASSERT_TRUE(chosen) << chosen.error().message();
    EXPECT_EQ((*chosen)->digest.text(), Sha(digest));
  }
}

// As Docker pushed it before OCI: schema 2, with a foreign layer of Windows.
const std::string kSchema2 = R"({
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
   "config": {
      "mediaType": "application/vnd.docker.container.image.v1+json",
      "size": 7023,
      "digest": ")" + Sha('c') +
                             R"("
   },
   "layers": [
      {
         "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
         "size": 32654,
         "digest": ")" + Sha('1') +
                             R"(",
         "urls": ["https://layers.example/blobs/1"]
      },
      {
         "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
         "size": 16724,
         "digest": ")" + Sha('2') +
                             R"("
      }
   ]
})";

TEST(Manifest, OfDockersSchema2IsRead) {
  const auto manifest = DecodeManifest(kSchema2, kDockerManifest);
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->media_type, kDockerManifest);
  EXPECT_EQ(manifest->config.size, 7023U);
  ASSERT_THAT(manifest->layers, SizeIs(2));
  EXPECT_THAT(manifest->layers[0].urls, ::testing::ElementsAre("https://layers.example/blobs/1"));
  EXPECT_TRUE(CheckImage(*manifest));
  const LayerMedia foreign = LayerMediaOf(manifest->layers[0].media_type).value();
  EXPECT_EQ(foreign, (LayerMedia{archive::Compression::kGzip, false}));
}

TEST(Manifest, OfDockersListIsRead) {
  const std::string json = R"({"schemaVersion":2,"mediaType":")" + std::string(kDockerList) +
                           R"(","manifests":[)" +
                           DescriptorJson(kDockerManifest, 'a',
                                          R"(,"platform":{"architecture":"amd64","os":"linux",)"
                                          R"("features":["sse4"],"os.version":"1.0"})") +
                           "]}";
  const auto index = DecodeIndex(json, kDockerList);
  ASSERT_TRUE(index) << index.error().message();
  EXPECT_EQ(index->manifests[0].platform->os_version, "1.0");
}

TEST(Manifest, OfBuildKitIsRead) {
  const auto manifest = DecodeManifest(
      Oci(R"("mediaType":"application/vnd.oci.image.manifest.v1+json",)" + kConfigMember +
          R"(,"layers":[)" + DescriptorJson(kDockerLayerGzip, '1') + "," +
          DescriptorJson(kOciLayerZstd, '2',
                         R"(,"annotations":{"buildkit/rewritten-timestamp":"0"})") +
          R"(],"annotations":{"org.opencontainers.image.source":"x"})"),
      kOciManifest);
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_TRUE(CheckImage(*manifest));
  EXPECT_EQ(manifest->annotations.at("org.opencontainers.image.source"), "x");
}

// An in-toto statement beside an image: a manifest, but no image.
TEST(Manifest, OfAnAttestationIsNoImage) {
  const auto manifest =
      DecodeManifest(Oci(kConfigMember + R"(,"layers":[)" +
                         DescriptorJson("application/vnd.in-toto+json", '1') + "]"),
                     "");
  ASSERT_TRUE(manifest) << manifest.error().message();
  const auto image = CheckImage(*manifest);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code(), ErrorCode::kNotSupported);
  EXPECT_THAT(image.error().message(), HasSubstr("\"layers[0]\""));
  EXPECT_THAT(image.error().message(), HasSubstr("application/vnd.in-toto+json"));
}

TEST(Manifest, OfAnArtifactIsNoImage) {
  const auto manifest =
      DecodeManifest(Oci(R"("artifactType":"application/vnd.example.chart.v1","config":)" +
                         DescriptorJson(kOciEmpty, 'e', R"(,"data":"e30=")") +
                         R"(,"layers":[],"subject":)" + DescriptorJson(kOciManifest, 'a')),
                     "application/vnd.oci.image.manifest.v1+json; charset=utf-8");
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->subject->digest.text(), Sha('a'));
  EXPECT_THAT(CheckImage(*manifest).error().message(), HasSubstr(kOciEmpty));
}

// Podman and Kaniko leave `mediaType` out.
TEST(Manifest, OfOciNeedNotNameItsMediaType) {
  for (const std::string_view sent :
       {"", "application/vnd.oci.image.manifest.v1+json",
        " Application/VND.oci.image.manifest.v1+JSON ; charset=utf-8"}) {
    const auto manifest = DecodeManifest(Oci(kImageMembers), sent);
    ASSERT_TRUE(manifest) << manifest.error().message();
    EXPECT_EQ(manifest->media_type, kOciManifest);
  }
  EXPECT_EQ(DecodeIndex(Oci(kIndexMember), "")->media_type, kOciIndex);
}

TEST(Manifest, OfDockerMustNameItsMediaType) {
  EXPECT_THAT(WhyNot(Oci(kImageMembers), kDockerManifest), HasSubstr("\"mediaType\" is missing"));
  EXPECT_THAT(WhyNot(Oci(kIndexMember), kDockerList), HasSubstr("\"mediaType\" is missing"));
}

// CVE-2021-41190.
TEST(Manifest, ThatIsAnIndexTooIsRefused) {
  for (const std::string& members :
       {kImageMembers + "," + kIndexMember, kLayersMember + "," + kIndexMember,
        kConfigMember + "," + kIndexMember, kImageMembers + R"(,"manifests":[])",
        kImageMembers + R"(,"manifests":null)", kIndexMember + R"(,"layers":null)"}) {
    for (const std::string_view sent : {std::string_view(), kOciManifest, kOciIndex}) {
      EXPECT_THAT(WhyNot(Oci(members), sent), HasSubstr("CVE-2021-41190")) << members;
    }
  }
  // Go takes these for those: a reader of them would see both.
  for (const std::string_view name : {"Manifests", "MANIFESTS", "manife\xc5\xbfts"}) {
    EXPECT_THAT(WhyNot(Oci(kImageMembers + ",\"" + std::string(name) + "\":[]")),
                HasSubstr("only in upper and lower case"));
  }
  EXPECT_THAT(WhyNot(Oci(kIndexMember + R"(,"Layers":[])")),
              HasSubstr("only in upper and lower case"));
}

TEST(Manifest, IsWhatItWasSentAs) {
  EXPECT_THAT(WhyNot(kOfficialIndex, kOciManifest), HasSubstr("came as"));
  EXPECT_THAT(WhyNot(kOfficialIndex, kDockerList), HasSubstr("came as"));
  EXPECT_THAT(WhyNot(kSchema2, kOciManifest), HasSubstr("came as"));
  EXPECT_THAT(WhyNot(Oci(kIndexMember), kOciManifest), HasSubstr("has the members of an index"));
  EXPECT_THAT(WhyNot(Oci(kImageMembers), kOciIndex),
              HasSubstr("has the members of an image's manifest"));
  EXPECT_THAT(WhyNot(Oci(kImageMembers + R"(,"mediaType":")" + std::string(kOciIndex) + "\"")),
              HasSubstr("has the members of an image's manifest"));
  EXPECT_EQ(CodeOf(Oci(kImageMembers), "text/html"), ErrorCode::kNotSupported);
  EXPECT_THAT(WhyNot(Oci(kImageMembers), "text/html"), HasSubstr("\"text/html\" is neither"));
}

TEST(Manifest, IsTheKindThatIsAskedFor) {
  EXPECT_THAT(DecodeManifest(kOfficialIndex, "").error().message(), HasSubstr("is an index"));
  EXPECT_THAT(DecodeIndex(kSchema2, "").error().message(), HasSubstr("is an image's manifest"));
}

TEST(Manifest, OfSchema1IsNamedAndRefused) {
  const std::string old = R"({"schemaVersion":1,"name":"library/old","tag":"1","architecture":
      "amd64","fsLayers":[{"blobSum":")" +
                          Sha('1') + R"("}],"history":[]})";
  for (const auto& [json, sent] :
       {std::pair(old, ""), std::pair(old, "application/vnd.docker.distribution.manifest.v1+json"),
        std::pair(Oci(kImageMembers), "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        std::pair(Oci(kImageMembers + R"(,"fsLayers":[])"), "")}) {
    EXPECT_EQ(CodeOf(json, sent), ErrorCode::kNotSupported);
    EXPECT_THAT(WhyNot(json, sent), HasSubstr("schema 1"));
  }
}

TEST(Manifest, ThatIsWrongSaysWhere) {
  const auto layer = [](std::string_view json) {
    return Oci(kConfigMember + R"(,"layers":[)" + DescriptorJson(kOciLayerTar, '1') + "," +
               std::string(json) + "]");
  };
  const std::string digest = R"("digest":")" + Sha('2') + "\"";
  const std::string type = R"("mediaType":"a/b")";
  const std::pair<std::string, std::string> all[] = {
      {"", "malformed"},
      {"{", "malformed"},
      {"[]", "the document must be a JSON object"},
      {R"({"schemaVersion":2,"schemaVersion":2})", "twice"},
      {"{" + kImageMembers + "}", "\"schemaVersion\" is missing"},
      {R"({"schemaVersion":"2",)" + kImageMembers + "}", "\"schemaVersion\" must be"},
      {R"({"schemaVersion":3,)" + kImageMembers + "}", "\"schemaVersion\" is 3"},
      {Oci(kConfigMember), "\"layers\" is missing"},
      {Oci(kLayersMember), "\"config\" is missing"},
      {Oci(R"("a":1)"), "\"config\" is missing"},
      {Oci(kConfigMember + R"(,"layers":{})"), "\"layers\" must be an array"},
      {Oci(R"("config":[],"layers":[])"), "\"config\" must be an object"},
      {layer("1"), "\"layers[1]\" must be an object"},
      {layer("{" + digest + R"(,"size":1})"), "\"layers[1].mediaType\" is missing"},
      {layer(R"({"mediaType":"","size":1})"), "\"layers[1].mediaType\" is missing"},
      {layer(R"({"mediaType":"a b/c","size":1})"), "\"layers[1].mediaType\" is no media type"},
      {layer(R"({"mediaType":"a/b/c","size":1})"), "\"layers[1].mediaType\" is no media type"},
      {layer("{" + type + R"(,"size":1})"), "\"layers[1].digest\" is missing"},
      {layer("{" + type + R"(,"digest":"sha256:1","size":1})"), "\"layers[1].digest\""},
      {layer("{" + type + R"(,"digest":7,"size":1})"), "\"layers[1].digest\" must be a string"},
      {layer("{" + type + "," + digest + "}"), "\"layers[1].size\" is missing"},
      {layer("{" + type + "," + digest + R"(,"size":-1})"), "\"layers[1].size\""},
      {layer("{" + type + "," + digest + R"(,"size":1.5})"), "\"layers[1].size\""},
      {layer("{" + type + "," + digest + R"(,"size":"1"})"), "\"layers[1].size\""},
      {layer("{" + type + "," + digest + R"(,"size":9007199254740992})"), "\"layers[1].size\""},
      {layer("{" + type + "," + digest + R"(,"size":1,"Size":2})"), "\"layers[1].Size\" differs"},
      {layer("{" + type + "," + digest + R"(,"size":1,"urls":["file:///etc/passwd"]})"),
       "\"layers[1].urls\""},
      {layer("{" + type + "," + digest + R"(,"size":1,"urls":["https://x.example/a b"]})"),
       "\"layers[1].urls\""},
      {layer("{" + type + "," + digest + R"(,"size":1,"annotations":{"a":1}})"),
       "\"layers[1].annotations.a\" must be a string"},
      {layer("{" + type + "," + digest + R"(,"size":1,"annotations":{"a":"\u0000"}})"),
       "\"layers[1].annotations.a\" has a NUL byte"},
      {layer("{" + type + "," + digest + R"(,"size":1,"platform":{"os":1}})"),
       "\"layers[1].platform.os\" must be a string"},
      {layer("{" + type + "," + digest + R"(,"size":1,"platform":{"os":"a\nb"}})"),
       "\"layers[1].platform.os\" has a byte"},
  };
  for (const auto& [json, why] : all) EXPECT_THAT(WhyNot(json), HasSubstr(why)) << json;
}

std::string Repeated(std::string_view piece, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += (i == 0 ? "" : ",") + std::string(piece);
  return text;
}

TEST(Manifest, IsBounded) {
  const std::string layer = DescriptorJson(kOciLayerTar, '1');
  const auto layers = [&layer](size_t count) {
    return Oci(kConfigMember + R"(,"layers":[)" + Repeated(layer, count) + "]");
  };
  EXPECT_THAT(DecodeManifest(layers(128), "")->layers, SizeIs(128));
  EXPECT_EQ(CodeOf(layers(129)), ErrorCode::kLimitTooHigh);

  const std::string entry = DescriptorJson(kOciManifest, '1');
  const auto entries = [&entry](size_t count) {
    return Oci(R"("manifests":[)" + Repeated(entry, count) + "]");
  };
  EXPECT_THAT(DecodeIndex(entries(1000), "")->manifests, SizeIs(1000));
  EXPECT_EQ(CodeOf(entries(1001)), ErrorCode::kLimitTooHigh);

  std::string padded = Oci(kImageMembers);
  padded.append(kMaxDocument - padded.size(), ' ');
  EXPECT_TRUE(DecodeManifest(padded, ""));
  EXPECT_EQ(CodeOf(padded + " "), ErrorCode::kLimitTooHigh);

  const auto with = [](const std::string& more) {
    return Oci(kConfigMember + R"(,"layers":[)" + DescriptorJson(kOciLayerTar, '1', more) + "]");
  };
  const std::string url = R"("https://a.example/")";
  EXPECT_TRUE(DecodeManifest(with(R"(,"urls":[)" + Repeated(url, 16) + "]"), ""));
  EXPECT_EQ(CodeOf(with(R"(,"urls":[)" + Repeated(url, 17) + "]")), ErrorCode::kLimitTooHigh);
  const auto annotation = [&with](size_t bytes) {
    return with(R"(,"annotations":{"abc":")" + std::string(bytes, 'x') + "\"}");
  };
  EXPECT_TRUE(DecodeManifest(annotation(Descriptor::kMaxAnnotationBytes - 3), ""));
  EXPECT_EQ(CodeOf(annotation(Descriptor::kMaxAnnotationBytes - 2)), ErrorCode::kLimitTooHigh);
}

TEST(Manifest, IsEncodedAsItIsDecoded) {
  for (const std::string_view json :
       {std::string_view(kOfficialIndex), std::string_view(kSchema2)}) {
    const Document document = DecodeDocument(json, "").value();
    const auto* index = std::get_if<Index>(&document);
    const auto text =
        index != nullptr ? EncodeIndex(*index) : EncodeManifest(std::get<Manifest>(document));
    ASSERT_TRUE(text) << text.error().message();
    EXPECT_EQ(DecodeDocument(*text, ""), document);
  }
}

TEST(Manifest, IsEncodedWithoutSpacesAndInOrder) {
  const Manifest manifest{.media_type = std::string(kOciManifest),
                          .config = {.media_type = std::string(kOciConfig),
                                     .digest = Digest::Of("{}").value(),
                                     .size = 2},
                          .layers = {{.media_type = std::string(kOciLayerZstd),
                                      .digest = Digest::Of("x").value(),
                                      .size = 1}},
                          .annotations = {{"b", "2"}, {"a", "1"}}};
  EXPECT_EQ(EncodeManifest(manifest).value(),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
            R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
                Digest::Of("{}")->text() +
                R"(","size":2},"layers":[{"mediaType":)"
                R"("application/vnd.oci.image.layer.v1.tar+zstd","digest":")" +
                Digest::Of("x")->text() + R"(","size":1}],"annotations":{"a":"1","b":"2"}})");
}

TEST(Manifest, ThatCouldNotBeDecodedIsNotEncoded) {
  Manifest manifest = DecodeManifest(kSchema2, "").value();
  manifest.annotations = {{"a", "\xff"}};
  EXPECT_THAT(EncodeManifest(manifest).error().message(), HasSubstr("no UTF-8"));
  manifest = DecodeManifest(kSchema2, "").value();
  manifest.layers.resize(129, manifest.layers[0]);
  EXPECT_EQ(EncodeManifest(manifest).error().code(), ErrorCode::kLimitTooHigh);
  manifest = DecodeManifest(kSchema2, "").value();
  manifest.media_type = kOciIndex;
  EXPECT_FALSE(EncodeManifest(manifest));
}

TEST(MediaType, OfALayerSaysHowItIsCompressed) {
  using archive::Compression;
  const std::pair<std::string_view, LayerMedia> all[] = {
      {kOciLayerTar, {Compression::kNone, true}},
      {kOciLayerGzip, {Compression::kGzip, true}},
      {kOciLayerZstd, {Compression::kZstd, true}},
      {kDockerLayerGzip, {Compression::kGzip, true}},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", {Compression::kZstd, false}},
  };
  for (const auto& [text, media] : all) {
    EXPECT_EQ(KindOf(text), MediaKind::kLayer) << text;
    EXPECT_EQ(LayerMediaOf(text), media) << text;
  }
  EXPECT_EQ(LayerMediaOf("application/vnd.oci.image.layer.v1.tar+lz4").error().code(),
            ErrorCode::kNotSupported);
}

TEST(MediaType, ThatIsAcceptedIsRead) {
  for (const std::string_view type : kAcceptedManifests) {
    EXPECT_TRUE(KindOf(type) == MediaKind::kIndex || KindOf(type) == MediaKind::kManifest) << type;
  }
  EXPECT_EQ(KindOf("application/json"), MediaKind::kOther);
}

}  // namespace
}  // namespace cay::templates::oci
