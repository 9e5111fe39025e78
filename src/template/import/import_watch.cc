#include "template/import/import_watch.h"

#include <cerrno>

#include "base/os/disk_room.h"

namespace cay::templates {
namespace {

constexpr auto kProgressInterval = std::chrono::milliseconds(100);
constexpr Bytes kRoomCheckInterval = 64 * kMiB;

}  // namespace

Result<void> ImportWatch::Note(const ImportProgress& now, const Fd& root) {
  if (now.bytes >= next_room_check_) {
    next_room_check_ = now.bytes + kRoomCheckInterval;
    if (const auto room = DiskRoomOf(root)) TRY(CheckHostReserve(*room));
    if (options_.check_room) TRY(options_.check_room(now.bytes));
  }
  if (!options_.on_progress && !options_.is_stopped) return {};
  const auto moment = std::chrono::steady_clock::now();
  if (moment - last_ < kProgressInterval) return {};
  last_ = moment;
  if (options_.on_progress) options_.on_progress(now);
  return CheckWanted();
}

Result<void> ImportWatch::CheckWanted() const {
  if (!options_.is_stopped || !options_.is_stopped()) return {};
  Error error(ErrorCode::kUnavailable, Fault::kCaller, "nobody wants the template any more");
  error.set_sys_errno(ECANCELED);
  return Failure(std::move(error));
}

ImportNotes NotesOf(const archive::UnpackReport& report) {
  ImportNotes notes;
  notes.skipped_special = report.skipped_special;
  notes.skipped_whiteouts = report.skipped_whiteouts;
  notes.stripped_modes = report.stripped_modes;
  notes.dropped_xattrs = report.dropped_xattrs;
  notes.replaced_owners = report.replaced_owners;
  return notes;
}

ImportNotes NotesOf(const WrittenReport& report) {
  ImportNotes notes;
  notes.skipped_special = report.skipped_special;
  notes.skipped_unreadable = report.skipped_unreadable;
  notes.changed_meanwhile = report.changed_meanwhile;
  notes.stripped_modes = report.loss.stripped_modes;
  notes.dropped_xattrs = report.loss.dropped_xattrs;
  notes.replaced_owners = report.loss.replaced_owners;
  return notes;
}

}  // namespace cay::templates
