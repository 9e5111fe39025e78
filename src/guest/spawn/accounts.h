// Accounts: who a user is, by the sandbox's own /etc/passwd and /etc/group.
//
//   Account account = TRY(ResolveUser("www-data:", files));
//
// Code inside can write those files, so they are read with bounds (kMaxAccountFileBytes; a longer
// file counts only so far), never through a FIFO or device, and what they say only chooses ids
// within the sandbox, which its user namespace confines. No NSS: a static program has none.
// passwd(5), group(5).
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::guest {

inline constexpr uid_t kDefaultUid = 1000;
inline constexpr gid_t kDefaultGid = 1000;
inline constexpr uint32_t kMaxId = 65'535;  // what a sandbox's user namespace maps
inline constexpr size_t kMaxAccountFileBytes = 256 * 1024;
inline constexpr size_t kMaxGroups = 64;

struct Account {
  uid_t uid = kDefaultUid;
  gid_t gid = kDefaultGid;
  std::vector<gid_t> groups;  // supplementary; without `gid`
  // As passwd has them. Of a user that it does not have: the number, "/" and "/bin/sh", as
  // docker's.
  std::string name{};  // "" where nobody was named
  std::string home{};
  std::string shell{};
  bool operator==(const Account&) const = default;
};

struct AccountFiles {
  std::string passwd;
  std::string group;
};

// Pure. `spec`: "" for uid 1000 and gid 1000, of whom no more is said; "name", with its groups;
// "uid" with the group that passwd gives it, or else gid = 1000 for 1000 and 0 for others as
// `docker run -u` does; "uid:gid" and "name:group" without supplementary groups. kInvalidArgument
// for what does not exist.
Result<Account> ResolveUser(std::string_view spec, const AccountFiles& files);

// The same with the files of this root filesystem, which are only opened when `spec` needs them.
// In single-user mode everything but uid 1000, gid 1000 is kNotSupported.
Result<Account> LookUpUser(std::string_view spec, bool single_user);

// Of this root filesystem.
AccountFiles ReadAccountFiles();

// Who may start commands as anybody, where there is a root at all: root, the sandbox's usual user,
// and members of these groups.
inline constexpr std::array<std::string_view, 3> kAdministratorGroups = {"sudo", "wheel", "admin"};
bool IsAdministrator(uid_t uid, const AccountFiles& files);

}  // namespace cay::guest
