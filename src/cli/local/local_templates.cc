#include "cli/local/local_templates.h"

#include <memory>

#include "engine/factory/factory.h"

namespace cay::cli {

Result<templates::TemplateStore> OpenLocalTemplates(const Paths& paths) {
  const std::shared_ptr<engine::Survey> survey =
      TRY(engine::MakeSurvey(engine::kUsualEngine, paths));
  return templates::TemplateStore::Open(paths, [survey] { return survey->List(); });
}

}  // namespace cay::cli
