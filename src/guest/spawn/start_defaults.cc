#include "guest/spawn/start_defaults.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/os/sys.h"
#include "guest/files/file_credentials.h"
#include "guest/files/file_view.h"

namespace cay::guest {
namespace {

void SetVariable(std::vector<std::string>& env, std::string_view name, std::string_view value) {
  std::string variable = std::string(name) + "=";
  const auto found =
      std::ranges::find_if(env, [&](const std::string& one) { return one.starts_with(variable); });
  variable += value;
  if (found == env.end()) {
    env.push_back(std::move(variable));
  } else {
    *found = std::move(variable);
  }
}

Result<void> MakeAs(const Account& account, const FileView& view, const std::string& path,
                    uint32_t capabilities, bool single_user) {
  const FileCredentials as_user = TRY(FileCredentials::Assume({.uid = account.uid,
                                                               .gid = account.gid,
                                                               .groups = account.groups,
                                                               .capabilities = capabilities},
                                                              single_user));
  return view.MakeDirectory(path, 0755, true);
}

// By descriptor, and in a directory that is not the account's: so nobody of that account can put
// something else in its place.
Result<void> MakeFor(const Account& account, const FileView::Place& place,
                     const std::string& path) {
  struct stat parent{};
  if (::fstat(place.directory.get(), &parent) < 0) return Failure(Error::FromErrno(path));
  if (parent.st_uid == account.uid) {
    return Failure(FileError(path, EACCES));  // it has taken its own right to write there
  }
  TRY(sys::MkdirAt(place.directory.get(), place.name.c_str(), 0755));
  const Fd made = TRY(
      sys::OpenAt(place.directory.get(), place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (::fchown(made.get(), account.uid, account.gid) == 0) return {};
  return Failure(Error::FromErrno("giving " + path + " to its user"));
}

Result<void> MakeFirstMissing(const FileView& view, const std::string& path,
                              const Account& account) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    const auto there = view.OpenPath(prefix, Follow::kYes);
    if (!there && there.error().sys_errno() == ENOENT) {
      return MakeFor(account, TRY(view.OpenPlace(prefix, false)), prefix);
    }
    if (!there) return Failure(there.error());
    if (end == std::string::npos) return {};
  }
}

}  // namespace

void FollowAccount(protocol::StartRequest& request, const Account& account) {
  if (account.name.empty()) return;
  const std::array<std::string_view, protocol::kAccountVariables.size()> values = {
      account.home, account.name, account.name, account.shell};
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string_view name = protocol::kAccountVariables.at(i);
    if (std::ranges::find(request.account_env, name) == request.account_env.end()) continue;
    SetVariable(request.env, name, values.at(i));
  }
}

void ChooseShell(protocol::StartRequest& request) {
  if (!request.shell || request.argv.empty()) return;
  for (const std::string_view bash : protocol::kLineShells) {
    if (::access(bash.data(), X_OK) != 0) continue;  // each is a literal
    request.argv.front() = bash;
    return;
  }
}

Result<void> MakeWorkingDirectory(const std::string& path, const Account& account,
                                  uint32_t capabilities, bool single_user) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 || errno != ENOENT) return {};
  const Fd root = TRY(sys::OpenAt(AT_FDCWD, "/", O_PATH));
  const Fd proc = TRY(sys::OpenAt(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
  Temporaries none;
  const FileView view(root, proc, none);
  auto made = MakeAs(account, view, path, capabilities, single_user);
  if (made || single_user || made.error().code() != ErrorCode::kPermissionDenied) return made;
  TRY(MakeFirstMissing(view, path, account));
  return MakeAs(account, view, path, capabilities, single_user);
}

}  // namespace cay::guest
