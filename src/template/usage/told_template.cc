#include "template/usage/told_template.h"

#include <utility>

#include "template/store/template_name.h"

namespace cay::templates {

Result<ToldTemplate> TellTemplate(TemplateDetails details, Measured measured) {
  ToldTemplate told{.info = details.metadata.info};
  if (const auto owned = ParseOwnedName(told.info.name)) told.owner = owned->owner;
  told.last_used_unix_ms = details.last_used_unix_ms;
  told.layers = std::move(details.layers);
  told.measured = measured == Measured::kYes;
  if (const auto& image = details.metadata.image) {
    told.reference = image->reference;
    told.platform = image->config.platform.Text();
    told.created = image->config.created;
    told.image = TRY(oci::EncodeImageConfig(image->config));
  }
  return told;
}

}  // namespace cay::templates
