// The client of registries against Debian's docker-registry: images that umoci made and skopeo
// pushed are fetched byte for byte, without and with users, without and with TLS; and what the
// client pushes is what skopeo fetches.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/os/file.h"
#include "base/os/listing.h"
#include "base/testing/test_eventually.h"
#include "template/oci/image_reference.h"
#include "template/registry/blob_download.h"
#include "template/registry/registry_push.h"
#include "template/test_directory.h"

extern char**
    environ;  // NOLINT(readability-redundant-declaration): unistd.h has it as an extension

namespace cay::templates::registry {
namespace {

using testing::HasSubstr;

// Standard output and error go to `log`.
pid_t Spawn(const std::vector<std::string>& words, const std::string& log) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  const int failed =
      ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(failed, 0) << words[0];
  return failed == 0 ? pid : -1;
}

bool IsThere(const std::string& program) { return ::access(program.c_str(), X_OK) == 0; }

uint16_t FreePort() {
  const Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

struct Variant {
  const char* name;
  bool has_users;
  bool has_tls;
};

class RealRegistry : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    for (const char* program : {"/usr/bin/docker-registry", "/usr/bin/skopeo", "/usr/bin/umoci",
                                "/usr/bin/htpasswd", "/usr/bin/openssl"}) {
      if (!IsThere(program)) GTEST_SKIP() << program << " is not installed";
    }
    MakeImage();
    StartRegistry();
  }
  void TearDown() override {
    if (registry_ <= 0) return;
    ::kill(registry_, SIGKILL);
    ::waitpid(registry_, nullptr, 0);
  }

  void Run(const std::vector<std::string>& words) {
    const std::string log = directory_.At("log");
    const pid_t pid = Spawn(words, log);
    int status = -1;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0) << words[0] << " " << words[1] << ": " << directory_.Read("log");
  }

  // Three layers: one of some MiB that cannot be compressed, one of a file, one that removes it.
  void MakeImage() {
    const std::string layout = directory_.At("layout");
    const std::string image = layout + ":made";
    std::string large(5'000'000, '\0');
    uint32_t state = 1;
    for (char& c : large) {
      state = state * 1664525 + 1013904223;
      c = static_cast<char>(state >> 24);
    }
    directory_.Write("large", large);
    directory_.Write("small", "small\n");
    Run({"umoci", "init", "--layout", layout});
    Run({"umoci", "new", "--image", image});
    Run({"umoci", "insert", "--rootless", "--image", image, directory_.At("large"), "/large"});
    Run({"umoci", "insert", "--rootless", "--image", image, directory_.At("small"), "/small"});
    Run({"umoci", "insert", "--rootless", "--whiteout", "--image", image, "/small"});
    Run({"umoci", "config", "--image", image, "--architecture",
         oci::Platform::Native().architecture, "--os", "linux", "--config.env", "A=b"});
  }

  void StartRegistry() {
    const uint16_t port = FreePort();
    name_ = "127.0.0.1:" + std::to_string(port);
    std::string config =
        "version: 0.1\nlog: {level: error}\nstorage:\n  filesystem:\n"
        "    rootdirectory: " +
        directory_.At("storage") + "\nhttp:\n  addr: " + name_ + "\n";
    settings_.private_registries = {"127.0.0.1"};
    if (GetParam().has_tls) {
      Run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes", "-days", "2", "-subj", "/CN=registry", "-addext",
           "subjectAltName=IP:127.0.0.1", "-keyout", directory_.At("ca.key"), "-out",
           directory_.At("ca.crt")});
      config += "  tls:\n    certificate: " + directory_.At("ca.crt") +
                "\n    key: " + directory_.At("ca.key") + "\n";
      settings_.ca_file = directory_.At("ca.crt");
    }
    if (GetParam().has_users) {
      Run({"htpasswd", "-Bbc", directory_.At("users"), "me", "the password"});
      config += "auth:\n  htpasswd:\n    realm: tests\n    path: " + directory_.At("users") + "\n";
      call_.credentials = Credentials("me", "the password");
    }
    directory_.Write("config.yml", config);
    registry_ = Spawn({"docker-registry", "serve", directory_.At("config.yml")},
                      directory_.At("registry.log"));
    ASSERT_TRUE(Eventually([&] {
      const Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    })) << directory_.Read("registry.log");
    auto client = RegistryClient::Open(settings_);
    ASSERT_TRUE(client) << client.error().ToString();
    client_ = *std::move(client);
  }

  void Skopeo(const std::string& side, std::vector<std::string> more) {
    std::vector<std::string> words = {
        "skopeo", "--insecure-policy", "copy",
        "--" + side + "-tls-verify=" + (GetParam().has_tls ? "true" : "false")};
    if (GetParam().has_tls) {
      directory_.MakeDirectory("certs");
      directory_.Write("certs/ca.crt", directory_.Read("ca.crt"));
      words.insert(words.end(), {"--" + side + "-cert-dir", directory_.At("certs")});
    }
    if (GetParam().has_users)
      words.insert(words.end(), {"--" + side + "-creds", "me:the password"});
    words.insert(words.end(), more.begin(), more.end());
    Run(words);
  }

  std::string LayoutBlob(const std::string& layout, const oci::Digest& digest) {
    return ReadFile(directory_.At(layout + "/blobs/sha256/" + std::string(digest.hex())), 64 * kMiB)
        .value_or("(not there)");
  }
  oci::ImageReference Reference(const std::string& rest) const {
    return *oci::ImageReference::Parse(name_ + rest);
  }

  TestDirectory directory_;
  std::string name_;
  pid_t registry_ = -1;
  RegistrySettings settings_;
  CallOptions call_;
  std::unique_ptr<RegistryClient> client_;
};

TEST_P(RealRegistry, GivesWhatSkopeoPushed) {
  Skopeo("dest",
         {"oci:" + directory_.At("layout") + ":made", "docker://" + name_ + "/some/image:1"});
  const auto image =
      client_->FetchImage(Reference("/some/image:1"), oci::Platform::Native(), call_);
  ASSERT_TRUE(image) << image.error().ToString();
  EXPECT_EQ(image->found.bytes, LayoutBlob("layout", image->found.digest));
  EXPECT_EQ(image->config_bytes, LayoutBlob("layout", image->manifest.config.digest));
  EXPECT_THAT(image->config.process.env, testing::Contains("A=b"));
  ASSERT_EQ(image->manifest.layers.size(), 3U);

  directory_.MakeDirectory("blobs");
  const Fd blobs = Fd::Adopt(::open(directory_.At("blobs").c_str(), O_RDONLY | O_DIRECTORY));
  const oci::Descriptor& first = image->manifest.layers.front();
  const std::string whole = LayoutBlob("layout", first.digest);
  ASSERT_GT(whole.size(), 2'000'000U);
  // The rest of what another process has begun.
  directory_.Write("blobs/" + BlobFileName(first.digest) + ".partial", whole.substr(0, 1'000'000),
                   0600);
  std::vector<std::string> notes;
  call_.on_note = [&](const std::string& note) { notes.push_back(note); };
  const auto names =
      DownloadBlobs(*client_, Reference("/some/image:1"), image->manifest.layers, blobs, call_);
  ASSERT_TRUE(names) << names.error().ToString();
  EXPECT_THAT(notes, testing::IsEmpty());
  for (size_t i = 0; i < names->size(); ++i) {
    EXPECT_EQ(ReadFile(directory_.At("blobs/" + (*names)[i]), 64 * kMiB).value_or(""),
              LayoutBlob("layout", image->manifest.layers[i].digest));
  }
  // By its digest, and as HEAD says it.
  const auto again =
      client_->FetchDocument(Reference("/some/image@" + image->found.digest.text()), call_);
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(again->bytes, image->found.bytes);
  const auto head = client_->HeadDocument(Reference("/some/image:1"), call_);
  ASSERT_TRUE(head) << head.error().ToString();
  EXPECT_EQ(head->digest, image->found.digest);
  EXPECT_EQ(head->size, image->found.bytes.size());
  const auto other = client_->FetchDocument(Reference("/some/other:1"), call_);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kNotFound);
}

TEST_P(RealRegistry, GivesDockersFormat) {
  Skopeo("dest", {"--format", "v2s2", "oci:" + directory_.At("layout") + ":made",
                  "docker://" + name_ + "/image:2"});
  const auto image = client_->FetchImage(Reference("/image:2"), oci::Platform::Native(), call_);
  ASSERT_TRUE(image) << image.error().ToString();
  EXPECT_EQ(image->manifest.media_type, oci::kDockerManifest);
}

TEST_P(RealRegistry, LetsIn) {
  if (!GetParam().has_users) GTEST_SKIP() << "everybody";
  Skopeo("dest", {"oci:" + directory_.At("layout") + ":made", "docker://" + name_ + "/image:1"});
  for (CallOptions call : {CallOptions{}, CallOptions{.credentials = Credentials("me", "wrong")}}) {
    const auto found = client_->FetchDocument(Reference("/image:1"), call);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code(), ErrorCode::kPermissionDenied);
  }
}

TEST_P(RealRegistry, TakesWhatIsPushed) {
  const std::string index = directory_.Read("layout/index.json");
  const auto entry = oci::DecodeIndex(index, oci::kOciIndex);
  ASSERT_TRUE(entry) << entry.error().ToString();
  const oci::Descriptor made = entry->manifests.front();
  const std::string bytes = LayoutBlob("layout", made.digest);
  const auto manifest = oci::DecodeManifest(bytes, made.media_type);
  ASSERT_TRUE(manifest) << manifest.error().ToString();
  std::vector<oci::Descriptor> blobs = manifest->layers;
  blobs.push_back(manifest->config);
  const auto push = [&](const std::string& path, const std::string& from) {
    std::vector<PushedBlob> how;
    for (const oci::Descriptor& blob : blobs) {
      const std::string content = LayoutBlob("layout", blob.digest);
      const BlobSource source = [&]() -> Result<Ask::Source> {
        return [&content, at = size_t{0}](std::span<char> space) mutable -> Result<size_t> {
          const size_t piece = content.copy(space.data(), space.size(), at);
          at += piece;
          return piece;
        };
      };
      const auto pushed = PushBlob(*client_, Reference(path), blob, source, from, call_);
      EXPECT_TRUE(pushed) << pushed.error().ToString();
      if (pushed) how.push_back(*pushed);
    }
    const auto named = PushDocument(*client_, Reference(path), bytes, made.media_type, call_);
    EXPECT_TRUE(named) << named.error().ToString();
    return how;
  };
  EXPECT_THAT(push("/pushed/one:1", ""), testing::Each(PushedBlob::kUploaded));
  EXPECT_THAT(push("/pushed/one:2", ""), testing::Each(PushedBlob::kWasThere));
  EXPECT_THAT(push("/pushed/two:1", "pushed/one"), testing::Each(PushedBlob::kMounted));
  Skopeo("src", {"docker://" + name_ + "/pushed/two:1", "oci:" + directory_.At("back") + ":made"});
  EXPECT_EQ(LayoutBlob("back", made.digest), bytes);
  for (const oci::Descriptor& blob : blobs)
    EXPECT_EQ(LayoutBlob("back", blob.digest), LayoutBlob("layout", blob.digest));
  // Not what it is said to be.
  const std::string other = "other";
  const oci::Descriptor lie{.media_type = std::string(oci::kOciLayerTar),
                            .digest = *oci::Digest::Of("something else"),
                            .size = other.size()};
  const auto refused = PushBlob(
      *client_, Reference("/pushed/one:1"), lie,
      [&]() -> Result<Ask::Source> {
        return [&, at = size_t{0}](std::span<char> space) mutable -> Result<size_t> {
          const size_t piece = other.copy(space.data(), space.size(), at);
          at += piece;
          return piece;
        };
      },
      "", call_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("DIGEST_INVALID"));
}

INSTANTIATE_TEST_SUITE_P(All, RealRegistry,
                         testing::Values(Variant{"Plain", false, false},
                                         Variant{"Users", true, false}, Variant{"Tls", false, true},
                                         Variant{"TlsAndUsers", true, true}),
                         [](const testing::TestParamInfo<Variant>& which) {
                           return std::string(which.param.name);
                         });

}  // namespace
}  // namespace cay::templates::registry
