#include "engine/native/record/request.h"

#include <gtest/gtest.h>

namespace cay::engine::native {
namespace {

CreateRequest Valid() {
  CreateRequest request(*SandboxId::Generate(),
                        HostLayers{.overlays = {{"/", {"/srv/layer"}}, {"/usr", {"/usr"}}}});
  request.mounts = {{"/srv/data", "/workspace/data", true}};
  request.tmpfs = {{"/scratch", 8 * kMiB}};
  request.volumes = {{"/srv/volumes/data", "/data", true}};
  request.required.Add(LimitKind::kPids);
  request.hostname = "box-1";
  request.label = "host";
  request.read_only = true;
  request.privileges = Privileges::kRoot;
  request.lifetime = Lifetime::kPersistent;
  return request;
}

TEST(Request, EncodedIsDecodedAsTheSame) {
  const CreateRequest request = Valid();
  const std::string bytes = EncodeRequest(request);
  const auto decoded = DecodeRequest(bytes, request.id);
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  EXPECT_EQ(EncodeRequest(*decoded), bytes);
  EXPECT_EQ(decoded->mounts.at(0).target, "/workspace/data");
  EXPECT_TRUE(decoded->read_only);
  EXPECT_EQ(decoded->privileges, Privileges::kRoot);
  EXPECT_TRUE(decoded->required.Contains(LimitKind::kPids));
}

TEST(Request, CutShortAnywhereIsRefused) {
  const CreateRequest request = Valid();
  const std::string bytes = EncodeRequest(request);
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(DecodeRequest(std::string_view(bytes).substr(0, length), request.id)) << length;
}

TEST(Request, TargetsThatLeaveTheirPlaceAreRefused) {
  for (const char* target : {"", "relative", "/", "/a/../b", "/a//b", "/a/./b", "/a/", "/proc",
                             "/proc/x", "/dev/shm", "/sys/fs"}) {
    CreateRequest request = Valid();
    request.mounts[0].target = target;
    EXPECT_FALSE(ValidateRequest(request)) << target;
    request = Valid();
    request.tmpfs[0].target = target;
    EXPECT_FALSE(ValidateRequest(request)) << target;
    request = Valid();
    request.volumes[0].target = target;
    EXPECT_FALSE(ValidateRequest(request)) << target;
  }
  CreateRequest request = Valid();
  request.mounts[0].target = "/processes";
  EXPECT_TRUE(ValidateRequest(request));
}

TEST(Request, AVolumeIsOnceThereAndHasAPath) {
  CreateRequest request = Valid();
  request.volumes.push_back({"/srv/volumes/data", "/other", false});
  EXPECT_FALSE(ValidateRequest(request)) << "twice";
  request.volumes.back().directory = "/srv/volumes/other";
  EXPECT_TRUE(ValidateRequest(request));
  request.volumes.back().directory = "volumes/other";
  EXPECT_FALSE(ValidateRequest(request));
  request.volumes.clear();
  for (int i = 0; i < 17; ++i)
    request.volumes.push_back({"/srv/v" + std::to_string(i), "/v" + std::to_string(i), false});
  EXPECT_FALSE(ValidateRequest(request)) << "too many";
}

TEST(Request, RootWithoutLayersOrWithRelativeOnesIsRefused) {
  CreateRequest request = Valid();
  const HostLayers valid = HostLayersOf(request.root);
  const auto is_valid = [&](const HostLayers& root) {
    request.root = root;
    return ValidateRequest(request).has_value();
  };
  EXPECT_TRUE(is_valid(valid));
  HostLayers root = valid;
  root.overlays[0].layers.clear();
  EXPECT_FALSE(is_valid(root));
  root = valid;
  root.overlays[0].layers[0] = "layer";
  EXPECT_FALSE(is_valid(root));
  root = valid;
  root.overlays[0].target = "/usr";
  EXPECT_FALSE(is_valid(root));
  root.overlays.clear();
  EXPECT_FALSE(is_valid(root));
}

TEST(Request, RootsOfAnythingElseThanHostLayersAreNotSupportedAndNamed) {
  for (const RootFilesystem& root :
       {RootFilesystem(ImageReference{"debian:12"}), RootFilesystem(DiskImage{"/srv/disk.img"})}) {
    CreateRequest request = Valid();
    request.root = root;
    const auto refused = ValidateRequest(request);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kNotSupported);
    EXPECT_NE(refused.error().message().find(LayersOf(root).front().name), std::string::npos);
  }
}

TEST(Request, LimitsTooSmallToRunInAreRefusedByName) {
  CreateRequest request = Valid();
  request.limits.memory = kMiB;
  EXPECT_NE(ValidateRequest(request).error().message().find("memory"), std::string::npos);
  request = Valid();
  request.limits.disk = 64 * kMiB + 1;
  EXPECT_NE(ValidateRequest(request).error().message().find("disk"), std::string::npos);
}

TEST(Request, HostNamesAreThoseOfDns) {
  for (const std::string& hostname :
       {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a/b")}) {
    CreateRequest request = Valid();
    request.hostname = hostname;
    EXPECT_FALSE(ValidateRequest(request)) << hostname;
  }
}

}  // namespace
}  // namespace cay::engine::native
