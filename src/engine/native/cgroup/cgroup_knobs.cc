#include "engine/native/cgroup/cgroup_knobs.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/os/file.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "base/units.h"

namespace cay::engine::native {

std::string CgroupDir::PathOf(std::string_view knob) const {
  std::string path;
  path.reserve(name_.size() + 1 + knob.size());
  path += name_;
  path += '/';
  path += knob;
  return path;
}

bool CgroupDir::Has(std::string_view knob) const {
  return ::faccessat(parent_, PathOf(knob).c_str(), F_OK, 0) == 0;
}

Result<void> CgroupDir::Write(std::string_view knob, std::string_view value) const {
  const std::string path = PathOf(knob);
  const Fd fd = TRY(sys::OpenAt(parent_, path.c_str(), O_WRONLY));
  Result<void> written = sys::Write(fd, value, path);
  if (!written) {
    return Failure(
        std::move(written).error().WithContext("writing \"" + std::string(value) + "\" to cgroup"));
  }
  return {};
}

Result<std::string> CgroupDir::Read(std::string_view knob) const {
  std::string text = TRY(ReadFileAt(parent_, PathOf(knob)));
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<std::optional<uint64_t>> CgroupDir::ReadNumber(std::string_view knob) const {
  Result<std::string> text = Read(knob);
  if (!text) {
    if (text.error().sys_errno() == ENOENT && Has("cgroup.procs")) return std::nullopt;
    return Failure(std::move(text).error());
  }
  return std::optional<uint64_t>(TRY(ParseUnsigned(*text)));
}

Result<std::optional<uint64_t>> CgroupDir::ReadField(std::string_view knob,
                                                     std::string_view field) const {
  Result<std::string> text = Read(knob);
  if (!text) {
    if (text.error().sys_errno() == ENOENT && Has("cgroup.procs")) return std::nullopt;
    return Failure(std::move(text).error());
  }
  return FindField(*text, field);
}

std::optional<uint64_t> FindField(std::string_view text, std::string_view field) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.size() > field.size() && line.starts_with(field) && line[field.size()] == ' ') {
      const auto number = ParseUnsigned(line.substr(field.size() + 1));
      if (number) return *number;
      return std::nullopt;
    }
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

Result<void> KnobChanges::Write(const CgroupDir& dir, std::string_view knob,
                                std::string_view value) {
  if (undo_ == Undo::kYes) {
    Result<std::string> before = dir.Read(knob);
    if (!before) {
      TakeBack();
      return Failure(std::move(before).error());
    }
    old_.push_back({dir, std::string(knob), *std::move(before)});
  }
  Result<void> written = dir.Write(knob, value);
  if (!written) {
    if (!old_.empty()) old_.pop_back();
    TakeBack();
  }
  return written;
}

void KnobChanges::TakeBack() {
  while (!old_.empty()) {
    const Old& last = old_.back();
    const Result<void> restored = last.dir.Write(last.knob, last.value);
    if (!restored) LogWarning("a limit could not be put back: " + restored.error().ToString());
    old_.pop_back();
  }
}

}  // namespace cay::engine::native
