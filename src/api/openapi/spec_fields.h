// What clients send about a sandbox: the list of its fields, and what is read beside it
// (api/rest/sandboxes/sandbox_json.cc).
#pragma once

#include <array>
#include <string_view>

#include "base/field.h"
#include "sandbox/fields.h"

namespace cay::api {

struct SpecAndNetwork : sandbox::fields::Spec {
  static void Of(const sandbox::SandboxSpec& spec, auto& visit) {
    sandbox::fields::Spec::Of(spec, visit);
    visit(field::About{"network"}, field::Word{.words = kNetworks}, std::string_view());
  }

 private:
  static constexpr std::array<std::string_view, 1> kNetworks = {"none"};
};

}  // namespace cay::api
