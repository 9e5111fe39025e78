#include "sandbox/projects/project_file_table.h"

namespace cay::sandbox::project_file_table {
namespace {

#define CAY_COLUMNS \
  "id, owner, project, name, original_name, sha256, content_type, size, uploaded_ms"

ProjectFile RowOf(const store::Statement& row) {
  ProjectFile file;
  file.id = row.Text(0);
  file.owner = row.Text(1);
  file.project = row.Text(2);
  file.name = row.Text(3);
  file.original_name = row.Text(4);
  file.sha256 = row.Text(5);
  file.content_type = row.Text(6);
  file.size = static_cast<Bytes>(row.Int(7));
  file.uploaded_unix_ms = row.Int(8);
  return file;
}

Result<std::vector<ProjectFile>> Rows(store::Statement& statement) {
  std::vector<ProjectFile> files;
  while (TRY(statement.Step())) files.push_back(RowOf(statement));
  return files;
}

}  // namespace

Result<void> Insert(store::Database& db, const ProjectFile& file) {
  store::Statement insert = TRY(db.Prepare("INSERT INTO project_file(" CAY_COLUMNS
                                           ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"));
  return insert.Run(std::string_view(file.id), std::string_view(file.owner),
                    std::string_view(file.project), std::string_view(file.name),
                    std::string_view(file.original_name), std::string_view(file.sha256),
                    std::string_view(file.content_type), static_cast<int64_t>(file.size),
                    file.uploaded_unix_ms);
}

Result<void> Delete(store::Database& db, std::string_view id) {
  store::Statement remove = TRY(db.Prepare("DELETE FROM project_file WHERE id = ?1"));
  return remove.Run(id);
}

Result<std::optional<ProjectFile>> Find(store::Database& db, std::string_view id) {
  store::Statement find = TRY(db.Prepare("SELECT " CAY_COLUMNS " FROM project_file WHERE id = ?1"));
  find.Bind(1, id);
  if (!TRY(find.Step())) return std::nullopt;
  return RowOf(find);
}

Result<std::vector<ProjectFile>> OfProject(store::Database& db,
                                           const std::optional<std::string>& owner,
                                           std::string_view project) {
  store::Statement list =
      TRY(db.Prepare("SELECT " CAY_COLUMNS
                     " FROM project_file WHERE project = ?1 AND (?2 IS NULL OR owner = ?2)"
                     " ORDER BY uploaded_ms, id"));
  list.Bind(1, project);
  if (owner) {
    list.Bind(2, std::string_view(*owner));
  } else {
    list.BindNull(2);
  }
  return Rows(list);
}

Result<std::vector<ProjectFile>> All(store::Database& db) {
  store::Statement list = TRY(db.Prepare("SELECT " CAY_COLUMNS " FROM project_file"));
  return Rows(list);
}

Result<ProjectUse> UseOf(store::Database& db, std::string_view owner, std::string_view project) {
  store::Statement sum =
      TRY(db.Prepare("SELECT count(*), coalesce(sum(size), 0) FROM project_file"
                     " WHERE owner = ?1 AND project = ?2"));
  sum.Bind(1, owner);
  sum.Bind(2, project);
  TRY(sum.Step());
  return ProjectUse{.files = static_cast<size_t>(sum.Int(0)),
                    .bytes = static_cast<Bytes>(sum.Int(1))};
}

}  // namespace cay::sandbox::project_file_table
