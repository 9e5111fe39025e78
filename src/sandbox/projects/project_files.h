// ProjectFiles: files that were uploaded for a project, visible read-only in each of its sandboxes
// under /workspace/project_files. Content-addressed: one blob for each SHA-256, hard-linked under
// the names that it has in its projects. A name that is taken becomes "name (1).txt", unless the
// content is the same.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/os/paths.h"
#include "base/result.h"
#include "base/units.h"
#include "guest_link/guest_channel.h"
#include "sandbox/events/event_log.h"
#include "sandbox/projects/content_types.h"
#include "sandbox/types.h"
#include "store/store.h"

namespace cay::sandbox {

struct ProjectFile {
  std::string id;  // [a-z0-9]{20}
  std::string project;
  std::string owner;
  std::string name;           // as it is in the directory
  std::string original_name;  // as it was uploaded
  std::string sha256;         // hex
  std::string content_type;
  Bytes size = 0;
  int64_t uploaded_unix_ms = 0;
  bool duplicate = false;  // of Add: this content was there under this name already
};

struct ProjectLimits {
  Bytes max_file = 1 * kGiB;
  Bytes max_project = 10 * kGiB;
  size_t max_files = 10'000;                 // of a project
  std::vector<std::string> allowed_types{};  // see allowed_types.h; none: every type
};

class ProjectFiles {
 public:
  // `launch`: of the process that tells types of contents, where some are allowed.
  static Result<std::unique_ptr<ProjectFiles>> Open(
      const Paths& paths, const ProjectLimits& limits, store::Store& store, EventLog& events,
      ContentTypes::Launch launch = &ContentTypes::LaunchSelf);
  ~ProjectFiles();

  // Streams; durable when it returns. kLimitTooHigh with EMSGSIZE for one that is too large,
  // kNotSupported with EMEDIUMTYPE for one whose type is not allowed, as soon as either is known.
  Result<ProjectFile> Add(const Caller& caller, const std::string& project, const std::string& name,
                          const std::string& content_type, const Source& content);
  Result<std::vector<ProjectFile>> List(const Caller& caller, const std::string& project);
  Result<ProjectFile> Get(const Caller& caller, std::string_view id);
  Result<Fd> OpenContent(const Caller& caller, std::string_view id);
  Result<void> Remove(const Caller& caller, std::string_view id);
  // The directory that a project's sandboxes show; made when it is not there. Used by the manager.
  static Result<std::string> Directory(const Paths& paths, const std::string& owner,
                                       const std::string& project);

 private:
  class Impl;
  explicit ProjectFiles(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::sandbox
