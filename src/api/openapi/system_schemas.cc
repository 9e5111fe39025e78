#include "api/openapi/field_schema.h"
#include "sandbox/builds/build_fields.h"
#include "sandbox/figure_fields.h"
#include "sandbox/secrets/secret_fields.h"
#include "sandbox/templates/pull_fields.h"
#include "sandbox/templates/push_fields.h"
#include "sandbox/volumes/volume_fields.h"
#include "template/space/space_fields.h"
#include "template/template_fields.h"
#include "template/usage/usage_fields.h"
#include "volume/store/volume_fields.h"

namespace cay::api {

std::vector<Schema> SystemSchemas() {
  return {RequestSchema<sandbox::fields::SecretSpec>(sandbox::fields::AskedSecret()),
          AnswerSchema<sandbox::fields::Secret>(sandbox::KeptSecret()),
          AnswerSchema<sandbox::fields::SecretList>(std::vector<sandbox::KeptSecret>()),
          AnswerSchema<sandbox::fields::Pool>(sandbox::PoolStatus()),
          RequestSchema<sandbox::fields::PullSpec>(sandbox::PullSpec()),
          AnswerSchema<sandbox::fields::PulledLayer>(sandbox::PulledLayer()),
          AnswerSchema<sandbox::fields::Pull>(sandbox::PullView()),
          AnswerSchema<sandbox::fields::PullList>(std::vector<sandbox::PullView>()),
          RequestSchema<sandbox::fields::PushSpec>(sandbox::PushSpec()),
          AnswerSchema<sandbox::fields::PushedLayer>(sandbox::PushedLayer()),
          AnswerSchema<sandbox::fields::Push>(sandbox::PushView()),
          AnswerSchema<sandbox::fields::PushList>(std::vector<sandbox::PushView>()),
          RequestSchema<sandbox::fields::VolumeSpec>(sandbox::VolumeSpec()),
          AnswerSchema<volume::fields::Volume>(volume::VolumeInfo()),
          AnswerSchema<volume::fields::VolumeList>(std::vector<volume::VolumeInfo>()),
          RequestSchema<sandbox::fields::BuildSpec>(sandbox::BuildSpec()),
          AnswerSchema<sandbox::fields::BuiltTemplate>(sandbox::BuiltTemplate()),
          AnswerSchema<sandbox::fields::FailedStep>(sandbox::FailedStep()),
          AnswerSchema<sandbox::fields::Build>(sandbox::BuildView()),
          AnswerSchema<sandbox::fields::BuildList>(std::vector<sandbox::BuildView>()),
          AnswerSchema<templates::fields::SpaceItem>(templates::SpaceItem()),
          AnswerSchema<templates::fields::SpaceRow>(templates::SpaceRow()),
          AnswerSchema<templates::fields::Space>(templates::SpaceReport()),
          RequestSchema<templates::fields::PruneSpec>(templates::PruneSpec()),
          AnswerSchema<templates::fields::RemovedItem>(templates::CollectedItem()),
          AnswerSchema<templates::fields::PruneReport>(templates::CollectReport()),
          AnswerSchema<templates::fields::Template>(templates::TemplateInfo()),
          AnswerSchema<templates::fields::TemplateList>(std::vector<templates::TemplateInfo>()),
          AnswerSchema<templates::fields::LayerOfTemplate>(
              templates::fields::LayerOfTemplate::Told{.layer = {}, .measured = false}),
          AnswerSchema<templates::fields::TemplateDetails>(templates::ToldTemplate()),
          AnswerSchema<templates::fields::TemplateUsage>(templates::TemplateUsage()),
          AnswerSchema<templates::fields::StoreUsage>(templates::ToldUsage()),
          RequestSchema<templates::fields::TemplatePruneSpec>(templates::AskedPrune()),
          AnswerSchema<templates::fields::TemplatePruneReport>(templates::ToldPrune())};
}

}  // namespace cay::api
