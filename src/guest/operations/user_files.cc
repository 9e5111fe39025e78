#include "guest/operations/user_files.h"

#include <fcntl.h>

#include "base/os/sys.h"

namespace cay::guest {

UserFiles::UserFiles(const Guest& guest, Account account, Fd root)
    : account_(std::move(account)),
      single_user_(guest.single_user),
      privileges_(guest.privileges),
      root_(std::make_unique<const Fd>(std::move(root))),
      view_(std::make_unique<const FileView>(*root_, guest.proc, guest.temporaries)) {}

Result<UserFiles> UserFiles::Open(const Guest& guest, std::string_view user) {
  Account account = TRY(LookUpUser(user, guest.single_user));
  return UserFiles(guest, std::move(account), TRY(sys::OpenAt(AT_FDCWD, "/", O_PATH)));
}

}  // namespace cay::guest
