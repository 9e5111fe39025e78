// cay-guest: Cay's own process in a sandbox, its PID 1.
//
//   cay-guest [--single-user | --root]
//
// Way in: main → Run (guest.h) → Server (server.h) → an Operation for each connection (operation.h)
// → Process.
#include <string_view>

#include "base/os/log.h"
#include "guest/guest.h"

int main(int argc, char** argv) {
  const bool single_user = argc == 2 && std::string_view(argv[1]) == "--single-user";
  const bool root = argc == 2 && std::string_view(argv[1]) == "--root";
  if (argc > 2 || (argc == 2 && !single_user && !root)) {
    cay::LogError("usage: cay-guest [--single-user | --root]");
    return 2;
  }
  cay::guest::Run(single_user, root ? cay::Privileges::kRoot : cay::Privileges::kNone);
}
