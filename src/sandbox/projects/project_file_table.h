// The table `project_file`: one row for each name of an uploaded file. Functions for works of the
// store (store/store.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/projects/project_files.h"
#include "store/database.h"

namespace cay::sandbox {

struct ProjectUse {
  size_t files = 0;
  Bytes bytes = 0;
};

namespace project_file_table {

Result<void> Insert(store::Database& db, const ProjectFile& file);
Result<void> Delete(store::Database& db, std::string_view id);
Result<std::optional<ProjectFile>> Find(store::Database& db, std::string_view id);
// Of a project, in the order of upload; of every owner when there is none.
Result<std::vector<ProjectFile>> OfProject(store::Database& db,
                                           const std::optional<std::string>& owner,
                                           std::string_view project);
Result<std::vector<ProjectFile>> All(store::Database& db);
Result<ProjectUse> UseOf(store::Database& db, std::string_view owner, std::string_view project);

}  // namespace project_file_table
}  // namespace cay::sandbox
