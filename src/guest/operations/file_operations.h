// What a connection does for each request about files, archives and ports: the functions for the
// table in server.cc, from the frames of protocol/file_messages.h to the functions of files/.
//
// Everything is done as the requested user (files/file_credentials.h), so that the guest, which has
// more rights than the code inside, never lends them.
#pragma once

#include <memory>
#include <string_view>

#include "guest/operations/operation.h"

namespace cay::guest {

using Opened = Result<std::unique_ptr<Operation>>;

Opened OpenReadFile(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenWriteFile(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenList(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenStat(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenMakeDirectory(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenMove(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenRemove(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenChangeMode(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenWatch(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenArchiveOut(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenArchiveIn(Guest& guest, Connection& connection, std::string_view payload);
Opened OpenConnectPort(Guest& guest, Connection& connection, std::string_view payload);

}  // namespace cay::guest
