// Fields of a template, each once (base/field.h): in the API and in `cay template list --json`.
#pragma once

#include <string_view>
#include <vector>

#include "base/field.h"
#include "template/template.h"

namespace cay::templates::fields {

using field::About;

// A TemplateInfo.
struct Template {
  static constexpr std::string_view kSchema = "Template";
  static void Of(const TemplateInfo& info, auto& visit) {
    visit(About{"name"}, field::Text{}, info.name);
    visit(About{"source"}, field::Text{}, info.source);
    visit(About{"size"}, field::Number{}, info.size);
    visit(About{"entries"}, field::Number{}, info.entries);
    visit(About{"user"}, field::Text{}, info.user);
    visit(About{.name = "layers", .text = "of how many layers it is"}, field::Number{},
          info.layers);
    visit(About{.name = "digest", .text = "of the image's manifest; empty for what is no image"},
          field::Text{}, info.digest);
    visit(About{.name = "parent", .text = "of a snapshot: what its sandbox was made from"},
          field::Text{}, info.parent);
    visit(About{.name = "written",
                .text = "of a snapshot, of what was built: content beyond what it "
                        "stands on"},
          field::Number{}, info.written);
    visit(About{.name = "sandbox", .text = "of a snapshot: the sandbox that it is of"},
          field::Text{}, info.sandbox);
    visit(About{.name = "packages",
                .text = "of one that was made for packages that sandboxes asked for: which; it "
                        "goes when it was not used for long"},
          field::Texts{}, info.packages);
    visit(About{.name = "entrypoint",
                .text =
                    "of an image: its ENTRYPOINT; in a list of templates it is empty, as are cmd, "
                    "volumes and exposed_ports"},
          field::Texts{}, info.entrypoint);
    visit(About{.name = "cmd", .text = "of an image: its CMD"}, field::Texts{}, info.cmd);
    visit(About{.name = "volumes",
                .text = "of an image: paths that its VOLUME names; they are as the rest of it, and "
                        "nothing is mounted there"},
          field::Texts{}, info.volumes);
    visit(About{.name = "exposed_ports",
                .text = "of an image: what its EXPOSE names, as in \"8080/tcp\"; nothing is "
                        "published by that"},
          field::Texts{}, info.exposed_ports);
    visit(
        About{.name = "came",
              .text = "by_hand: somebody asked for it; pulled: because a sandbox or a build stood "
                      "on an image that was not here; derived: Cay made it of another one. Those "
                      "two are removed when there is no room for them"},
        field::Text{}, CameName(info.came));
    visit(About{"imported_at"}, field::Time{}, info.imported_unix_ms);
    visit(About{.name = "notes", .text = "what an import left out or changed"}, field::Text{},
          DescribeNotes(info.notes));
  }
};

struct TemplateList {
  static constexpr std::string_view kSchema = "TemplateList";
  static void Of(const std::vector<TemplateInfo>& all, auto& visit) {
    visit(About{"templates"}, field::Objects<Template>{}, all);
  }
};

}  // namespace cay::templates::fields
