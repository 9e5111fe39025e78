// Files, watches, archives and ports through a real guest.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "base/os/file.h"
#include "guest_fixture.h"
#include "guest_link/host_archive.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// `dir_` is a directory of this machine that the guest sees under the same name; its user 1000 owns
// it, and so may do there what it likes.
class GuestFiles : public GuestFixture {
 protected:
  void SetUp() override {
    GuestFixture::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    std::string pattern = "/dev/shm/cay-guest-files-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_EQ(::chmod(dir_.c_str(), 01777), 0);
  }
  void TearDown() override {
    GuestFixture::TearDown();
    guest_.reset();
    if (!dir_.empty()) {
      EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, dir_));
    }
  }

  Result<protocol::FileInfo> Write(const std::string& name, std::string_view content,
                                   const std::string& user = "") {
    return channel_->WriteFile(
        {.user = user, .path = dir_ + "/" + name, .mode = std::nullopt, .make_parents = true},
        TextSource(content));
  }
  Result<std::string> Read(const std::string& name, const std::string& user = "",
                           uint64_t offset = 0, uint64_t length = UINT64_MAX) {
    std::string out;
    TRY(channel_->ReadFile(
        {.user = user, .path = dir_ + "/" + name, .offset = offset, .length = length},
        [&](std::string_view bytes) -> Result<void> {
          out += bytes;
          return {};
        }));
    return out;
  }
  Result<std::vector<std::string>> List(const std::string& name, uint32_t depth) {
    std::vector<std::string> paths;
    TRY(channel_->List({.user = "", .path = dir_ + "/" + name, .depth = depth},
                       [&](const protocol::FileInfo& info) -> Result<void> {
                         paths.push_back(info.path);
                         return {};
                       }));
    return paths;
  }
  Result<std::string> ArchiveOut(const std::string& name, protocol::ArchiveFormat format) {
    std::string tar;
    TRY(channel_->ArchiveOut(
        {.user = "", .path = dir_ + "/" + name, .format = format, .contents = true},
        [&](std::string_view bytes) -> Result<void> {
          tar += bytes;
          return {};
        }));
    return tar;
  }
  Result<protocol::ArchiveDone> ArchiveIn(const std::string& name, std::string_view tar) {
    return channel_->ArchiveIn({.user = "", .path = dir_ + "/" + name, .format = std::nullopt},
                               TextSource(tar));
  }
  size_t CountProcesses() {
    const Outcome outcome = Run(Shell("ls -d /proc/[0-9]* | wc -l"));
    return static_cast<size_t>(std::atoi(outcome.out.c_str()));
  }

  std::string dir_;
};

TEST_F(GuestFiles, WrittenFileIsReadBackAndBelongsToTheUser) {
  std::string content(300'000, 'x');
  content += "end";
  const auto info = Write("a/b/file", content);
  ASSERT_TRUE(info) << info.error().ToString();
  EXPECT_EQ(info->uid, 1000U);
  EXPECT_EQ(info->mode, 0644U);
  EXPECT_EQ(Read("a/b/file"), content);
  EXPECT_EQ(Read("a/b/file", "", 299'999, 3), "xen");
  EXPECT_EQ(Read("a/b/file", "", 300'003), "");
  EXPECT_EQ(Read("a/b/file", "", UINT64_MAX, 10), "");
}

TEST_F(GuestFiles, GuestLendsItsRightsToNobody) {
  ASSERT_TRUE(Write("roots", "secret", "root"));
  ASSERT_TRUE(channel_->ChangeMode({.user = "root", .path = dir_ + "/roots", .mode = 0600}));
  EXPECT_EQ(Read("roots").error().code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(Read("roots", "root"), "secret");
  ASSERT_TRUE(Write("users", "private"));
  ASSERT_TRUE(channel_->ChangeMode({.user = "", .path = dir_ + "/users", .mode = 0600}));
  // Root inside has no capability: it is one user among others.
  EXPECT_EQ(Read("users", "root").error().code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(Read("users"), "private");
  EXPECT_EQ(Read("users", "nobody-knows").error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(GuestFiles, OddFilesAreNamedAndNeverWaitedFor) {
  ASSERT_EQ(Run(Shell("cd " + dir_ + " && mkfifo fifo && ln -s /etc etc")).exited->exit_code, 0);
  EXPECT_THAT(Read("fifo").error().message(), HasSubstr("is a FIFO, not a regular file"));
  EXPECT_THAT(Write("fifo", "x").error().message(), HasSubstr("is a FIFO"));
  EXPECT_THAT(Read("etc").error().message(), HasSubstr("is a directory"));
  EXPECT_FALSE(Write("etc/evil", "x"));
  EXPECT_EQ(channel_
                ->ReadFile({.user = "", .path = "/proc/self/environ"},
                           [](auto) { return Result<void>(); })
                .error()
                .code(),
            ErrorCode::kInvalidArgument);
}

TEST_F(GuestFiles, ListingStatMoveAndRemove) {
  ASSERT_TRUE(Write("t/a/x", "1"));
  ASSERT_TRUE(Write("t/y", "22"));
  ASSERT_TRUE(channel_->MakeDirectory({.user = "", .path = dir_ + "/t/empty", .mode = 0700}));
  EXPECT_THAT(*List("t", 1), UnorderedElementsAre("a", "y", "empty"));
  EXPECT_THAT(*List("t", 5), UnorderedElementsAre("a", "a/x", "y", "empty"));
  EXPECT_EQ(channel_->Stat({.user = "", .path = dir_ + "/t/y"})->size, 2U);
  protocol::MoveRequest move{.user = "", .from = dir_ + "/t/y", .to = dir_ + "/t/a/x"};
  EXPECT_EQ(channel_->Move(move).error().code(), ErrorCode::kAlreadyExists);
  move.replace = true;
  ASSERT_TRUE(channel_->Move(move));
  EXPECT_EQ(Read("t/a/x"), "22");
  protocol::RemoveRequest remove{.user = "", .path = dir_ + "/t"};
  EXPECT_EQ(channel_->Remove(remove).error().code(), ErrorCode::kInvalidArgument);
  remove.recursive = true;
  ASSERT_TRUE(channel_->Remove(remove));
  EXPECT_EQ(channel_->Remove(remove).error().code(), ErrorCode::kNotFound);
  remove.missing_is_fine = true;
  EXPECT_TRUE(channel_->Remove(remove));
  EXPECT_EQ(List("t", 1).error().code(), ErrorCode::kNotFound);
}

TEST_F(GuestFiles, WideTreesAreListedWholeAndRemoved) {
  ASSERT_EQ(Run(Shell("mkdir " + dir_ + "/w && cd " + dir_ +
                      "/w && for i in $(seq 40); do mkdir $i; (cd $i && touch $(seq 50)); done"))
                .exited->exit_code,
            0);
  EXPECT_EQ(List("w", 2)->size(), 40U + 40 * 50);
  ASSERT_TRUE(channel_->Remove({.user = "", .path = dir_ + "/w", .recursive = true}));
  EXPECT_FALSE(channel_->Stat({.user = "", .path = dir_ + "/w"}));
}

TEST_F(GuestFiles, UnfinishedWriteLeavesNothing) {
  ASSERT_TRUE(Write("file", "old"));
  int calls = 0;
  const auto cut = [&](std::span<char> space) -> Result<size_t> {
    if (++calls == 3) return Failure(Error::Invalid("the source broke"));
    std::ranges::fill(space, 'n');
    return space.size();
  };
  EXPECT_FALSE(
      channel_->WriteFile({.user = "", .path = dir_ + "/file", .mode = std::nullopt}, cut));
  EXPECT_TRUE(Eventually([&] { return List("", 1)->size() == 1; }));
  EXPECT_EQ(Read("file"), "old");
}

TEST_F(GuestFiles, WatchTellsWhatACommandDoes) {
  ASSERT_TRUE(Write("w/file", "x"));
  auto watch = channel_->Watch({.user = "", .path = dir_ + "/w", .recursive = true});
  ASSERT_TRUE(watch) << watch.error().ToString();
  ASSERT_EQ(Run(Shell("cd " + dir_ + "/w && mkdir new && rm file")).exited->exit_code, 0);
  std::vector<std::string> seen;
  EXPECT_TRUE(Eventually([&] {
    pollfd waiting{.fd = watch->fd(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, 100);
    const auto events = watch->Next();
    if (!events) return false;
    for (const protocol::WatchEvent& event : *events) {
      if (event.kind == protocol::WatchKind::kCreated) seen.push_back("+" + event.path);
      if (event.kind == protocol::WatchKind::kRemoved) seen.push_back("-" + event.path);
    }
    return seen == std::vector<std::string>{"+new", "-file"};
  }));
}

TEST_F(GuestFiles, TreeGoesOutAndInAgainInEveryFormat) {
  ASSERT_EQ(Run(Shell("cd " + dir_ +
                      " && mkdir -p t/sub && echo hello >t/sub/file && ln -s /etc "
                      "t/link && ln t/sub/file t/hard && chmod 750 t/sub/file && mkfifo t/fifo && "
                      "truncate -s 64M t/sparse"))
                .exited->exit_code,
            0);
  int round = 0;
  for (const auto format : {protocol::ArchiveFormat::kTar, protocol::ArchiveFormat::kTarGzip,
                            protocol::ArchiveFormat::kTarZstd}) {
    const auto tar = ArchiveOut("t", format);
    ASSERT_TRUE(tar) << tar.error().ToString();
    const std::string to = "copy" + std::to_string(round++);
    const auto done = ArchiveIn(to, *tar);
    ASSERT_TRUE(done) << done.error().ToString();
    EXPECT_EQ(done->entries, 6U);
    const Outcome diff =
        Run(Shell("cd " + dir_ + " && rm -f t/fifo && diff -r --no-dereference t " + to +
                  " && stat -c '%u %a %h' " + to + "/sub/file"));
    EXPECT_EQ(diff.out, "1000 750 2\n") << diff.err;
    ASSERT_EQ(Run(Shell("mkfifo " + dir_ + "/t/fifo")).exited->exit_code, 0);
  }
}

TEST_F(GuestFiles, HostileArchivesAreRefusedInsideToo) {
  // Packed here, by a tar that lets names be changed.
  ASSERT_EQ(
      std::system(("cd " + dir_ +
                   " && echo x >f && tar -P --transform=s,^,../, -cf up.tar f && "
                   "ln -s /etc l && tar -cf l.tar l && rm l && mkdir l && echo x >l/passwd && "
                   "tar -rf l.tar l/passwd && rm -r l f")
                      .c_str()),
      0);
  const std::string up = *ReadFile(dir_ + "/up.tar");
  const std::string through = *ReadFile(dir_ + "/l.tar");
  EXPECT_THAT(ArchiveIn("in", up).error().message(), HasSubstr("has \"..\" in it"));
  EXPECT_THAT(ArchiveIn("in", through).error().message(), HasSubstr("is a symlink"));
  EXPECT_THAT(ArchiveIn("in", "no archive at all").error().message(), HasSubstr("archive:"));
  EXPECT_FALSE(channel_->Stat({.user = "", .path = dir_ + "/f"}));
}

TEST_F(GuestFiles, GuestServesOthersWhileAnArchiveIsPacked) {
  ASSERT_EQ(Run(Shell("head -c 50000000 /dev/urandom >" + dir_ + "/big")).exited->exit_code, 0);
  int pings = 0;
  const auto done = channel_->ArchiveOut(
      {.user = "", .path = dir_ + "/big", .format = protocol::ArchiveFormat::kTarGzip},
      [&](std::string_view) -> Result<void> {
        if (pings < 20) TRY(channel_->Ping());
        ++pings;
        return {};
      });
  ASSERT_TRUE(done) << done.error().ToString();
  EXPECT_GT(pings, 100);
  EXPECT_EQ(done->bytes, 50'000'000U);
}

TEST_F(GuestFiles, HostThatGoesAwayTakesTheArchiveWorkerAlong) {
  ASSERT_EQ(Run(Shell("truncate -s 1G " + dir_ + "/x && dd if=/dev/zero of=" + dir_ +
                      "/big bs=1M count=64 2>/dev/null"))
                .exited->exit_code,
            0);
  const size_t before = CountProcesses();
  EXPECT_FALSE(channel_->ArchiveOut({.user = "", .path = dir_}, [](std::string_view) {
    return Result<void>(Failure(Error::Invalid("enough")));
  }));
  EXPECT_TRUE(Eventually([&] { return CountProcesses() == before; }));
  EXPECT_FALSE(channel_->ArchiveIn(
      {.user = "", .path = dir_ + "/in", .format = std::nullopt},
      [](std::span<char>) { return Result<size_t>(Failure(Error::Invalid("enough"))); }));
  EXPECT_TRUE(Eventually([&] { return CountProcesses() == before; }));
}

TEST_F(GuestFiles, HostTreeGoesInAndComesOutAgain) {
  std::string host = "/dev/shm/cay-host-files-XXXXXX";
  ASSERT_NE(::mkdtemp(host.data()), nullptr);
  ASSERT_TRUE(MakeDirectories(host + "/src/sub", 0755));
  ASSERT_TRUE(WriteFileAtomic(host + "/src/sub/run.sh", "#!/bin/sh\n", 0777));
  ASSERT_EQ(::mkdir((host + "/out").c_str(), 0755), 0);
  auto in = PackStream::Start(host + "/src", "app", {});
  ASSERT_TRUE(in);
  ASSERT_TRUE(channel_->ArchiveIn({.user = "", .path = dir_, .format = std::nullopt},
                                  [&](std::span<char> space) { return in->Read(space); }));
  EXPECT_EQ(in->Finish()->entries, 3U);
  EXPECT_EQ(channel_->Stat({.user = "", .path = dir_ + "/app/sub/run.sh"})->uid, 1000U);
  auto out = UnpackStream::Start(host + "/out", HostUnpackOptions(1 * kMiB));
  ASSERT_TRUE(out);
  ASSERT_TRUE(channel_->ArchiveOut({.user = "", .path = dir_ + "/app"},
                                   [&](std::string_view bytes) { return out->Write(bytes); }));
  ASSERT_TRUE(out->Finish());
  struct stat info{};
  ASSERT_EQ(::stat((host + "/out/app/sub/run.sh").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, ::getuid());
  EXPECT_EQ(info.st_mode & 07777, 0755U);
  EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, host));
}

TEST_F(GuestFiles, PortThatNobodyListensOnIsNamed) {
  const auto connected = channel_->ConnectPort(9);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(connected.error().message(), "nothing listens on port 9 in the sandbox");
}

// A server that answers with all it got once the client has no more to say.
constexpr const char* kEcho = R"(python3 -c '
import socket, sys
family = socket.AF_INET6 if sys.argv[1] == "::1" else socket.AF_INET
s = socket.socket(family)
s.bind((sys.argv[1], 8080)); s.listen()
print("ready", flush=True)
while True:
  c = s.accept()[0]; got = bytearray()
  while True:
    b = c.recv(65536)
    if not b: break
    got += b
  c.sendall(got); c.close()
' )";

TEST_F(GuestFiles, PortCarriesBytesBothWaysAndTheHalfCloseBetween) {
  for (const std::string address : {"127.0.0.1", "::1"}) {
    auto server = channel_->Start(Shell(kEcho + address));
    const Outcome ready = ReadUntil(*server, [](const Outcome& o) { return o.out == "ready\n"; });
    ASSERT_EQ(ready.out, "ready\n") << ready.err;
    const auto connection = channel_->ConnectPort(8080);
    ASSERT_TRUE(connection) << connection.error().ToString();
    std::string content(3'000'000, 'a');
    for (size_t i = 0; i < content.size(); i += 997) content[i] = 'b';
    std::thread sender([&] {
      EXPECT_TRUE(WriteAll(connection->get(), content));
      ::shutdown(connection->get(), SHUT_WR);
    });
    std::string back;
    std::string buffer(100'000, '\0');
    while (true) {
      const ssize_t got = ::read(connection->get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      back.append(buffer, 0, static_cast<size_t>(got));
    }
    sender.join();
    EXPECT_TRUE(back == content);
    EXPECT_TRUE(server->Signal(9));
    Finish(*server);
  }
}

TEST_F(GuestFiles, ManyFilesAtOnceAreEachServed) {
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([this, i] {
      for (int j = 0; j < 20; ++j) {
        const std::string name = std::to_string(i) + "/" + std::to_string(j);
        EXPECT_TRUE(Write(name, name));
        EXPECT_EQ(Read(name), name);
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

}  // namespace
}  // namespace cay::testing
