// FewDescriptors: while it lives, this process may open only so many files more. For tests.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/os/fd.h"

namespace cay::engine::native {

class FewDescriptors {
 public:
  explicit FewDescriptors(unsigned more) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &saved_), 0);
    const auto next = MakePipe();  // the lowest two that are free
    EXPECT_TRUE(next);
    rlimit few = saved_;
    few.rlim_cur = static_cast<rlim_t>(next->read.get()) + more;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &saved_), 0); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit saved_{};
};

}  // namespace cay::engine::native
