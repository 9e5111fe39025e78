// COPY and ADD as copy/ takes them: where their sources are, and whom the copies belong to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "build/copy/copy_plan.h"
#include "build/copy/file_tree.h"
#include "build/stages/stage_build.h"
#include "template/dockerfile/instruction.h"

namespace cay::build {

struct CopyInputs {
  std::unique_ptr<FileTree> tree;  // where its paths are
  CopyRequest request{};           // has the tree
};

// `below`: what it comes onto. `sources`: of an ADD, with what it fetched (adds.h).
Result<CopyInputs> InputsOf(BuildParts& parts, size_t stage,
                            const templates::dockerfile::Copy& copy, FileTree& below,
                            const std::string& working_dir);
Result<CopyInputs> InputsOf(BuildParts& parts, const templates::dockerfile::Add& add,
                            FileTree& below, const std::string& working_dir,
                            std::vector<CopySource> sources);

}  // namespace cay::build
