#include "engine/native/record/record.h"

#include <gtest/gtest.h>

#include <map>

#include "base/os/file.h"
#include "engine/native/record/sandbox_dir.h"
#include "protocol/cbor.h"

namespace cay::engine::native {
namespace {

using protocol::CborReader;
using protocol::CborWriter;

SandboxId Id() { return *SandboxId::Parse("abcdefghij0123456789"); }

Record Sample() {
  CreateRequest request(Id(), HostLayers{.overlays = {{"/", {"/srv/layer"}}, {"/usr", {"/usr"}}}});
  request.lifetime = Lifetime::kPersistent;
  request.mounts = {{"/srv/data", "/workspace/data", false}};
  request.tmpfs = {{"/scratch", 8 * kMiB}};
  request.required.Add(LimitKind::kPids);
  request.label = "server host";
  return {.request = std::move(request),
          .id_range = *IdRange::FromNumber(17),
          .stopped = true,
          .created_unix_ms = 1'700'000'000'000,
          .guest_protocol = 7};
}

// The pairs of a record's map, still encoded.
std::map<uint64_t, std::string> PairsOf(std::string_view bytes) {
  CborReader reader(bytes);
  const size_t count = *reader.Map(protocol::kMaxFields);
  std::map<uint64_t, std::string> pairs;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t number = *reader.Unsigned();
    const std::string_view value = reader.rest();
    EXPECT_TRUE(reader.Skip());
    pairs[number] = value.substr(0, value.size() - reader.rest().size());
  }
  EXPECT_TRUE(reader.AtEnd());
  return pairs;
}

std::string MapOf(const std::map<uint64_t, std::string>& pairs) {
  CborWriter writer;
  writer.Map(pairs.size());
  for (const auto& [number, value] : pairs) writer.Unsigned(number).Encoded(value);
  return std::move(writer).Take();
}

std::string Item(uint64_t value) { return std::move(CborWriter().Unsigned(value)).Take(); }

TEST(Record, ComesBackAsItWasWritten) {
  const std::string bytes = EncodeRecord(Sample());
  const auto back = DecodeRecord(bytes, Id());
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(EncodeRecord(*back), bytes);
  EXPECT_EQ(back->id_range->number(), 17U);
  EXPECT_EQ(back->guest_protocol, 7U);
  EXPECT_FALSE(back->request.mounts.at(0).read_only);
  EXPECT_TRUE(back->stopped);
}

TEST(Record, OneWithVolumesIsRefusedByProgramsThatKnowNone) {
  Record record = Sample();
  EXPECT_EQ(FormatFor(record.request), 1U) << "others are read by every program";
  record.request.volumes = {{"/srv/volumes/data", "/data", true}};
  record.format = FormatFor(record.request);
  EXPECT_EQ(record.format, 2U);
  const auto back = DecodeRecord(EncodeRecord(record), Id());
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(back->request.volumes, record.request.volumes);
  EXPECT_EQ(back->format, 2U);
  EXPECT_TRUE(DecodeRecord(EncodeRecord(Sample()), Id())->request.volumes.empty());
}

TEST(Record, OneWithoutPrivilegesHasNone) {
  Record record = Sample();
  record.request.privileges = Privileges::kRoot;
  const auto back = DecodeRecord(EncodeRecord(record), Id());
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(back->request.privileges, Privileges::kRoot);
  auto pairs = PairsOf(EncodeRecord(record));
  constexpr uint64_t kRequestField = 2;
  constexpr uint64_t kPrivilegesField = 17;
  auto of_request = PairsOf(pairs.at(kRequestField));
  of_request.erase(kPrivilegesField);
  pairs[kRequestField] = MapOf(of_request);
  const auto older = DecodeRecord(MapOf(pairs), Id());
  ASSERT_TRUE(older) << older.error().ToString();
  EXPECT_EQ(older->request.privileges, Privileges::kNone);
}

TEST(Record, OneThatIsVisitedIsStoppedForWhoDoesNotKnowThatField) {
  Record record = Sample();
  record.visited = true;
  const auto back = DecodeRecord(EncodeRecord(record), Id());
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_TRUE(back->visited);
  auto pairs = PairsOf(EncodeRecord(record));
  pairs.erase(9);
  const auto older = DecodeRecord(MapOf(pairs), Id());
  ASSERT_TRUE(older) << older.error().ToString();
  EXPECT_TRUE(older->stopped);
  EXPECT_FALSE(older->visited);
}

TEST(Record, CutAnywhereIsRefused) {
  const std::string bytes = EncodeRecord(Sample());
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(DecodeRecord(std::string_view(bytes).substr(0, length), Id())) << length;
}

// What a program before the field wrote.
TEST(Record, FieldThatIsMissingHasItsDefault) {
  const auto whole = PairsOf(EncodeRecord(Sample()));
  for (const auto& [number, value] : whole) {
    if (number == 1) continue;
    auto pairs = whole;
    pairs.erase(number);
    const auto back = DecodeRecord(MapOf(pairs), Id());
    ASSERT_TRUE(back) << number << ": " << back.error().ToString();
    EXPECT_EQ(back->request.id, Id());
    EXPECT_EQ(back->stopped, number != 5);
    EXPECT_EQ(back->guest_protocol, number == 8 ? 1U : 7U);
    EXPECT_EQ(back->request.lifetime, Lifetime::kPersistent);
  }
}

TEST(Record, FieldsOfNewerProgramAreKeptAndWrittenAgain) {
  auto pairs = PairsOf(EncodeRecord(Sample()));
  CborWriter nested;
  nested.Map(2).Unsigned(1).Bytes("new").Unsigned(2).Array(2).Bool(true).Signed(-5);
  pairs[40] = nested.text();
  pairs[41] = Item(3);
  auto back = DecodeRecord(MapOf(pairs), Id());
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(EncodeRecord(*back), MapOf(pairs));
  back->paused = true;
  pairs[6] = std::move(CborWriter().Bool(true)).Take();
  EXPECT_EQ(EncodeRecord(*back), MapOf(pairs));
}

TEST(Record, FieldOfNewerProgramInsideTheRequestIsSkipped) {
  auto pairs = PairsOf(EncodeRecord(Sample()));
  auto request = PairsOf(pairs[2]);
  request[60] = Item(1);
  pairs[2] = MapOf(request);
  EXPECT_TRUE(DecodeRecord(MapOf(pairs), Id()));
}

// Not to be taken for one that may be removed.
TEST(Record, WithoutALifetimeIsOneOfAPersistentSandbox) {
  auto pairs = PairsOf(EncodeRecord(Sample()));
  auto request = PairsOf(pairs[2]);
  ASSERT_EQ(request.erase(11), 1U);
  pairs[2] = MapOf(request);
  EXPECT_EQ(DecodeRecord(MapOf(pairs), Id())->request.lifetime, Lifetime::kPersistent);
}

TEST(Record, FormatThatIsNotKnownIsRefusedInWords) {
  auto pairs = PairsOf(EncodeRecord(Sample()));
  pairs[1] = Item(kRecordFormat + 1);
  pairs[2] = Item(0);  // it may have another meaning then
  const auto back = DecodeRecord(MapOf(pairs), Id());
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code(), ErrorCode::kNotSupported);
  EXPECT_NE(back.error().message().find("newer cay"), std::string::npos);
}

TEST(Record, OfAnotherSandboxOrOfNoneIsRefused) {
  EXPECT_FALSE(DecodeRecord(EncodeRecord(Sample()), *SandboxId::Generate()));
  EXPECT_FALSE(DecodeRecord("", Id()));
  EXPECT_FALSE(DecodeRecord(MapOf({}), Id()));
  EXPECT_FALSE(DecodeRecord("not a record at all", Id()));
}

// This program's rules may be stricter than those of the one that made the sandbox.
TEST(Record, LimitsThatWouldBeRefusedTodayAreRead) {
  Record record = Sample();
  record.request.limits.memory = 1;
  record.request.limits.disk = 3;
  EXPECT_TRUE(DecodeRecord(EncodeRecord(record), Id()));
}

// CAY_RELEASES holds what the programs of earlier releases wrote.
class RecordOfRelease : public testing::TestWithParam<const char*> {};

TEST_P(RecordOfRelease, IsRead) {
  const std::string directory = std::string(CAY_RELEASES "/") + GetParam() + "/sandboxes";
  const auto ids = SandboxDir::List(directory);
  ASSERT_TRUE(ids) << ids.error().ToString();
  std::map<std::string, int> seen;
  for (const SandboxId& id : *ids) {
    const auto record = SandboxDir::ReadRecordOf(directory, id);
    ASSERT_TRUE(record) << id.text() << ": " << record.error().ToString();
    EXPECT_EQ(record->request.id, id);
    EXPECT_EQ(record->request.limits.memory, 64 * kMiB);
    EXPECT_EQ(HostLayersOf(record->request.root).overlays.at(1).layers.at(0), "/usr");
    EXPECT_TRUE(record->id_range);
    EXPECT_GT(record->created_unix_ms, 0);
    EXPECT_EQ(record->guest_protocol, 1U);
    ++seen[record->request.lifetime == Lifetime::kEphemeral ? "ephemeral" : "persistent"];
    if (record->stopped) ++seen["stopped"];
    if (record->paused) ++seen["paused"];
    if (record->request.noexec) {
      ++seen["full"];
      EXPECT_EQ(record->request.hostname, "box");
      EXPECT_EQ(record->request.tmpfs.at(0).size, kMiB);
      EXPECT_EQ(record->request.mounts.at(0).target, "/workspace/project_files");
      EXPECT_TRUE(record->request.required.Contains(LimitKind::kPids));
    }
    const auto again = DecodeRecord(EncodeRecord(*record), id);
    ASSERT_TRUE(again) << again.error().ToString();
    EXPECT_EQ(EncodeRecord(*again), EncodeRecord(*record));
  }
  const std::map<std::string, int> expected = {
      {"ephemeral", 1}, {"persistent", 4}, {"stopped", 1}, {"paused", 1}, {"full", 1}};
  EXPECT_EQ(seen, expected);
}

INSTANTIATE_TEST_SUITE_P(All, RecordOfRelease, testing::Values("b62e561", "a7a4d3b"));

}  // namespace
}  // namespace cay::engine::native
