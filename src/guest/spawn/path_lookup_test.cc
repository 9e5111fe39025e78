#include "guest/spawn/path_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::guest {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ExecCandidates, LooksInEachDirectoryInOrder) {
  EXPECT_THAT(ExecCandidates("ls", {"A=1", "PATH=/x:/y/z"}), ElementsAre("/x/ls", "/y/z/ls"));
}

TEST(ExecCandidates, TakesACommandWithASlashAsItIs) {
  EXPECT_THAT(ExecCandidates("./ls", {"PATH=/x"}), ElementsAre("./ls"));
  EXPECT_THAT(ExecCandidates("/bin/ls", {}), ElementsAre("/bin/ls"));
}

TEST(ExecCandidates, AnEmptyDirectoryIsTheWorkingDirectory) {
  EXPECT_THAT(ExecCandidates("ls", {"PATH=:/x:"}), ElementsAre("ls", "/x/ls", "ls"));
  EXPECT_THAT(ExecCandidates("ls", {"PATH="}), ElementsAre("ls"));
}

TEST(ExecCandidates, WithoutPathTheUsualDirectoriesCount) {
  EXPECT_THAT(ExecCandidates("ls", {"PATHS=/x"}),
              ElementsAre("/usr/local/bin/ls", "/usr/bin/ls", "/bin/ls"));
}

TEST(ExecCandidates, TheFirstPathCounts) {
  EXPECT_THAT(ExecCandidates("ls", {"PATH=/x", "PATH=/y"}), ElementsAre("/x/ls"));
}

TEST(ExecCandidates, AnEmptyCommandIsNowhere) {
  EXPECT_THAT(ExecCandidates("", {"PATH=/x"}), IsEmpty());
}

TEST(ExecCandidates, AreBounded) {
  std::string path = "PATH=";
  for (int i = 0; i < 100'000; ++i) path += "/d:";
  EXPECT_EQ(ExecCandidates("ls", {path}).size(), kMaxPathDirectories);
  EXPECT_THAT(ExecCandidates("ls", {"PATH=/" + std::string(5000, 'x') + ":/y"}),
              ElementsAre("/y/ls"));
}

}  // namespace
}  // namespace cay::guest
