#include "engine/native/cgroup/cgroup_discover.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/text.h"

namespace cay::engine::native {
namespace {

bool HasWord(std::string_view list, std::string_view word) {
  const auto words = Split(list, ',');
  return std::ranges::find(words, word) != words.end();
}

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) && IsOctal(text[i + 2]) &&
        IsOctal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<Controller> ControllerOfWord(std::string_view word) {
  if (word == "memory") return Controller::kMemory;
  if (word == "cpu") return Controller::kCpu;
  if (word == "cpuacct") return Controller::kCpuacct;
  if (word == "pids") return Controller::kPids;
  if (word == "freezer") return Controller::kFreezer;
  if (word == "blkio" || word == "io") return Controller::kIo;
  return std::nullopt;
}

// The own group's path in each tree: by controller word for v1, under "" for v2.
using OwnPaths = std::map<std::string, std::string, std::less<>>;

Result<OwnPaths> ParseOwnPaths(std::string_view text) {
  OwnPaths paths;
  for (std::string_view line : Split(text, '\n')) {
    if (line.empty()) continue;
    // "5:cpu,cpuacct:/user.slice"; the path itself may hold colons.
    const size_t first = line.find(':');
    const size_t second =
        first == std::string_view::npos ? std::string_view::npos : line.find(':', first + 1);
    if (second == std::string_view::npos) {
      return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                           "/proc/self/cgroup has a malformed line: " + std::string(line)));
    }
    const std::string_view path = line.substr(second + 1);
    for (std::string_view word : Split(line.substr(first + 1, second - first - 1), ',')) {
      paths.emplace(word, path);
    }
  }
  return paths;
}

// What `path` (from the tree's top) is called below a mount that shows the tree from `root` on.
std::optional<std::string> BelowMount(std::string_view path, std::string_view root) {
  // A group outside the reader's cgroup namespace is written with "..": nothing can be made there.
  if (path.starts_with("/..") || root.starts_with("/..")) return std::nullopt;
  if (root == "/") return path == "/" ? std::string() : std::string(path);
  if (!path.starts_with(root)) return std::nullopt;
  const std::string_view rest = path.substr(root.size());
  if (!rest.empty() && rest.front() != '/') return std::nullopt;
  return std::string(rest);
}

// A line of mountinfo: `id parent major:minor root mount_point options … - type source
// super_options`.
struct MountLine {
  std::string id;
  std::string parent;
  std::string root;
  std::string mount_point;
  bool read_only = false;
  std::string type;
  std::string super_options;
};

// A mounted tree, and how it compares with other mounts of the same one.
struct Candidate {
  CgroupPlace place;
  std::string root;
};

Result<MountLine> ParseMountLine(std::string_view line) {
  const size_t dash = line.find(" - ");
  const auto left = Split(line.substr(0, dash), ' ');
  if (dash == std::string_view::npos || left.size() < 6) {
    return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                         "/proc/self/mountinfo has a malformed line: " + std::string(line)));
  }
  const auto right = Split(line.substr(dash + 3), ' ');
  const std::string_view super_options = right.size() > 2 ? right[2] : std::string_view();
  return MountLine{.id = std::string(left[0]),
                   .parent = std::string(left[1]),
                   .root = Unescape(left[3]),
                   .mount_point = Unescape(left[4]),
                   .read_only = HasWord(left[5], "ro") || HasWord(super_options, "ro"),
                   .type = std::string(right[0]),
                   .super_options = std::string(super_options)};
}

Result<std::vector<MountLine>> ParseMounts(std::string_view mountinfo) {
  std::vector<MountLine> mounts;
  for (const std::string_view line : Split(mountinfo, '\n')) {
    if (!line.empty()) mounts.push_back(TRY(ParseMountLine(line)));
  }
  return mounts;
}

bool IsAtOrAbove(std::string_view top, std::string_view path) {
  if (top == "/") return true;
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

// Whether the path leads to something that was mounted over it, or over a directory on the way to
// it.
bool IsHidden(const MountLine& mount, const std::vector<MountLine>& mounts) {
  std::set<std::string_view> chain;  // the mount, and what it is mounted in
  for (const MountLine* at = &mount; at != nullptr && chain.insert(at->id).second;) {
    const auto above = std::ranges::find(mounts, at->parent, &MountLine::id);
    at = above == mounts.end() ? nullptr : &*above;
  }
  return std::ranges::any_of(mounts, [&](const MountLine& other) {
    return !chain.contains(other.id) && chain.contains(other.parent) &&
           IsAtOrAbove(other.mount_point, mount.mount_point);
  });
}

// Nothing for a mount that is no cgroup tree of use to Cay.
std::optional<Candidate> CandidateOf(const MountLine& mount, const OwnPaths& own_paths) {
  if (mount.type != "cgroup" && mount.type != "cgroup2") return std::nullopt;
  CgroupPlace place{.mount_point = mount.mount_point,
                    .v2 = mount.type == "cgroup2",
                    .read_only = mount.read_only,
                    .controllers = {},
                    .own = std::nullopt};
  std::string_view tree;  // the key in OwnPaths
  for (const std::string_view word : Split(mount.super_options, ',')) {
    const auto controller = ControllerOfWord(word);
    if (place.v2 || !controller) continue;
    place.controllers.Add(*controller);
    tree = word;
  }
  if (!place.v2 && place.controllers.empty()) return std::nullopt;
  if (const auto path = own_paths.find(tree); path != own_paths.end()) {
    place.own = BelowMount(path->second, mount.root);
  }
  return Candidate{std::move(place), mount.root};
}

// The tree that groups can be made in, seen whole, at its usual place; otherwise the one that was
// there first.
bool IsBetter(const Candidate& one, const Candidate& other) {
  const auto merits = [](const Candidate& candidate) {
    const CgroupPlace& place = candidate.place;
    return std::tuple(!place.read_only, place.own.has_value(), candidate.root == "/",
                      IsAtOrAbove("/sys/fs/cgroup", place.mount_point));
  };
  return merits(one) > merits(other);
}

std::optional<std::string> FindCpuset(const std::vector<MountLine>& mounts,
                                      const OwnPaths& own_paths) {
  const auto path = own_paths.find("cpuset");
  if (path == own_paths.end()) return std::nullopt;
  for (const MountLine& mount : mounts) {
    if (mount.type != "cgroup" || !HasWord(mount.super_options, "cpuset")) continue;
    if (IsHidden(mount, mounts)) continue;
    if (const auto own = BelowMount(path->second, mount.root)) return mount.mount_point + *own;
  }
  return std::nullopt;
}

CgroupLayout LayoutOf(const std::vector<CgroupPlace>& places) {
  const auto needed = [](const CgroupPlace& place) {
    ControllerSet only_io;
    only_io.Add(Controller::kIo);
    return !place.v2 && place.controllers != only_io;
  };
  const bool v1 = std::ranges::any_of(places, needed);
  const bool v2 = std::ranges::any_of(places, &CgroupPlace::v2);
  if (v1) return v2 ? CgroupLayout::kHybrid : CgroupLayout::kV1;
  return v2 ? CgroupLayout::kV2 : CgroupLayout::kNone;
}

}  // namespace

Result<CgroupMap> DescribeCgroups(std::string_view mountinfo, std::string_view self_cgroup) {
  const OwnPaths own_paths = TRY(ParseOwnPaths(self_cgroup));
  const std::vector<MountLine> mounts = TRY(ParseMounts(mountinfo));
  std::vector<Candidate> trees;
  for (const MountLine& mount : mounts) {
    std::optional<Candidate> found = CandidateOf(mount, own_paths);
    if (!found || IsHidden(mount, mounts)) continue;
    const auto same = std::ranges::find_if(trees, [&](const Candidate& other) {
      return other.place.v2 == found->place.v2 &&
             other.place.controllers == found->place.controllers;
    });
    if (same == trees.end()) {
      trees.push_back(*std::move(found));
    } else if (IsBetter(*found, *same)) {
      *same = *std::move(found);
    }
  }
  CgroupMap map;
  map.cpuset = FindCpuset(mounts, own_paths);
  for (Candidate& tree : trees) map.places.push_back(std::move(tree.place));
  map.layout = LayoutOf(map.places);
  return map;
}

ControllerSet ParseControllers(std::string_view text) {
  ControllerSet set;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  for (std::string_view word : Split(text, ' ')) {
    if (const auto controller = ControllerOfWord(word)) set.Add(*controller);
  }
  return set;
}

std::vector<std::string> OwnAndAbove(std::string_view own, std::string_view owner_leaf) {
  const size_t last = own.rfind('/');
  if (last != std::string_view::npos && own.substr(last + 1) == owner_leaf)
    own = own.substr(0, last);
  std::vector<std::string> paths;
  while (true) {
    paths.emplace_back(own);
    if (own.empty()) return paths;
    own = own.substr(0, own.rfind('/'));
  }
}

}  // namespace cay::engine::native
