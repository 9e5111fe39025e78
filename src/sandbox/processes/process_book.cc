#include "sandbox/processes/process_book.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/os/log.h"
#include "guest_link/process_verdict.h"
#include "sandbox/processes/execution_log.h"
#include "sandbox/state/metrics_book.h"

namespace cay::sandbox {
namespace {

namespace table = process_table;

// Ended ones that are remembered without asking the store, of each sandbox.
constexpr size_t kEndedInMemory = 16;
// The history is cut to its length each time so many have ended.
constexpr size_t kForgetEvery = 64;

void FillEnding(ProcessRecord& record, const ProcessEnding& ending) {
  record.ended_unix_ms = UnixMs();
  record.duration_ms =
      static_cast<uint64_t>(std::max<int64_t>(0, record.ended_unix_ms - record.started_unix_ms));
  record.oom_killed = ending.oom_killed;
  record.disk_full = ending.disk_full;
  if (!ending.exited) {
    record.state = ProcessState::kLost;
    record.reason = ending.guest.reason;
    record.guest_end = ending.guest.kind;
    record.oom_killed = record.oom_killed || ending.guest.kind == GuestEndKind::kOomKilled;
    return;
  }
  const protocol::Exited& exited = *ending.exited;
  record.state = ProcessState::kExited;
  if (exited.signal != 0) {
    record.signal = exited.signal;
  } else {
    record.exit_code = exited.exit_code;
  }
  record.core_dumped = exited.core_dumped;
  record.output_cut = exited.output_cut;
  record.cpu_ms = exited.cpu_us / 1000;
  record.max_rss = exited.max_rss_bytes;
  record.output_end = exited.end_seq;
  record.leftover_count = ending.leftovers_remaining.value_or(exited.leftover_count);
  if (record.leftover_count > 0) record.leftovers = exited.leftovers;
}

std::string StartedData(const ProcessRecord& record) {
  boost::json::object data;
  data["process_id"] = record.id;
  data["pid"] = record.pid;
  if (!record.tag.empty()) data["tag"] = record.tag;
  return boost::json::serialize(data);
}

std::string EndedData(const ProcessRecord& record) {
  boost::json::object data;
  data["process_id"] = record.id;
  if (!record.tag.empty()) data["tag"] = record.tag;
  if (record.exit_code) data["exit_code"] = *record.exit_code;
  if (record.signal) data["signal"] = *record.signal;
  data["duration_ms"] = record.duration_ms;
  if (record.timed_out) data["timed_out"] = true;
  if (record.oom_killed) data["oom_killed"] = true;
  if (record.disk_full) data["disk_full"] = true;
  if (FileSizeExceeded(record)) data["file_size_exceeded"] = true;
  if (CpuTimeExceeded(record)) data["cpu_time_exceeded"] = true;
  return boost::json::serialize(data);
}

std::string FlaggedData(const ProcessRecord& record) {
  boost::json::object data;
  data["process_id"] = record.id;
  if (!record.tag.empty()) data["tag"] = record.tag;
  data["flagged"] = boost::json::array(record.flagged.begin(), record.flagged.end());
  return boost::json::serialize(data);
}

void LogFlagged(const GuestLife& life, const ProcessRecord& record) {
  std::string names;
  for (const std::string& name : record.flagged) names += (names.empty() ? "" : ",") + name;
  const LogField fields[] = {{"owner", life.owner},
                             {"sandbox", record.sandbox},
                             {"process_id", static_cast<int64_t>(record.id)},
                             {"flagged", names}};
  LogEvent(LogLevel::kWarning, "a command matches commands.flag", fields);
}

}  // namespace

bool FileSizeExceeded(const ProcessRecord& record) {
  return cay::FileSizeExceeded(record.signal.value_or(0), record.exit_code.value_or(0));
}

bool CpuTimeExceeded(const ProcessRecord& record) {
  // Others than the kernel kill as well.
  const bool otherwise = record.timed_out || record.oom_killed;
  return cay::CpuTimeExceeded(record.signal.value_or(0), record.exit_code.value_or(0),
                              record.cpu_ms, Millis(otherwise ? 0 : record.cpu_limit_ms));
}

bool Succeeded(const ProcessRecord& record) {
  return record.state == ProcessState::kExited && record.exit_code == 0 && !record.signal &&
         !record.timed_out;
}

GuestEnd GuestLife::WaitForEnd(Millis patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return gone_.has_value(); });
  return gone_.value_or(GuestEnd{.reason = "the sandbox's guest ended"});
}

std::optional<GuestEnd> GuestLife::end() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

void GuestLife::SetGone(const GuestEnd& end) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone_) gone_ = end;
  }
  changed_.notify_all();
}

bool GuestLife::ClaimOomKills(uint64_t before, std::optional<uint64_t> now, bool killed) {
  const std::lock_guard lock(mutex_);
  if (!RanOutOfMemory(killed ? before : std::max(before, oom_kills_told_), now)) return false;
  oom_kills_told_ = *now;
  return true;
}

void GuestLife::SkipOomKills(std::optional<uint64_t> now) {
  const std::lock_guard lock(mutex_);
  oom_kills_told_ = std::max(oom_kills_told_, now.value_or(0));
}

ProcessRecord ProcessEntry::record() const {
  const std::lock_guard lock(mutex);
  return row.record;
}

bool ProcessEntry::running() const {
  const std::lock_guard lock(mutex);
  return row.record.state == ProcessState::kRunning;
}

bool ProcessEntry::timed_out() const {
  const std::lock_guard lock(mutex);
  return row.record.timed_out;
}

void ProcessEntry::SetTimedOut() {
  const std::lock_guard lock(mutex);
  if (row.record.state == ProcessState::kRunning) row.record.timed_out = true;
}

bool ProcessEntry::given_up() const {
  const std::lock_guard lock(mutex);
  return row.record.timed_out && row.record.state == ProcessState::kLost;
}

std::optional<Millis> ProcessEntry::time_left() const {
  const std::lock_guard lock(mutex);
  if (!row.record.deadline_unix_ms || row.record.state == ProcessState::kExited)
    return std::nullopt;
  return Millis(*row.record.deadline_unix_ms - UnixMs());
}

ProcessBook::Place::~Place() {
  if (book_ == nullptr) return;
  const std::lock_guard lock(book_->mutex_);
  const auto found = book_->sandboxes_.find(life->sandbox);
  if (found != book_->sandboxes_.end() && found->second.starting > 0) --found->second.starting;
}

Result<std::shared_ptr<GuestLife>> ProcessBook::LifeOf(const SandboxView& view) {
  std::shared_ptr<GuestLife> life;
  std::shared_ptr<GuestLife> before;
  {
    const std::lock_guard lock(mutex_);
    OfSandbox& own = sandboxes_[view.id];
    if (own.life && own.life->started_unix_ms == view.started_unix_ms) return own.life;
    if (own.life && own.life->started_unix_ms > view.started_unix_ms) {
      return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                           "the sandbox was started again meanwhile"));
    }
    const bool same = own.last.id > 0 && own.last.life_started_ms == view.started_unix_ms;
    const uint64_t offset = same ? own.last.id - own.last.guest_process : own.last.id;
    before = std::exchange(own.life, std::make_shared<GuestLife>(view, offset));
    life = own.life;
  }
  if (before) before->SetGone({.reason = "the sandbox was started again"});
  return life;
}

Result<ProcessBook::Place> ProcessBook::Reserve(const Lease& lease) {
  std::shared_ptr<GuestLife> life = TRY(LifeOf(lease.view()));
  const uint64_t oom_kills = manager_.OomKills(lease.id()).value_or(kOomKillsUnknown);
  const std::lock_guard lock(mutex_);
  OfSandbox& own = sandboxes_[lease.id()];
  if (own.running.size() + own.starting >= options_.max_running_per_sandbox) {
    return Failure(Error::Busy("the sandbox runs its maximum of " +
                               std::to_string(options_.max_running_per_sandbox) +
                               " processes at a time")
                       .WithRemedy("wait for one to end, or end one"));
  }
  ++own.starting;
  return Place(*this, std::move(life), oom_kills);
}

std::shared_ptr<ProcessEntry> ProcessBook::Insert(std::shared_ptr<GuestLife> life, ProcessRow row) {
  row.record.id = life->offset + row.guest_process;
  row.record.sandbox = life->sandbox.text();
  row.life_started_ms = life->started_unix_ms;
  auto entry = std::make_shared<ProcessEntry>(std::move(life), std::move(row));
  const std::lock_guard lock(mutex_);
  OfSandbox& own = sandboxes_[entry->life->sandbox];
  own.running[entry->id] = entry;
  if (entry->id > own.last.id) {
    own.last = {.id = entry->id,
                .guest_process = entry->guest_process,
                .life_started_ms = entry->life->started_unix_ms};
  }
  return entry;
}

std::shared_ptr<ProcessEntry> ProcessBook::Begin(Place place, ProcessRow row) {
  row.oom_kills_before = place.oom_kills;
  auto entry = Insert(place.life, std::move(row));
  manager_.NoteExecution(entry->life->sandbox, 1);
  {
    const std::lock_guard lock(metrics_mutex_);
    ++metrics_.started;
  }
  const ProcessRecord record = entry->record();
  Say(*entry->life, "execution.started", "requested", StartedData(record));
  if (!record.flagged.empty()) {
    Say(*entry->life, "execution.flagged", record.flagged.front(), FlaggedData(record));
    LogFlagged(*entry->life, record);
  }
  LogExecutionStarted(rules()->log, entry->life->owner, record);
  Write(entry);
  return entry;
}

void ProcessBook::NoteStartFailed(const GuestLife& life, const std::vector<std::string>& command,
                                  const Error& error) {
  LogExecutionFailed(rules()->log, life.owner, life.sandbox.text(), command, error);
  boost::json::object data;
  data["code"] = ErrorCodeName(error.code());
  data["detail"] = error.message();
  Say(life, "execution.error", std::string(ErrorCodeName(error.code())),
      boost::json::serialize(data));
}

uint64_t ProcessBook::LastOf(const GuestLife& life) {
  const std::lock_guard lock(mutex_);
  const LastProcess& last = sandboxes_[life.sandbox].last;
  return last.life_started_ms == life.started_unix_ms ? last.guest_process : 0;
}

std::shared_ptr<ProcessEntry> ProcessBook::Readopt(const std::shared_ptr<GuestLife>& life,
                                                   ProcessRow row) {
  life->SkipOomKills(manager_.OomKills(life->sandbox));
  auto entry = Insert(life, std::move(row));
  manager_.NoteExecution(life->sandbox, 1, false);
  return entry;
}

void ProcessBook::MoveToEnded(const std::shared_ptr<ProcessEntry>& entry) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = sandboxes_.find(entry->life->sandbox);
    if (found == sandboxes_.end()) return;
    OfSandbox& own = found->second;
    own.running.erase(entry->id);
    own.ended.push_back(entry);
    if (own.ended.size() > kEndedInMemory) own.ended.pop_front();
    if (++own.ended_since_forget < kForgetEvery) return;
    own.ended_since_forget = 0;
  }
  store_.WriteLater([sandbox = entry->life->sandbox.text(), keep = options_.history_per_sandbox](
                        store::Database& db) { return table::Forget(db, sandbox, keep); });
}

ProcessRecord ProcessBook::Finish(const std::shared_ptr<ProcessEntry>& entry,
                                  const ProcessEnding& ending) {
  ProcessRecord record;
  {
    const std::lock_guard lock(entry->mutex);
    if (entry->row.record.state != ProcessState::kRunning) return entry->row.record;
    FillEnding(entry->row.record, ending);
    record = entry->row.record;
  }
  MoveToEnded(entry);
  {
    const std::lock_guard lock(metrics_mutex_);
    ++metrics_.ended;
    if (record.timed_out) ++metrics_.timed_out;
    if (record.state == ProcessState::kLost) ++metrics_.lost;
  }
  Write(entry);
  const bool lost = record.state == ProcessState::kLost;
  Say(*entry->life, lost ? "execution.error" : "execution.completed",
      lost               ? record.reason
      : record.timed_out ? "timed_out"
                         : "exited",
      EndedData(record));
  LogExecutionEnded(rules()->log, entry->life->owner, record);
  manager_.NoteProcessEnd(entry->life->sandbox,
                          {.process = record.id,
                           .state = lost ? StartupState::kLost : StartupState::kExited,
                           .reason = record.reason,
                           .exit_code = record.exit_code,
                           .signal = record.signal,
                           .unix_ms = record.ended_unix_ms});
  // With its guest the manager has stopped counting what ran there.
  if (!entry->life->end()) manager_.NoteExecution(entry->life->sandbox, -1);
  return record;
}

// One row a process, however short it was: a work that waits writes what is known when its turn
// comes.
void ProcessBook::Write(const std::shared_ptr<ProcessEntry>& entry) {
  {
    const std::lock_guard lock(entry->mutex);
    if (std::exchange(entry->row_queued, true)) return;
  }
  store_.WriteLater([entry](store::Database& db) -> Result<void> {
    ProcessRow row;
    {
      const std::lock_guard lock(entry->mutex);
      entry->row_queued = false;
      row = entry->row;
    }
    if (entry->life->forgotten) return {};
    return table::Put(db, row);
  });
}

void ProcessBook::WriteLost(ProcessRow row, GuestEnd end) {
  FillEnding(row.record, ProcessEnding::Lost(std::move(end)));
  {
    const std::lock_guard lock(metrics_mutex_);
    ++metrics_.lost;
  }
  store_.WriteLater([row = std::move(row)](store::Database& db) { return table::Put(db, row); });
}

void ProcessBook::NoteGone(const SandboxId& sandbox, const GuestEnd& end) {
  std::shared_ptr<GuestLife> life;
  const bool destroyed = end.kind == GuestEndKind::kDestroyed;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sandboxes_.find(sandbox);
    if (found != sandboxes_.end()) {
      // What is started from now on has another guest, whatever its view says.
      life = std::exchange(found->second.life, nullptr);
      found->second.last.life_started_ms = 0;
      if (destroyed) sandboxes_.erase(found);
    }
  }
  if (life) {
    if (destroyed) life->forgotten = true;
    life->SetGone(end);
  }
  if (!destroyed) return;
  store_.WriteLater(
      [text = sandbox.text()](store::Database& db) { return table::ForgetSandbox(db, text); });
}

void ProcessBook::Say(const GuestLife& life, const char* type, const std::string& reason,
                      std::string data) {
  Event event;
  event.type = type;
  event.sandbox = life.sandbox.text();
  event.owner = life.owner;
  event.reason = reason;
  event.data = std::move(data);
  events_.Append(std::move(event));
}

std::shared_ptr<ProcessEntry> ProcessBook::Find(const SandboxId& sandbox, uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = sandboxes_.find(sandbox);
  if (found == sandboxes_.end()) return nullptr;
  const OfSandbox& own = found->second;
  if (const auto running = own.running.find(id); running != own.running.end()) {
    return running->second;
  }
  const auto ended = std::ranges::find_if(own.ended, [&](const auto& e) { return e->id == id; });
  return ended == own.ended.end() ? nullptr : *ended;
}

Result<ProcessRow> ProcessBook::FindRow(const SandboxId& sandbox, uint64_t id) {
  std::optional<ProcessRow> row;
  TRY(store_.Flush());
  TRY(store_.Read([&](store::Database& db) -> Result<void> {
    row = TRY(table::Find(db, sandbox.text(), id));
    return {};
  }));
  if (row) return *std::move(row);
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "the sandbox has no process " + std::to_string(id)));
}

Result<ProcessRecord> ProcessBook::Get(const SandboxId& sandbox, uint64_t id) {
  if (const auto entry = Find(sandbox, id)) return entry->record();
  return TRY(FindRow(sandbox, id)).record;
}

Result<std::shared_ptr<ProcessEntry>> ProcessBook::FindOfLife(
    const std::shared_ptr<GuestLife>& life, uint64_t id) {
  auto entry = Find(life->sandbox, id);
  if (!entry) {
    ProcessRow row = TRY(FindRow(life->sandbox, id));
    const bool of_this_life = row.life_started_ms == life->started_unix_ms;
    if (of_this_life) return std::make_shared<ProcessEntry>(life, std::move(row));
  } else if (entry->life == life) {
    return entry;
  }
  return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                       "process " + std::to_string(id) +
                           " ended when the sandbox was stopped: only its result is kept"));
}

Result<std::vector<ProcessRecord>> ProcessBook::List(const SandboxId& sandbox, size_t limit) {
  std::map<uint64_t, ProcessRecord, std::greater<>> records;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = sandboxes_.find(sandbox); found != sandboxes_.end()) {
      for (const auto& [id, entry] : found->second.running) records[id] = entry->record();
      for (const auto& entry : found->second.ended) records[entry->id] = entry->record();
    }
  }
  TRY(store_.Flush());
  TRY(store_.Read([&](store::Database& db) -> Result<void> {
    for (ProcessRow& row : TRY(table::OfSandbox(db, sandbox.text(), limit))) {
      records.try_emplace(row.record.id, std::move(row.record));
    }
    return {};
  }));
  std::vector<ProcessRecord> list;
  for (auto& [id, record] : records) {
    if (list.size() == limit) break;
    list.push_back(std::move(record));
  }
  return list;
}

Result<std::vector<ProcessRow>> ProcessBook::Load() {
  store_.WriteLater(table::ForgetUnknownSandboxes);
  std::vector<ProcessRow> running;
  std::map<std::string, LastProcess> last;
  TRY(store_.Read([&](store::Database& db) -> Result<void> {
    running = TRY(table::Running(db));
    last = TRY(table::LastOfEach(db));
    return {};
  }));
  const std::lock_guard lock(mutex_);
  for (const auto& [text, process] : last) sandboxes_[TRY(SandboxId::Parse(text))].last = process;
  return running;
}

ProcessMetrics ProcessBook::GetMetrics() {
  uint64_t running = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, own] : sandboxes_) running += own.running.size();
  }
  const std::lock_guard lock(metrics_mutex_);
  ProcessMetrics metrics = metrics_;
  metrics.running = running;
  return metrics;
}

void ProcessBook::AddTo(Histogram ProcessMetrics::* histogram, uint64_t us) {
  const std::lock_guard lock(metrics_mutex_);
  Observe(metrics_.*histogram, us);
}

}  // namespace cay::sandbox
