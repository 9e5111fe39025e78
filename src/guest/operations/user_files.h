// UserFiles: the sandbox's files as one user sees them: what the operations on files share.
//
//   UserFiles files = TRY(UserFiles::Open(guest, request.user));
//   const FileCredentials as_user = TRY(files.Assume());
//   TRY(files.view().Stat(request.path, Follow::kYes));
#pragma once

#include <memory>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "guest/files/file_credentials.h"
#include "guest/files/file_view.h"
#include "guest/operations/server.h"
#include "guest/spawn/accounts.h"

namespace cay::guest {

class UserFiles {
 public:
  // `user` as in protocol/messages.h. `guest` outlives it.
  static Result<UserFiles> Open(const Guest& guest, std::string_view user);

  const FileView& view() const { return *view_; }
  FileCredentials::User user() const {
    return {.uid = account_.uid,
            .gid = account_.gid,
            .groups = account_.groups,
            .capabilities = CapabilitiesOf(account_.uid, privileges_)};
  }

  // For as long as the result lives, files are opened and changed as the user.
  Result<FileCredentials> Assume() const { return FileCredentials::Assume(user(), single_user_); }
  bool single_user() const { return single_user_; }

 private:
  UserFiles(const Guest& guest, Account account, Fd root);

  Account account_;
  bool single_user_;
  Privileges privileges_;
  std::unique_ptr<const Fd> root_;  // its address stays when this moves
  std::unique_ptr<const FileView> view_;
};

}  // namespace cay::guest
