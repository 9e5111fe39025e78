#include "network/cache/cache_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os/sys.h"
#include "network/cache/test_cache_directory.h"

namespace cay::network {
namespace {

constexpr uint64_t kBytes = 8 << 20;

std::string KeyFile(std::string_view key) { return *Sha256Hex(key); }

class CacheDirectoryTest : public ::testing::Test {
 protected:
  static StoredAnswer AnswerOf(const std::string& key, std::string_view body) {
    return {.key = key,
            .fresh_s = 60,
            .headers = {{.name = "A", .value = "b"}},
            .digest = *Sha256Hex(body),
            .size = body.size()};
  }
  static Result<void> Keep(CacheDirectory& cache, const std::string& key, std::string_view body,
                           std::optional<uint64_t> size = std::nullopt) {
    auto part = TRY(cache.Begin(size));
    TRY(part.Append(body));
    return cache.Keep(std::move(part), KeyFile(key), AnswerOf(key, body));
  }
  static std::string Body(CacheDirectory& cache, const std::string& key) {
    const auto found = cache.Find(KeyFile(key), key);
    if (!found) return "(none)";
    EXPECT_EQ(found->answer, AnswerOf(key, ReadAll(found->body)));
    return ReadAll(found->body);
  }
  static std::string ReadAll(const Fd& file) {
    std::string bytes(kBytes, '\0');
    const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return bytes;
  }
  uint64_t BytesOnDisk() const {
    uint64_t bytes = 0;
    for (const char* ending : {".entry", ".body", ".part"}) {
      for (const std::string& name : files_.Names(ending)) {
        struct stat info{};
        EXPECT_EQ(::stat((files_ / name).c_str(), &info), 0);
        bytes += static_cast<uint64_t>(info.st_size);
      }
    }
    return bytes;
  }

  TestCacheDirectory files_;
  CacheDirectory cache_{files_.Open(), {.bytes = kBytes}};
};

TEST_F(CacheDirectoryTest, WhatIsKeptIsFoundByItAndByAnother) {
  ASSERT_TRUE(Keep(cache_, "one", "body"));
  EXPECT_EQ(Body(cache_, "one"), "body");
  EXPECT_EQ(Body(cache_, "two"), "(none)");
  CacheDirectory other(files_.Open(), {.bytes = kBytes});
  EXPECT_EQ(Body(other, "one"), "body");
  ASSERT_TRUE(Keep(other, "two", ""));
  EXPECT_EQ(Body(cache_, "two"), "");
  EXPECT_EQ(other.counts().bytes, BytesOnDisk());
  EXPECT_EQ(other.counts().entries, 2U);
}

TEST_F(CacheDirectoryTest, ABodyIsThereOnceForAllThatHaveIt) {
  for (const char* key : {"one", "two", "three"}) ASSERT_TRUE(Keep(cache_, key, "the same", 8));
  EXPECT_EQ(files_.Names(".body").size(), 1U);
  EXPECT_EQ(files_.Names(".entry").size(), 3U);
  EXPECT_EQ(Body(cache_, "two"), "the same");
  EXPECT_EQ(cache_.counts().bytes, BytesOnDisk());
}

TEST_F(CacheDirectoryTest, ANewAnswerTakesThePlaceOfTheOldOne) {
  ASSERT_TRUE(Keep(cache_, "one", "old"));
  ASSERT_TRUE(Keep(cache_, "one", "newer"));
  EXPECT_EQ(Body(cache_, "one"), "newer");
  EXPECT_EQ(cache_.counts().entries, 1U);
  EXPECT_EQ(cache_.counts().bytes, BytesOnDisk());
}

TEST_F(CacheDirectoryTest, WhatIsNotKeptLeavesNothing) {
  {
    auto part = cache_.Begin(1000);
    ASSERT_TRUE(part);
    ASSERT_TRUE(part->Append("beginning"));
    EXPECT_EQ(cache_.counts().bytes, 1000U);
  }
  EXPECT_TRUE(files_.Names(".part").empty());
  EXPECT_EQ(cache_.counts().bytes, 0U);
  auto part = cache_.Begin(4);
  ASSERT_TRUE(part && part->Append("body"));
  StoredAnswer wrong = AnswerOf("one", "body");
  wrong.size = 5;
  EXPECT_FALSE(cache_.Keep(*std::move(part), KeyFile("one"), wrong));
  EXPECT_EQ(Body(cache_, "one"), "(none)");
}

TEST_F(CacheDirectoryTest, TheLeastUsedGoesWhenThereIsNoRoom) {
  const std::string body(1 << 20, 'a');
  for (int i = 0; i < 7; ++i)
    ASSERT_TRUE(Keep(cache_, "key" + std::to_string(i), body + std::to_string(i)));
  EXPECT_NE(Body(cache_, "key0"), "(none)");  // it is used
  for (int i = 7; i < 20; ++i) {
    ASSERT_TRUE(Keep(cache_, "key" + std::to_string(i), body + std::to_string(i)));
    EXPECT_LE(BytesOnDisk(), kBytes);
    EXPECT_EQ(cache_.counts().bytes, BytesOnDisk());
    EXPECT_NE(Body(cache_, "key0"), "(none)");
  }
  EXPECT_EQ(Body(cache_, "key1"), "(none)");
  EXPECT_NE(Body(cache_, "key19"), "(none)");
  EXPECT_GT(cache_.counts().evicted, 0U);
}

TEST_F(CacheDirectoryTest, ThereAreNoMoreEntriesThanItsBound) {
  CacheDirectory small(files_.Open(), {.bytes = kBytes, .entries = 16});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Keep(small, std::to_string(i), std::to_string(i)));
    ASSERT_LE(files_.Names(".entry").size(), 16U);
    ASSERT_LE(files_.Names(".body").size(), 17U);
  }
  EXPECT_EQ(Body(small, "99"), "99");
}

TEST_F(CacheDirectoryTest, ABodyMayHaveAQuarter) {
  EXPECT_FALSE(cache_.Begin(kBytes / 4 + 1));
  auto part = cache_.Begin(std::nullopt);
  ASSERT_TRUE(part);
  const std::string piece(1 << 20, 'a');
  EXPECT_TRUE(part->Append(piece));
  EXPECT_TRUE(part->Append(piece));
  EXPECT_FALSE(part->Append("a"));
}

TEST_F(CacheDirectoryTest, WhatOthersWriteIsNoRoomForThis) {
  CacheDirectory other(files_.Open(), {.bytes = kBytes});
  std::vector<CacheDirectory::Part> parts;
  for (int i = 0; i < 4; ++i) parts.push_back(*other.Begin(kBytes / 4));
  const auto more = cache_.Begin(1);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code(), ErrorCode::kResourceExhausted);
  parts.clear();
  EXPECT_TRUE(cache_.Begin(1));
}

TEST_F(CacheDirectoryTest, WhatACrashLeftIsRemovedWhenThereIsNoRoom) {
  const std::string left = files_ / (std::string(32, 'a') + ".part");
  ASSERT_TRUE(WriteFileAtomic(left, std::string(kBytes - 100, 'a'), 0600));
  CacheDirectory next(files_.Open(), {.bytes = kBytes});
  ASSERT_TRUE(Keep(next, "one", std::string(kBytes / 8, 'b')));
  EXPECT_TRUE(files_.Names(".part").empty());
  EXPECT_EQ(next.counts().bytes, BytesOnDisk());
}

TEST_F(CacheDirectoryTest, ALedgerThatCannotBeReadIsMadeAnew) {
  ASSERT_TRUE(Keep(cache_, "one", "body"));
  const uint64_t bytes = cache_.counts().bytes;
  for (const std::string& damage : {std::string(), std::string("x"), std::string(64, '\xff')}) {
    const Fd ledger = *sys::OpenAt(AT_FDCWD, (files_ / "ledger").c_str(), O_RDWR);
    ASSERT_EQ(::ftruncate(ledger.get(), 0), 0);
    ASSERT_TRUE(WriteAll(ledger.get(), damage));
    CacheDirectory next(files_.Open(), {.bytes = kBytes});
    ASSERT_TRUE(next.Settle());
    EXPECT_EQ(next.counts().bytes, bytes);
    EXPECT_EQ(next.counts().entries, 1U);
  }
}

TEST_F(CacheDirectoryTest, ASmallerBoundIsKeptFromTheBeginning) {
  for (int i = 0; i < 6; ++i)
    ASSERT_TRUE(Keep(cache_, std::to_string(i), std::string(1 << 20, static_cast<char>('a' + i))));
  CacheDirectory smaller(files_.Open(), {.bytes = 3 << 20});
  ASSERT_TRUE(smaller.Settle());
  EXPECT_LE(BytesOnDisk(), uint64_t{3} << 20);
  EXPECT_NE(Body(smaller, "5"), "(none)");
}

TEST_F(CacheDirectoryTest, AnEntryThatIsDamagedIsNotThereAndGoes) {
  for (const size_t at : {size_t{0}, size_t{70}, size_t{100}}) {
    ASSERT_TRUE(Keep(cache_, "one", "body"));
    TestCacheDirectory::Damage(files_.Only(".entry"), at);
    EXPECT_EQ(Body(cache_, "one"), "(none)");
    EXPECT_TRUE(files_.Names(".entry").empty());
  }
  EXPECT_EQ(cache_.counts().damaged, 3U);
}

TEST_F(CacheDirectoryTest, AnEntryOfAnotherKeyOrFormatIsNotThisOne) {
  ASSERT_TRUE(Keep(cache_, "one", "body"));
  EXPECT_FALSE(cache_.Find(KeyFile("one"), "two"));
  StoredAnswer later = AnswerOf("one", "body");
  later.format = StoredAnswer::kFormat + 1;
  ASSERT_TRUE(cache_.Rewrite(KeyFile("one"), later));
  EXPECT_EQ(Body(cache_, "one"), "(none)");
}

TEST_F(CacheDirectoryTest, ABodyThatIsCutOrGoneTakesItsEntryWithIt) {
  ASSERT_TRUE(Keep(cache_, "one", "body"));
  ASSERT_EQ(::truncate(files_.Only(".body").c_str(), 3), 0);
  EXPECT_EQ(Body(cache_, "one"), "(none)");
  EXPECT_TRUE(files_.Names(".body").empty());
  ASSERT_TRUE(Keep(cache_, "one", "body"));
  ASSERT_EQ(::unlink(files_.Only(".body").c_str()), 0);
  EXPECT_EQ(Body(cache_, "one"), "(none)");
  EXPECT_TRUE(files_.Names(".entry").empty());
}

TEST_F(CacheDirectoryTest, NeitherLinksNorPipesAreFollowed) {
  ASSERT_TRUE(Keep(cache_, "one", "body"));
  const std::string body = files_.Only(".body");
  ASSERT_EQ(::unlink(body.c_str()), 0);
  ASSERT_EQ(::symlink("/etc/hostname", body.c_str()), 0);
  EXPECT_EQ(Body(cache_, "one"), "(none)");
  const std::string entry = files_ / (KeyFile("two") + ".entry");
  ASSERT_EQ(::mkfifo(entry.c_str(), 0600), 0);
  EXPECT_EQ(Body(cache_, "two"), "(none)");
}

TEST_F(CacheDirectoryTest, WhoHasTheLockForLongIsNotWaitedForLong) {
  ASSERT_TRUE(Keep(cache_, "one", "body"));
  const Fd ledger = *sys::OpenAt(AT_FDCWD, (files_ / "ledger").c_str(), O_RDWR);
  ASSERT_EQ(::flock(ledger.get(), LOCK_EX), 0);
  const auto begun = cache_.Begin(1);
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(Body(cache_, "one"), "body");
}

TEST_F(CacheDirectoryTest, ClearLeavesWhatIsBeingWritten) {
  ASSERT_TRUE(Keep(cache_, "one", "body"));
  auto part = cache_.Begin(4);
  ASSERT_TRUE(part);
  CacheDirectory cli(files_.Open(), {.bytes = kBytes});
  ASSERT_TRUE(cli.Clear());
  EXPECT_EQ(cli.counts().bytes, 4U);
  EXPECT_EQ(cli.counts().entries, 0U);
  EXPECT_EQ(Body(cache_, "one"), "(none)");
  ASSERT_TRUE(part->Append("body"));
  ASSERT_TRUE(cache_.Keep(*std::move(part), KeyFile("two"), AnswerOf("two", "body")));
  EXPECT_EQ(Body(cache_, "two"), "body");
}

}  // namespace
}  // namespace cay::network
