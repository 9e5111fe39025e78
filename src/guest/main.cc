// cay-guest: Cay's own process in a sandbox, its PID 1; and by the names `sudo` and `su` what asks
// it for root (guest/sudo/client.h).
//
//   cay-guest [--single-user | --root]
//
// Way in: main → Run (guest.h) → Server (server.h) → an Operation for each connection (operation.h)
// → Process.
#include <string>
#include <string_view>
#include <vector>

#include "base/os/log.h"
#include "guest/guest.h"
#include "guest/sudo/client.h"

int main(int argc, char** argv) {
  const std::string_view path = argc > 0 ? argv[0] : "";
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (name == "sudo") return cay::guest::sudo::SudoMain(arguments);
  if (name == "su") return cay::guest::sudo::SuMain(arguments);
  const bool single_user = arguments == std::vector<std::string>{"--single-user"};
  const bool root = arguments == std::vector<std::string>{"--root"};
  if (!arguments.empty() && !single_user && !root) {
    cay::LogError("usage: cay-guest [--single-user | --root]");
    return 2;
  }
  cay::guest::Run(single_user, root ? cay::Privileges::kRoot : cay::Privileges::kNone);
}
