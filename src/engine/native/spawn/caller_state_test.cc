#include "engine/native/spawn/caller_state.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <iterator>
#include <string_view>

namespace cay::engine::native {
namespace {

class Setting {
 public:
  void Set(std::string_view text) {
    EXPECT_EQ(::ftruncate(file_.get(), 0), 0);
    EXPECT_EQ(::pwrite(file_.get(), text.data(), text.size(), 0), std::ssize(text));
  }
  const Fd& file() const { return file_; }

 private:
  Fd file_ = Fd::Adopt(::memfd_create("setting", MFD_CLOEXEC));
};

TEST(CallerState, NoSandboxIsMadeWhereEveryChangeOfIdsMakesTheGuestDumpable) {
  Setting setting;
  setting.Set("1\n");
  const auto refused = CheckSuidDumpable(setting.file());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kNotSupported);
  EXPECT_EQ(refused.error().fault(), Fault::kMachine);
  EXPECT_NE(refused.error().remedy().text().find("fs.suid_dumpable=2"), std::string::npos);
  for (const char* harmless : {"0\n", "2\n", ""}) {
    setting.Set(harmless);
    EXPECT_TRUE(CheckSuidDumpable(setting.file())) << harmless;
  }
}

}  // namespace
}  // namespace cay::engine::native
