#include "template/store/built_layers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/clock.h"
#include "base/os/file.h"
#include "base/os/listing.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "json/json_members.h"
#include "template/metadata/import_notes.h"

namespace cay::templates {
namespace {

namespace json = boost::json;

constexpr int64_t kVersion = 1;
constexpr size_t kMaxRecordBytes = 64 * 1024;
constexpr size_t kMaxRecords = 100'000;
constexpr size_t kMaxRecordLayers = 256;
constexpr Bytes kStatBlock = 512;
constexpr std::string_view kTemporary = ".tmp.";

std::string Directory(const std::string& templates_dir) { return templates_dir + "/.built"; }

// 80 bits of the key are its name; the key itself is compared.
Result<std::string> PathOfRecord(const LayerStore& store, const std::string& key) {
  return Directory(store.directory()) + "/" + TRY(LayerIdOf("what a build made: " + key));
}

std::string Serialize(const BuiltRecord& record) {
  json::array layers;
  for (const std::string& layer : record.layers) layers.emplace_back(layer);
  return json::serialize(json::object{{"version", kVersion},
                                      {"key", record.key},
                                      {"layers", std::move(layers)},
                                      {"diff_id", record.diff_id},
                                      {"cache_mount", record.is_cache_mount},
                                      {"bytes", static_cast<int64_t>(record.bytes)},
                                      {"entries", static_cast<int64_t>(record.entries)},
                                      {"notes", NotesToJson(record.notes)}}) +
         "\n";
}

std::optional<BuiltRecord> Parse(std::string_view text) {
  const auto object = ParseObject(text);
  if (!object || NumberOf(*object, "version") != kVersion) return std::nullopt;
  BuiltRecord record{.key = TextOf(*object, "key"),
                     .layers = {},
                     .diff_id = TextOf(*object, "diff_id"),
                     .is_cache_mount = FlagOf(*object, "cache_mount"),
                     .bytes = NumberOf<Bytes>(*object, "bytes").value_or(0),
                     .entries = NumberOf<uint64_t>(*object, "entries").value_or(0),
                     .notes = NotesFromJson(*object).value_or(ImportNotes{})};
  for (const json::value& layer : ArrayOf(*object, "layers")) {
    if (!layer.is_string() || !IsLayerId(layer.get_string())) return std::nullopt;
    record.layers.emplace_back(layer.get_string());
  }
  if (record.key.empty() || record.layers.size() > kMaxRecordLayers) return std::nullopt;
  return record;
}

std::optional<BuiltRecord> ReadRecord(const std::string& path) {
  const auto text = ReadFile(path, kMaxRecordBytes);
  return text ? Parse(*text) : std::nullopt;
}

int64_t LastUse(const struct stat& info) {
  return int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000;
}

int64_t LastUse(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) < 0 ? 0 : LastUse(info);
}

Result<std::vector<std::string>> RecordNames(const std::string& directory) {
  std::vector<std::string> names;
  auto listing = Listing::Open(directory);
  if (!listing && listing.error().sys_errno() == ENOENT) return names;
  if (!listing) return Failure(std::move(listing).error());
  while (const dirent* entry = TRY(listing->Next())) {
    names.emplace_back(entry->d_name);
    if (names.size() <= kMaxRecords) continue;
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                         directory + " holds too many records of builds")
                       .WithRemedy("remove some of them: they are a cache"));
  }
  return names;
}

struct Records {
  std::vector<KeptBuilt> kept;
  std::vector<std::string>
      unreadable;  // paths: of writers, some of them killed, and of no use here
};

Result<Records> ReadRecords(const std::string& directory) {
  Records records;
  for (const std::string& name : TRY(RecordNames(directory))) {
    const std::string path = directory + "/" + name;
    auto record = name.contains(kTemporary) ? std::nullopt : ReadRecord(path);
    struct stat info{};
    if (record && ::lstat(path.c_str(), &info) == 0) {
      records.kept.push_back({.record = *std::move(record),
                              .last_used_unix_ms = LastUse(info),
                              .disk = static_cast<Bytes>(info.st_blocks) * kStatBlock});
    } else {
      records.unreadable.push_back(path);
    }
  }
  return records;
}

// After a day.
void DeleteUnreadable(const std::vector<std::string>& paths) {
  constexpr int64_t kDayMs = 24LL * 60 * 60 * 1000;
  for (const std::string& path : paths) {
    if (UnixMs() - LastUse(path) > kDayMs) ::unlink(path.c_str());
  }
}

}  // namespace

Result<std::optional<Built>> FindBuilt(const LayerStore& store, const std::string& key) {
  const std::string path = TRY(PathOfRecord(store, key));
  std::optional<BuiltRecord> record = ReadRecord(path);
  if (!record || record->key != key) return std::nullopt;
  auto hold = store.HoldAll(record->layers);
  if (!hold && hold.error().code() == ErrorCode::kNotFound) return std::nullopt;
  if (!hold) return Failure(std::move(hold).error());
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  return Built{.record = *std::move(record), .hold = *std::move(hold)};
}

Result<void> KeepBuilt(const LayerStore& store, const BuiltRecord& record) {
  TRY(MakeDirectories(Directory(store.directory()), 0700));
  return WriteFileAtomic(TRY(PathOfRecord(store, record.key)), Serialize(record), 0600);
}

Result<std::vector<KeptBuilt>> ListBuilt(const std::string& templates_dir) {
  return TRY(ReadRecords(Directory(templates_dir))).kept;
}

Result<void> ForgetBuilt(const LayerStore& store, const std::string& key) {
  const std::string path = TRY(PathOfRecord(store, key));
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return Failure(Error::FromErrno("removing what is kept of a build"));
}

Result<PrunedBuilt> PruneBuilt(LayerStore& store, const BuiltBounds& bounds) {
  PrunedBuilt pruned;
  TRY(store.WithLock([&]() -> Result<void> {
    const std::string directory = Directory(store.directory());
    Records records = TRY(ReadRecords(directory));
    DeleteUnreadable(records.unreadable);
    std::ranges::sort(records.kept, std::greater<>{}, &KeptBuilt::last_used_unix_ms);
    Bytes sum = 0;
    const int64_t now = UnixMs();
    for (const KeptBuilt& one : records.kept) {
      const bool old = bounds.max_age > Millis(0) &&
                       now - one.last_used_unix_ms > int64_t{bounds.max_age.count()};
      const bool fits = !old && one.record.bytes <= bounds.max_bytes &&
                        sum <= bounds.max_bytes - one.record.bytes;
      if (fits) {
        sum += one.record.bytes;
        continue;
      }
      TRY(ForgetBuilt(store, one.record.key));
      ++pruned.records;
      pruned.bytes += one.record.bytes;
    }
    return {};
  }));
  if (pruned.records > 0) TRY(store.Collect());
  return pruned;
}

}  // namespace cay::templates
