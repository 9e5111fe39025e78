#include "store/store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "store/migrations.h"
#include "store/reserve.h"
#include "store/test_no_room.h"

namespace cay::store {
namespace {

using ::testing::HasSubstr;

// A table of the store's own, to write into.
Work Insert(int64_t id) {
  return [id](Database& db) -> Result<void> {
    return TRY(db.Prepare("INSERT INTO event VALUES (?1, 0, 't', '', '', '', '')")).Run(id);
  };
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string pattern = ::testing::TempDir() + "cay-store-XXXXXX";
    paths_ = {.state_dir = ::mkdtemp(pattern.data()), .run_dir = pattern};
  }
  ~StoreTest() override { std::filesystem::remove_all(paths_.state_dir); }

  std::unique_ptr<Store> Open() {
    auto store = Store::Open(paths_);
    EXPECT_TRUE(store) << store.error().ToString();
    return store ? std::move(*store) : nullptr;
  }
  static std::vector<int64_t> Ids(Store& store) {
    std::vector<int64_t> ids;
    EXPECT_TRUE(store.Read([&](Database& db) -> Result<void> {
      Statement select = TRY(db.Prepare("SELECT id FROM event ORDER BY id"));
      while (TRY(select.Step())) ids.push_back(select.Int(0));
      return {};
    }));
    return ids;
  }
  std::string DatabasePath() const { return paths_.state_dir + "/cay.db"; }

  Paths paths_;
};

TEST_F(StoreTest, WhatIsWrittenIsThereAtTheNextOpening) {
  {
    auto store = Open();
    ASSERT_TRUE(store->Write(Insert(1)));
    ASSERT_TRUE(store->WriteDurably(Insert(2)));
    store->WriteLater(Insert(3));
  }
  EXPECT_EQ(Ids(*Open()), (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(StoreTest, WhatIsWrittenLaterIsWrittenBeforeWhatIsAskedForAfterIt) {
  auto store = Open();
  store->WriteLater(Insert(1));
  ASSERT_TRUE(store->Write([](Database& db) -> Result<void> {
    return TRY(db.Prepare("UPDATE event SET id = id + 10")).Run();
  }));
  EXPECT_EQ(Ids(*store), (std::vector<int64_t>{11}));
}

TEST_F(StoreTest, WhatIsWrittenLaterIsWrittenWithoutAnybodyAsking) {
  auto store = Open();
  store->WriteLater(Insert(1));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (Ids(*store).empty() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(Ids(*store).size(), 1U);
}

TEST_F(StoreTest, ALogThatWasCopiedDoesNotStayAsLargeAsItWas) {
  const auto store = Open();
  const auto log_bytes = [&] { return std::filesystem::file_size(DatabasePath() + "-wal"); };
  const std::string much(1 << 20, 'x');
  const auto write = [&](int64_t id, std::string text) {
    store->WriteLater([id, text = std::move(text)](Database& db) -> Result<void> {
      return TRY(db.Prepare("INSERT INTO event VALUES (?1, 0, ?2, '', '', '', '')"))
          .Run(id, std::string_view(text));
    });
  };
  for (int64_t id = 0; id < 6; ++id) write(id, much);
  ASSERT_TRUE(store->Flush());
  EXPECT_GE(log_bytes(), 6U << 20);
  // The background copies it; what is written then cuts it.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (int64_t id = 6; log_bytes() >= 6U << 20 && std::chrono::steady_clock::now() < until; ++id) {
    write(id, "x");
    std::this_thread::yield();
  }
  EXPECT_LT(log_bytes(), 6U << 20);
}

TEST_F(StoreTest, OneThatFailsForItsOwnReasonsDoesNotTakeOthersWithIt) {
  auto store = Open();
  store->WriteLater(Insert(1));
  store->WriteLater(Insert(1));
  store->WriteLater(Insert(2));
  ASSERT_TRUE(store->Flush());
  EXPECT_EQ(Ids(*store), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(store->GetMetrics().dropped, 1U);
  EXPECT_TRUE(store->Healthy());
}

TEST_F(StoreTest, ManyThreadsWriteAtOnce) {
  auto store = Open();
  std::vector<std::thread> threads;
  for (int64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&store, thread] {
      for (int64_t i = 0; i < 50; ++i) {
        const int64_t id = thread * 1000 + i;
        if (i % 2 == 0) {
          EXPECT_TRUE(store->Write(Insert(id)));
        } else {
          store->WriteLater(Insert(id));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(store->Flush());
  EXPECT_EQ(Ids(*store).size(), 200U);
}

TEST_F(StoreTest, AReaderCannotWrite) {
  auto store = Open();
  EXPECT_FALSE(store->Read(Insert(1)));
  EXPECT_TRUE(Ids(*store).empty());
}

TEST_F(StoreTest, ASecondServerIsRefusedAndToldWhoHasIt) {
  auto store = Open();
  const auto second = Store::Open(paths_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_THAT(second.error().message(), HasSubstr("process " + std::to_string(::getpid())));
  EXPECT_THAT(second.error().message(), HasSubstr(paths_.state_dir));
  store.reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(StoreTest, WhatWasAcknowledgedSurvivesSigkill) {
  auto pipe = MakePipe();
  ASSERT_TRUE(pipe);
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = Store::Open(paths_);
    for (int64_t id = 1; store; ++id) {
      if (!(*store)->Write(Insert(id))) ::_exit(1);
      if (!WriteAll(pipe->write.get(), "x")) ::_exit(1);
    }
    ::_exit(1);
  }
  size_t acknowledged = 0;
  char byte = 0;
  while (acknowledged < 200 && ::read(pipe->read.get(), &byte, 1) == 1) ++acknowledged;
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_GE(Ids(*Open()).size(), acknowledged);
  EXPECT_EQ(acknowledged, 200U);
}

TEST_F(StoreTest, ADiskThatTakesNothingIsAClearErrorAndLosesNothing) {
  auto store = Open();
  ASSERT_TRUE(store->Write(Insert(1)));
  {
    const NoRoom no_room;
    store->WriteLater(Insert(2));
    EXPECT_FALSE(store->Flush());
    const auto refused = store->Write(Insert(3));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault(), Fault::kMachine);
    EXPECT_FALSE(refused.error().remedy().text().empty());
    EXPECT_FALSE(store->Healthy());
    EXPECT_EQ(Ids(*store), (std::vector<int64_t>{1}));
  }
  ASSERT_TRUE(store->Flush());
  ASSERT_TRUE(store->Write(Insert(4)));
  EXPECT_TRUE(store->Healthy());
  EXPECT_EQ(Ids(*store), (std::vector<int64_t>{1, 2, 4}));
}

TEST_F(StoreTest, HealthComesBackByItself) {
  auto store = Open();
  {
    const NoRoom no_room;
    EXPECT_FALSE(store->Write(Insert(1)));
    EXPECT_FALSE(store->Healthy());
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!store->Healthy() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(Millis(5));
  EXPECT_TRUE(store->Healthy());
}

TEST_F(StoreTest, ADiskThatTakesNothingDoesNotHoldUpWhoWritesLater) {
  auto store = Open();
  const NoRoom no_room;
  EXPECT_FALSE(store->Write(Insert(1)));
  for (int64_t id = 0; id < 10'000; ++id) store->WriteLater(Insert(id));
  EXPECT_GT(store->GetMetrics().dropped, 0U);
}

// Whether the reserve is held, once it is as wanted.
bool AwaitReserve(const std::string& state_dir, bool wanted) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (true) {
    struct stat info{};
    const bool held = ::stat((state_dir + "/reserve").c_str(), &info) == 0 &&
                      static_cast<Bytes>(info.st_blocks) * 512 >= Reserve::kSize;
    if (held == wanted || std::chrono::steady_clock::now() > deadline) return held;
    std::this_thread::sleep_for(Millis(10));
  }
}

TEST_F(StoreTest, TheReserveIsGivenUpForWhatIsUrgentAndHeldAgain) {
  const auto store = Open();
  ASSERT_TRUE(AwaitReserve(paths_.state_dir, true));
  {
    const NoRoom no_room;
    EXPECT_FALSE(store->Write(Insert(1)));
    EXPECT_TRUE(AwaitReserve(paths_.state_dir, true));
    EXPECT_FALSE(store->WriteUrgently(Insert(2)));
    EXPECT_FALSE(AwaitReserve(paths_.state_dir, false));
    EXPECT_FALSE(store->GiveUpReserve());
  }
  EXPECT_TRUE(store->WriteUrgently(Insert(3)));
  EXPECT_TRUE(AwaitReserve(paths_.state_dir, true));
  EXPECT_EQ(Ids(*store), std::vector<int64_t>{3});
}

TEST_F(StoreTest, OneThatIsOpenedWithoutRoomCanBeReadAndSaysSo) {
  ASSERT_TRUE(Open()->Write(Insert(1)));
  {
    const NoRoom no_room;
    const auto store = Open();
    ASSERT_TRUE(store);
    EXPECT_EQ(Ids(*store), std::vector<int64_t>{1});
    EXPECT_FALSE(store->Healthy());
    EXPECT_FALSE(store->Write(Insert(2)));
  }
  const auto store = Open();
  EXPECT_TRUE(store->Healthy());
  EXPECT_EQ(Ids(*store), std::vector<int64_t>{1});
}

TEST_F(StoreTest, ADamagedDatabaseIsRefusedWithWhatToDo) {
  {
    auto store = Open();
    for (int64_t id = 0; id < 500; ++id) store->WriteLater(Insert(id));
    ASSERT_TRUE(AwaitReserve(paths_.state_dir, true));
  }
  const Fd file = Fd::Adopt(::open(DatabasePath().c_str(), O_WRONLY | O_CLOEXEC));
  const std::string garbage(16'000, 'x');
  ASSERT_EQ(::pwrite(file.get(), garbage.data(), garbage.size(), 4096),
            static_cast<ssize_t>(garbage.size()));
  const auto store = Store::Open(paths_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), ErrorCode::kIo);
  EXPECT_THAT(store.error().message(), HasSubstr(DatabasePath()));
  EXPECT_THAT(store.error().remedy().text(), HasSubstr("cay.db"));
  EXPECT_TRUE(AwaitReserve(paths_.state_dir, true)) << "room does not mend it";
}

TEST_F(StoreTest, AFileThatIsNoDatabaseIsRefusedAndLeftAsItIs) {
  const std::string text(5000, 'n');
  ASSERT_TRUE(WriteFileAtomic(DatabasePath(), text, 0600));
  ASSERT_FALSE(Store::Open(paths_));
  EXPECT_EQ(*ReadFile(DatabasePath()), text);
}

TEST_F(StoreTest, OnlyTheServersUserCanReadTheDatabase) {
  auto store = Open();
  ASSERT_TRUE(store->Write(Insert(1)));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info{};
    ASSERT_EQ(::stat((DatabasePath() + suffix).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
  }
}

}  // namespace
}  // namespace cay::store
