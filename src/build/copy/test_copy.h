// A context, layers, and what COPY makes of them. For tests only.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "build/copy/apply_copy.h"
#include "build/copy/copy_archive.h"
#include "build/copy/copy_plan.h"
#include "build/copy/tree_walk.h"
#include "template/test_directory.h"

namespace cay::build {

inline Fd OpenPath(const std::string& path, int flags = O_RDONLY | O_DIRECTORY) {
  return Fd::Adopt(::open(path.c_str(), flags | O_CLOEXEC));
}

using Tree = std::map<std::string, std::string>;

// "d 755", "f 644 content", "l target"; as root with " 0:0" for the owner after the mode.
inline Tree ShownBy(FileTree& tree) {
  Tree shown;
  TreeWalk walk(tree, "");
  while (true) {
    const auto step = walk.Next();
    EXPECT_TRUE(step.has_value()) << step.error().ToString();
    if (!step || !*step) return shown;
    const Place& place = (*step)->place;
    char mode[64];
    std::snprintf(mode, sizeof(mode), "%o", place.info().st_mode & 07777U);
    std::string about = mode;
    if (::geteuid() == 0) {
      about +=
          " " + std::to_string(place.info().st_uid) + ":" + std::to_string(place.info().st_gid);
    }
    if (place.kind == Place::Kind::kDirectory) about = "d " + about;
    if (place.kind == Place::Kind::kSymlink)
      about = "l " + FileTree::LinkTarget(place).value_or("?");
    if (place.kind == Place::Kind::kFile) {
      const auto file = FileTree::OpenFile(place);
      std::string content(1000, '\0');
      const ssize_t got = file ? ::pread(file->get(), content.data(), content.size(), 0) : 0;
      about = "f " + about + " " + content.substr(0, static_cast<size_t>(got));
    }
    shown.emplace((*step)->below, about);
  }
}

class CopyWorld {
 public:
  templates::TestDirectory context;
  std::string ignore{};
  CopyLimits limits{};
  ApplyOptions options{};

  // A layer above those before, empty: files are put into it by At(N, name).
  std::string AddLayer() {
    const std::string name = "layer" + std::to_string(count_++);
    layers_.MakeDirectory(name);
    return name;
  }
  templates::TestDirectory& layers() { return layers_; }
  std::vector<Fd> Lower() const {
    std::vector<Fd> lower;
    for (size_t i = count_; i-- > 0;) {
      lower.push_back(OpenPath(layers_.At("layer" + std::to_string(i))));
    }
    return lower;
  }

  FileTree& Context() {
    auto patterns = templates::dockerfile::IgnorePatterns::ParseFile(ignore);
    EXPECT_TRUE(patterns.has_value());
    trees_.push_back(FileTree::OfContext(OpenPath(context.path()), *std::move(patterns)).value());
    return trees_.back();
  }
  FileTree Below() const {
    return FileTree::OfLayers(Lower(), templates::OverlayXattrsOfCaller()).value();
  }

  CopyRequest Request(std::vector<std::string> sources, std::string destination) {
    CopyRequest request;
    request.from = &Context();
    for (std::string& source : sources) request.sources.emplace_back(PathSource{std::move(source)});
    request.destination = std::move(destination);
    return request;
  }

  Result<CopyPlan> Plan(const CopyRequest& request) {
    const std::vector<Fd> lower = Lower();
    return PlanCopy(request, lower, limits);
  }
  Result<templates::LayerReport> Apply(CopyPlan& plan) {
    const std::vector<Fd> lower = Lower();
    const std::string layer = AddLayer();
    return ApplyCopy(plan, lower, OpenPath(layers_.At(layer)), options);
  }
  // Planned and applied; what all layers then show.
  Tree Copy(const CopyRequest& request) {
    Result<CopyPlan> plan = Plan(request);
    EXPECT_TRUE(plan.has_value()) << plan.error().ToString();
    if (!plan) return {};
    const auto report = Apply(*plan);
    EXPECT_TRUE(report.has_value()) << report.error().ToString();
    FileTree below = Below();
    return ShownBy(below);
  }
  Tree Copy(std::vector<std::string> sources, std::string destination) {
    return Copy(Request(std::move(sources), std::move(destination)));
  }
  // Why it cannot be copied.
  Error Refusal(const CopyRequest& request) {
    const Result<CopyPlan> plan = Plan(request);
    EXPECT_FALSE(plan.has_value());
    return plan ? Error::Invalid("(none)") : plan.error();
  }
  Error Refusal(std::vector<std::string> sources, std::string destination) {
    return Refusal(Request(std::move(sources), std::move(destination)));
  }

 private:
  templates::TestDirectory layers_;
  size_t count_ = 0;
  std::list<FileTree> trees_{};
};

// "d 755" as ShownBy has it.
inline std::string Shown(std::string kind_and_mode, std::string rest = "",
                         const std::string& owner = "0:0") {
  if (::geteuid() == 0) kind_and_mode += " " + owner;
  return rest.empty() && kind_and_mode[0] == 'd' ? kind_and_mode : kind_and_mode + " " + rest;
}

}  // namespace cay::build
