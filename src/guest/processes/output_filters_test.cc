#include "guest/processes/output_filters.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <list>
#include <string>
#include <vector>

#include "guest/spawn/terminal.h"

namespace cay::guest {
namespace {

// Processes with the standard input and output that a test says, and at most one descriptor more.
class OutputFilters : public testing::Test {
 protected:
  ~OutputFilters() override {
    for (const pid_t child : children_) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }

  Pipe& NewPipe() { return pipes_.emplace_back(*MakePipe()); }

  // Returns when it is as it should be.
  void Run(int in, int out, int also = -1) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      // Above what it is to have: so none of the three covers another.
      const int kept[] = {::fcntl(in, F_DUPFD, 100), ::fcntl(out, F_DUPFD, 100),
                          ::fcntl(also, F_DUPFD, 100)};
      ::dup2(kept[0], 0);
      ::dup2(kept[1], 1);
      ::dup2(kept[2], 2);
      ::close_range(also < 0 ? 2 : 3, ~0U, 0);
      ::raise(SIGSTOP);
      ::_exit(0);
    }
    children_.push_back(child);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    ASSERT_TRUE(WIFSTOPPED(status));
  }

  FiltersLeft Find(size_t most = SIZE_MAX) const {
    const Fd proc = Fd::Adopt(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto found = FindOutputFilters(proc,
                                         {.pipes = {*NumberOfPipe(output_.read)},
                                          .terminal = {},
                                          .input = NumberOfPipe(input_.write)},
                                         most);
    EXPECT_TRUE(found) << found.error().ToString();
    return found.value_or(FiltersLeft{});
  }

  // This process is not looked at: what it has open is the guest's.
  Pipe output_ = *MakePipe();
  Pipe input_ = *MakePipe();

 private:
  std::list<Pipe> pipes_;
  std::vector<pid_t> children_;
};

TEST_F(OutputFilters, AFilterIsOneWhoseInputNobodyFeeds) {
  Pipe& pipe = NewPipe();
  ASSERT_EQ(::write(pipe.write.get(), "hello", 5), 5);
  Run(pipe.read.get(), output_.write.get());
  const FiltersLeft left = Find();
  EXPECT_TRUE(left.any);
  EXPECT_EQ(left.unread, 5U);
  EXPECT_FALSE(Find(1).any) << "more descriptors than are looked at";
}

TEST_F(OutputFilters, WhoHoldsTheOutputOnlyIsNone) {
  const Fd null = Fd::Adopt(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Run(null.get(), output_.write.get());
  Run(input_.read.get(), output_.write.get());  // the command's own input
  EXPECT_FALSE(Find().any);
}

TEST_F(OutputFilters, WhoDoesNotHoldTheOutputIsNone) {
  Pipe& pipe = NewPipe();
  Run(pipe.read.get(), NewPipe().write.get());
  Run(pipe.read.get(), output_.read.get());
  EXPECT_FALSE(Find().any);
}

TEST_F(OutputFilters, WhoIsFedIsNone) {
  const Fd null = Fd::Adopt(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Pipe& fed = NewPipe();
  Run(null.get(), fed.write.get());
  Run(fed.read.get(), output_.write.get());
  Pipe& itself = NewPipe();
  Run(itself.read.get(), output_.write.get(), itself.write.get());
  Pipe& there = NewPipe();
  Pipe& back = NewPipe();
  Run(there.read.get(), back.write.get(), output_.write.get());
  Run(back.read.get(), there.write.get(), output_.write.get());
  EXPECT_FALSE(Find().any);
}

TEST_F(OutputFilters, AFilterMayFeedAnother) {
  Pipe& first = NewPipe();
  Pipe& second = NewPipe();
  ASSERT_EQ(::write(first.write.get(), "12", 2), 2);
  ASSERT_EQ(::write(second.write.get(), "345", 3), 3);
  Run(second.read.get(), output_.write.get());
  Run(first.read.get(), second.write.get(), second.write.get());
  const FiltersLeft left = Find();
  EXPECT_TRUE(left.any);
  EXPECT_EQ(left.unread, 5U);
}

TEST_F(OutputFilters, AFifoIsAPipe) {
  std::string path = testing::TempDir() + "/fifo-XXXXXX";
  ASSERT_NE(::mkdtemp(path.data()), nullptr);
  const std::string name = path + "/fifo";
  ASSERT_EQ(::mkfifo(name.c_str(), 0600), 0);
  const Fd end = Fd::Adopt(::open(name.c_str(), O_RDWR | O_CLOEXEC));
  const Fd reader = Fd::Adopt(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  Run(reader.get(), output_.write.get());
  EXPECT_TRUE(Find().any);
  ::unlink(name.c_str());
  ::rmdir(path.c_str());
}

TEST_F(OutputFilters, ATerminalIsHeldByItsDevice) {
  const Fd master = Fd::Adopt(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_EQ(::unlockpt(master.get()), 0);
  const Fd slave = Fd::Adopt(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_GE(slave.get(), 0);
  Run(NewPipe().read.get(), slave.get());
  const Fd proc = Fd::Adopt(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto found = FindOutputFilters(
      proc, {.pipes = {}, .terminal = SlaveDevice(master), .input = {}}, SIZE_MAX);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->any);
}

}  // namespace
}  // namespace cay::guest
