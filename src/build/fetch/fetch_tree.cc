#include "build/fetch/fetch_tree.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "archive/safe_path.h"
#include "template/layers/lower_chain.h"

namespace cay::build {
namespace {

constexpr int kNoGit = 127;
constexpr std::string_view kRepository = "repository";  // of kFetchedDirectory

// Values come as variables, so that none is ever a part of a command. What a URL names is given
// to git behind "--".
constexpr std::string_view kAsk = R"(
command -v git >/dev/null || exit 127
if [ -z "$CAY_REF" ]; then exec git ls-remote -- "$CAY_URL" HEAD; fi
short=${CAY_REF#refs/}
exec git ls-remote -- "$CAY_URL" "refs/$short" "refs/heads/${CAY_REF#refs/heads/}" \
  "refs/tags/${CAY_REF#refs/tags/}" "refs/tags/${CAY_REF#refs/tags/}^{}"
)";

// The commit alone, where the server gives it; then what the ref leads to; then everything, of a
// server that cannot leave out history.
constexpr std::string_view kGet = R"(
set -eu
umask 022
command -v git >/dev/null || exit 127
git init -q repository
cd repository
git remote add origin "$CAY_URL"
git fetch -q --depth=1 --no-tags origin "$CAY_COMMIT" 2>/dev/null ||
  { [ -n "$CAY_REF" ] && git fetch -q --depth=1 --no-tags origin "$CAY_REF" 2>/dev/null &&
    git cat-file -e "$CAY_COMMIT^{commit}" 2>/dev/null; } ||
  git fetch -q origin '+refs/*:refs/remotes/origin/*' '+HEAD:refs/remotes/origin/HEAD'
git checkout -q --detach "$CAY_COMMIT"
if [ "$CAY_SUBMODULES" = yes ]; then git submodule -q update --init --recursive --depth=1; fi
if [ "$CAY_KEEP" != yes ]; then find . -name .git -prune -exec rm -rf -- {} +; fi
)";

RunStep GitStep(const RemoteTree& remote, std::string_view script) {
  RunStep step;
  step.argv = {"/bin/sh", "-c", std::string(script)};
  step.env = {"CAY_URL=" + remote.url, "CAY_REF=" + remote.ref, "GIT_TERMINAL_PROMPT=0",
              "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
              "GIT_ALLOW_PROTOCOL=http:https:git",
              // As DownloadRequest has it of a file.
              "GIT_HTTP_LOW_SPEED_LIMIT=256", "GIT_HTTP_LOW_SPEED_TIME=60"};
  std::vector<std::pair<std::string, std::string>> settings = {{"init.defaultBranch", "main"},
                                                               {"advice.detachedHead", "false"}};
  if (!remote.authorization.empty()) {
    // For this scheme, host and port alone. Not in the URL: git would keep it, and say it.
    const size_t path = remote.url.find('/', remote.url.find("://") + 3);
    settings.emplace_back("http." + remote.url.substr(0, path) + "/.extraHeader",
                          "Authorization: " + remote.authorization);
  }
  step.env.push_back("GIT_CONFIG_COUNT=" + std::to_string(settings.size()));
  for (size_t i = 0; i < settings.size(); ++i) {
    const std::string number = std::to_string(i);
    step.env.push_back("GIT_CONFIG_KEY_" + number + "=" + settings[i].first);
    step.env.push_back("GIT_CONFIG_VALUE_" + number + "=" + settings[i].second);
  }
  return step;
}

Result<FetchEnd> RunGit(const FetchTools& tools, const RemoteTree& remote, RunStep step,
                        const FetchLine& out) {
  auto run = RunFetch(tools, std::move(step), out);
  if (!run) return Failure(std::move(run).error().WithContext("ADD of " + remote.shown));
  if (run->end.succeeded()) return run;
  if (run->end.signal == 0 && run->end.exit_code == kNoGit && !run->end.timed_out) {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kMachine,
              "ADD of " + remote.shown + ": this machine has no git, which would fetch it")
            .WithRemedy("install git on it; or RUN git in an image that has it"));
  }
  return Failure(WithNetworkRemedy(FetchError(tools, *run, remote.shown)));
}

Result<void> CheckCommit(const RemoteTree& remote, const GitPlace& place,
                         const std::string& checksum) {
  if (checksum.empty() || place.commit.starts_with(checksum) || place.tag.starts_with(checksum))
    return {};
  return Failure(Error(ErrorCode::kProtocol, Fault::kCaller,
                       "ADD of " + remote.shown + ": \"" +
                           (remote.ref.empty() ? "HEAD" : remote.ref) + "\" is the commit " +
                           place.commit + ", and the checksum says " + checksum));
}

}  // namespace

void RefLines::Take(std::string_view line) {
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos || !IsCommitName(line.substr(0, tab))) return;
  const std::string name(line.substr(0, tab));
  const std::string_view ref = line.substr(tab + 1);
  const auto below = [&](std::string_view prefix) {
    const std::string_view own = ref_;
    return std::string(prefix).append(own.starts_with(prefix) ? own.substr(prefix.size()) : own);
  };
  if (ref_.empty()) {
    if (ref == "HEAD") named_ = name;
  } else if (ref == below("refs/heads/")) {
    branch_ = name;
  } else if (ref == below("refs/tags/")) {
    tag_ = name;
  } else if (ref == below("refs/tags/") + "^{}") {
    peeled_ = name;
  } else if (ref == below("refs/")) {
    named_ = name;
  }
}

GitPlace RefLines::Place() const {
  if (!named_.empty()) return {.commit = named_};
  if (!branch_.empty()) return {.commit = branch_};
  if (!peeled_.empty()) return {.commit = peeled_, .tag = tag_};
  return {.commit = tag_};
}

Result<GitPlace> FindCommit(const FetchTools& tools, const RemoteTree& remote,
                            const std::string& checksum) {
  if (IsCommitName(remote.ref)) {
    GitPlace place{.commit = remote.ref};
    TRY(CheckCommit(remote, place, checksum));
    return place;
  }
  RefLines lines(remote.ref);
  TRY(RunGit(tools, remote, GitStep(remote, kAsk),
             [&](std::string_view line) { lines.Take(line); }));
  GitPlace place = lines.Place();
  if (place.commit.empty()) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         "ADD of " + remote.shown + ": it has no branch or tag \"" +
                             (remote.ref.empty() ? "HEAD" : remote.ref) + "\"")
                       .WithRemedy("of a commit, name all 40 digits"));
  }
  TRY(CheckCommit(remote, place, checksum));
  return place;
}

Result<FetchedTree> FetchTree(const FetchTools& tools, const RemoteTree& remote,
                              const std::string& commit, bool keep_git_dir) {
  RunStep step = GitStep(remote, kGet);
  step.env.push_back("CAY_COMMIT=" + commit);
  step.env.push_back(std::string("CAY_SUBMODULES=") + (remote.submodules ? "yes" : "no"));
  step.env.push_back(std::string("CAY_KEEP=") + (keep_git_dir ? "yes" : "no"));
  FetchEnd run = TRY(RunGit(tools, remote, std::move(step), [](std::string_view) {}));
  const Fd root = TRY(templates::OpenLayerRoot(run.layer.root()));
  std::string path = std::string(kFetchedDirectory) + "/" + std::string(kRepository);
  if (!remote.subdirectory.empty()) path += "/" + remote.subdirectory;
  auto directory = archive::OpenDirectoryBeneath(root, path, O_RDONLY);
  if (!directory) {
    const int why = directory.error().sys_errno();
    if (remote.subdirectory.empty() || (why != ENOENT && why != ENOTDIR && why != ELOOP))
      return Failure(std::move(directory).error().WithContext("ADD of " + remote.shown));
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         "ADD of " + remote.shown + ": it has no directory \"" +
                             archive::Printable(remote.subdirectory) + "\" at " + commit));
  }
  return FetchedTree{.layer = std::move(run.layer),
                     .directory = std::make_shared<const Fd>(*std::move(directory))};
}

}  // namespace cay::build
