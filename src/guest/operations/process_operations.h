// The operations about processes, one opener for each request (operation.h).
#pragma once

#include "guest/operations/operation.h"

namespace cay::guest {

Result<std::unique_ptr<Operation>> OpenPing(Guest& guest, Connection& connection,
                                            std::string_view payload);
Result<std::unique_ptr<Operation>> OpenStart(Guest& guest, Connection& connection,
                                             std::string_view payload);
Result<std::unique_ptr<Operation>> OpenAttach(Guest& guest, Connection& connection,
                                              std::string_view payload);
Result<std::unique_ptr<Operation>> OpenListProcesses(Guest& guest, Connection& connection,
                                                     std::string_view payload);
Result<std::unique_ptr<Operation>> OpenSignal(Guest& guest, Connection& connection,
                                              std::string_view payload);
Result<std::unique_ptr<Operation>> OpenResize(Guest& guest, Connection& connection,
                                              std::string_view payload);
Result<std::unique_ptr<Operation>> OpenStdin(Guest& guest, Connection& connection,
                                             std::string_view payload);
Result<std::unique_ptr<Operation>> OpenKillLeftovers(Guest& guest, Connection& connection,
                                                     std::string_view payload);
Result<std::unique_ptr<Operation>> OpenWait(Guest& guest, Connection& connection,
                                            std::string_view payload);

}  // namespace cay::guest
