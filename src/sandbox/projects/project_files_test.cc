#include "sandbox/projects/project_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/os/file.h"
#include "base/os/reap.h"
#include "crypto/digest.h"
#include "sandbox/projects/blob_store.h"
#include "sandbox/projects/content_types_child.h"
#include "template/test_directory.h"

namespace cay::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Result<pid_t> Fork(const Fd& control) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(ServeContentTypes(Fd::Adopt(control.get())));
  return pid;
}

class ProjectFilesTest : public ::testing::Test {
 protected:
  ProjectFilesTest() : paths_{.state_dir = directory_.path(), .run_dir = directory_.At("run")} {
    Open({});
  }

  void Open(const ProjectLimits& limits) {
    files_.reset();
    events_.reset();
    store_.reset();
    auto store = store::Store::Open(paths_);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = *std::move(store);
    auto events = EventLog::Open(*store_);
    ASSERT_TRUE(events) << events.error().ToString();
    events_ = *std::move(events);
    auto files = ProjectFiles::Open(paths_, limits, *store_, *events_, &Fork);
    ASSERT_TRUE(files) << files.error().ToString();
    files_ = *std::move(files);
  }

  Result<ProjectFile> Add(const Caller& caller, const std::string& name, const std::string& content,
                          const std::string& project = "web") {
    return files_->Add(caller, project, name, "text/plain", TextSource(content));
  }
  std::vector<std::string> Shown(const std::string& owner = "ann",
                                 const std::string& project = "web") {
    auto names = NamesIn(*ProjectFiles::Directory(paths_, owner, project));
    std::ranges::sort(*names);
    return *names;
  }
  std::vector<std::string> Blobs() { return *NamesIn(directory_.At("projects/blobs")); }
  std::string Content(const Caller& caller, std::string_view id) {
    auto fd = files_->OpenContent(caller, id);
    if (!fd) return fd.error().ToString();
    std::string text(1024, '\0');
    const ssize_t got = ::read(fd->get(), text.data(), text.size());
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return text;
  }

  templates::TestDirectory directory_;
  const Paths paths_;
  const Caller ann_{.owner = "ann"};
  const Caller bob_{.owner = "bob"};
  const Caller admin_{.owner = "root", .admin = true};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<ProjectFiles> files_;
};

// Also where an earlier server left the directories open.
TEST_F(ProjectFilesTest, AnotherUserOfTheMachineDoesNotReachThemByTheOwnersId) {
  ASSERT_TRUE(Add(ann_, "a.txt", "abc"));
  const std::string shown = *ProjectFiles::Directory(paths_, "ann", "web") + "/a.txt";
  for (const char* directory : {"projects", "projects/by-owner"}) {
    ASSERT_EQ(::chmod(directory_.At(directory).c_str(), 0711), 0);
  }
  Open({});
  for (const char* directory : {"projects", "projects/by-owner", "projects/blobs"}) {
    struct stat info{};
    ASSERT_EQ(::stat(directory_.At(directory).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U) << directory;
  }
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65'534;
    if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)
      ::_exit(100);
    ::_exit(::open(shown.c_str(), O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
  }
  const auto status = AwaitChild(child, std::chrono::seconds(30));
  ASSERT_TRUE(status);
  EXPECT_EQ(WEXITSTATUS(*status), EACCES);
}

TEST_F(ProjectFilesTest, AreThereUnderTheirNameWithTheirDigest) {
  const auto file = Add(ann_, "a.txt", "abc");
  ASSERT_TRUE(file) << file.error().ToString();
  EXPECT_EQ(file->sha256, *Sha256Hex("abc"));
  EXPECT_EQ(file->size, 3U);
  EXPECT_EQ(file->name, "a.txt");
  EXPECT_FALSE(file->duplicate);
  EXPECT_THAT(Shown(), ElementsAre("a.txt"));
  EXPECT_EQ(Content(ann_, file->id), "abc");
  EXPECT_EQ(files_->Get(ann_, file->id)->content_type, "text/plain");
  EXPECT_EQ(files_->List(ann_, "web")->size(), 1U);
  EXPECT_EQ(events_->After(0, {}, 10, Millis(0)).events.front().type, "file.uploaded");
}

TEST_F(ProjectFilesTest, ANameThatIsTakenGetsANumberUnlessTheContentIsTheSame) {
  const auto first = Add(ann_, "a.txt", "one");
  const auto second = Add(ann_, "a.txt", "two");
  const auto again = Add(ann_, "a.txt", "two");
  const auto same = Add(ann_, "b.txt", "one");
  EXPECT_EQ(second->name, "a (1).txt");
  EXPECT_EQ(second->original_name, "a.txt");
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->id, second->id);
  EXPECT_EQ(same->name, "b.txt");
  EXPECT_NE(same->id, first->id);
  EXPECT_THAT(Shown(), ElementsAre("a (1).txt", "a.txt", "b.txt"));
  EXPECT_EQ(Blobs().size(), 2U);
}

TEST_F(ProjectFilesTest, AContentGoesWithItsLastName) {
  const auto one = Add(ann_, "a", "same");
  const auto two = Add(bob_, "b", "same");
  EXPECT_EQ(Blobs().size(), 1U);
  ASSERT_TRUE(files_->Remove(ann_, one->id));
  EXPECT_THAT(Shown(), IsEmpty());
  EXPECT_EQ(Blobs().size(), 1U);
  EXPECT_EQ(Content(bob_, two->id), "same");
  ASSERT_TRUE(files_->Remove(bob_, two->id));
  EXPECT_THAT(Blobs(), IsEmpty());
  EXPECT_EQ(files_->Remove(bob_, two->id).error().code(), ErrorCode::kNotFound);
}

TEST_F(ProjectFilesTest, OfOthersDoNotExist) {
  const auto file = Add(ann_, "a", "secret");
  EXPECT_EQ(files_->Get(bob_, file->id).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(files_->OpenContent(bob_, file->id).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(files_->Remove(bob_, file->id).error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(*files_->List(bob_, "web"), IsEmpty());
  EXPECT_EQ(files_->List(admin_, "web")->size(), 1U);
  EXPECT_EQ(Content(admin_, file->id), "secret");
  // The same project's name is another project.
  const auto own = Add(bob_, "a", "other");
  EXPECT_EQ(own->name, "a");
  EXPECT_THAT(Shown("bob"), ElementsAre("a"));
}

TEST_F(ProjectFilesTest, NamesThatWouldLeadElsewhereAreRefused) {
  for (const char* name : {"", "..", "a/b", "../../etc/passwd", "a\nb"}) {
    EXPECT_EQ(Add(ann_, name, "x").error().code(), ErrorCode::kInvalidArgument) << name;
  }
  for (const char* project : {"", "..", "a/b", ".hidden"}) {
    EXPECT_EQ(Add(ann_, "a", "x", project).error().code(), ErrorCode::kInvalidArgument) << project;
    EXPECT_FALSE(ProjectFiles::Directory(paths_, "ann", project));
  }
  EXPECT_FALSE(files_->Add(ann_, "web", "a", "text/plain\r\nX: y", TextSource("x")));
  const auto hostile = ProjectFiles::Directory(paths_, "../../escape", "web");
  ASSERT_TRUE(hostile);
  EXPECT_EQ(hostile->find(".."), std::string::npos);
  EXPECT_THAT(Blobs(), IsEmpty());
}

TEST_F(ProjectFilesTest, LimitsHoldWhileItStreamsAndLeaveNothing) {
  Open({.max_file = 1000, .max_project = 1500, .max_files = 3});
  // An upload without end.
  uint64_t asked = 0;
  const auto endless = files_->Add(ann_, "web", "a", "", [&](std::span<char> space) {
    ++asked;
    std::ranges::fill(space.first(100), 'x');
    return Result<size_t>(100);
  });
  EXPECT_EQ(endless.error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(asked, 11U);
  ASSERT_TRUE(Add(ann_, "a", std::string(1000, 'a')));
  const auto over = Add(ann_, "b", std::string(501, 'b'));
  EXPECT_EQ(over.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(over.error().fault(), Fault::kCaller);
  ASSERT_TRUE(Add(ann_, "b", std::string(500, 'b')));
  ASSERT_TRUE(Add(ann_, "c", ""));
  EXPECT_EQ(Add(ann_, "d", "").error().code(), ErrorCode::kResourceExhausted);
  // Another project has its own.
  EXPECT_TRUE(Add(ann_, "d", "x", "other"));
  EXPECT_THAT(*NamesIn(directory_.At("projects/incoming")), IsEmpty());
}

TEST_F(ProjectFilesTest, AnUploadThatBreaksOffLeavesNothing) {
  const auto broken = files_->Add(ann_, "web", "a", "", [n = 0](std::span<char> space) mutable {
    if (n++ == 3) {
      return Result<size_t>(
          Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "the client has gone")));
    }
    space[0] = 'x';
    return Result<size_t>(1);
  });
  EXPECT_EQ(broken.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(*NamesIn(directory_.At("projects/incoming")), IsEmpty());
  EXPECT_THAT(Shown(), IsEmpty());
}

TEST_F(ProjectFilesTest, WhatACrashLeftIsMadeGoodAtTheNextStart) {
  const auto kept = Add(ann_, "kept", "kept");
  const auto unlinked = Add(ann_, "unlinked", "unlinked");
  const auto gone = Add(ann_, "gone", "gone");
  const std::string web = *ProjectFiles::Directory(paths_, "ann", "web");
  // A name without a row, a row without its name, a row without content, a half upload, a content
  // without a name.
  ASSERT_EQ(::link((web + "/kept").c_str(), (web + "/nobody's").c_str()), 0);
  ASSERT_EQ(::unlink((web + "/unlinked").c_str()), 0);
  ASSERT_EQ(::unlink((web + "/gone").c_str()), 0);
  ASSERT_EQ(::unlink(directory_.At("projects/blobs/" + gone->sha256).c_str()), 0);
  directory_.Write("projects/incoming/half", "half");
  directory_.Write("projects/blobs/unused", "unused");
  Open({});
  EXPECT_THAT(Shown(), ElementsAre("kept", "unlinked"));
  EXPECT_EQ(Content(ann_, unlinked->id), "unlinked");
  EXPECT_EQ(files_->Get(ann_, gone->id).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Blobs().size(), 2U);
  EXPECT_THAT(*NamesIn(directory_.At("projects/incoming")), IsEmpty());
  EXPECT_EQ(files_->Get(ann_, kept->id)->name, "kept");
}

TEST_F(ProjectFilesTest, OnlyAllowedTypesAreTakenByTheirContentAndTheClientsWord) {
  Open({.allowed_types = {"text/*", "image/png"}});
  EXPECT_TRUE(Add(ann_, "a.txt", "hello\n"));
  EXPECT_TRUE(Add(ann_, "empty.txt", ""));
  const std::string program(
      "\x7f"
      "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0\1\0\0\0",
      24);
  for (const std::string& content : {program, program + std::string(1 << 20, 'a')}) {
    const auto refused = Add(ann_, "b.txt", content);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kNotSupported);
    EXPECT_EQ(refused.error().sys_errno(), EMEDIUMTYPE);
  }
  const auto said = files_->Add(ann_, "web", "c.txt", "application/pdf", TextSource("hello\n"));
  EXPECT_FALSE(said);
  EXPECT_THAT(Shown(), ElementsAre("a.txt", "empty.txt"));
  Open({});
  EXPECT_TRUE(Add(ann_, "b.txt", program));
}

}  // namespace
}  // namespace cay::sandbox
