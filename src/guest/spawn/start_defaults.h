// What a start request leaves to the sandbox: variables of the environment that follow the user,
// the shell that is there, a working directory that is made.
#pragma once

#include "base/result.h"
#include "guest/spawn/accounts.h"
#include "protocol/process_messages.h"

namespace cay::guest {

// Pure. Puts the account's own values where request.account_env says so; does nothing for an
// account without a name.
void FollowAccount(protocol::StartRequest& request, const Account& account);

// argv[0] becomes bash where request.shell asks for it and this root filesystem has one.
void ChooseShell(protocol::StartRequest& request);

// Makes the directory with the rights of the account, `capabilities` among them; where these do not
// suffice (`/app`, say), its first missing part is made for it and belongs to it. Nothing to do
// where something of that name is there.
Result<void> MakeWorkingDirectory(const std::string& path, const Account& account,
                                  uint32_t capabilities, bool single_user);

}  // namespace cay::guest
