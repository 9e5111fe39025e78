#include "base/os/listing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <set>

#include "base/os/file.h"

namespace cay {
namespace {

class ListingTest : public testing::Test {
 protected:
  ListingTest() {
    path_ = testing::TempDir() + "cay-listing-XXXXXX";
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    for (const char* name : {"a", ".b"}) EXPECT_TRUE(WriteFileAtomic(path_ + "/" + name, "", 0600));
    EXPECT_TRUE(MakeDirectories(path_ + "/c", 0700));
  }
  ~ListingTest() override { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_)); }

  static std::set<std::string> All(Listing listing) {
    std::set<std::string> names;
    while (true) {
      const auto entry = listing.Next();
      EXPECT_TRUE(entry);
      if (!entry || *entry == nullptr) return names;
      names.insert((*entry)->d_name);
    }
  }

  std::string path_;
};

TEST_F(ListingTest, HasEveryNameButThoseOfItselfAndItsParent) {
  const std::set<std::string> expected = {"a", ".b", "c"};
  EXPECT_EQ(All(*Listing::Open(path_)), expected);
  const int raw = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  EXPECT_EQ(All(*Listing::Of(Fd::Adopt(raw))), expected);
}

TEST_F(ListingTest, OfWhatIsNoDirectoryIsAnErrorWithItsErrno) {
  EXPECT_EQ(Listing::Open(path_ + "/nothing").error().sys_errno(), ENOENT);
  EXPECT_EQ(Listing::Open(path_ + "/a").error().sys_errno(), ENOTDIR);
}

TEST_F(ListingTest, AnErrorInTheMiddleIsNotItsEnd) {
  Listing listing = *Listing::Open(path_);
  const Fd file = Fd::Adopt(::open((path_ + "/a").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_GE(::dup3(file.get(), listing.fd(), O_CLOEXEC), 0);
  const auto next = listing.Next();
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().sys_errno(), ENOTDIR);
}

}  // namespace
}  // namespace cay
