#include "cli/local/forked_guest.h"

#include "guest/guest.h"

namespace cay::cli {

engine::GuestMain ForkedGuest() {
#ifdef CAY_SANITIZED
  return nullptr;
#else
  return &guest::Run;
#endif
}

}  // namespace cay::cli
