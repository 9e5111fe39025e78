// RemoteSource: what an ADD names beyond its context: a file at a URL, or a Git repository
// (docs.docker.com, "Dockerfile reference", ADD; BuildKit's frontend/dockerfile/dfgitutil). Pure.
//
//   https://example.org/path/file.txt           a file, "file.txt"
//   https://example.org/repo.git                a repository: where its HEAD leads
//   https://example.org/repo.git#v1.2:docs      its tag or branch v1.2, and of that the directory
//   https://example.org/repo.git?tag=v1.2&subdir=docs&checksum=COMMIT&submodules=false
//   git://example.org/repo                      a repository, by Git's own protocol
//
// A user and password in a URL are taken out of it, and are in nothing that is shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "http/client/location.h"

namespace cay::build {

struct RemoteFile {
  http::Location where{};
  std::string name{};           // the last component of its path, decoded; empty: it has none
  std::string authorization{};  // a field's value; empty: none
  std::string shown{};          // for messages: without user, password and query
};

struct RemoteTree {
  std::string url{};                   // as Git takes it: without user, query and fragment
  std::string authorization{};         // of http and https; a field's value
  std::string ref{};                   // a branch, a tag, "refs/…", or a commit; empty: HEAD
  std::string subdirectory{};          // normalized; empty: all of it
  std::string checksum{};              // of the commit, from its beginning; of the query
  std::optional<bool> keep_git_dir{};  // of the query
  bool submodules = true;
  std::string shown{};
};

using RemoteSource = std::variant<RemoteFile, RemoteTree>;

// Nothing: it is a path of the context. kInvalidArgument for a URL that is none, kNotSupported for
// SSH; the messages name what can be shown of it.
Result<std::optional<RemoteSource>> ParseRemote(std::string_view source);

// Of any text: what is between "://" and the "@" of a URL becomes "***".
std::string WithoutCredentials(std::string_view text);

// Whether these are all digits of the name of a commit: 40 (SHA-1) or 64 (SHA-256), in lower case.
bool IsCommitName(std::string_view text);

}  // namespace cay::build
