// ContentTypes: what a file is by its content, as libmagic says. Hostile content is what it is for,
// and libmagic's parsers have had their holes: they run in a process of their own
// (content_types_child.h), which forks for each content a child without any rights; what that says
// is about its own content, and no other.
//
//   auto types = TRY(ContentTypes::Start());
//   const std::string type = TRY(types->TypeOf(first_bytes));   // "image/png"
//
// Thread-safe: one content at a time.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::sandbox {

class ContentTypes {
 public:
  // How many of a content's first bytes are looked at.
  static constexpr size_t kLookedAt = 64 * 1024;

  // Starts the process whose standard input is to be `control`; gives its id.
  using Launch = Result<pid_t> (*)(const Fd& control);
  // This program, as `cay content-types`.
  static Result<pid_t> LaunchSelf(const Fd& control);

  // kNotSupported when there is no database of types on this machine.
  static Result<std::unique_ptr<ContentTypes>> Start(Launch launch = &LaunchSelf);
  ~ContentTypes();
  ContentTypes(const ContentTypes&) = delete;
  ContentTypes& operator=(const ContentTypes&) = delete;

  // A media type; "application/octet-stream" for an unknown type, and for content of which its
  // child died, or for which it took too long. kUnavailable when the process is gone and cannot be
  // started again.
  Result<std::string> TypeOf(std::string_view first_bytes);

 private:
  explicit ContentTypes(Launch launch) : launch_(launch) {}
  Result<void> Open();
  void Close();
  Result<std::string> Ask(std::string_view bytes);

  const Launch launch_;
  std::mutex mutex_;
  std::optional<Fd> control_;
  pid_t process_ = -1;
};

}  // namespace cay::sandbox
