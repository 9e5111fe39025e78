#include "guest/spawn/accounts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/os/fd.h"
#include "base/units.h"

namespace cay::guest {
namespace {

// Takes the text up to `separator`, and the separator, off the front of `text`.
std::string_view TakeField(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return field;
}

std::optional<uint32_t> ParseId(std::string_view text) {
  const Result<uint64_t> id = ParseUnsigned(text, kMaxId);
  if (!id) return std::nullopt;
  return static_cast<uint32_t>(*id);
}

bool IsNumber(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

struct PasswdEntry {
  std::string_view name;
  uid_t uid;
  gid_t gid;
  std::string_view home;
  std::string_view shell;
};

// name:password:uid:gid:gecos:home:shell
std::optional<PasswdEntry> ParsePasswdLine(std::string_view line) {
  const std::string_view name = TakeField(line, ':');
  TakeField(line, ':');
  const auto uid = ParseId(TakeField(line, ':'));
  const auto gid = ParseId(TakeField(line, ':'));
  if (name.empty() || !uid || !gid) return std::nullopt;
  TakeField(line, ':');
  const std::string_view home = TakeField(line, ':');
  return PasswdEntry{.name = name, .uid = *uid, .gid = *gid, .home = home, .shell = line};
}

struct GroupEntry {
  std::string_view name;
  gid_t gid;
  std::string_view members;  // separated by commas
};

// name:password:gid:member,member
std::optional<GroupEntry> ParseGroupLine(std::string_view line) {
  const std::string_view name = TakeField(line, ':');
  TakeField(line, ':');
  const auto gid = ParseId(TakeField(line, ':'));
  if (name.empty() || !gid) return std::nullopt;
  return GroupEntry{.name = name, .gid = *gid, .members = line};
}

template <class Matches>
std::optional<PasswdEntry> FindPasswd(std::string_view passwd, Matches matches) {
  while (!passwd.empty()) {
    const auto entry = ParsePasswdLine(TakeField(passwd, '\n'));
    if (entry && matches(*entry)) return entry;
  }
  return std::nullopt;
}

bool HasMember(std::string_view members, std::string_view name) {
  while (!members.empty()) {
    if (TakeField(members, ',') == name) return true;
  }
  return false;
}

std::vector<gid_t> GroupsOf(std::string_view group, const PasswdEntry& user) {
  std::vector<gid_t> groups;
  while (!group.empty() && groups.size() < kMaxGroups) {
    const auto entry = ParseGroupLine(TakeField(group, '\n'));
    if (!entry || entry->gid == user.gid || !HasMember(entry->members, user.name)) continue;
    if (std::ranges::find(groups, entry->gid) == groups.end()) groups.push_back(entry->gid);
  }
  return groups;
}

Result<gid_t> ResolveGroup(std::string_view spec, std::string_view group) {
  if (IsNumber(spec)) {
    if (const auto gid = ParseId(spec)) return *gid;
    return Failure(Error::Impossible("group " + std::string(spec) + " is over the maximum of " +
                                     std::to_string(kMaxId)));
  }
  while (!group.empty()) {
    const auto entry = ParseGroupLine(TakeField(group, '\n'));
    if (entry && entry->name == spec) return entry->gid;
  }
  return Failure(
      Error::Impossible("no group " + std::string(spec) + " in the sandbox's /etc/group"));
}

// What is at `path`, at most kMaxAccountFileBytes of it; nothing when it is not a readable regular
// file.
std::string ReadAccountFile(const char* path) {
  const int raw = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (raw < 0) return {};
  const Fd fd = Fd::Adopt(raw);
  struct stat info{};
  if (::fstat(fd.get(), &info) < 0 || !S_ISREG(info.st_mode)) return {};
  std::string text;
  std::array<char, 4096> part{};
  while (text.size() < kMaxAccountFileBytes) {
    const ssize_t got = ::read(fd.get(), part.data(), part.size());
    if (got <= 0) break;
    text.append(part.data(), static_cast<size_t>(got));
  }
  return text;
}

// What is no path, or has a NUL (the file may have anything), would be no variable of an
// environment.
std::string PathOr(std::string_view path, const char* otherwise) {
  const bool usable = path.starts_with('/') && path.find('\0') == std::string_view::npos;
  return usable ? std::string(path) : std::string(otherwise);
}

void Describe(Account& account, const std::optional<PasswdEntry>& entry) {
  const bool named = entry && entry->name.find('\0') == std::string_view::npos;
  account.name = named ? std::string(entry->name) : std::to_string(account.uid);
  account.home = PathOr(entry ? entry->home : "", "/");
  account.shell = PathOr(entry ? entry->shell : "", "/bin/sh");
}

}  // namespace

Result<Account> ResolveUser(std::string_view spec, const AccountFiles& files) {
  if (spec.empty()) return Account{};
  const size_t colon = spec.find(':');
  const std::string_view user = spec.substr(0, colon);
  Account account;
  std::optional<PasswdEntry> entry;
  if (IsNumber(user)) {
    const auto uid = ParseId(user);
    if (!uid) {
      return Failure(Error::Impossible("user " + std::string(user) + " is over the maximum of " +
                                       std::to_string(kMaxId)));
    }
    entry = FindPasswd(files.passwd, [&](const PasswdEntry& e) { return e.uid == *uid; });
    account.uid = *uid;
    account.gid = *uid == kDefaultUid ? kDefaultGid : 0;
  } else {
    entry = FindPasswd(files.passwd, [&](const PasswdEntry& e) { return e.name == user; });
    if (!entry) {
      return Failure(
          Error::Impossible("no user " + std::string(user) + " in the sandbox's /etc/passwd"));
    }
    account.uid = entry->uid;
  }
  if (entry) account.gid = entry->gid;
  Describe(account, entry);
  if (colon != std::string_view::npos) {
    account.gid = TRY(ResolveGroup(spec.substr(colon + 1), files.group));
  } else if (entry) {
    account.groups = GroupsOf(files.group, *entry);
  }
  return account;
}

AccountFiles ReadAccountFiles() {
  return {.passwd = ReadAccountFile("/etc/passwd"), .group = ReadAccountFile("/etc/group")};
}

bool IsAdministrator(uid_t uid, const AccountFiles& files) {
  if (uid == 0 || uid == kDefaultUid) return true;
  const auto user =
      FindPasswd(files.passwd, [uid](const PasswdEntry& entry) { return entry.uid == uid; });
  if (!user) return false;
  std::string_view group = files.group;
  while (!group.empty()) {
    const auto entry = ParseGroupLine(TakeField(group, '\n'));
    if (!entry ||
        std::ranges::find(kAdministratorGroups, entry->name) == kAdministratorGroups.end())
      continue;
    if (entry->gid == user->gid || HasMember(entry->members, user->name)) return true;
  }
  return false;
}

Result<Account> LookUpUser(std::string_view spec, bool single_user) {
  Account account;
  if (!spec.empty()) {
    account = TRY(ResolveUser(spec, ReadAccountFiles()));
  }
  if (single_user) {
    if (account.uid != kDefaultUid || account.gid != kDefaultGid) {
      return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                           "this sandbox was made by an ordinary user: it has only uid 1000, not " +
                               std::to_string(account.uid) + ":" + std::to_string(account.gid))
                         .WithRemedy("leave the user out, or run as root"));
    }
    account.groups.clear();
  }
  return account;
}

}  // namespace cay::guest
