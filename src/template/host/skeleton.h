// The parts of a root filesystem that Cay makes itself: for `host` all but /usr, for an imported
// template what every sandbox needs and the template lacks.
//
// The skeleton has what programs expect of a Linux system: the machine's public files of /etc
// (host_sources.h), a generated passwd, group, hosts and resolv.conf, mount points, a home, and
//
//   /workspace                 root's, 1777   where commands start: writable, but the code cannot
//                                             rename or remove project_files
//     project_files/           root's, 0755   what the caller brought: read-only to the code
//     agent_workspace/         user's, 0755
//     outputs/                 user's, 0755
//
// The three that an image has stay as they are in it. In a sandbox that an ordinary user made,
// `user` is the only user: there project_files is read-only by agreement, not by force.
#pragma once

#include <array>
#include <string>

#include "base/result.h"
#include "template/host/host_sources.h"
#include "template/layers/layer_tree.h"

namespace cay::templates {

// Writes the whole skeleton of `host` into an empty layer; returns its size in bytes.
Result<uint64_t> WriteHostSkeleton(LayerTree& tree, const HostSources& sources);

// The user as whom commands run in an imported template.
struct TemplateUser {
  std::string name;  // of passwd
  std::string home;
  std::string shell;
};

// Makes an unpacked root filesystem fit to be a sandbox: mount points are real directories, there
// is a user of uid 1000 (its own if it has one, otherwise `user` is added to passwd and group), a
// home, /tmp and /workspace. kInvalidArgument when this is not a root filesystem: /etc is a
// symlink, or there is nothing that could run.
Result<TemplateUser> CompleteImported(LayerTree& tree);
// The same of an image, which may be a single program, or nothing.
Result<TemplateUser> CompleteImage(LayerTree& tree);

// What a sandbox needs to be made of a tree that a step of a build goes on with: mount points, and
// /etc/hosts, /etc/hostname and /etc/resolv.conf (kStepFiles), in a layer of its own above the
// tree. Nobody is added to passwd, and there is no /workspace.
Result<void> PrepareForStep(LayerTree& tree);
inline constexpr std::array<const char*, 3> kStepFiles = {"etc/hosts", "etc/hostname",
                                                          "etc/resolv.conf"};

// The entry of uid 1000 in a passwd file, as far as it is well-formed; empty name otherwise.
TemplateUser FindUser(std::string_view passwd);

}  // namespace cay::templates
