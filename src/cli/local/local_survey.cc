#include "cli/local/local_survey.h"

#include <algorithm>
#include <cstdlib>

#include "cli/frame/console.h"
#include "engine/factory/factory.h"
#include "engine/volume_users.h"

namespace cay::cli {
namespace {

constexpr size_t kMaxNamed = 100;
// The same as a server's environments.directory.
constexpr const char* kEnvironmentsVariable = "CAY_ENVIRONMENTS_DIRECTORY";

}  // namespace

Result<std::unique_ptr<engine::Survey>> SurveyMachine(const Paths& paths) {
  return engine::MakeSurvey(engine::kUsualEngine, paths);
}

Result<templates::TemplateStore> OpenLocalTemplates(const Paths& paths) {
  const std::shared_ptr<engine::Survey> survey = TRY(SurveyMachine(paths));
  auto store = TRY(templates::TemplateStore::Open(paths, [survey] { return survey->List(); }));
  if (const char* own = ::getenv(kEnvironmentsVariable); own != nullptr && *own != '\0') {
    const templates::Environments all = TRY(templates::ReadEnvironments(own));
    store.Use(std::make_shared<const templates::Environments>(all));
  }
  return store;
}

Result<volume::VolumeStore> OpenLocalVolumes(const Paths& paths) {
  const std::shared_ptr<engine::Survey> survey = TRY(SurveyMachine(paths));
  return volume::VolumeStore(paths, [survey]() -> Result<std::vector<volume::VolumeUser>> {
    return engine::VolumeUsersOf(TRY(survey->List()));
  });
}

void NoteElsewhere(engine::Survey& survey) {
  const auto elsewhere = survey.FindElsewhere();
  if (!elsewhere || elsewhere->empty()) return;
  std::string line = "sandboxes of other state directories, or of one that is gone, run here:";
  for (size_t i = 0; i < std::min(elsewhere->size(), kMaxNamed); ++i) {
    const engine::Elsewhere& one = (*elsewhere)[i];
    line += (i == 0 ? " " : ", ") + one.id + " (process " + std::to_string(one.process) + ")";
  }
  if (elsewhere->size() > kMaxNamed)
    line += " and " + std::to_string(elsewhere->size() - kMaxNamed) + " more";
  Note(line + "; see --state-dir");
}

}  // namespace cay::cli
