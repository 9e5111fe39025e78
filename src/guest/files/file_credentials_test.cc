#include "guest/files/file_credentials.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>

#include "base/privileges.h"
#include "guest/files/file_writer.h"
#include "guest/files/test_tree.h"

namespace cay::guest {
namespace {

class FileCredentialsTest : public TestTree {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
    ASSERT_EQ(::chmod(path_.c_str(), 0777), 0);
  }
};

TEST_F(FileCredentialsTest, FilesAreReachedWithTheRightsOfTheUserAlone) {
  Put("/secret", "x");
  ASSERT_EQ(::chmod((path_ + "/secret").c_str(), 0600), 0);
  {
    const auto as_user = FileCredentials::Assume({.uid = 1000, .gid = 1000, .groups = {}}, false);
    ASSERT_TRUE(as_user) << as_user.error().message();
    EXPECT_EQ(view_.OpenForReading("/secret").error().code(), ErrorCode::kPermissionDenied);
    EXPECT_EQ(view_.ChangeMode("/secret", 0666).error().code(), ErrorCode::kPermissionDenied);
    ASSERT_TRUE(FileWriter::Begin(view_, "/mine", {})->Finish());
  }
  EXPECT_TRUE(view_.OpenForReading("/secret"));
  EXPECT_EQ(StatOf("/mine").st_uid, 1000U);
  EXPECT_EQ(StatOf("/mine").st_gid, 1000U);
}

TEST_F(FileCredentialsTest, UserZeroHasNoMoreThanItsFiles) {
  Put("/other", "x");
  ASSERT_EQ(::chown((path_ + "/other").c_str(), 1000, 1000), 0);
  ASSERT_EQ(::chmod((path_ + "/other").c_str(), 0600), 0);
  {
    const auto as_root = FileCredentials::Assume({.uid = 0, .gid = 0, .groups = {}}, false);
    ASSERT_TRUE(as_root);
    EXPECT_EQ(view_.OpenForReading("/other").error().code(), ErrorCode::kPermissionDenied);
  }
  EXPECT_TRUE(view_.OpenForReading("/other"));
}

TEST_F(FileCredentialsTest, UserZeroReachesAllFilesWhereItsCommandsDo) {
  Put("/other", "x");
  ASSERT_EQ(::chown((path_ + "/other").c_str(), 1000, 1000), 0);
  ASSERT_EQ(::chmod((path_ + "/other").c_str(), 0400), 0);
  {
    const auto as_root = FileCredentials::Assume(
        {.uid = 0, .gid = 0, .groups = {}, .capabilities = kRootCapabilities}, false);
    ASSERT_TRUE(as_root);
    EXPECT_TRUE(view_.OpenForReading("/other"));
    EXPECT_TRUE(view_.ChangeMode("/other", 0600));
  }
  const auto without = FileCredentials::Assume({.uid = 0, .gid = 0, .groups = {}}, false);
  EXPECT_FALSE(view_.OpenForReading("/other")) << "they are of one time";
}

TEST_F(FileCredentialsTest, ForGoodUserZeroKeepsWhatIsAboutFilesAlone) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool became =
        FileCredentials::BecomeForGood(
            {.uid = 0, .gid = 0, .groups = {}, .capabilities = kRootCapabilities}, false)
            .has_value();
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> data{};
    const bool read = ::syscall(SYS_capget, &header, data.data()) == 0;
    constexpr uint32_t kAboutFiles =
        1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER | 1U << CAP_FSETID;
    ::_exit(became && read && data[0].permitted == kAboutFiles && data[1].permitted == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(FileCredentialsTest, SupplementaryGroupsCount) {
  Put("/shared", "x");
  ASSERT_EQ(::chown((path_ + "/shared").c_str(), 0, 4242), 0);
  ASSERT_EQ(::chmod((path_ + "/shared").c_str(), 0640), 0);
  const std::array<gid_t, 1> groups = {4242};
  {
    const auto without = FileCredentials::Assume({.uid = 1000, .gid = 1000, .groups = {}}, false);
    EXPECT_FALSE(view_.OpenForReading("/shared"));
  }
  const auto with = FileCredentials::Assume({.uid = 1000, .gid = 1000, .groups = groups}, false);
  EXPECT_TRUE(view_.OpenForReading("/shared"));
}

TEST_F(FileCredentialsTest, BecomingSomebodyForGoodLeavesNoWayBack) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool became =
        FileCredentials::BecomeForGood({.uid = 1000, .gid = 1000, .groups = {}}, false).has_value();
    // The raw call: glibc makes every thread do it, and a sanitizer has one of its own.
    const bool stayed = ::syscall(SYS_setresuid, 0, 0, 0) < 0 && ::getuid() == 1000 &&
                        ::geteuid() == 1000 && ::getgroups(0, nullptr) == 0;
    ::_exit(became && stayed ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace cay::guest
